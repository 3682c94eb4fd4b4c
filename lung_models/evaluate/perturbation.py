"""What a score does when parts of a picture are taken away in some order, and where the first of that order lies.

Deletion and insertion follow Petsiuk et al. (RISE, 2018), the pointing game Zhang et al. (Top-down neural attention by
excitation backprop, 2018).
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

STEPS = 8  # of a deletion or an insertion, an eighth of the pixels each
BLUR = 1 / 12  # of the side of the picture; standard deviation of the Gaussian that takes content away
BLOB = 0.25  # of the side; standard deviation of the blob in the middle
BATCH = 16  # pictures in a run of the network; more are slower on a CPU

Score = Callable[[np.ndarray], np.ndarray]
"""Maps pictures, float32 (n, 1, side, side), 0..1, to scores, float (n, outputs)."""


def areas(score: Score, image: np.ndarray, ranks: Sequence[np.ndarray]) -> np.ndarray:
    """Areas under the deletion and the insertion curves (trapezoids) of several orders.

    Args:
        score: What is followed.
        image: float32 (side, side), 0..1.
        ranks: From :func:`ranked`, each (side, side).

    Returns:
        float64 (orders, 2, outputs): of deletion and of insertion, in units of the score.
    """
    blurred = cv2.GaussianBlur(image, (0, 0), BLUR * image.shape[0], borderType=cv2.BORDER_REPLICATE)
    taken = [rank < image.size * step / STEPS for rank in ranks for step in range(1, STEPS)]
    changed = [np.where(one, *pair) for one in taken for pair in ((blurred, image), (image, blurred))]
    batch = np.stack([image, blurred, *changed])[:, np.newaxis]
    scores = np.concatenate([score(batch[start : start + BATCH]) for start in range(0, len(batch), BATCH)])
    between = scores[2:].reshape(len(ranks), STEPS - 1, 2, -1).sum(axis=1)
    return np.asarray((between + scores[:2].mean(axis=0)) / STEPS, np.float64)


def ranked(heat: np.ndarray, ties: np.ndarray) -> np.ndarray:
    """In what order the pixels are taken: int (h, w), 0 for the hottest.

    Args:
        heat: float32 (h, w).
        ties: float32 (h, w); among pixels of the same heat the one with the greater value comes first.
    """
    rank = np.empty(heat.size, int)
    rank[np.lexsort((-ties.ravel(), -heat.ravel()))] = np.arange(heat.size)
    return rank.reshape(heat.shape)


def centred_blob(side: int) -> np.ndarray:
    """A round Gaussian in the middle of a square: float32 (side, side), 0..1."""
    from_middle = (np.arange(side) + 0.5) / side - 0.5
    line = np.exp(-0.5 * (from_middle / BLOB) ** 2)
    return np.outer(line, line).astype(np.float32)


def pointing(heat: np.ndarray, inside: np.ndarray) -> float:
    """Whether the greatest heat lies inside a region: 1 or 0, and between them where several places share it.

    Args:
        heat: float32 (h, w).
        inside: bool (h, w).
    """
    return float(inside[heat >= heat.max() * (1 - 1e-6)].mean())


def resized(heat: np.ndarray, side: int) -> np.ndarray:
    """A map enlarged (bilinear) to a square: (side, side)."""
    return cv2.resize(heat, (side, side), interpolation=cv2.INTER_LINEAR)
