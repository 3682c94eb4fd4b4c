"""Fitting the head, the calibration and the operating points to a few hundred radiologists' labels.

All three are logistic regressions on frozen quantities, so that a fit takes a second: first the head on the network's
pooled features, then, on logits of patients that the head did not see, the calibrated stack of logit and geometry,
and last the operating points on the stack's probabilities for patients that it did not see either. The stack of No
Finding has the other findings' probabilities, of patients that their stacks did not see, in place of the geometry.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_curve
from sklearn.model_selection import StratifiedGroupKFold

from lung_models.calibration import Calibration, FindingCalibration, log_absence
from lung_models.findings import ABNORMAL, KEYS, NO_FINDING

HEAD_STRENGTH = 1e-3  # inverse regularisation of the head, on standardised features (scikit-learn's C)
STACK_STRENGTH = 0.5  # the same of the stack of logit and geometry; weaker than 0.1 it calibrates better
FOLDS = 5  # of every cross-validation, over patients
SENSITIVITY = 0.80  # of the operating point on patients not seen
BAND = 0.90  # sensitivity at the lower and specificity at the upper end of the uncertain band
RULE = (
    f"The operating point is the highest threshold with a sensitivity of at least {SENSITIVITY:.2f} on cross-validated "
    f"patients. Absent is called below the threshold of sensitivity {BAND:.2f}, present above that of specificity "
    f"{BAND:.2f}; in between is uncertain."
)


@dataclass(frozen=True)
class LabelledFeatures:
    """Frozen quantities of radiologist-read radiographs.

    Args:
        pooled: float32 (n, channels), the classifier's pooled features.
        geometry: float32 (n, 6), see :data:`lung_models.anatomy.GEOMETRY`; NaN where not measurable.
        labels: float32 (n, 6), 1, 0 or NaN for unknown.
        patients: str (n,).
    """

    pooled: np.ndarray
    geometry: np.ndarray
    labels: np.ndarray
    patients: np.ndarray

    def subset(self, rows: np.ndarray) -> "LabelledFeatures":
        """Some of the radiographs."""
        return LabelledFeatures(self.pooled[rows], self.geometry[rows], self.labels[rows], self.patients[rows])


@dataclass(frozen=True)
class FittedHead:
    """A head ready to be put into a classifier, and what belongs to it.

    Args:
        weight: float32 (6, channels), on features as they are (standardisation is folded in).
        bias: float32 (6,).
        calibration: What turns its logits into probabilities and calls.
    """

    weight: np.ndarray
    bias: np.ndarray
    calibration: Calibration

    def probabilities(self, pooled: np.ndarray, geometry: np.ndarray) -> np.ndarray:
        """Calibrated probabilities, float64 (n, 6)."""
        return self.calibration.probabilities(pooled @ self.weight.T + self.bias, geometry)


def fit_head(data: LabelledFeatures, seed: int = 0) -> FittedHead:
    """Fit head, calibration and operating points; all of ``data`` serves, none of it twice for the same step."""
    weight, bias = fit_linear(data)
    mean, scale = np.nanmean(data.geometry, axis=0), np.nanstd(data.geometry, axis=0) + 1e-6
    logits = np.full(data.labels.shape, np.nan)
    for fitted, scored in folds(data, seed):
        fold_weight, fold_bias = fit_linear(data.subset(fitted))
        logits[scored] = data.pooled[scored] @ fold_weight.T + fold_bias
    standardised = np.nan_to_num((data.geometry - mean) / scale)
    calibrated = {}
    unseen = np.full(data.labels.shape, np.nan)
    for column, finding in enumerate(ABNORMAL):
        calibrated[finding.key], unseen[:, column] = _calibrate(logits[:, column], standardised, column, data, seed)
    calibrated[NO_FINDING.key] = _calibrate_absence(logits[:, -1], log_absence(unseen), data, seed)
    return FittedHead(weight, bias, Calibration(calibrated, tuple(mean.tolist()), tuple(scale.tolist()), RULE))


def fit_linear(data: LabelledFeatures) -> tuple[np.ndarray, np.ndarray]:
    """One regularised, class-balanced logistic regression a finding on standardised features.

    Returns:
        Weight float32 (6, channels) and bias float32 (6,), on the features as they are.
    """
    mean, scale = data.pooled.mean(axis=0), data.pooled.std(axis=0) + 1e-6
    standardised = (data.pooled - mean) / scale
    weights, biases = [], []
    for column in range(len(KEYS)):
        known = ~np.isnan(data.labels[:, column])
        model = LogisticRegression(C=HEAD_STRENGTH, class_weight="balanced", max_iter=1000)
        model.fit(standardised[known], data.labels[known, column])
        weight = model.coef_[0] / scale
        weights.append(weight)
        biases.append(model.intercept_[0] - weight @ mean)
    return np.array(weights, np.float32), np.array(biases, np.float32)


def folds(data: LabelledFeatures, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds over patients, each with its share of the rarest findings."""
    positives = np.nansum(data.labels == 1, axis=0)
    rarest_first = np.argsort(positives)
    stratum = np.full(len(data.labels), -1)
    for column in rarest_first[::-1]:
        stratum[data.labels[:, column] == 1] = column
    splitter = StratifiedGroupKFold(n_splits=FOLDS, shuffle=True, random_state=seed)
    return list(splitter.split(data.pooled, stratum, data.patients))


def _calibrate(
    logit: np.ndarray, geometry: np.ndarray, column: int, data: LabelledFeatures, seed: int
) -> tuple[FindingCalibration, np.ndarray]:
    """The stack of one finding, and its log-odds, float64 (n,), for patients that it did not see."""
    intercept, slope, weights, points, unseen = _fit_stack(logit, geometry, column, data, seed)
    return FindingCalibration(slope, weights, intercept, *points), unseen


def _calibrate_absence(logit: np.ndarray, absence: np.ndarray, data: LabelledFeatures, seed: int) -> FindingCalibration:
    """The stack of No Finding: its logit, and how likely the others say that none of them is there."""
    column = KEYS.index(NO_FINDING.key)
    intercept, slope, (weight,), points, _ = _fit_stack(logit, absence[:, np.newaxis], column, data, seed)
    return FindingCalibration(slope, (0.0,) * data.geometry.shape[1], intercept, *points, absence=weight)


def _fit_stack(
    logit: np.ndarray, beside: np.ndarray, column: int, data: LabelledFeatures, seed: int
) -> tuple[float, float, tuple[float, ...], tuple[float, float, float], np.ndarray]:
    """A logistic regression of one label on a logit and what stands beside it.

    Returns:
        Intercept, slope of the logit, weights of the rest, the operating points, and log-odds, float64 (n,), for
        patients that the regression did not see; the operating points are chosen on these.
    """
    centre, spread = float(logit.mean()), float(logit.std()) + 1e-6
    inputs = np.column_stack([(logit - centre) / spread, beside])
    labels = data.labels[:, column]
    known = ~np.isnan(labels)
    unseen = np.full(len(labels), np.nan)
    for fitted, scored in folds(data, seed + 1):
        fitted = fitted[known[fitted]]
        unseen[scored] = _stack(inputs[fitted], labels[fitted]).decision_function(inputs[scored])
    model = _stack(inputs[known], labels[known])
    points = operating_points(labels[known], 1.0 / (1.0 + np.exp(-unseen[known])))
    slope = float(model.coef_[0, 0]) / spread
    return float(model.intercept_[0]) - slope * centre, slope, tuple(model.coef_[0, 1:].tolist()), points, unseen


def _stack(inputs: np.ndarray, labels: np.ndarray) -> LogisticRegression:
    return LogisticRegression(C=STACK_STRENGTH, max_iter=1000).fit(inputs, labels)


def operating_points(labels: np.ndarray, probability: np.ndarray) -> tuple[float, float, float]:
    """Threshold and the ends of the uncertain band, as ``RULE`` says.

    Args:
        labels: (n,), 1 or 0, both present.
        probability: (n,), 0..1.

    Returns:
        (threshold, low, high), low <= threshold <= high.
    """
    false_positive, sensitivity, thresholds = roc_curve(labels, probability, drop_intermediate=False)
    thresholds = np.minimum(thresholds, 1.0)
    threshold = float(thresholds[np.argmax(sensitivity >= SENSITIVITY)])
    sensitive = float(thresholds[np.argmax(sensitivity >= BAND)])
    specific = float(thresholds[np.flatnonzero(1.0 - false_positive >= BAND)[-1]])
    return threshold, min(sensitive, threshold), max(specific, threshold)
