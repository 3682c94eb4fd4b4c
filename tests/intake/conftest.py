"""Small labelled sets made of one real radiograph, so that the gate takes them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from lung_models.decode import decode
from lung_models.reader import Reader


@pytest.fixture(scope="session")
def chest_pixels(chest_file: Path) -> np.ndarray:
    """The real radiograph, uint8, 480 rows."""
    pixels = decode(chest_file.read_bytes(), chest_file.name).pixels
    side = (round(480 * pixels.shape[1] / pixels.shape[0]), 480)
    return np.rint(cv2.resize(pixels, side, interpolation=cv2.INTER_AREA) * 255).astype(np.uint8)


def variant(pixels: np.ndarray, seed: int) -> np.ndarray:
    """The radiograph turned, stretched and retouched a little: another patient to a perceptual hash."""
    rng = np.random.default_rng(seed)
    height, width = pixels.shape
    corners = np.float32([[0, 0], [width, 0], [0, height]])
    moved = corners + rng.uniform(-0.06, 0.06, (3, 2)).astype(np.float32) * np.float32([width, height])
    turned = cv2.warpAffine(pixels, cv2.getAffineTransform(corners, moved), (width, height))
    shade = cv2.resize(
        rng.uniform(0.75, 1.0, (5, 5)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    return np.clip(turned * shade, 0, 255).astype(np.uint8)


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


@pytest.fixture
def class_folders(tmp_path: Path, chest_pixels: np.ndarray) -> Path:
    """Twelve radiographs in two class folders."""
    folder = tmp_path / "set"
    for number in range(12):
        name = ("Cardiomegaly", "Normal")[number % 2]
        write(folder / name / f"{number:02}.png", variant(chest_pixels, number))
    return folder


@pytest.fixture(scope="session")
def organs_sha256(reader: Reader) -> str:
    return reader.organs_card.stamp.sha256
