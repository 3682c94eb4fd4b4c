"""Figures, each with its n and its 95 % interval.

Protocol for findings. The head, its calibration and its operating points are fitted to radiologists' labels of ``val``,
so that they can't be scored on the same patients. Patients are dealt into five folds; for each fold all three are
fitted anew on the other four (with the cross-validations over patients inside, see :mod:`lung_models.training.head`)
and applied to it. Figures are computed on the pooled predictions of the five. The network below the head never saw
``val``. Intervals are percentiles of a bootstrap that draws patients, not images.

Protocol for organs. The fifth of every source that training left out, at the size of its masks.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from torch import nn
from torchmetrics.functional.classification import binary_calibration_error

from lung_models import anatomy as organs
from lung_models.decode import decode
from lung_models.findings import ABNORMAL, FINDINGS, KEYS
from lung_models.reading import ORGANS
from lung_models.training.findings import pooled_features
from lung_models.training.head import LabelledFeatures, fit_head, folds
from lung_models.training.labelled_set import (
    FindingsSet,
    OrgansSet,
    Progress,
    load_findings,
    load_organs,
    read_images,
    read_masks,
    silent,
)
from lung_models.training.organs import organ_probabilities
from lung_models.weights import Card, WeightStore

BOOTSTRAPS = 1000  # resamples of an interval
CALIBRATION_BINS = 10  # of equal width, of the expected calibration error (Guo et al. 2017)
OUTER_SEED = 17  # of the folds that score, other than those inside a fit
CROSS_VALIDATED = "5-fold cross-validation over patients of val"
HELD_OUT = "held-out fifth of each source"


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Args:
        name: What was measured, for example ``AUROC``.
        group: Of what: a finding's or an organ's name, or a source.
        value: The figure.
        low: Lower end of the 95 % interval.
        high: Upper end of it.
        n: Number of images (for sensitivity of positives, for specificity of negatives).
        unit: Unit, empty for a ratio.
        protocol: How, in a few words.
    """

    name: str
    group: str
    value: float
    low: float
    high: float
    n: int
    unit: str
    protocol: str

    def to_json(self) -> dict[str, Any]:
        """What a card holds, rounded to four decimals."""
        return {key: round(item, 4) if isinstance(item, float) else item for key, item in asdict(self).items()}


def evaluate_version(store: WeightStore, card: Card, data: Path, progress: Progress = silent) -> list[Figure]:
    """All figures of a version on labelled radiographs in the layout of shared/data."""
    network = store.load(card)
    if card.network == "organs":
        labelled = load_organs(data)
        return organs_figures(network, card.input_size, labelled.subset(labelled.held_out()), progress)
    organs_card = store.card("organs", card.data["geometry"]["organs_version"])
    organ_net = store.load(organs_card)
    validation = load_findings(data, "val")
    return findings_figures(
        frozen_features(network, card.input_size, organ_net, organs_card.input_size, validation, progress)
    )


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


def findings_figures(data: LabelledFeatures) -> list[Figure]:
    """Cross-validated figures of a classifier, see the protocol above."""
    probability = np.full(data.labels.shape, np.nan)
    called = np.full(data.labels.shape, np.nan)
    for fitted, scored in folds(data, OUTER_SEED):
        head = fit_head(data.subset(fitted))
        probability[scored] = head.probabilities(data.pooled[scored], data.geometry[scored])
        thresholds = [head.calibration.findings[key].threshold for key in KEYS]
        called[scored] = probability[scored] >= np.array(thresholds)
    return [
        *_discrimination(data, probability),
        *_operating(data, called),
        *_primary(data, probability),
        *_calibration(data, probability),
    ]


def _discrimination(data: LabelledFeatures, probability: np.ndarray) -> list[Figure]:
    """AUROC of each finding and the mean over the five that are abnormal."""

    def mean_of_five(rows: np.ndarray) -> float:
        columns = range(len(ABNORMAL))
        return float(np.mean([_auroc(data.labels[rows, c], probability[rows, c]) for c in columns]))

    figures = [_figure("AUROC", "mean of the five findings", mean_of_five, data.patients)]
    for column, finding in enumerate(FINDINGS):

        def one(rows: np.ndarray, column: int = column) -> float:
            return _auroc(data.labels[rows, column], probability[rows, column])

        known = int((~np.isnan(data.labels[:, column])).sum())
        figures.append(_figure("AUROC", finding.name, one, data.patients, known))
    return figures


def _operating(data: LabelledFeatures, called: np.ndarray) -> list[Figure]:
    """Sensitivity and specificity at the operating point that each fold's fit chose."""
    figures = []
    for column, finding in enumerate(FINDINGS):
        for name, truth in (("Sensitivity", 1), ("Specificity", 0)):
            rows_with = np.flatnonzero(data.labels[:, column] == truth)

            def rate(rows: np.ndarray, column: int = column, truth: int = truth) -> float:
                relevant = rows[data.labels[rows, column] == truth]
                return float(np.mean(called[relevant, column] == truth))

            figures.append(_figure(name, finding.name, rate, data.patients, count=len(rows_with)))
    return figures


def _primary(data: LabelledFeatures, probability: np.ndarray) -> list[Figure]:
    """Accuracy of the most likely of the six on images that have exactly one, beside always saying No Finding."""
    single = np.nansum(data.labels, axis=1) == 1
    truth = np.argmax(np.nan_to_num(data.labels), axis=1)
    likely = np.argmax(probability, axis=1)
    majority = int(np.bincount(truth[single]).argmax())

    def accuracy(rows: np.ndarray) -> float:
        return float(np.mean(likely[rows[single[rows]]] == truth[rows[single[rows]]]))

    def balanced(rows: np.ndarray) -> float:
        return float(balanced_accuracy_score(truth[rows[single[rows]]], likely[rows[single[rows]]]))

    def always(rows: np.ndarray) -> float:
        return float(np.mean(truth[rows[single[rows]]] == majority))

    group, count = "primary, images with one label", int(single.sum())
    return [
        _figure("Accuracy", group, accuracy, data.patients, count=count),
        _figure("Balanced accuracy", group, balanced, data.patients, count=count),
        _figure("Accuracy", f"always {FINDINGS[majority].name}, images with one label", always, data.patients, count),
    ]


def _calibration(data: LabelledFeatures, probability: np.ndarray) -> list[Figure]:
    """Expected calibration error of each finding."""
    figures = []
    for column, finding in enumerate(FINDINGS):

        def error(rows: np.ndarray, column: int = column) -> float:
            rows = rows[~np.isnan(data.labels[rows, column])]
            scores = torch.from_numpy(probability[rows, column]).float()
            truth = torch.from_numpy(data.labels[rows, column]).int()
            return float(binary_calibration_error(scores, truth, n_bins=CALIBRATION_BINS))

        figures.append(_figure("Expected calibration error", finding.name, error, data.patients))
    return figures


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
            if by_hand is not None and measured.cardiothoracic_ratio is not None:
                errors.setdefault(source, []).append(abs(measured.cardiothoracic_ratio - by_hand))
    figures = [_mean("Dice", f"{organ}, {source}", scores) for (organ, source), scores in sorted(dice.items())]
    for organ in ("lungs", *ORGANS):
        if every := [score for (name, _), scores in dice.items() if name == organ for score in scores]:
            figures.append(_mean("Dice", f"{organ}, all sources", every))
            figures.append(_quantile("Dice, 5th percentile", f"{organ}, all sources", every, 0.05))
    for source, values in sorted(errors.items()):
        figures.append(_mean("Cardiothoracic ratio, mean absolute error", source, values))
    return figures


def _auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """AUROC over the labels that are known."""
    known = ~np.isnan(labels)
    return float(roc_auc_score(labels[known], scores[known]))


def overlap(found: np.ndarray, drawn: np.ndarray) -> float:
    """Dice coefficient of two masks, 0..1; two empty masks agree perfectly."""
    total = int(found.sum()) + int(drawn.sum())
    return 2.0 * int((found & drawn).sum()) / total if total else 1.0


def _figure(
    name: str, group: str, statistic: Callable[[np.ndarray], float], patients: np.ndarray, count: int | None = None
) -> Figure:
    """A statistic of rows with its interval: patients are drawn with replacement, all their images together."""
    rows = np.arange(len(patients))
    low, high = _bootstrap(statistic, patients)
    return Figure(name, group, statistic(rows), low, high, count or len(rows), "", CROSS_VALIDATED)


def _bootstrap(statistic: Callable[[np.ndarray], float], patients: np.ndarray) -> tuple[float, float]:
    """2.5th and 97.5th percentile; a draw that misses a class altogether says nothing and is left out."""
    rng = np.random.default_rng(0)
    names, position = np.unique(patients, return_inverse=True)
    of_patient = [np.flatnonzero(position == i) for i in range(len(names))]
    values = []
    for _ in range(BOOTSTRAPS):
        drawn = rng.integers(0, len(names), len(names))
        rows = np.concatenate([of_patient[i] for i in drawn])
        try:
            values.append(statistic(rows))
        except ValueError:
            continue
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return float(low), float(high)


def _mean(name: str, group: str, values: list[float]) -> Figure:
    return _of_values(name, group, np.array(values), lambda drawn: float(np.mean(drawn)))


def _quantile(name: str, group: str, values: list[float], quantile: float) -> Figure:
    return _of_values(name, group, np.array(values), lambda drawn: float(np.quantile(drawn, quantile)))


def _of_values(name: str, group: str, values: np.ndarray, statistic: Callable[[np.ndarray], float]) -> Figure:
    """A statistic of one value an image, every image another patient."""
    low, high = _bootstrap(lambda rows: statistic(values[rows]), np.arange(len(values)))
    return Figure(name, group, statistic(values), low, high, len(values), "", HELD_OUT)
