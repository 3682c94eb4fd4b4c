"""Figures, each with its n and its 95 % interval.

Protocol for findings. The head, its calibration and its operating points are fitted to radiologists' labels of ``val``,
so that they can't be scored on the same patients. Patients are dealt into five folds; for each fold all three are
fitted anew on the other four (with the cross-validations over patients inside, see :mod:`lung_models.training.head`)
and applied to it. Figures are computed on the pooled predictions of the five. The network below the head never saw
``val``; how strongly head and stack are regularised was chosen on it. On any other labelled set the version's own
head, calibration and operating points are scored as they are. Intervals are percentiles of a bootstrap that draws
patients, not images.

Protocol for organs. The fifth of every source that training left out, on a grid of 512 x 512 over the radiograph.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from torch import nn
from torchmetrics.functional.classification import binary_calibration_error

from lung_models import anatomy as organs
from lung_models.calibration import Calibration
from lung_models.decode import decode
from lung_models.figures import Figure, Statistic, bootstrap, of_values
from lung_models.findings import ABNORMAL, FINDINGS, KEYS
from lung_models.reading import ORGANS
from lung_models.training.findings import pooled_features
from lung_models.training.head import LabelledFeatures, fit_head, folds
from lung_models.training.labelled_set import (
    FindingsSet,
    OrgansSet,
    Progress,
    fingerprint,
    load_findings,
    load_organs,
    read_images,
    read_masks,
    silent,
)
from lung_models.training.organs import organ_probabilities
from lung_models.weights import Card, WeightStore

CALIBRATION_BINS = 10  # of equal width, of the expected calibration error (Guo et al. 2017)
OUTER_SEED = 17  # of the folds that score, other than those inside a fit
CROSS_VALIDATED = "5-fold cross-validation over patients of val"
AS_SHIPPED = "as shipped, on patients of another set"
HELD_OUT = "held-out fifth of each source"


def evaluate_version(store: WeightStore, card: Card, data: Path, progress: Progress = silent) -> list[Figure]:
    """All figures of a version on labelled radiographs in the layout of shared/data."""
    network = store.load(card)
    if card.network == "organs":
        outlined = load_organs(data)
        return organs_figures(network, card.input_size, outlined.subset(outlined.held_out()), progress)
    organs_card = store.card("organs", card.data["geometry"]["organs_version"])
    organ_net = store.load(organs_card)
    labelled = load_findings(data, "val")
    features = frozen_features(network, card.input_size, organ_net, organs_card.input_size, labelled, progress)
    if fingerprint(labelled.paths, labelled.labels) == card.data["head_fitted_on"]["fingerprint"]:
        return findings_figures(cross_validated(features))
    return findings_figures(as_shipped(network, Calibration.from_json(card.data["calibration"]), features))


def frozen_features(
    classifier: nn.Module,
    size: int,
    organ_net: nn.Module,
    organ_size: int,
    labelled: FindingsSet,
    progress: Progress = silent,
) -> LabelledFeatures:
    """What a head is fitted on: pooled features and geometry of labelled radiographs."""
    pooled = pooled_features(classifier, read_images(labelled.paths, size, progress))
    masks = organ_probabilities(organ_net, read_images(labelled.paths, organ_size, progress))
    geometry = []
    for path, mask in zip(labelled.paths, masks, strict=True):
        measured = organs.measure(mask.astype(np.float32), decode(path.read_bytes(), path.name))
        geometry.append(organs.geometry(measured))
    return LabelledFeatures(pooled, np.stack(geometry), labelled.labels, labelled.patients)


@dataclass(frozen=True)
class Predictions:
    """What a classifier says of labelled radiographs.

    Args:
        labels: float32 (n, 6), 1, 0 or NaN for unknown.
        patients: str (n,).
        probability: float64 (n, 6), calibrated.
        positive: bool (n, 6), at or above the operating point.
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


def cross_validated(data: LabelledFeatures) -> Predictions:
    """Heads fitted anew on four fifths of the patients, applied to the other fifth, see the protocol above."""
    probability = np.full(data.labels.shape, np.nan)
    positive = np.zeros(data.labels.shape, bool)
    for fitted, scored in folds(data, OUTER_SEED):
        head = fit_head(data.subset(fitted))
        probability[scored] = head.probabilities(data.pooled[scored], data.geometry[scored])
        positive[scored] = probability[scored] >= _thresholds(head.calibration)
    return Predictions(data.labels, data.patients, probability, positive, CROSS_VALIDATED)


def as_shipped(network: nn.Module, calibration: Calibration, data: LabelledFeatures) -> Predictions:
    """The version's own head, calibration and operating points, on patients that they were not fitted on."""
    head = network.get_submodule("head")
    with torch.inference_mode():
        logits = head(torch.from_numpy(data.pooled)).numpy()
    probability = calibration.probabilities(logits, data.geometry)
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
        return float(roc_auc_score(said.labels[rows, column], said.probability[rows, column]))

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
        return float(np.mean(said.positive[relevant, column] == truth))

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
    truth, likely = np.argmax(np.nan_to_num(said.labels), axis=1), np.argmax(said.probability, axis=1)
    majority = int(np.bincount(truth[single]).argmax())

    def accuracy(rows: np.ndarray) -> float:
        return float(np.mean(likely[rows[single[rows]]] == truth[rows[single[rows]]]))

    def balanced(rows: np.ndarray) -> float:
        return float(balanced_accuracy_score(truth[rows[single[rows]]], likely[rows[single[rows]]]))

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
        scores = torch.from_numpy(said.probability[rows, column]).float()
        truth = torch.from_numpy(said.labels[rows, column]).int()
        return float(binary_calibration_error(scores, truth, n_bins=CALIBRATION_BINS))

    every = np.arange(len(said.labels))
    return [
        said.figure("Expected calibration error", finding.name, partial(error, column=c), len(said.known(every, c)))
        for c, finding in enumerate(FINDINGS)
    ]


def organs_figures(network: nn.Module, size: int, labelled: OrgansSet, progress: Progress = silent) -> list[Figure]:
    """Dice of each organ and the error of the cardiothoracic ratio, by source."""
    masks = organ_probabilities(network, read_images(labelled.paths, size, progress))
    dice: dict[tuple[str, str], list[float]] = {}
    errors: dict[str, list[float]] = {}
    for index, path in enumerate(labelled.paths):
        source = str(labelled.source[index])
        radiograph = decode(path.read_bytes(), path.name)
        drawn, known = read_masks(labelled.masks[index : index + 1], organs.MEASURING_SIDE)
        measured = organs.measure(masks[index].astype(np.float32), radiograph)
        found = measured.organ_probability >= 0.5
        for channel, organ in enumerate(ORGANS):
            if known[0, channel]:
                score = overlap(found[channel], drawn[0, channel] > 0)
                dice.setdefault((organ, source), []).append(score)
        lungs = overlap(found[:2].max(axis=0), drawn[0, :2].max(axis=0) > 0)
        dice.setdefault(("lungs", source), []).append(lungs)
        if known.all():
            by_hand = organs.measure(drawn[0].astype(np.float32), radiograph).cardiothoracic_ratio
            if by_hand is not None:
                # A ratio that was not measured counts as the worst error there can be, not as no error.
                ratio = measured.cardiothoracic_ratio
                errors.setdefault(source, []).append(1.0 if ratio is None else abs(ratio - by_hand))
    figures = [_mean("Dice", f"{organ}, {source}", scores) for (organ, source), scores in sorted(dice.items())]
    for organ in ("lungs", *ORGANS):
        if every := [score for (name, _), scores in dice.items() if name == organ for score in scores]:
            figures.append(_mean("Dice", f"{organ}, all sources", every))
            figures.append(_quantile("Dice, 5th percentile", f"{organ}, all sources", every, 0.05))
    for source, values in sorted(errors.items()):
        figures.append(_mean("Cardiothoracic ratio, mean absolute error", source, values))
    return figures


def overlap(found: np.ndarray, drawn: np.ndarray) -> float:
    """Dice coefficient of two masks, 0..1; two empty masks agree perfectly."""
    total = int(found.sum()) + int(drawn.sum())
    return 2.0 * int((found & drawn).sum()) / total if total else 1.0


def _mean(name: str, group: str, values: list[float]) -> Figure:
    return of_values(name, group, np.array(values), lambda drawn: float(np.mean(drawn)), HELD_OUT)


def _quantile(name: str, group: str, values: list[float], quantile: float) -> Figure:
    return of_values(name, group, np.array(values), lambda drawn: float(np.quantile(drawn, quantile)), HELD_OUT)
