"""Head, calibration and operating points, on features whose answer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lung_models import figures
from lung_models.evaluate.findings import Predictions, cross_validated, findings_figures
from lung_models.findings import KEYS
from lung_models.training.head import Design, LabelledFeatures, Linear, fit_head, folds, operating_points


@pytest.fixture(autouse=True)
def few_bootstraps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals as such are not what is tested here."""
    monkeypatch.setattr(figures, "BOOTSTRAPS", 20)


def synthetic(signal: float, patients: int = 150) -> LabelledFeatures:
    """Two radiographs a patient; each finding is written into one feature with some noise."""
    rng = np.random.default_rng(0)
    count = 2 * patients
    labels = (rng.random((count, len(KEYS))) < 0.25).astype(np.float32)
    pooled = rng.standard_normal((count, 20)).astype(np.float32)
    pooled[:, : len(KEYS)] += signal * labels
    geometry = rng.standard_normal((count, 6)).astype(np.float32)
    geometry[::9, 0] = np.nan
    return LabelledFeatures(pooled, geometry, labels, np.repeat([f"p{i}" for i in range(patients)], 2))


def figure(measured: list, name: str, group: str) -> float:
    return next(one.value for one in measured if one.name == name and one.group.startswith(group))


def test_what_is_in_the_features_is_found_and_calibrated() -> None:
    measured = findings_figures(cross_validated(synthetic(signal=3.0)))
    assert figure(measured, "AUROC", "mean of the five") > 0.95
    assert figure(measured, "Expected calibration error", "Edema") < 0.1
    assert all(one.low <= one.value <= one.high for one in measured if one.name == "AUROC")


def noise_head() -> Linear:
    """A head that knows nothing."""
    rng = np.random.default_rng(5)
    return Linear(rng.standard_normal((len(KEYS), 20)), np.zeros(len(KEYS)))


@pytest.mark.parametrize("design", [Design(), Design(noise_head(), absence=True)], ids=["alone", "joined"])
def test_what_is_not_in_the_features_is_not_found(design: Design) -> None:
    """The check on the protocol: with noise for features any leak between fit and score would show."""
    measured = findings_figures(cross_validated(synthetic(signal=0.0), design))
    assert figure(measured, "AUROC", "mean of the five") == pytest.approx(0.5, abs=0.08)
    assert figure(measured, "AUROC", "No Finding") == pytest.approx(0.5, abs=0.12)


def test_no_finding_builds_on_the_others_where_it_is_designed_to() -> None:
    """Nothing in its own features tells it: only that none of the others is there."""
    data = synthetic(signal=3.0)
    data.labels[:, -1] = data.labels[:, :-1].sum(axis=1) == 0
    data.pooled[:, len(KEYS) - 1] = 0.0
    alone, told = fit_head(data).calibration, fit_head(data, Design(absence=True)).calibration
    assert not alone.absence_weights.any()
    assert told.absence_weights[-1] > 0.5 and not told.absence_weights[:-1].any()
    assert not any(told.findings["no_finding"].geometry)
    assert told.findings["edema"] == alone.findings["edema"]


def test_folds_never_split_a_patient() -> None:
    data = synthetic(1.0)
    for fitted, scored in folds(data, seed=0):
        assert set(data.patients[fitted]).isdisjoint(data.patients[scored])


def test_the_folded_head_is_a_linear_layer_on_the_features_as_they_are() -> None:
    data = synthetic(3.0)
    shifted = LabelledFeatures(data.pooled * 7 + 100, data.geometry, data.labels, data.patients)
    plain, same = fit_head(data), fit_head(shifted)
    np.testing.assert_allclose(
        plain.probabilities(data.pooled, data.geometry),
        same.probabilities(shifted.pooled, shifted.geometry),
        atol=0.01,
    )


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 3.0))
@settings(max_examples=50, deadline=None)
def test_operating_points_keep_their_rule(seed: int, signal: float) -> None:
    rng = np.random.default_rng(seed)
    labels = np.r_[np.ones(20), np.zeros(60)]
    probability = 1 / (1 + np.exp(-(rng.standard_normal(80) + signal * labels)))
    threshold, low, high = operating_points(labels, probability)
    assert low <= threshold <= high
    assert np.mean(probability[labels == 1] >= threshold) >= 0.8
    assert np.mean(probability[labels == 1] >= low) >= 0.9
    assert np.mean(probability[labels == 0] < high) >= 0.9 or high == threshold


def test_chance_alone_makes_a_calibration_error_and_the_figure_beside_says_how_large() -> None:
    rng = np.random.default_rng(3)
    probability = rng.uniform(0.05, 0.95, (400, len(KEYS)))
    labels = (rng.random(probability.shape) < probability).astype(np.float32)
    patients = np.arange(400).astype(str)
    right = findings_figures(Predictions(labels, patients, probability[None], probability[None] > 0.5, "made up"))
    beside = next(one for one in right if one.name.endswith("if calibration were perfect"))
    assert 0.02 < beside.value < 0.08
    assert beside.low <= figure(right, "Expected calibration error", beside.group) <= beside.high
    overconfident = np.where(probability > 0.5, 0.97, 0.03)
    wrong = findings_figures(Predictions(labels, patients, overconfident[None], overconfident[None] > 0.5, "made up"))
    assert figure(wrong, "Expected calibration error", beside.group) > 0.15
