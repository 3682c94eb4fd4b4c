"""Before and after: known answers, and no progress where there is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from lung_models.findings import KEYS
from lung_models.training.tuning import compare
from lung_models.training.tuning.compare import Said, auroc, compare_findings, verdict

N = 120


def said(probability: np.ndarray) -> Said:
    return Said(probability, probability >= 0.5)


@pytest.fixture
def labels() -> np.ndarray:
    return (np.random.default_rng(0).random((N, 6)) < 0.4).astype(np.float32)


def test_a_better_version_is_better_and_the_same_one_is_undecided(
    labels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "BOOTSTRAPS", 200)
    rng = np.random.default_rng(1)
    noise = rng.random((N, 6))
    weak, strong = said(0.8 * noise + 0.2 * labels), said(0.4 * noise + 0.6 * labels)
    patients = np.array([f"p{i // 2}" for i in range(N)])
    better = compare_findings(labels, patients, weak, strong)
    assert verdict("auroc_mean", better["difference"]["auroc_mean"]) == "better"
    assert better["after"]["auroc_edema"]["value"] == pytest.approx(
        roc_auc_score(labels[:, 4], strong.probability[:, 4]), abs=1e-4
    )
    worse = compare_findings(labels, patients, strong, weak)
    assert verdict("auroc_mean", worse["difference"]["auroc_mean"]) == "worse"
    same = compare_findings(labels, patients, weak, weak)
    assert all(one["value"] == 0 and one["ci95"] == [0, 0] for one in same["difference"].values())
    assert {verdict(name, one) for name, one in same["difference"].items()} == {"undecided"}


def test_lower_calibration_error_is_better() -> None:
    assert verdict("calibration_error_edema", {"ci95": [-0.3, -0.1]}) == "better"
    assert verdict("cardiothoracic_ratio_error", {"ci95": [0.1, 0.2]}) == "worse"


def test_what_cannot_be_told_is_not_given(labels: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "BOOTSTRAPS", 20)
    labels[:, 1:] = np.nan
    found = compare_findings(labels, np.arange(N).astype(str), said(labels * 0 + 0.5), said(labels * 0 + 0.5))
    assert "auroc_edema" not in found["before"] and "auroc_cardiomegaly" in found["before"]
    assert "accuracy" not in found["before"], "one label alone is no choice among six"
    assert found["before"]["sensitivity_cardiomegaly"]["n"] == int((labels[:, 0] == 1).sum())


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=60))
def test_the_area_is_scikit_learns(cases: list[tuple[bool, int]]) -> None:
    truth, score = np.array([one for one, _ in cases]), np.array([two for _, two in cases], float)
    if truth.all() or not truth.any():
        return
    assert auroc(truth, score) == pytest.approx(roc_auc_score(truth, score))


def test_every_figure_has_a_title() -> None:
    from lung_models.training.tuning.versions import FIGURE_NAMES

    for key in KEYS:
        for name in compare.FINDING_FIGURES:
            assert any(f"{name}_{key}".startswith(start) for start in FIGURE_NAMES)
