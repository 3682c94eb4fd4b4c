"""The quick way to fine-tune a classifier: its features stay, the head learns a correction of what the parent says.

For each finding one logistic regression on the parent's calibrated log-odds, hardly penalised, and on the pooled
features and the geometry, strongly penalised: with few studies it stays near the parent, with many it leaves it. The
sum is linear in the features, so that the heat maps stay exact. A finding with too few studies keeps the parent's head;
No Finding follows the other five all the same, where the parent's builds on them.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from lung_models.calibration import Calibration, FindingCalibration
from lung_models.findings import KEYS
from lung_models.intake.frozen import LEARN
from lung_models.training.head import RULE, FittedHead, operating_points

STRENGTH = 1e-3  # scikit-learn's C for standardised features; the parent's head was fitted with the same
TRUST = 10.0  # the parent's log-odds are multiplied by it, so that their weight costs a hundredth of a feature's
GEOMETRY_TRUST = 3.0  # the same for the six quantities of geometry
LEAST_SLOPE = 0.05  # of a logit in the log-odds; a parent that hardly uses its network has less, and division by it
SLOPE_PRIOR, INTERCEPT_PRIOR = 0.5, 1.5  # standard deviations about "no change" when calibration is refitted


@dataclass(frozen=True)
class Studies:
    """What a head learns from, n studies.

    Args:
        pooled: float32 (n, channels).
        geometry: float32 (n, 6).
        labels: float32 (n, 6), 1, 0 or NaN for unknown.
    """

    pooled: np.ndarray
    geometry: np.ndarray
    labels: np.ndarray

    def subset(self, rows: np.ndarray) -> "Studies":
        """Some of the studies."""
        return Studies(self.pooled[rows], self.geometry[rows], self.labels[rows])


def corrected(parent: FittedHead, learnt: Studies) -> FittedHead:
    """The parent's head with a correction learnt from some studies, finding by finding."""
    weight, bias = parent.weight.astype(np.float64), parent.bias.astype(np.float64)
    geometry = parent.calibration.standardised(learnt.geometry)
    mean, scale = learnt.pooled.mean(axis=0), learnt.pooled.std(axis=0) + 1e-3
    inputs = np.column_stack([(learnt.pooled - mean) / scale, geometry * GEOMETRY_TRUST])
    findings = dict(parent.calibration.findings)
    for column, key in enumerate(KEYS):
        known = ~np.isnan(learnt.labels[:, column])
        labels = learnt.labels[known, column]
        if not enough(labels):
            continue
        # No Finding is last: it builds on what the others say after their correction.
        so_far = replace(parent.calibration, findings=findings)
        said = so_far.log_odds(learnt.pooled @ weight.T + bias, learnt.geometry)[:, column]
        model = LogisticRegression(C=STRENGTH, max_iter=2000)
        model.fit(np.column_stack([said[known] * TRUST, inputs[known]]), labels)
        trust, rest = float(model.coef_[0, 0]) * TRUST, model.coef_[0, 1:]
        on_features, on_geometry = rest[: len(mean)] / scale, rest[len(mean) :] * GEOMETRY_TRUST
        before = findings[key]
        slope = max(before.slope, LEAST_SLOPE)
        weight[column] = (trust * before.slope * weight[column] + on_features) / slope
        bias[column] *= trust * before.slope / slope
        findings[key] = replace(
            before,
            slope=slope,
            geometry=tuple((trust * np.array(before.geometry) + on_geometry).tolist()),
            intercept=trust * before.intercept + float(model.intercept_[0] - on_features @ mean),
            absence=trust * before.absence,
        )
    calibration = replace(parent.calibration, findings=findings)
    return FittedHead(weight.astype(np.float32), bias.astype(np.float32), calibration)


def recalibrated(head: FittedHead, seen: Studies) -> Calibration:
    """The head's calibration and operating points, refitted on studies that the head did not learn from.

    Where they hold too few of a class, both stay as they are. No Finding is last in ``KEYS``: it builds on what the
    others say after their refit, and follows them even where its own calibration stays.
    """
    logits = seen.pooled @ head.weight.T + head.bias
    findings = dict(head.calibration.findings)
    for column, key in enumerate(KEYS):
        known = ~np.isnan(seen.labels[:, column])
        log_odds = replace(head.calibration, findings=findings).log_odds(logits, seen.geometry)
        labels, said = seen.labels[known, column], log_odds[known, column]
        if not enough(labels):
            continue
        slope, intercept = _near_identity(said, labels)
        fitted = _rescaled(findings[key], slope, intercept)
        threshold, low, high = operating_points(labels, 1.0 / (1.0 + np.exp(-(slope * said + intercept))))
        findings[key] = replace(fitted, threshold=threshold, low=low, high=high)
    return replace(head.calibration, findings=findings, rule=_rule())


def enough(labels: np.ndarray, least: int = LEARN) -> bool:
    """Whether both classes are there ``least`` times."""
    return min(int((labels == 1).sum()), int((labels == 0).sum())) >= least


def _near_identity(log_odds: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Slope and intercept that calibrate log-odds (Platt 1999), with a Gaussian prior about 1 and 0: few studies
    change little.
    """

    def cost(parameters: np.ndarray) -> float:
        slope, intercept = parameters
        said = slope * log_odds + intercept
        prior = ((slope - 1.0) / SLOPE_PRIOR) ** 2 / 2.0 + (intercept / INTERCEPT_PRIOR) ** 2 / 2.0
        return float(np.logaddexp(0.0, said).sum() - (labels * said).sum() + prior)

    slope, intercept = minimize(cost, np.array([1.0, 0.0])).x
    return max(float(slope), 0.05), float(intercept)


def _rescaled(fitted: FindingCalibration, slope: float, intercept: float) -> FindingCalibration:
    return replace(
        fitted,
        slope=fitted.slope * slope,
        geometry=tuple(weight * slope for weight in fitted.geometry),
        intercept=fitted.intercept * slope + intercept,
        absence=fitted.absence * slope,
    )


def _rule() -> str:
    return (
        f"Where the validation part of the labelled set holds at least {LEARN} of each class, calibration was refitted "
        "on it, near the parent's, and the operating points with it. Elsewhere both are the parent's; where No Finding "
        "builds on the other five it follows them, at the parent's operating point. "
        f"{RULE}"
    )
