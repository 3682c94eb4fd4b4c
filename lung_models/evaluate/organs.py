"""Figures of an organ model: Dice and the error of the cardiothoracic ratio.

The fifth of every source that training left out is scored, on a grid of 512 x 512 over the radiograph.
"""

import numpy as np
from torch import nn

from lung_models import anatomy as organs
from lung_models.decode import decode
from lung_models.figures import Figure, of_values
from lung_models.reading import ORGANS
from lung_models.training.labelled_set import OrgansSet, Progress, read_images, read_masks, silent
from lung_models.training.organs import organ_probabilities

HELD_OUT = "held-out fifth of each source"


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
