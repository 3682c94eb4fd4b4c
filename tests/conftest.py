"""Radiographs that tests share. What is missing is said loudly, and in CI nothing may be missing."""

import os
import socket
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydicom.data import get_testdata_file

from lung_models.decode import decode
from lung_models.reader import Reader

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = Path(os.environ.get("LUNGS_SHARED_DATA", ROOT.parent / "shared" / "data"))
IN_CI = bool(os.environ.get("CI"))


def missing(what: str) -> None:
    """Skip for want of something, naming it; fail in CI, where nothing may be missing."""
    if IN_CI:
        pytest.fail(f"CI must not skip: {what}")
    pytest.skip(f"SKIPPED FOR WANT OF: {what}")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of labelled radiographs."""
    if not (SHARED_DATA / "classification" / "labels.csv").is_file():
        missing(f"labelled radiographs in {SHARED_DATA} (set LUNGS_SHARED_DATA)")
    return SHARED_DATA


def sample_file(name: str) -> Path:
    """A file that pydicom or pydicom-data ships."""
    path = get_testdata_file(name, download=False)
    assert path is not None, f"{name} is not installed"
    return Path(str(path))


@pytest.fixture(scope="session")
def chest_file() -> Path:
    """A real chest radiograph: RG1 of pydicom-data, uncompressed."""
    return sample_file("RG1_UNCR.dcm")


@pytest.fixture(scope="session")
def leg_file() -> Path:
    """A real radiograph of a leg: RG3 of pydicom-data."""
    return sample_file("RG3_UNCR.dcm")


@pytest.fixture(scope="session")
def reader() -> Reader:
    """The shipped models, on the CPU."""
    return Reader.load(device="cpu")


@pytest.fixture(scope="session")
def chest_pixels(chest_file: Path) -> np.ndarray:
    """The real radiograph, uint8, 480 rows."""
    pixels = decode(chest_file.read_bytes(), chest_file.name).pixels
    side = (round(480 * pixels.shape[1] / pixels.shape[0]), 480)
    return np.rint(cv2.resize(pixels, side, interpolation=cv2.INTER_AREA) * 255).astype(np.uint8)


def free_port() -> int:
    """A port of the loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
