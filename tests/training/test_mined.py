"""A head fitted to text-mined labels learns the finding and not the view that it is mostly mined from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from lung_models.findings import KEYS
from lung_models.training.head import Design, LabelledFeatures, fit_head
from lung_models.training.mined import balanced, fit_mined

IMAGES, CHANNELS = 4000, 40


def mined_set(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features that tell each finding, with noise, and one, louder, that tells the view, in which most are found."""
    rng = np.random.default_rng(seed)
    bedside = rng.random(IMAGES) < 0.4
    labels = (rng.random((IMAGES, len(KEYS))) < np.where(bedside, 0.6, 0.1)[:, None]).astype(np.float32)
    pooled = rng.standard_normal((IMAGES, CHANNELS)).astype(np.float32)
    pooled[:, : len(KEYS)] += labels
    pooled[:, -1] += 6.0 * bedside
    return pooled, labels, np.where(bedside, "AP", "PA")


def test_it_finds_the_finding_and_not_the_view() -> None:
    head = fit_mined(*mined_set(0))
    for column in range(len(KEYS)):
        others = np.delete(head.weight[column], [column])
        assert head.weight[column, column] > 5 * np.abs(others).max()
    blind = fit_mined(*mined_set(0)[:2], np.full(IMAGES, "any"))
    assert blind.weight[0, -1] > 3 * abs(head.weight[0, -1]), "without the stratum the view is learnt"


def test_joined_with_a_head_of_few_labels_it_ranks_better_and_stays_one_linear_layer() -> None:
    pooled, labels, stratum = mined_set(1)
    mined = fit_mined(*mined_set(2))
    pa = np.flatnonzero(stratum == "PA")
    rows, unseen = pa[:200], pa[200:]
    few = LabelledFeatures(pooled[rows], np.zeros((200, 6), np.float32), labels[rows], rows.astype(str))
    alone, joined = (
        roc_auc_score(labels[unseen], head.probabilities(pooled[unseen], np.zeros((len(unseen), 6))))
        for head in (fit_head(few), fit_head(few, Design(mined)))
    )
    assert joined > alone + 0.02
    assert fit_head(few, Design(mined)).weight.shape == (len(KEYS), CHANNELS)


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, np.nan]), st.sampled_from("abc")), min_size=1, max_size=60))
def test_every_stratum_has_as_much_of_either_class(rows: list[tuple[float, str]]) -> None:
    labels, stratum = np.array([label for label, _ in rows]), np.array([name for _, name in rows])
    weight = balanced(labels, stratum)
    assert np.isfinite(weight).all() and (weight >= 0).all() and not weight[np.isnan(labels)].any()
    for name in "abc":
        there, absent = (weight[(stratum == name) & (labels == value)].sum() for value in (1.0, 0.0))
        assert there == pytest.approx(absent)
