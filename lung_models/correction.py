"""Organ masks drawn by hand: how they travel and are kept, and the anatomy that follows from them."""

import zlib
from dataclasses import dataclass, field

import numpy as np

from lung_models.anatomy import MEASURING_SIDE, measure_masks
from lung_models.radiograph import Radiograph
from lung_models.reading import ORGANS, Anatomy

SHAPE = (len(ORGANS), MEASURING_SIDE, MEASURING_SIDE)
PACKED_BYTES = SHAPE[0] * SHAPE[1] * SHAPE[2] // 8


@dataclass(frozen=True)
class Correction:
    """Outlines that a reader corrected.

    Args:
        masks: As :func:`packed` packs them.
        anatomy: What follows from them.
    """

    masks: bytes = field(repr=False)
    anatomy: Anatomy

    @classmethod
    def drawn(cls, radiograph: Radiograph, masks: bytes) -> "Correction":
        """From packed masks; ValueError when they are anything else."""
        return cls(masks, corrected(radiograph, unpacked(masks)))


def corrected(radiograph: Radiograph, masks: np.ndarray) -> Anatomy:
    """Outlines and measurements that follow from masks drawn by hand; nothing that was drawn is smoothed or removed.

    Args:
        radiograph: What they were drawn on.
        masks: bool (3, 512, 512), channels as ``ORGANS``, on a grid that covers the whole radiograph.
    """
    if masks.shape != SHAPE:
        raise ValueError(f"Masks must be {SHAPE}, not {masks.shape}.")
    return measure_masks(masks.astype(np.float32), radiograph)


def packed(masks: np.ndarray) -> bytes:
    """Masks as bytes: one bit a place, row by row, deflated (zlib)."""
    if masks.shape != SHAPE:
        raise ValueError(f"Masks must be {SHAPE}, not {masks.shape}.")
    return zlib.compress(np.packbits(masks.astype(bool)).tobytes())


def unpacked(content: bytes) -> np.ndarray:
    """The masks of :func:`packed`: bool (3, 512, 512).

    Raises:
        ValueError: when it is anything else, as what comes from a browser may be.
    """
    inflation = zlib.decompressobj()
    try:
        bits = inflation.decompress(content, PACKED_BYTES + 1)
    except zlib.error as error:
        raise ValueError("The drawn outlines are damaged: draw them again.") from error
    if len(bits) != PACKED_BYTES or not inflation.eof or inflation.unused_data:
        raise ValueError("The drawn outlines are not whole: draw them again.")
    return np.unpackbits(np.frombuffer(bits, np.uint8)).reshape(SHAPE).astype(bool)
