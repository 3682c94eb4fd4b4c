"""Fine-tuning a classifier whose No Finding builds on what the other five say."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from lung_models.calibration import Calibration, FindingCalibration
from lung_models.findings import KEYS
from lung_models.training.head import Design, FittedHead, LabelledFeatures, fit_head
from lung_models.training.tuning import full, quick

FITTED = FindingCalibration(slope=1.0, geometry=(0.0,) * 6, intercept=-0.5, threshold=0.4, low=0.3, high=0.6)
CALIBRATION = Calibration(
    {**dict.fromkeys(KEYS, FITTED), "no_finding": replace(FITTED, absence=1.3)}, (0.0,) * 6, (1.0,) * 6, "a rule"
)
EDEMA = KEYS.index("edema")


def radiographs(count: int, seed: int, swapped: bool = False) -> LabelledFeatures:
    """One feature a finding, with noise; swapped, edema is written into another; No Finding is in none of them."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((count, len(KEYS))) < 0.2).astype(np.float32)
    labels[:, -1] = labels[:, :-1].sum(axis=1) == 0
    pooled = rng.standard_normal((count, 20)).astype(np.float32)
    pooled[:, : len(KEYS) - 1] += 3.0 * labels[:, :-1]
    if swapped:
        pooled[:, [EDEMA, 10]] = pooled[:, [10, EDEMA]]
    return LabelledFeatures(pooled, np.zeros((count, 6), np.float32), labels, np.arange(count).astype(str))


@pytest.fixture(scope="module")
def parent() -> FittedHead:
    return fit_head(radiographs(400, seed=0), Design(absence=True))


def studies(data: LabelledFeatures) -> quick.Studies:
    return quick.Studies(data.pooled, data.geometry, data.labels)


def test_tensors_say_what_the_calibration_says() -> None:
    alone = np.random.default_rng(0).normal(0, 4, (50, 6))
    held = np.where(np.arange(50)[:, None] % 2 == 0, -2.5, np.nan)
    said = full.together(CALIBRATION, torch.from_numpy(alone), torch.from_numpy(held)).numpy()
    np.testing.assert_allclose(said[1::2], CALIBRATION.together(alone)[1::2])
    np.testing.assert_allclose(said[::2], CALIBRATION.together(alone, np.full(50, -2.5))[::2])


def test_the_five_do_not_learn_from_no_finding() -> None:
    alone = torch.zeros((3, 6), requires_grad=True)
    full.together(CALIBRATION, alone, torch.full((3, 1), float("nan")))[:, -1].sum().backward()
    assert alone.grad is not None
    assert alone.grad[:, :-1].abs().max() == 0 and (alone.grad[:, -1] == 1).all()


def test_with_nothing_to_learn_from_all_stays(parent: FittedHead) -> None:
    few = radiographs(5, seed=1)
    same = quick.corrected(parent, studies(few))
    calibration = quick.recalibrated(same, studies(few))
    other = radiographs(50, seed=2)
    np.testing.assert_allclose(
        replace(same, calibration=calibration).probabilities(other.pooled, other.geometry),
        parent.probabilities(other.pooled, other.geometry),
        rtol=1e-5,
    )


@pytest.mark.parametrize("known", [True, False], ids=["No Finding labelled", "No Finding unknown"])
def test_no_finding_follows_what_another_finding_learnt(parent: FittedHead, known: bool) -> None:
    elsewhere, unseen = radiographs(600, seed=3, swapped=True), radiographs(600, seed=4, swapped=True)
    learnt, judged = elsewhere.subset(np.arange(400)), elsewhere.subset(np.arange(400, 600))
    if not known:
        learnt.labels[:, -1] = judged.labels[:, -1] = np.nan
    tuned = quick.corrected(parent, studies(learnt))
    tuned = replace(tuned, calibration=quick.recalibrated(tuned, studies(judged)))
    before, after = (head.probabilities(unseen.pooled, unseen.geometry) for head in (parent, tuned))
    for column in (EDEMA, KEYS.index("no_finding")):
        gained = [roc_auc_score(unseen.labels[:, column], said[:, column]) for said in (before, after)]
        assert gained[1] > gained[0] + 0.01, KEYS[column]
    assert tuned.calibration.absence_weights[-1] > 0
    if not known:
        assert tuned.calibration.findings["no_finding"] == parent.calibration.findings["no_finding"]
