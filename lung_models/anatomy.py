"""Organ probabilities -> outlines, cardiothoracic ratio, areas and quality flags."""

from typing import cast

import contourpy
import cv2
import numpy as np

from lung_models.preprocess import WHOLE, Frame
from lung_models.radiograph import Radiograph
from lung_models.reading import ORGANS, Anatomy, Width

MEASURING_SIDE = 512  # pixels; masks are measured on a square grid of this side that covers the whole radiograph
SMOOTHING = 2.0  # grid pixels; standard deviation of the Gaussian that takes spikes and frays off the outlines
OUTLINE_TOLERANCE = 0.1  # grid pixels; how far a simplified outline may lie from the exact one
SMALLEST_ORGAN = 0.004  # of the radiograph's area; anything smaller is not called an organ
EDGE_SHARE = 0.02  # of an edge of the picture that an organ must touch before it counts as cut off
ASYMMETRY = 2.0  # ratio of the lungs' areas from which they count as very different
HEART_ON_THE_RIGHT = "The heart lies to the patient's right: a mirrored picture, a shift or dextrocardia."
IMPLAUSIBLE_RATIO = 0.75  # cardiothoracic ratio beyond which an outline is more likely wrong than the heart that large
LOW_CONTRAST = 0.12  # range between the 5th and the 95th percentile, of full scale, below which contrast is low
FRAME_MARGIN = 0.05  # of the organs' width and height, added on every side of the frame that a classifier looks at
GEOMETRY = (
    "cardiothoracic ratio",
    "right lung fraction",
    "left lung fraction",
    "heart fraction",
    "log of right over left lung area",
    "lung height",
)
"""What :func:`geometry` returns, in order."""


def measure(organ_probability: np.ndarray, radiograph: Radiograph) -> Anatomy:
    """Outline and measure the organs.

    Args:
        organ_probability: float32 (3, h, w), 0..1, channels as ``ORGANS``, covering the whole radiograph.
        radiograph: What they were found in.

    Returns:
        The anatomy, in the radiograph's own pixels.
    """
    enlarged = [cv2.resize(p.astype(np.float32), (MEASURING_SIDE, MEASURING_SIDE)) for p in organ_probability]
    return measure_masks(np.stack([keep_organ(cv2.GaussianBlur(p, (0, 0), SMOOTHING)) for p in enlarged]), radiograph)


def measure_masks(grid: np.ndarray, radiograph: Radiograph) -> Anatomy:
    """Outline and measure organs as they are given, nothing smoothed or removed.

    Args:
        grid: float32 (3, ``MEASURING_SIDE``, ``MEASURING_SIDE``), 0..1, channels as ``ORGANS``, covering the whole
            radiograph; from one half on it is the organ.
        radiograph: What they were found in.
    """
    masks = grid >= 0.5
    height, width = radiograph.height, radiograph.width
    scale = np.array([width / MEASURING_SIDE, height / MEASURING_SIDE])
    heart, thorax = _heart_width(masks[2], scale), _thorax_width(masks[0], masks[1], scale)
    ratio = heart.pixels / thorax.pixels if heart and thorax else None
    right, left, heart_fraction = (float(mask.mean()) for mask in masks)
    return Anatomy(
        organ_probability=grid,
        contours={organ: _contours(probability, scale) for organ, probability in zip(ORGANS, grid, strict=True)},
        cardiothoracic_ratio=ratio,
        heart_width=heart,
        thorax_width=thorax,
        right_lung_fraction=right,
        left_lung_fraction=left,
        heart_fraction=heart_fraction,
        flags=_flags(masks, ratio, radiograph),
    )


def geometry(anatomy: Anatomy) -> np.ndarray:
    """The anatomy as six numbers that help to tell findings apart: float32 (6,), see ``GEOMETRY``.

    A ratio that could not be measured is NaN.
    """
    right, left = anatomy.right_lung_fraction, anatomy.left_lung_fraction
    lungs = anatomy.organ_probability[:2].max(axis=0) >= 0.5
    rows = np.flatnonzero(lungs.any(axis=1))
    tall = (rows[-1] - rows[0] + 1) / lungs.shape[0] if rows.size else 0.0
    ratio = np.nan if anatomy.cardiothoracic_ratio is None else anatomy.cardiothoracic_ratio
    balance = np.log((right + 1e-3) / (left + 1e-3))
    return np.array([ratio, right, left, anatomy.heart_fraction, balance, tall], np.float32)


def frame(anatomy: Anatomy, margin: float = FRAME_MARGIN) -> Frame:
    """The lungs and the heart with a margin: what a classifier looks at; the whole picture where none were found.

    Args:
        anatomy: The organs as outlined.
        margin: Share of the organs' width and height added on every side.
    """
    organs: np.ndarray = (anatomy.organ_probability >= 0.5).max(axis=0)
    rows, columns = np.flatnonzero(organs.any(axis=1)), np.flatnonzero(organs.any(axis=0))
    if not rows.size:
        return WHOLE
    height, width = organs.shape
    top, bottom, left, right = rows[0] / height, (rows[-1] + 1) / height, columns[0] / width, (columns[-1] + 1) / width
    beyond, beside = margin * (bottom - top), margin * (right - left)
    return Frame(
        float(max(0.0, left - beside)),
        float(max(0.0, top - beyond)),
        float(min(1.0, right + beside)),
        float(min(1.0, bottom + beyond)),
    )


def keep_organ(probability: np.ndarray) -> np.ndarray:
    """Remove what lies outside the largest connected region at one half, and fill holes inside it.

    Args:
        probability: float32 (h, w), 0..1.

    Returns:
        float32 (h, w): all zeros when the region is smaller than ``SMALLEST_ORGAN``.
    """
    inside = (probability >= 0.5).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=4)
    if count < 2:
        return np.zeros_like(probability)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    if stats[largest, cv2.CC_STAT_AREA] < SMALLEST_ORGAN * inside.size:
        return np.zeros_like(probability)
    region = (labels == largest).astype(np.uint8)
    outlines, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(region), outlines, -1, 1, thickness=cv2.FILLED)
    kept = np.where(filled == region, probability, 1.0)
    # Outside the organ nothing may reach one half, or another island would come back when the map is enlarged.
    return np.where(filled == 1, kept, np.minimum(probability, 0.499) * (inside == 0)).astype(np.float32)


def _contours(probability: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, ...]:
    """Closed outlines at one half, between the grid's points (marching squares), in the radiograph's pixels."""
    if probability.max() < 0.5:
        return ()
    # A border of zeros closes the outline of an organ that reaches the edge of the picture.
    lines = cast(list[np.ndarray], contourpy.contour_generator(z=np.pad(probability, 1)).lines(0.5))
    simplified = (cv2.approxPolyDP(line.astype(np.float32), OUTLINE_TOLERANCE, True)[:, 0] for line in lines)
    return tuple(((line - 1.0 + 0.5) * scale - 0.5).astype(np.float32) for line in simplified if len(line) > 2)


def _heart_width(heart: np.ndarray, scale: np.ndarray) -> Width | None:
    """From the heart's extreme on one side to its extreme on the other, drawn half-way between their rows."""
    columns = np.flatnonzero(heart.any(axis=0))
    if not columns.size:
        return None
    first, last = int(columns[0]), int(columns[-1])
    row = (np.flatnonzero(heart[:, first]).mean() + np.flatnonzero(heart[:, last]).mean()) / 2
    return _width(first, last, row, scale)


def _thorax_width(right: np.ndarray, left: np.ndarray, scale: np.ndarray) -> Width | None:
    """The greatest inner diameter of the thorax: in one row, from the right lung's outer edge to the left lung's."""
    both = np.flatnonzero(right.any(axis=1) & left.any(axis=1))
    if not both.size:
        return None
    first = right[both].argmax(axis=1)
    last = left.shape[1] - 1 - left[both, ::-1].argmax(axis=1)
    widest = int(np.argmax(last - first))
    if last[widest] <= first[widest]:
        return None
    return _width(int(first[widest]), int(last[widest]), float(both[widest]), scale)


def _width(first: int, last: int, row: float, scale: np.ndarray) -> Width:
    """A line between the outer edges of two columns of the grid, in the radiograph's pixels."""
    y = float((row + 0.5) * scale[1] - 0.5)
    return Width((float(first * scale[0] - 0.5), y), (float((last + 1) * scale[0] - 0.5), y))


def _flags(masks: np.ndarray, ratio: float | None, radiograph: Radiograph) -> tuple[str, ...]:
    """What a reader should know of the film before trusting the measurements."""
    flags = []
    names = ("Right lung", "Left lung", "Heart")
    areas = masks.mean(axis=(1, 2))
    for name, mask, area in zip(names, masks, areas, strict=True):
        if area == 0:
            flags.append(f"{name} not found.")
        elif side := _cut_off(mask):
            flags.append(f"{name} reaches the {side} edge of the picture: it may be cut off.")
    if min(areas[:2]) > 0 and max(areas[:2]) > ASYMMETRY * min(areas[:2]):
        smaller = "right" if areas[0] < areas[1] else "left"
        flags.append(f"The {smaller} lung is outlined at less than half the area of the other.")
    if areas[2] > 0 and min(areas[:2]) > 0 and _heart_on_the_right(masks):
        flags.append(HEART_ON_THE_RIGHT)
    low, high = np.percentile(radiograph.pixels[:: max(1, radiograph.height // 512)], (5, 95))
    if high - low < LOW_CONTRAST:
        flags.append("Low contrast: the grey levels span a small part of the range.")
    if ratio is not None and ratio > IMPLAUSIBLE_RATIO:
        flags.append("The heart is outlined over more than three quarters of the thorax: check the outlines first.")
    if radiograph.view == "AP":
        flags.append("AP projection: the heart is magnified, the cardiothoracic ratio reads high.")
    return tuple(flags)


def _cut_off(mask: np.ndarray) -> str | None:
    """The edge of the picture that an organ touches along more than ``EDGE_SHARE`` of the grid."""
    edges = {"upper": mask[0], "lower": mask[-1], "left-hand": mask[:, 0], "right-hand": mask[:, -1]}
    for side, line in edges.items():
        if line.mean() > EDGE_SHARE:
            return side
    return None


def _heart_on_the_right(masks: np.ndarray) -> bool:
    """Whether most of the heart lies on the right lung's side of the midline between the lungs."""
    columns = np.arange(masks.shape[2])
    centres = [float((mask.sum(axis=0) * columns).sum() / mask.sum()) for mask in masks]
    span = centres[1] - centres[0]
    return span > 0 and (centres[2] - centres[0]) / span < 0.42
