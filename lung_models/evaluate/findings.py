"""Figures of a classifier, and the protocol behind them.

The head, its calibration and its operating points are fitted to radiologists' labels of ``val``,
so that they can't be scored on the same patients. Patients are dealt into five folds; for each fold all three are
fitted anew on the other four (with the cross-validations over patients inside, see :mod:`lung_models.training.head`)
and applied to it. A figure is computed on the pooled predictions of the five. How the patients happen to be dealt
moves it, so that they are dealt ``REPEATS`` times and the figure is the mean. The network below the head, and a head
fitted to text-mined labels that is joined with it, never saw ``val``; what a head is made of and how strongly it is
regularised was chosen on it. On any other labelled set the version's own head, calibration and operating points are
scored as they are. Intervals are percentiles of a bootstrap that draws patients, not images.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from torch import nn
from torchmetrics.functional.classification import binary_calibration_error

from lung_models import anatomy as organs
from lung_models.calibration import Calibration
from lung_models.figures import Figure, Statistic, bootstrap
from lung_models.findings import ABNORMAL, FINDINGS, KEYS
from lung_models.training.findings import pooled_features
from lung_models.training.head import ALONE, Design, LabelledFeatures, fit_head, folds
from lung_models.training.labelled_set import (
    FindingsSet,
    Progress,
    read_images,
    silent,
)
from lung_models.training.organs import outline

SIMULATIONS = 200  # of labels drawn with the probabilities themselves
SIMULATED = "simulated labels"
CALIBRATION_BINS = 10  # of equal width, of the expected calibration error (Guo et al. 2017)
OUTER_SEED = 17  # of the first dealing into folds that score, other than those inside a fit; the next ones follow
REPEATS = 3  # dealings into folds
CROSS_VALIDATED = f"5-fold cross-validation over patients of val, mean of {REPEATS}"
AS_SHIPPED = "as shipped, on patients of another set"


def frozen_features(
    classifier: nn.Module,
    size: int,
    organ_net: nn.Module,
    organ_size: int,
    labelled: FindingsSet,
    progress: Progress = silent,
    *,
    framed: bool,
) -> LabelledFeatures:
    """What a head is fitted on: pooled features and geometry of labelled radiographs.

    Args:
        classifier: In evaluation mode.
        size: Side of its input, in pixels.
        organ_net: In evaluation mode.
        organ_size: Side of its input, in pixels.
        labelled: The radiographs.
        progress: Told of the radiographs done.
        framed: Whether the classifier looks at the frame around the organs only.
    """
    images, geometry = seen(size, organ_net, organ_size, labelled, progress, framed=framed)
    return LabelledFeatures(pooled_features(classifier, images), geometry, labelled.labels, labelled.patients)


def seen(
    size: int,
    organ_net: nn.Module,
    organ_size: int,
    labelled: FindingsSet,
    progress: Progress = silent,
    *,
    framed: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """What a classifier sees of radiographs, uint8 (n, 1, size, size), and their geometry, float32 (n, 6)."""
    anatomies = [anatomy for _, anatomy in outline(organ_net, organ_size, labelled.paths, progress)]
    frames = [organs.frame(anatomy) for anatomy in anatomies] if framed else None
    images = read_images(labelled.paths, size, progress, frames)
    return images, np.stack([organs.geometry(anatomy) for anatomy in anatomies])


@dataclass(frozen=True)
class Predictions:
    """What a classifier says of labelled radiographs.

    Args:
        labels: float32 (n, 6), 1, 0 or NaN for unknown.
        patients: str (n,).
        probability: float64 (repeats, n, 6), calibrated; of every repeat of the cross-validation.
        positive: bool (repeats, n, 6), at or above the operating point.
        protocol: How they were made, in a few words.
    """

    labels: np.ndarray
    patients: np.ndarray
    probability: np.ndarray
    positive: np.ndarray
    protocol: str

    def known(self, rows: np.ndarray, column: int) -> np.ndarray:
        """Those of the rows whose label is known."""
        return rows[~np.isnan(self.labels[rows, column])]

    def figure(self, name: str, group: str, statistic: Statistic, count: int) -> Figure:
        """A statistic of rows with its interval: patients are drawn with replacement, all their images together."""
        rows = np.arange(len(self.patients))
        low, high = bootstrap(statistic, self.patients)
        value = statistic(rows)
        # A calibration error grows in resamples; its interval is widened to hold the figure itself.
        return Figure(name, group, value, min(low, value), max(high, value), count, "", self.protocol)


def cross_validated(data: LabelledFeatures, design: Design = ALONE) -> Predictions:
    """Heads fitted anew on four fifths of the patients, applied to the other fifth, see the protocol above.

    Args:
        data: The radiographs.
        design: What the heads are made of.
    """
    probability = np.full((REPEATS, *data.labels.shape), np.nan)
    positive = np.zeros(probability.shape, bool)
    for repeat in range(REPEATS):
        for fitted, scored in folds(data, OUTER_SEED + repeat):
            head = fit_head(data.subset(fitted), design)
            probability[repeat, scored] = head.probabilities(data.pooled[scored], data.geometry[scored])
            positive[repeat, scored] = probability[repeat, scored] >= _thresholds(head.calibration)
    return Predictions(data.labels, data.patients, probability, positive, CROSS_VALIDATED)


def as_shipped(network: nn.Module, calibration: Calibration, data: LabelledFeatures) -> Predictions:
    """The version's own head, calibration and operating points, on patients that they were not fitted on."""
    head = network.get_submodule("head")
    with torch.inference_mode():
        logits = head(torch.from_numpy(data.pooled)).numpy()
    probability = calibration.probabilities(logits, data.geometry)[np.newaxis]
    return Predictions(data.labels, data.patients, probability, probability >= _thresholds(calibration), AS_SHIPPED)


def _thresholds(calibration: Calibration) -> np.ndarray:
    return np.array([calibration.findings[key].threshold for key in KEYS])


def findings_figures(said: Predictions) -> list[Figure]:
    """All figures of a classifier."""
    return [*_discrimination(said), *_operating(said), *_primary(said), *_calibration(said)]


def _discrimination(said: Predictions) -> list[Figure]:
    """AUROC of each finding and the mean over the five that are abnormal."""

    def auroc(rows: np.ndarray, column: int) -> float:
        rows = said.known(rows, column)
        truth = said.labels[rows, column]
        return float(np.mean([roc_auc_score(truth, one[rows, column]) for one in said.probability]))

    def mean_of_five(rows: np.ndarray) -> float:
        return float(np.mean([auroc(rows, column) for column in range(len(ABNORMAL))]))

    every = np.arange(len(said.labels))
    figures = [said.figure("AUROC", "mean of the five findings", mean_of_five, len(every))]
    for column, finding in enumerate(FINDINGS):
        count = len(said.known(every, column))
        figures.append(said.figure("AUROC", finding.name, partial(auroc, column=column), count))
    return figures


def _operating(said: Predictions) -> list[Figure]:
    """Sensitivity and specificity at the operating point; n counts the positives and the negatives."""

    def rate(rows: np.ndarray, column: int, truth: int) -> float:
        relevant = rows[said.labels[rows, column] == truth]
        return float(np.mean(said.positive[:, relevant, column] == truth))

    figures = []
    for column, finding in enumerate(FINDINGS):
        for name, truth in (("Sensitivity", 1), ("Specificity", 0)):
            count = int((said.labels[:, column] == truth).sum())
            figures.append(said.figure(name, finding.name, partial(rate, column=column, truth=truth), count))
    return figures


def _primary(said: Predictions) -> list[Figure]:
    """Accuracy of the most likely of the six on images that have exactly one, beside the majority's."""
    single = (np.nansum(said.labels, axis=1) == 1) & ~np.isnan(said.labels).any(axis=1)
    if not single.any():
        return []
    truth, likely = np.argmax(np.nan_to_num(said.labels), axis=1), np.argmax(said.probability, axis=2)
    majority = int(np.bincount(truth[single]).argmax())

    def accuracy(rows: np.ndarray) -> float:
        return float(np.mean(likely[:, rows[single[rows]]] == truth[rows[single[rows]]]))

    def balanced(rows: np.ndarray) -> float:
        rows = rows[single[rows]]
        return float(np.mean([balanced_accuracy_score(truth[rows], one[rows]) for one in likely]))

    def always(rows: np.ndarray) -> float:
        return float(np.mean(truth[rows[single[rows]]] == majority))

    count = int(single.sum())
    return [
        said.figure("Accuracy", "primary, images with one label", accuracy, count),
        said.figure("Balanced accuracy", "primary, images with one label", balanced, count),
        said.figure("Accuracy", f"always {FINDINGS[majority].name}, images with one label", always, count),
    ]


def _calibration(said: Predictions) -> list[Figure]:
    """Expected calibration error of each finding."""

    def error(rows: np.ndarray, column: int) -> float:
        rows = said.known(rows, column)
        truth = torch.from_numpy(said.labels[rows, column]).int()
        scores = [torch.from_numpy(one[rows, column]).float() for one in said.probability]
        return float(np.mean([binary_calibration_error(one, truth, n_bins=CALIBRATION_BINS) for one in scores]))

    every = np.arange(len(said.labels))
    return [
        figure
        for c, finding in enumerate(FINDINGS)
        for figure in (
            said.figure(
                "Expected calibration error", finding.name, partial(error, column=c), len(said.known(every, c))
            ),
            _if_perfect(said.probability[0, said.known(every, c), c], finding.name),
        )
    ]


def _if_perfect(probability: np.ndarray, group: str) -> Figure:
    """The calibration error that chance alone would show if every probability were exactly right.

    Labels are drawn with the probabilities themselves; the figure is the mean over the draws, the interval their range.
    With a few hundred radiographs in ten bins it is well above zero.
    """
    rng = np.random.default_rng(OUTER_SEED)
    scores = torch.from_numpy(probability).float()
    drawn = [
        float(
            binary_calibration_error(
                scores, torch.from_numpy(rng.random(len(probability)) < probability).int(), CALIBRATION_BINS
            )
        )
        for _ in range(SIMULATIONS)
    ]
    low, high = np.percentile(drawn, (2.5, 97.5))
    name = "Expected calibration error, if calibration were perfect"
    return Figure(name, group, float(np.mean(drawn)), float(low), float(high), len(probability), "", SIMULATED)
