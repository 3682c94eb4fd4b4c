"""Figures of an organ model: Dice, the error of the cardiothoracic ratio, sides and islands.

Every radiograph is scored on a grid of 512 x 512 over it, by a network that was trained without its hospital (leave one
source out) or, for older versions, on the fifth of every source that training left out.

Hospitals draw differently, and some drawings do not keep to their own rule (lungs leave out the heart's shadow). Two
figures tell what that costs: the lungs with the drawn heart taken out of them, and how closely the version follows the
very drawings that it was trained on, which suggests how much can be asked of a network that never saw them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from torch import nn

from lung_models import anatomy as organs
from lung_models.figures import Figure, of_values, share
from lung_models.radiograph import Radiograph
from lung_models.reading import ORGANS, Anatomy
from lung_models.training.labelled_set import OrgansSet, Progress, read_masks, silent
from lung_models.training.organs import outline

HELD_OUT = "held-out fifth of each source"
LEFT_OUT = "each source by a network trained without it"
SWAPPED = "Right and left lung swapped, share"
TOGETHER = "all sources"
FOLLOWED = "the version itself, on the films it was trained on"
IN_PIECES = "An organ in more than one piece, share"
AGREEMENT = 1.96  # standard deviations either side of the bias: limits of agreement (Bland & Altman 1986)


@dataclass(frozen=True)
class OutlineScore:
    """How one radiograph was outlined.

    Args:
        source: The collection it comes from.
        dice: Dice of each organ that is drawn, and of ``lungs`` together where both are, 0..1.
        by_hand: Cardiothoracic ratio of the drawn organs; None where one is not drawn.
        measured: Cardiothoracic ratio of the organs as outlined; None where it could not be measured.
        swapped: Whether the outlined right lung agrees better with the drawn left one, or the left with the right.
        islands: Organs outlined in more than one piece.
        less_heart: Dice of the lungs when the drawn heart is taken out of the drawn lungs, 0..1; None where it is not
            drawn.
    """

    source: str
    dice: dict[str, float]
    by_hand: float | None
    measured: float | None
    swapped: bool
    islands: int
    less_heart: float | None = None


def score_outlines(
    network: nn.Module, size: int, labelled: OrgansSet, progress: Progress = silent
) -> list[OutlineScore]:
    """Outline radiographs as the reader does and compare with what is drawn."""
    scores = []
    outlined = outline(network, size, labelled.paths, progress)
    for index, (radiograph, measured) in enumerate(outlined):
        by_hand = drawn_by_hand(labelled.masks[index])
        scores.append(score_outline(str(labelled.source[index]), radiograph, measured, *by_hand))
    return scores


def drawn_by_hand(files: dict[str, Path]) -> tuple[np.ndarray, np.ndarray]:
    """One radiograph's mask files on the grid that outlines are scored on.

    Returns:
        bool (3, 512, 512), channels as ``ORGANS``, and bool (3,), which of them are drawn.
    """
    masks, known = read_masks([files], organs.MEASURING_SIDE)
    return masks[0] > 0, known[0]


def score_outline(
    source: str, radiograph: Radiograph, measured: Anatomy, drawn: np.ndarray, known: np.ndarray
) -> OutlineScore:
    """Compare one radiograph's outlines with those drawn by hand.

    Args:
        source: The collection it comes from.
        radiograph: The picture.
        measured: Its organs as outlined.
        drawn: bool (3, 512, 512), channels as ``ORGANS``, on a grid that covers the whole radiograph.
        known: bool (3,), which organs are drawn.
    """
    found = measured.organ_probability >= 0.5
    dice = {organ: overlap(found[channel], drawn[channel]) for channel, organ in enumerate(ORGANS) if known[channel]}
    if known[:2].all():
        dice["lungs"] = overlap(found[:2].max(axis=0), drawn[:2].max(axis=0))
    right, left = drawn[:2]
    swapped = known[:2].all() and (
        overlap(found[0], left) > overlap(found[0], right) or overlap(found[1], right) > overlap(found[1], left)
    )
    less_heart = overlap(found[:2].max(axis=0), drawn[:2].max(axis=0) & ~drawn[2]) if known.all() else None
    by_hand = organs.measure(drawn.astype(np.float32), radiograph).cardiothoracic_ratio if known.all() else None
    return OutlineScore(
        source=source,
        dice=dice,
        by_hand=by_hand,
        measured=measured.cardiothoracic_ratio,
        swapped=bool(swapped),
        islands=sum(cv2.connectedComponents(organ.astype(np.uint8))[0] > 2 for organ in found),
        less_heart=less_heart,
    )


def organs_figures(scores: list[OutlineScore], protocol: str) -> list[Figure]:
    """All figures, by source and together."""
    figures = []
    for source, chosen in _groups(scores):
        for organ in ("lungs", *ORGANS):
            figures += _dice_figures(
                "Dice", f"{organ}, {source}", [score.dice.get(organ) for score in chosen], protocol
            )
        if source != TOGETHER:  # hearts are not drawn in all of them
            values = [score.less_heart for score in chosen]
            figures += _dice_figures("Lungs less the drawn heart, Dice", f"lungs, {source}", values, protocol)
    by_source = {source: np.array(pairs) for source, pairs in ratio_pairs(scores).items()}
    for source, pairs in by_source.items():
        figures += _ratio_figures(source, pairs, protocol)
    if by_source:
        figures += _ratio_figures(TOGETHER, np.concatenate(list(by_source.values())), protocol)
    figures += share(SWAPPED, TOGETHER, (score.swapped for score in scores), protocol)
    figures += share(IN_PIECES, TOGETHER, (score.islands > 0 for score in scores), protocol)
    return figures


def followed_figures(scores: list[OutlineScore]) -> list[Figure]:
    """How closely a version follows the drawings that it was trained on: lungs and heart, by source and together."""
    figures = []
    for source, chosen in _groups(scores):
        for organ in ("lungs", "heart"):
            values = [score.dice.get(organ) for score in chosen]
            figures += _dice_figures("Films trained on, Dice", f"{organ}, {source}", values, FOLLOWED)
    return figures


def _groups(scores: list[OutlineScore]) -> list[tuple[str, list[OutlineScore]]]:
    """The scores of every source, and all of them together."""
    sources = sorted({score.source for score in scores})
    return [*((source, [one for one in scores if one.source == source]) for source in sources), (TOGETHER, scores)]


def _dice_figures(name: str, group: str, values: Sequence[float | None], protocol: str) -> list[Figure]:
    """Mean and 5th percentile of those that are known; nothing where none is."""
    known = [value for value in values if value is not None]
    if not known:
        return []
    return [
        _mean(name, group, known, protocol),
        _quantile(f"{name}, 5th percentile", group, known, 0.05, protocol),
    ]


def ratio_pairs(scores: list[OutlineScore]) -> dict[str, list[tuple[float, float]]]:
    """By source: the cardiothoracic ratio drawn by hand and the one measured, for a Bland-Altman plot.

    A ratio that was not measured is given as 0: it counts as an error of its whole size, not as none.
    """
    pairs: dict[str, list[tuple[float, float]]] = {}
    for score in scores:
        if score.by_hand is not None:
            pairs.setdefault(score.source, []).append((round(score.by_hand, 4), round(score.measured or 0.0, 4)))
    return pairs


def _ratio_figures(source: str, pairs: np.ndarray, protocol: str) -> list[Figure]:
    """Error of the cardiothoracic ratio: absolute, bias, limits of agreement."""
    difference = pairs[:, 1] - pairs[:, 0]

    def figure(name: str, sign: float) -> Figure:
        def statistic(drawn: np.ndarray) -> float:
            return float(drawn.mean() + sign * AGREEMENT * drawn.std())

        return of_values(f"Cardiothoracic ratio, {name}", source, difference, statistic, protocol)

    return [
        _mean("Cardiothoracic ratio, mean absolute error", source, list(np.abs(difference)), protocol),
        figure("bias", 0.0),
        figure("lower limit of agreement", -1.0),
        figure("upper limit of agreement", 1.0),
    ]


def overlap(found: np.ndarray, drawn: np.ndarray) -> float:
    """Dice coefficient of two masks, 0..1; two empty masks agree perfectly."""
    total = int(found.sum()) + int(drawn.sum())
    return 2.0 * int((found & drawn).sum()) / total if total else 1.0


def _mean(name: str, group: str, values: list[float], protocol: str) -> Figure:
    return of_values(name, group, np.array(values), lambda drawn: float(np.mean(drawn)), protocol)


def _quantile(name: str, group: str, values: list[float], quantile: float, protocol: str) -> Figure:
    return of_values(name, group, np.array(values), lambda drawn: float(np.quantile(drawn, quantile)), protocol)
