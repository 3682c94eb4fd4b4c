"""The app without a browser, and with a reader that needs no weights."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from lung_models import anatomy
from lung_models.findings import KEYS
from lung_models.preprocess import VIEWS
from lung_models.radiograph import Radiograph, Spacing
from lung_models.reading import FindingReading, ModelStamp, Reading

ROOT = Path(__file__).resolve().parents[2]
STAMPS = {network: ModelStamp(f"{network}-test", "0123456789abcdef" * 4, "Net") for network in ("findings", "organs")}
PROBABILITIES = (0.44, 0.71, 0.37, 0.05, 0.02, 0.08)


def ellipse(across: float, down: float, wide: float, tall: float) -> np.ndarray:
    """An organ: float32 (128, 128), 1 inside an ellipse given in shares of the picture."""
    rows, columns = np.mgrid[0:128, 0:128] / 128
    return (((columns - across) / wide) ** 2 + ((rows - down) / tall) ** 2 < 1).astype(np.float32)


def read(radiograph: Radiograph, decode_milliseconds: float = 0.0, *, averaged: bool = False) -> Reading:
    """A reading with made-up findings, averaged ones with a spread; anything called a leg is refused."""
    milliseconds = {"decode": decode_milliseconds, "organs": 2.0, "findings": 1.0, "total": decode_milliseconds + 3.0}
    if "leg" in radiograph.name:
        return Reading(
            radiograph, False, "Two lungs were not found.", None, (), None, STAMPS, "CPU (test)", milliseconds
        )
    organs = np.stack([ellipse(0.3, 0.4, 0.15, 0.3), ellipse(0.7, 0.4, 0.15, 0.3), ellipse(0.55, 0.6, 0.17, 0.16)])
    heat = np.zeros((8, 6), np.float32)
    heat[5, 2] = 1.0
    calls = ["present" if p > 0.4 else "uncertain" if p > 0.3 else "absent" for p in PROBABILITIES]
    findings = tuple(
        FindingReading(key, p, 0.35, (0.3, 0.4), call, heat, 0.71, 0.12, spread=(p / 2, p + 0.1) if averaged else None)
        for key, p, call in zip(KEYS, PROBABILITIES, calls, strict=True)
    )
    measured = anatomy.measure(organs, radiograph)
    return Reading(
        radiograph,
        True,
        None,
        "pleural_effusion",
        findings,
        measured,
        STAMPS,
        "CPU (test)",
        milliseconds,
        "1.0 = one unit of heat",
        views=VIEWS if averaged else 1,
    )


class MadeUpReader:
    """Stands in for the shipped models."""

    read = staticmethod(read)


@pytest.fixture
def radiograph() -> Radiograph:
    """A small picture with every value of 12 bits."""
    pixels = (np.arange(64 * 64, dtype=np.float32) / 4095).reshape(64, 64)
    return Radiograph(pixels, "picture.dcm", "dicom", 12, "PA", Spacing(0.5, 0.25, "PixelSpacing"))


@pytest.fixture
def reading(radiograph: Radiograph) -> Reading:
    return read(radiograph)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app, not yet run."""
    monkeypatch.setattr("pages.read.shared_reader", MadeUpReader)
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
