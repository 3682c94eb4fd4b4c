"""Pictures for tests, made of one real radiograph."""

from pathlib import Path

import cv2
import numpy as np


def variant(pixels: np.ndarray, seed: int) -> np.ndarray:
    """The radiograph turned, stretched and retouched a little: another patient to a perceptual hash."""
    rng = np.random.default_rng(seed)
    height, width = pixels.shape
    corners = np.float32([[0, 0], [width, 0], [0, height]])
    moved = corners + rng.uniform(-0.045, 0.045, (3, 2)).astype(np.float32) * np.float32([width, height])
    turned = cv2.warpAffine(pixels, cv2.getAffineTransform(corners, moved), (width, height))
    shade = cv2.resize(
        rng.uniform(0.75, 1.0, (5, 5)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    return np.clip(turned * shade, 0, 255).astype(np.uint8)


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
