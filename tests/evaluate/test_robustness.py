"""The same radiograph in other ways, and how far its probabilities move."""

from pathlib import Path

import numpy as np
import pytest

from lung_models import figures
from lung_models.evaluate import robustness
from lung_models.evaluate.robustness import VARIANTS, robustness_figures
from lung_models.training.labelled_set import load_findings
from lung_models.weights import WeightStore


def test_variants_change_what_they_say_and_nothing_else() -> None:
    across = np.linspace(0.1, 0.9, 384, dtype=np.float32)
    ramp = np.repeat(across[None], 320, axis=0)
    assert VARIANTS["1024 pixels"](ramp).shape == (853, 1024)
    assert VARIANTS["256 pixels"](ramp).shape == (213, 256)
    np.testing.assert_allclose(VARIANTS["gamma 1.4"](ramp), ramp**1.4)
    compressed = VARIANTS["JPEG of quality 50"](ramp)
    assert compressed.shape == ramp.shape and 0 < np.abs(compressed - ramp).max() < 0.05
    turned = VARIANTS["5 degrees clockwise"](ramp)
    assert turned.shape == ramp.shape
    # Clockwise, what lay above the middle moves right: the ramp is darker there than it was.
    assert turned[40, 192] < ramp[40, 192] - 0.02
    back = VARIANTS["5 degrees anticlockwise"](turned)
    np.testing.assert_allclose(back[80:240, 96:288], ramp[80:240, 96:288], atol=0.01)


@pytest.mark.data
def test_every_variant_has_its_figures(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robustness, "RADIOGRAPHS", 3)
    monkeypatch.setattr(figures, "BOOTSTRAPS", 20)
    store = WeightStore()
    measured = robustness_figures(store, store.card("findings"), load_findings(shared_data, "val"))
    assert {figure.group for figure in measured} == set(VARIANTS)
    moved = [figure for figure in measured if figure.name.startswith("Change of a probability, median")]
    assert len(moved) == len(VARIANTS)
    assert all(0 < figure.value < 0.3 and figure.n == 3 for figure in moved)
