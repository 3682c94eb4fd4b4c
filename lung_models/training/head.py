"""Fitting the head, the calibration and the operating points to a few hundred radiologists' labels.

All three are logistic regressions on frozen quantities, so that a fit takes a second: first the head on the network's
pooled features, then, on logits of patients that the head did not see, the calibrated stack of logits and geometry,
and last the operating points on the stack's probabilities for patients that it did not see either.

Two things are a matter of design. A second head, fitted to thousands of text-mined labels, may stand beside the first:
the stack weighs the two logits, and since both are linear in the features they become one head. And the stack of No
Finding may be told the other findings' probabilities, of patients that their stacks did not see, instead of geometry.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_curve
from sklearn.model_selection import StratifiedGroupKFold
from torch import nn

from lung_models.calibration import Calibration, FindingCalibration, log_absence
from lung_models.findings import KEYS, NO_FINDING

HEAD_STRENGTH = 1e-3  # inverse regularisation of the head, on standardised features (scikit-learn's C)
STACK_STRENGTH = 0.5  # the same of the stack of logits and geometry; weaker than 0.1 it calibrates better
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
class Linear:
    """A linear layer from pooled features to logits.

    Args:
        weight: float (6, channels), on features as they are.
        bias: float (6,).
    """

    weight: np.ndarray
    bias: np.ndarray

    def logits(self, pooled: np.ndarray) -> np.ndarray:
        """Logits, float (n, 6), of pooled features (n, channels)."""
        logits: np.ndarray = pooled @ self.weight.T + self.bias
        return logits

    @classmethod
    def of(cls, models: Sequence[LogisticRegression], mean: np.ndarray, scale: np.ndarray) -> "Linear":
        """Logistic regressions on standardised features, one a finding, as a layer on the features as they are."""
        weight = np.stack([model.coef_[0] for model in models]) / scale
        return cls(weight, np.array([model.intercept_[0] for model in models]) - weight @ mean)


@dataclass(frozen=True)
class Design:
    """What a head is made of.

    Args:
        mined: A head fitted to text-mined labels of other patients, see :mod:`lung_models.training.mined`.
        absence: Whether No Finding builds on the others' probabilities, and on its own logit only.
    """

    mined: Linear | None = None
    absence: bool = False


ALONE = Design()
"""Every finding on its own, with the head fitted to radiologists' labels only."""


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


@dataclass(frozen=True)
class _Stack:
    """A fitted stack of one finding: its weights on quantities as they are, and where it calls.

    Args:
        logits: Weight of each head's logit.
        beside: Weight of each quantity beside them.
        intercept: In log-odds.
        points: Threshold and the ends of the uncertain band.
    """

    logits: tuple[float, ...]
    beside: tuple[float, ...]
    intercept: float
    points: tuple[float, float, float]


def fit_head(data: LabelledFeatures, design: Design = ALONE, seed: int = 0) -> FittedHead:
    """Fit head, calibration and operating points; all of ``data`` serves, none of it twice for the same step."""
    own = fit_linear(data)
    own_unseen = np.full(data.labels.shape, np.nan)
    for fitted, scored in folds(data, seed):
        own_unseen[scored] = fit_linear(data.subset(fitted)).logits(data.pooled[scored])
    heads, logits = [own], [own_unseen]
    if design.mined is not None:
        heads, logits = [own, design.mined], [own_unseen, design.mined.logits(data.pooled)]
    mean, scale = np.nanmean(data.geometry, axis=0), np.nanstd(data.geometry, axis=0) + 1e-6
    geometry = np.nan_to_num((data.geometry - mean) / scale)
    parts, unseen = [], np.full(data.labels.shape, np.nan)
    for column, key in enumerate(KEYS):  # No Finding is last
        told_of_others = design.absence and key == NO_FINDING.key
        used = logits[:1] if told_of_others else logits
        beside = log_absence(unseen)[:, np.newaxis] if told_of_others else geometry
        stack, unseen[:, column] = _fit_stack([one[:, column] for one in used], beside, column, data, seed)
        calibrated = _calibration(stack, geometry.shape[1], told_of_others)
        parts.append((*_joined(stack, heads[: len(used)], column), calibrated))
    weights, biases, calibrations = zip(*parts, strict=True)
    return FittedHead(
        np.array(weights, np.float32),
        np.array(biases, np.float32),
        Calibration(dict(zip(KEYS, calibrations, strict=True)), tuple(mean.tolist()), tuple(scale.tolist()), RULE),
    )


def fit_linear(data: LabelledFeatures) -> Linear:
    """One regularised, class-balanced logistic regression a finding on standardised features."""
    mean, scale = data.pooled.mean(axis=0), data.pooled.std(axis=0) + 1e-6
    standardised = (data.pooled - mean) / scale
    models = []
    for column in range(len(KEYS)):
        known = ~np.isnan(data.labels[:, column])
        model = LogisticRegression(C=HEAD_STRENGTH, class_weight="balanced", max_iter=1000)
        models.append(model.fit(standardised[known], data.labels[known, column]))
    return Linear.of(models, mean, scale)


def linear_of(network: nn.Module) -> Linear:
    """The linear head of a classifier."""
    weight, bias = (network.get_parameter(f"head.{name}").detach().cpu().numpy().copy() for name in ("weight", "bias"))
    return Linear(weight, bias)


def folds(data: LabelledFeatures, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds over patients, each with its share of the rarest findings."""
    positives = np.nansum(data.labels == 1, axis=0)
    rarest_first = np.argsort(positives)
    stratum = np.full(len(data.labels), -1)
    for column in rarest_first[::-1]:
        stratum[data.labels[:, column] == 1] = column
    splitter = StratifiedGroupKFold(n_splits=FOLDS, shuffle=True, random_state=seed)
    return list(splitter.split(data.pooled, stratum, data.patients))


def _fit_stack(
    logits: Sequence[np.ndarray], beside: np.ndarray, column: int, data: LabelledFeatures, seed: int
) -> tuple[_Stack, np.ndarray]:
    """Logistic regression of one label on logits, each (n,), and on what stands beside them, (n, quantities).

    Returns:
        The stack, and log-odds, float64 (n,), for patients that it did not see: its operating points are chosen on
        them.
    """
    scores = np.stack(logits, axis=1)
    centre, spread = scores.mean(axis=0), scores.std(axis=0) + 1e-6
    inputs = np.column_stack([(scores - centre) / spread, beside])
    labels = data.labels[:, column]
    known = ~np.isnan(labels)
    unseen = np.full(len(labels), np.nan)
    for fitted, scored in folds(data, seed + 1):
        fitted = fitted[known[fitted]]
        unseen[scored] = _regression(inputs[fitted], labels[fitted]).decision_function(inputs[scored])
    model = _regression(inputs[known], labels[known])
    weights = model.coef_[0, : len(logits)] / spread
    stack = _Stack(
        logits=tuple(weights.tolist()),
        beside=tuple(model.coef_[0, len(logits) :].tolist()),
        intercept=float(model.intercept_[0] - weights @ centre),
        points=operating_points(labels[known], 1.0 / (1.0 + np.exp(-unseen[known]))),
    )
    return stack, unseen


def _joined(stack: _Stack, heads: Sequence[Linear], column: int) -> tuple[np.ndarray, float]:
    """Weight (channels,) and bias of the heads as a finding's stack weighs them."""
    weight, bias = np.zeros(heads[0].weight.shape[1]), 0.0
    for part, head in zip(stack.logits, heads, strict=True):
        weight, bias = weight + part * head.weight[column], bias + part * float(head.bias[column])
    return weight, bias


def _calibration(stack: _Stack, quantities: int, told_of_others: bool) -> FindingCalibration:
    """A stack as it goes on the card: the weights of the logits are in the head already."""
    threshold, low, high = stack.points
    geometry, absence = ((0.0,) * quantities, stack.beside[0]) if told_of_others else (stack.beside, 0.0)
    return FindingCalibration(1.0, geometry, stack.intercept, threshold, low, high, absence)


def _regression(inputs: np.ndarray, labels: np.ndarray) -> LogisticRegression:
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
