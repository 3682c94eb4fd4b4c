"""Conditions change a film and what is drawn on it alike."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from lung_models.evaluate import conditions
from lung_models.evaluate.conditions import CONDITIONS, LONG_SIDE, condition_figures, score_conditions
from lung_models.evaluate.organs import IN_PIECES, SWAPPED, OutlineScore
from lung_models.reading import ORGANS
from lung_models.training.labelled_set import OrgansSet
from lung_models.training.organs import outline
from lung_models.weights import WeightStore
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def outlined(chest_file: Path, tmp_path_factory: pytest.TempPathFactory) -> OrgansSet:
    """A real film with the outlines that the shipped network draws: as it is, the two agree."""
    folder = tmp_path_factory.mktemp("drawn")
    store = WeightStore(ROOT / "weights")
    card = store.card("organs")
    ((_, measured),) = outline(store.load(card), card.input_size, [chest_file])
    files = {organ: folder / f"{organ}.png" for organ in ORGANS}
    for organ, probability in zip(ORGANS, measured.organ_probability, strict=True):
        cv2.imwrite(str(files[organ]), np.where(probability >= 0.5, 255, 0).astype(np.uint8))
    return OrgansSet((chest_file,), (files,), np.array(["sample"]))


def test_what_is_drawn_moves_along(outlined: OrgansSet) -> None:
    store = WeightStore(ROOT / "weights")
    card = store.card("organs")
    scores = score_conditions(store.load(card), card.input_size, outlined)
    assert set(scores) == set(CONDITIONS)
    dice = {name: one[0].dice["lungs"] for name, one in scores.items()}
    assert dice["as it is"] > 0.98
    assert min(dice[name] for name in ("low exposure", "apices cut off", "turned by 10 degrees")) > 0.93, dice
    assert dice["opacity over half a lung"] > 0.7
    assert not any(one[0].swapped for one in scores.values())


@pytest.fixture
def picture() -> conditions.Picture:
    pixels = np.full((LONG_SIDE, 400), 0.3, np.float32)
    masks = np.zeros((3, *pixels.shape), bool)
    masks[0, 100:400, 40:160] = masks[1, 100:400, 240:360] = True
    return pixels, masks


def test_an_opacity_hides_the_base_of_one_lung_only(picture: conditions.Picture) -> None:
    pixels, masks = picture
    changed, drawn = conditions.opacity(pixels, masks, np.random.default_rng(0))
    brighter = changed > pixels + 0.3
    assert brighter.any() and drawn is masks
    covered = [float((brighter & lung).sum() / lung.sum()) for lung in masks[:2]]
    assert sorted(covered) == [0.0, pytest.approx(conditions.OPAQUE, abs=0.06)]
    assert not brighter[:240].any()


def test_apices_are_cut_off_picture_and_outlines_alike(picture: conditions.Picture) -> None:
    changed, drawn = conditions.cut_apices(*picture, np.random.default_rng(0))
    assert changed.shape == drawn.shape[1:]
    assert drawn[0, 0].any(), "the lungs reach the edge"
    assert drawn[0].sum() == pytest.approx((1 - conditions.APICES) * picture[1][0].sum(), rel=0.01)


def test_a_low_exposure_is_grainy_and_no_darker(picture: conditions.Picture) -> None:
    changed, _ = conditions.low_exposure(*picture, np.random.default_rng(0))
    assert changed.mean() == pytest.approx(0.3, abs=0.002)
    assert changed.std() == pytest.approx((0.3 / conditions.QUANTA) ** 0.5, rel=0.02)


def test_figures_count_what_went_wrong() -> None:
    scores = [
        OutlineScore("a", {"lungs": dice}, None, None, swapped, 0) for dice, swapped in ((0.9, False), (0.7, True))
    ]
    figures = {(one.name, one.group): one for one in condition_figures({"turned": scores}, "p")}
    assert figures[conditions.DICE, "turned"].value == pytest.approx(0.8)
    assert figures[SWAPPED, "turned"].value == 0.5 and figures[SWAPPED, "turned"].low > 0.0
    assert figures[IN_PIECES, "turned"].high < 1.0
