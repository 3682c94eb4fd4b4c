"""A probability is monotone in the logit, survives the card, and is called at its operating point."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lung_models.calibration import Calibration, FindingCalibration
from lung_models.findings import KEYS

FITTED = FindingCalibration(slope=2.0, geometry=(1.0, 0, 0, 0, 0, 0), intercept=-1.0, threshold=0.4, low=0.3, high=0.6)
CALIBRATION = Calibration(dict.fromkeys(KEYS, FITTED), (0.5,) * 6, (0.1,) * 6, "a rule")
AVERAGE = np.full((1, 6), 0.5)


def test_the_formula() -> None:
    geometry = AVERAGE.copy()
    geometry[0, 0] = 0.6  # one standard deviation above the mean
    probability = CALIBRATION.probabilities(np.full((1, 6), 0.25), geometry)
    assert probability[0, 0] == pytest.approx(1 / (1 + np.exp(-(2 * 0.25 + 1.0 - 1.0))))


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_monotone_and_within_range(first: float, second: float) -> None:
    low, high = sorted((first, second))
    p, q = (CALIBRATION.probabilities(np.full((1, 6), logit), AVERAGE)[0, 0] for logit in (low, high))
    assert 0.0 <= p <= q <= 1.0


def test_a_ratio_that_was_not_measured_counts_as_average() -> None:
    unknown = np.full((1, 6), np.nan)
    np.testing.assert_array_equal(
        CALIBRATION.probabilities(np.zeros((1, 6)), unknown), CALIBRATION.probabilities(np.zeros((1, 6)), AVERAGE)
    )


@pytest.mark.parametrize(
    "probability, call",
    [(0.0, "absent"), (0.299, "absent"), (0.3, "uncertain"), (0.599, "uncertain"), (0.6, "present")],
)
def test_calls(probability: float, call: str) -> None:
    assert FITTED.call(probability) == call


def building_on_the_others(absence: float) -> Calibration:
    return replace(CALIBRATION, findings={**CALIBRATION.findings, "no_finding": replace(FITTED, absence=absence)})


@given(st.lists(st.floats(-8, 8), min_size=6, max_size=6))
def test_no_finding_builds_on_what_the_others_say(logits: list[float]) -> None:
    others = CALIBRATION.probabilities(np.array([logits]), AVERAGE)[0, :5]
    alone = CALIBRATION.log_odds(np.array([logits]), AVERAGE)[0, 5]
    together = building_on_the_others(1.5).log_odds(np.array([logits]), AVERAGE)[0]
    assert together[5] == pytest.approx(alone + 1.5 * np.log1p(-others).sum(), abs=1e-6)
    np.testing.assert_array_equal(together[:5], CALIBRATION.log_odds(np.array([logits]), AVERAGE)[0, :5])


def test_a_finding_that_is_likely_makes_no_finding_unlikely() -> None:
    logits = np.zeros((2, 6))
    logits[1, KEYS.index("edema")] = 3.0
    without, with_edema = building_on_the_others(1.0).probabilities(logits, AVERAGE)[:, KEYS.index("no_finding")]
    assert with_edema < without


@pytest.mark.parametrize("calibration", [CALIBRATION, building_on_the_others(1.5)])
def test_a_card_keeps_it_whole(calibration: Calibration) -> None:
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration
