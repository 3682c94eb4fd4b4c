"""Outlines under conditions that make a radiograph hard to outline, each made from radiographs outlined by hand.

The picture is changed and what was drawn on it moves along, so that every condition is scored on the same films, by
networks that never saw their hospital. These are imitations: they say how far outlines bear a change, not how common it
is, and an opacity painted on is more even than an effusion.
"""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from torch import nn

from lung_models import anatomy as organs
from lung_models.decode import decode
from lung_models.evaluate.organs import IN_PIECES, SWAPPED, OutlineScore, drawn_by_hand, score_outline
from lung_models.figures import Figure, of_values, share
from lung_models.radiograph import Radiograph
from lung_models.training.labelled_set import OrgansSet, Progress, silent
from lung_models.training.organs import outline_one

RADIOGRAPHS = 60  # of each source, with both lungs drawn; every one in every condition
SEED = 21
LONG_SIDE = 512  # pixels that a picture is reduced to before it is changed: grain is of about a network's pixel
QUANTA = 60.0  # mean count at white of the low exposure: grain of 13 % there
APICES = 0.15  # of the height of the lungs, cut off at the top
DEGREES = 10.0
OPAQUE = 0.5  # of the height of a lung, from its base, that an opacity hides
DICE = "Lungs Dice in a condition"
OPACITY = 0.85  # least grey level in it, 1 is white

Picture = tuple[np.ndarray, np.ndarray]
"""Pixels float32 (height, width), 0..1, and masks bool (3, height, width), channels as ``ORGANS``."""
Change = Callable[[np.ndarray, np.ndarray, np.random.Generator], Picture]


def as_it_is(pixels: np.ndarray, masks: np.ndarray, rng: np.random.Generator) -> Picture:
    """What the others are compared with."""
    return pixels, masks


def low_exposure(pixels: np.ndarray, masks: np.ndarray, rng: np.random.Generator) -> Picture:
    """Few quanta: counts of a Poisson law, so that the film is grainy."""
    return np.clip(rng.poisson(pixels * QUANTA) / QUANTA, 0.0, 1.0).astype(np.float32), masks


def cut_apices(pixels: np.ndarray, masks: np.ndarray, rng: np.random.Generator) -> Picture:
    """The top of the lungs lies outside the picture."""
    rows = np.flatnonzero(masks[:2].any(axis=(0, 2)))
    first = rows[0] + round(APICES * len(rows))
    return pixels[first:], masks[:, first:]


def turned(pixels: np.ndarray, masks: np.ndarray, rng: np.random.Generator) -> Picture:
    """A film that lies askew, either way, black where nothing was."""
    height, width = pixels.shape
    degrees = DEGREES * rng.choice((-1.0, 1.0))
    matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), degrees, 1.0)
    moved = [cv2.warpAffine(one.astype(np.uint8), matrix, (width, height), flags=cv2.INTER_NEAREST) for one in masks]
    return cv2.warpAffine(pixels, matrix, (width, height)), np.stack(moved) > 0


def opacity(pixels: np.ndarray, masks: np.ndarray, rng: np.random.Generator) -> Picture:
    """The base of one lung is bright, as under a large effusion or a collapsed lobe."""
    lung = masks[rng.integers(2)]
    rows = np.flatnonzero(lung.any(axis=1))
    hidden = lung.copy()
    hidden[: rows[-1] - round(OPAQUE * len(rows))] = False
    veil = cv2.GaussianBlur(hidden.astype(np.float32), (0, 0), 0.015 * max(pixels.shape))
    return pixels + veil * np.maximum(OPACITY - pixels, 0.0), masks


CONDITIONS: dict[str, Change] = {
    "as it is": as_it_is,
    "low exposure": low_exposure,
    "apices cut off": cut_apices,
    "turned by 10 degrees": turned,
    "opacity over half a lung": opacity,
}


def score_conditions(
    network: nn.Module, size: int, labelled: OrgansSet, progress: Progress = silent
) -> dict[str, list[OutlineScore]]:
    """Outline some radiographs in every condition.

    Args:
        network: An OrganNet that never saw them.
        size: Side of its input, in pixels.
        labelled: Radiographs of one source.
        progress: Told of the radiographs done.
    """
    rng = np.random.default_rng(SEED)
    both = np.flatnonzero([{"right_lung", "left_lung"} <= set(files) for files in labelled.masks])
    chosen = rng.permutation(both)[:RADIOGRAPHS]
    scores: dict[str, list[OutlineScore]] = {name: [] for name in CONDITIONS}
    for done, index in enumerate(chosen, start=1):
        path = labelled.paths[index]
        radiograph = decode(path.read_bytes(), path.name)
        drawn, known = drawn_by_hand(labelled.masks[index])
        pixels, masks = _reduced(radiograph, drawn)
        for name, change in CONDITIONS.items():
            changed, moved = change(pixels, masks, rng)
            film = replace(radiograph, pixels=np.ascontiguousarray(changed))
            by_hand = np.stack([_on_grid(one) for one in moved])
            measured = outline_one(network, size, film)
            scores[name].append(score_outline(str(labelled.source[index]), film, measured, by_hand, known))
        progress(done, len(chosen), "radiographs outlined in every condition")
    return scores


def condition_figures(scores: dict[str, list[OutlineScore]], protocol: str) -> list[Figure]:
    """Dice of both lungs, mean and 5th percentile, and how often sides are swapped, in every condition."""
    figures = []
    for name, measured in scores.items():
        dice = np.array([score.dice["lungs"] for score in measured])
        if len(dice):
            figures.append(of_values(DICE, name, dice, lambda drawn: float(drawn.mean()), protocol))
            figures.append(of_values(f"{DICE}, 5th percentile", name, dice, _fifth_percentile, protocol))
        figures += share(SWAPPED, name, (score.swapped for score in measured), protocol)
        figures += share(IN_PIECES, name, (score.islands > 0 for score in measured), protocol)
    return figures


def _fifth_percentile(drawn: np.ndarray) -> float:
    return float(np.quantile(drawn, 0.05))


def _reduced(radiograph: Radiograph, drawn: np.ndarray) -> Picture:
    """Pixels and masks of the same size, with a long side of ``LONG_SIDE``."""
    scale = LONG_SIDE / max(radiograph.height, radiograph.width)
    size = (max(1, round(radiograph.width * scale)), max(1, round(radiograph.height * scale)))
    pixels = cv2.resize(radiograph.pixels, size, interpolation=cv2.INTER_AREA)
    masks = [cv2.resize(one.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) for one in drawn]
    return pixels, np.stack(masks) > 0


def _on_grid(mask: np.ndarray) -> np.ndarray:
    """A mask on the grid that outlines are scored on."""
    side = organs.MEASURING_SIDE
    return cv2.resize(mask.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR) >= 0.5
