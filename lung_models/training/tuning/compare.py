"""Before and after on the same held-out patients: every figure twice, with the paired difference and its interval.

Patients are drawn with replacement and both versions are scored on the same draw (the paired bootstrap, Efron &
Tibshirani 1993), so that what is hard for both cancels out and noise is not sold as progress.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata
from torchmetrics.functional.classification import binary_calibration_error

from lung_models.evaluate.organs import OutlineScore
from lung_models.findings import ABNORMAL, KEYS
from lung_models.reading import ORGANS

BOOTSTRAPS = 1000
BINS = 10  # of equal width, of the expected calibration error
LEAST_CASES = 2  # of either class; with fewer a figure is not given
FINDING_FIGURES = ("auroc", "sensitivity", "specificity", "calibration_error")
LOWER_IS_BETTER = ("calibration_error", "cardiothoracic_ratio_error")
"""Beginnings of the names of figures that are better when they are lower."""

Figures = dict[str, float]
Score = Callable[[np.ndarray], Figures]
"""Maps row numbers, some of them drawn more than once, to figures by name; one that cannot be told is left out."""


@dataclass(frozen=True)
class Said:
    """What a version says of n held-out radiographs.

    Args:
        probability: float64 (n, 6), calibrated.
        positive: bool (n, 6), at or above the operating point.
    """

    probability: np.ndarray
    positive: np.ndarray


def compare_findings(labels: np.ndarray, patients: np.ndarray, before: Said, after: Said) -> dict[str, Any]:
    """Figures of two versions on the same radiographs.

    Args:
        labels: float32 (n, 6), 1, 0 or NaN for unknown.
        patients: str (n,).
        before: What the parent says.
        after: What the new version says.

    Returns:
        ``before``, ``after`` and ``difference``, each by name a ``value``, its ``ci95`` and ``n``; see
        :func:`findings_score` for the names.
    """
    counts = _counts(labels)
    return paired(
        lambda rows: findings_score(labels, before, rows),
        lambda rows: findings_score(labels, after, rows),
        patients,
        counts,
    )


def findings_score(labels: np.ndarray, said: Said, rows: np.ndarray) -> Figures:
    """Figures on some rows.

    ``auroc_mean`` and ``calibration_error_mean`` are means over those of the five abnormal findings that can be told;
    ``accuracy`` is how often the most likely of the six is the label, on radiographs with exactly one label, and
    ``balanced_accuracy`` its mean over the labels met; ``auroc_KEY``, ``sensitivity_KEY``, ``specificity_KEY`` and
    ``calibration_error_KEY`` are of one finding.
    """
    figures: Figures = {}
    for column, key in enumerate(KEYS):
        known = rows[~np.isnan(labels[rows, column])]
        truth = labels[known, column] == 1
        if min(truth.sum(), (~truth).sum()) < LEAST_CASES:
            continue
        figures[f"auroc_{key}"] = auroc(truth, said.probability[known, column])
        figures[f"sensitivity_{key}"] = float(said.positive[known, column][truth].mean())
        figures[f"specificity_{key}"] = float((~said.positive[known, column][~truth]).mean())
        scores = torch.from_numpy(said.probability[known, column]).float()
        error = binary_calibration_error(scores, torch.from_numpy(truth).int(), n_bins=BINS)
        figures[f"calibration_error_{key}"] = float(error)
    for name in ("auroc", "calibration_error"):
        told = [figures[f"{name}_{one.key}"] for one in ABNORMAL if f"{name}_{one.key}" in figures]
        if told:
            figures[f"{name}_mean"] = float(np.mean(told))
    return figures | _primary(labels, said, rows)


def _primary(labels: np.ndarray, said: Said, rows: np.ndarray) -> Figures:
    """Accuracy of the most likely of the six, on radiographs with one label."""
    single = rows[single_label(labels)[rows]]
    truth = np.argmax(np.nan_to_num(labels[single]), axis=1)
    if len(np.unique(truth)) < 2:
        return {}
    right = np.argmax(said.probability[single], axis=1) == truth
    by_label = [right[truth == column].mean() for column in np.unique(truth)]
    return {"accuracy": float(right.mean()), "balanced_accuracy": float(np.mean(by_label))}


def single_label(labels: np.ndarray) -> np.ndarray:
    """bool (n,): radiographs that are known to have exactly one of the six; others may be unknown."""
    return np.asarray(np.nansum(labels == 1, axis=1) == 1)


def auroc(truth: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve as the Mann-Whitney statistic (Hanley & McNeil 1982); ties count half.

    scikit-learn gives the same and checks its input every time; a bootstrap asks ten thousand times.
    """
    positives, negatives = int(truth.sum()), int((~truth).sum())
    ranks = rankdata(score)[truth].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def compare_outlines(
    before: Sequence[OutlineScore], after: Sequence[OutlineScore], patients: np.ndarray
) -> dict[str, Any]:
    """Figures of two organ models on the same radiographs, as :func:`compare_findings` gives them.

    ``dice_lungs``, ``dice_right_lung``, ``dice_left_lung``, ``dice_heart``, and ``cardiothoracic_ratio_error``, the
    mean absolute error against the drawn organs; a ratio that is not measured is wrong by its whole size.
    """

    def figures(scores: Sequence[OutlineScore], rows: np.ndarray) -> Figures:
        chosen = [scores[row] for row in rows]
        found: dict[str, list[float]] = {}
        for one in chosen:
            for organ, value in one.dice.items():
                found.setdefault(f"dice_{organ}", []).append(value)
            if one.by_hand is not None:
                error = abs((one.measured or 0.0) - one.by_hand)
                found.setdefault("cardiothoracic_ratio_error", []).append(error)
        return {name: float(np.mean(values)) for name, values in found.items()}

    every = figures(before, np.arange(len(before)))
    drawn = {f"dice_{organ}": sum(organ in one.dice for one in before) for organ in ("lungs", *ORGANS)}
    ratios = {"cardiothoracic_ratio_error": sum(one.by_hand is not None for one in before)}
    counts = {name: (drawn | ratios)[name] for name in every}
    return paired(lambda rows: figures(before, rows), lambda rows: figures(after, rows), patients, counts)


def paired(before: Score, after: Score, patients: np.ndarray, counts: Mapping[str, int]) -> dict[str, Any]:
    """Both scores, their difference, and 95 % intervals from the same draws of patients."""
    names, position = np.unique(patients, return_inverse=True)
    of_patient = [np.flatnonzero(position == index) for index in range(len(names))]
    every = np.arange(len(patients))
    values = {"before": before(every), "after": after(every)}
    drawn: dict[str, dict[str, list[float]]] = {"before": {}, "after": {}, "difference": {}}
    rng = np.random.default_rng(0)
    for _ in range(BOOTSTRAPS):
        rows = np.concatenate([of_patient[i] for i in rng.integers(0, len(names), len(names))])
        one, other = before(rows), after(rows)
        for name in one.keys() & other.keys():
            drawn["before"].setdefault(name, []).append(one[name])
            drawn["after"].setdefault(name, []).append(other[name])
            drawn["difference"].setdefault(name, []).append(other[name] - one[name])
    values["difference"] = {name: values["after"][name] - value for name, value in values["before"].items()}
    return {
        which: {
            name: _figure(value, drawn[which].get(name, []), counts.get(name, 0)) for name, value in figures.items()
        }
        for which, figures in values.items()
    }


def verdict(name: str, difference: Mapping[str, Any]) -> str:
    """``better``, ``worse`` or ``undecided``: what a paired difference shows, given its interval."""
    low, high = difference["ci95"]
    if any(name.startswith(start) for start in LOWER_IS_BETTER):
        low, high = -high, -low
    return "better" if low > 0 else "worse" if high < 0 else "undecided"


def _figure(value: float, drawn: Sequence[float], n: int) -> dict[str, Any]:
    low, high = np.percentile(drawn, (2.5, 97.5)) if len(drawn) else (np.nan, np.nan)
    return {"value": round(value, 4), "ci95": [round(float(low), 4), round(float(high), 4)], "n": n}


def _counts(labels: np.ndarray) -> dict[str, int]:
    """What each figure rests on: for sensitivity the positives, for specificity the negatives, else radiographs."""
    single = int(single_label(labels).sum())
    counts = {"accuracy": single, "balanced_accuracy": single}
    known_of_five = ~np.isnan(labels[:, : len(ABNORMAL)]).all(axis=1)
    counts |= dict.fromkeys(("auroc_mean", "calibration_error_mean"), int(known_of_five.sum()))
    for column, key in enumerate(KEYS):
        positives, negatives = int((labels[:, column] == 1).sum()), int((labels[:, column] == 0).sum())
        counts |= {f"auroc_{key}": positives + negatives, f"calibration_error_{key}": positives + negatives}
        counts |= {f"sensitivity_{key}": positives, f"specificity_{key}": negatives}
    return counts
