"""What is read and what is refused, each for its own reason, with the shipped models on real pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st

from lung_models import gate
from lung_models.decode import decode
from lung_models.radiograph import Radiograph
from lung_models.reader import Reader
from lung_models.reading import Reading
from tests.conftest import sample_file


def read_pixels(reader: Reader, pixels: np.ndarray) -> Reading:
    return reader.read(Radiograph(np.ascontiguousarray(pixels, np.float32), "picture", "raster"))


@pytest.fixture(scope="module")
def chest(chest_file: Path) -> np.ndarray:
    return decode(chest_file.read_bytes(), chest_file.name).pixels


def assert_refused(reading: Reading, words: str) -> None:
    assert not reading.accepted
    assert reading.reason is not None and words in reading.reason and "\n" not in reading.reason
    assert reading.findings == () and reading.primary is None and reading.anatomy is None


def test_a_chest_radiograph_is_read(reader: Reader, chest: np.ndarray) -> None:
    assert read_pixels(reader, chest).reason is None


@pytest.mark.parametrize("name", ["RG3_UNCR.dcm", "RG3_J2KR.dcm"])
def test_a_leg_is_refused(reader: Reader, name: str) -> None:
    assert_refused(reader.read(decode(sample_file(name).read_bytes(), name)), "frontal chest radiograph")


@pytest.mark.parametrize(
    "turns, words", [(-1, "90 degrees clockwise"), (1, "90 degrees anticlockwise"), (2, "upside down")]
)
def test_a_turned_radiograph_is_named_as_such(reader: Reader, chest: np.ndarray, turns: int, words: str) -> None:
    assert_refused(read_pixels(reader, np.rot90(chest, turns)), words)


def test_an_inverted_radiograph_is_named_as_such(reader: Reader, chest: np.ndarray) -> None:
    assert_refused(read_pixels(reader, 1.0 - chest), "inverted")


@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0])
def test_a_blank_picture(reader: Reader, grey: float) -> None:
    assert_refused(read_pixels(reader, np.full((400, 400), grey)), "blank")


@pytest.mark.parametrize("coarseness", [1, 4, 32])
def test_noise(reader: Reader, coarseness: int) -> None:
    noise = np.random.default_rng(0).random((512 // coarseness, 512 // coarseness)).astype(np.float32)
    assert_refused(read_pixels(reader, cv2.resize(noise, (512, 512))), "frontal chest radiograph")


@pytest.mark.parametrize(
    "name", ["camera", "coins", "moon", "page", "text", "brick", "grass", "gravel", "clock", "cell"]
)
def test_a_grey_photograph(reader: Reader, name: str) -> None:
    picture = getattr(skimage.data, name)()
    assert_refused(read_pixels(reader, picture.astype(np.float32) / 255.0), "chest")


@pytest.mark.parametrize(
    "height, width, words", [(40, 40, "too small"), (300, 900, "too narrow"), (1, 5000, "too small")]
)
def test_a_picture_of_the_wrong_size(height: int, width: int, words: str) -> None:
    pixels = np.random.default_rng(0).random((height, width)).astype(np.float32)
    reason = gate.refuse_picture(Radiograph(pixels, "picture", "raster"))
    assert reason is not None and words in reason


def test_a_mirrored_radiograph_is_read_and_carries_a_flag(reader: Reader, shared_data: Path) -> None:
    """The sample's large masses hide its asymmetry; a radiograph with outlines serves instead."""
    path = sorted((shared_data / "segmentation" / "images").glob("jsrt_*.jpg"))[0]
    pixels = decode(path.read_bytes(), path.name).pixels
    straight, mirrored = read_pixels(reader, pixels), read_pixels(reader, pixels[:, ::-1])
    assert straight.anatomy is not None and gate.MIRRORED not in straight.anatomy.flags
    assert mirrored.anatomy is not None and gate.MIRRORED in mirrored.anatomy.flags


def test_a_stated_lateral_view_is_refused(reader: Reader, chest: np.ndarray) -> None:
    assert_refused(reader.read(Radiograph(chest.copy(), "lateral", "dicom", view="lateral")), "lateral view")


def test_radiographs_of_every_source_are_accepted(reader: Reader, shared_data: Path) -> None:
    """Twelve of each collection; issue-wide acceptance is a figure on the card, not a test."""
    folder = shared_data / "segmentation" / "images"
    for source in ("jsrt", "shz", "wingspan"):
        for path in sorted(folder.glob(f"{source}_*.jpg"))[::10][:12]:
            reading = reader.read(decode(path.read_bytes(), path.name))
            assert reading.accepted, (path.name, reading.reason)


@given(st.integers(64, 128), st.integers(64, 128), st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_no_random_picture_gets_a_score(reader: Reader, height: int, width: int, seed: int) -> None:
    noise = np.random.default_rng(seed).random((height, width)).astype(np.float32)
    assert not read_pixels(reader, noise).accepted
