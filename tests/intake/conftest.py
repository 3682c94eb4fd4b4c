"""Small labelled sets made of one real radiograph, so that the gate takes them."""

from pathlib import Path

import numpy as np
import pytest

from lung_models.reader import Reader
from tests.pictures import variant, write


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
