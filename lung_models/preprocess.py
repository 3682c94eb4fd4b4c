"""Radiograph -> network input: the one path for training, evaluation and reading.

Exposure and window differ wildly between hospitals, so the grey scale is standardised per image before anything is
learnt from it: a linear stretch between two percentiles, then the power that brings the median to one half. Both are
monotone, and together they undo any linear window and any gamma that left the anatomy unclipped.

A network looks at the whole picture, or at a frame of it: classifiers look at the chest as OrganNet outlined it, so
that collimation, markers and the hospital's way of placing the chest on the film matter less.

How much a result rests on that frame is seen by looking again through frames moved a little, and in the mirror.
"""

from dataclasses import dataclass

import cv2
import numpy as np

LOW_PERCENTILE = 1.0  # per cent of pixels at or below black after the stretch
HIGH_PERCENTILE = 99.0  # per cent of pixels at or below white after the stretch
MEDIAN_TARGET = 0.5  # grey level, 0..1, that the median is brought to
POWER_RANGE = (0.3, 8.0)  # of the power; radiographs seen so far need 0.5 to 7.7
WORKING_SIDE = 512  # pixels; intensities are measured on a copy no larger than this
SHIFT = 0.02  # share of the frame's width or height that it is moved by; networks are trained with up to 0.05
MOVES = ((0.0, 0.0), (-SHIFT, 0.0), (SHIFT, 0.0), (0.0, -SHIFT), (0.0, SHIFT))  # (across, down), unmoved first
VIEWS = 2 * len(MOVES)  # every one of them, and its mirror image


@dataclass(frozen=True)
class Frame:
    """A rectangle of a picture, in shares of its width (left, right) and height (top, bottom): 0..1, not empty."""

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0

    def of(self, pixels: np.ndarray) -> np.ndarray:
        """The part of a picture (height, width) inside, on whole pixels; at least one of them."""
        height, width = pixels.shape
        top, left = min(round(self.top * height), height - 1), min(round(self.left * width), width - 1)
        return pixels[top : max(top + 1, round(self.bottom * height)), left : max(left + 1, round(self.right * width))]

    def moved(self, across: float, down: float) -> "Frame":
        """The frame moved to the right and down, by shares of its own width and height.

        What would lie beyond the picture is cut off: a frame never shows anything that is not in the picture.
        """
        beside, below = across * (self.right - self.left), down * (self.bottom - self.top)
        return Frame(
            max(0.0, self.left + beside),
            max(0.0, self.top + below),
            min(1.0, self.right + beside),
            min(1.0, self.bottom + below),
        )


WHOLE = Frame()


def network_input(pixels: np.ndarray, size: int, frame: Frame = WHOLE) -> np.ndarray:
    """Cut the frame out, resize it to a square and standardise its grey scale.

    The aspect ratio is not kept: most of the training radiographs were published as squares, and every quantity
    derived from the network's output (the cardiothoracic ratio, the fractions of the image) is independent of it.

    Args:
        pixels: float32 (height, width), 0..1, 1 is white.
        size: Side of the square the network takes, in pixels.
        frame: What part of the picture the network looks at.

    Returns:
        float32 (1, size, size), 0..1.
    """
    pixels = frame.of(pixels)
    height, width = pixels.shape
    scale = WORKING_SIDE / max(height, width)
    if scale < 1:
        reduced = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = cv2.resize(pixels, reduced, interpolation=cv2.INTER_AREA)
    pixels = standardise(pixels)
    shrinking = size < min(pixels.shape)
    resized = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
    return np.clip(resized, 0.0, 1.0)[np.newaxis].astype(np.float32)


def views(pixels: np.ndarray, size: int, frame: Frame = WHOLE) -> np.ndarray:
    """The network input and nine views that say the same of the patient: its mirror image, and both moved a little.

    The frame is moved by ``SHIFT`` to either side, up and down. A frame of the whole picture cannot be moved in it:
    it loses a strip of that width at one edge instead, as if the film were collimated a little closer there.

    Args:
        pixels: float32 (height, width), 0..1, 1 is white.
        size: Side of the square the network takes, in pixels.
        frame: What part of the picture the network looks at.

    Returns:
        float32 (VIEWS, 1, size, size), 0..1. The first is what :func:`network_input` gives; the second half is the
        first half mirrored.
    """
    upright = np.stack([network_input(pixels, size, frame.moved(*move)) for move in MOVES])
    return np.concatenate([upright, upright[..., ::-1]])


def standardise(pixels: np.ndarray) -> np.ndarray:
    """Stretch between the percentiles and bring the median to ``MEDIAN_TARGET``.

    Args:
        pixels: float32 (height, width), any range.

    Returns:
        float32 (height, width), 0..1. A constant image comes back as zeros.
    """
    low, median, high = np.percentile(pixels, (LOW_PERCENTILE, 50.0, HIGH_PERCENTILE))
    if high - low < 1e-6:
        return np.zeros_like(pixels)
    stretched = np.clip((pixels - low) / (high - low), 0.0, 1.0)
    median = float(np.clip((median - low) / (high - low), 1e-3, 1 - 1e-3))
    power = float(np.clip(np.log(MEDIAN_TARGET) / np.log(median), *POWER_RANGE))
    return np.power(stretched, power, dtype=np.float32)
