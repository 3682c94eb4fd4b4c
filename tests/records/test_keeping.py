"""Keeping readings: without identity, once, whole, and giving the very same reading back."""

import os
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread

from lung_models.decode import decode
from lung_models.reader import Reader
from lung_models.reading import Reading
from lung_models.records import worklist
from lung_models.records.burned_in import burned_in
from lung_models.records.database import Database
from lung_models.records.deidentify import deidentified
from lung_models.records.keeping import keep, kept_file, patients, reopened
from tests.conftest import ROOT

KEY = b"k" * 32
SECRETS = ("CompressedSamples", "9RG1", "20040826", "JFK IMAGING", "PRIVATE-WORD")


def with_secrets(chest_file: Path) -> bytes:
    """The real radiograph with identity in more places: nested, private, free text."""
    dataset = dcmread(chest_file)
    dataset.PatientName, dataset.PatientID = "CompressedSamples^RG1", "9RG1"
    dataset.InstitutionName = "JFK IMAGING"
    dataset.PatientComments = "PRIVATE-WORD"
    dataset.add_new(0x00091010, "LO", "PRIVATE-WORD")
    request = Dataset()
    request.RequestedProcedureDescription = "CHEST"
    request.RequestedProcedureID = "PRIVATE-WORD"
    dataset.RequestAttributesSequence = [request]
    view = Dataset()
    view.CodeMeaning = "postero-anterior"
    view.PatientID = "PRIVATE-WORD"
    dataset.ViewCodeSequence = [view]
    stream = BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


def test_nothing_of_the_identity_is_left_and_the_pixels_are_the_same(chest_file: Path) -> None:
    data = with_secrets(chest_file)
    clean = deidentified(data, KEY, "Patient 0001")
    for secret in SECRETS:
        assert secret.encode() not in clean
    header = dcmread(BytesIO(clean))
    assert header.PatientIdentityRemoved == "YES" and header.PatientID == "Patient 0001"
    assert header.SOPInstanceUID == header.file_meta.MediaStorageSOPInstanceUID
    assert not [element for element in header.iterall() if element.tag.is_private]
    assert np.array_equal(decode(data, "a").pixels, decode(clean, "a").pixels)


def test_uids_are_replaced_alike_in_every_file_and_differently_with_another_key(chest_file: Path) -> None:
    data = chest_file.read_bytes()
    other = dcmread(chest_file)
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    stream = BytesIO()
    other.save_as(stream)
    one, two = (dcmread(BytesIO(deidentified(file, KEY, "P"))) for file in (data, stream.getvalue()))
    assert one.StudyInstanceUID == two.StudyInstanceUID != other.StudyInstanceUID
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert dcmread(BytesIO(deidentified(data, b"x" * 32, "P"))).StudyInstanceUID != one.StudyInstanceUID


def test_the_very_same_reading_comes_back(database: Database, chest_file: Path, chest_reading: Reading) -> None:
    kept = keep(database, chest_file.read_bytes(), chest_reading, "reader")
    back = reopened(database, kept.reading)
    assert np.array_equal(back.radiograph.pixels, chest_reading.radiograph.pixels)
    assert [one.probability for one in back.findings] == [one.probability for one in chest_reading.findings]
    assert [one.band for one in back.findings] == [one.band for one in chest_reading.findings]
    for one, other in zip(back.findings, chest_reading.findings, strict=True):
        assert np.array_equal(one.heat, other.heat)
    assert back.anatomy is not None and chest_reading.anatomy is not None
    assert (
        np.array_equal(back.anatomy.masks(700, 600), chest_reading.anatomy.masks(700, 600))
        or np.mean(back.anatomy.masks(700, 600) != chest_reading.anatomy.masks(700, 600)) < 1e-4
    )
    assert np.array_equal(back.anatomy.organ_probability >= 0.5, chest_reading.anatomy.organ_probability >= 0.5)
    assert back.anatomy.heart_width == chest_reading.anatomy.heart_width
    assert back.anatomy.contours.keys() == chest_reading.anatomy.contours.keys()
    assert back.models == chest_reading.models
    assert back.to_json("x") == chest_reading.to_json("x")


def test_the_same_file_is_one_study_and_the_same_reading_one(
    database: Database, chest_file: Path, chest_reading: Reading, reader: Reader
) -> None:
    data = chest_file.read_bytes()
    first, second = (keep(database, data, chest_reading, "reader") for _ in range(2))
    assert first.new_study and first.new_reading and not second.new_study and not second.new_reading
    assert (first.study, first.reading) == (second.study, second.reading)
    averaged = reader.read(chest_reading.radiograph, averaged=True)
    third = keep(database, data, averaged, "reader")
    assert third.study == first.study and third.new_reading
    assert worklist.count(database, worklist.Wanted()) == 1
    assert worklist.page(database, worklist.Wanted())[0].reading == third.reading
    assert reopened(database, first.reading).views == 1


def test_a_picture_is_kept_as_dicom_and_belongs_to_the_patient_that_is_named(
    database: Database, chest_file: Path, chest_reading: Reading, chest_pixels: np.ndarray, reader: Reader
) -> None:
    known = keep(database, chest_file.read_bytes(), chest_reading, "reader")
    data = bytes(cv2.imencode(".png", chest_pixels)[1])
    radiograph = decode(data, "DOE_JOHN.png")
    kept = keep(database, data, reader.read(radiograph), "reader", patient=known.patient)
    assert kept.patient == known.patient and patients(database) == [known.patient]
    name, file = kept_file(database, kept.reading)
    assert name == known.patient
    assert np.abs(decode(file, "x").pixels - radiograph.pixels).max() <= 1 / 65535
    with pytest.raises(ValueError, match="no patient"):
        keep(database, bytes(cv2.imencode(".png", chest_pixels[1:])[1]), chest_reading, "reader", patient="Nobody")


def test_no_name_anywhere_in_the_data_folder(
    database: Database, data_folder: Path, chest_file: Path, chest_reading: Reading
) -> None:
    keep(database, with_secrets(chest_file), chest_reading, "reader")
    database.engine.dispose()
    for path in data_folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [
                secret for secret in ("CompressedSamples", "9RG1", "PRIVATE-WORD") if secret.encode() in content
            ]
            assert "RG1" not in path.name


def test_a_damaged_file_is_said_and_never_shown(
    database: Database, data_folder: Path, chest_file: Path, chest_reading: Reading
) -> None:
    kept = keep(database, chest_file.read_bytes(), chest_reading, "reader")
    largest = max(
        (path for path in (data_folder / "studies").rglob("*") if path.is_file()), key=lambda p: p.stat().st_size
    )
    largest.write_bytes(largest.read_bytes()[:-1] + b"\0\0")
    with pytest.raises(ValueError, match="changed on disk"):
        reopened(database, kept.reading)
    with pytest.raises(ValueError, match="no reading 99"):
        reopened(database, 99)


KEEP_FOREVER = """
import sys
from pathlib import Path
from lung_models.decode import decode
from lung_models.opened import without_score
from lung_models.records.database import Database
from lung_models.records.keeping import keep
database, data = Database(), bytearray(Path(sys.argv[1]).read_bytes())
radiograph = decode(bytes(data), "x")
for number in range(10_000):
    data[-2:] = number.to_bytes(2, "little")
    kept = keep(database, bytes(data), without_score(radiograph, f"reason {number}"), "reader")
    print(kept.reading, number, flush=True)
"""


def test_killed_at_any_moment_no_committed_reading_is_lost(data_folder: Path, chest_file: Path) -> None:
    committed: dict[int, int] = {}
    for kept_before_the_kill in (1, 3, 2, 4):
        process = subprocess.Popen(
            [sys.executable, "-c", KEEP_FOREVER, str(chest_file)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ},
        )
        assert process.stdout is not None
        for _ in range(kept_before_the_kill):
            reading, number = map(int, process.stdout.readline().split())
            committed[reading] = number
        process.send_signal(signal.SIGKILL)
        process.wait()
        for line in process.stdout:  # what was committed before the signal arrived
            if len(line.split()) == 2:
                reading, number = map(int, line.split())
                committed[reading] = number
    database = Database()
    for reading, number in committed.items():
        assert reopened(database, reading).reason == f"reason {number}"
    assert worklist.count(database, worklist.Wanted()) >= len(set(committed.values()))


def test_text_at_a_border_is_suspected_and_a_side_marker_is_not(chest_pixels: np.ndarray) -> None:
    picture = cv2.resize(chest_pixels, None, fx=2, fy=2)

    def with_text(text: str, scale: float) -> np.ndarray:
        written = cv2.putText(picture.copy(), text, (15, 60), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 2, cv2.LINE_AA)
        return (written / 255).astype(np.float32)

    assert burned_in(with_text("DOE JOHN 1960", 0.8)) == "suspected"
    assert burned_in(with_text("L", 1.5)) == "not ruled out"
    assert burned_in((picture / 255).astype(np.float32)) == "not ruled out"
    assert burned_in((picture / 255).astype(np.float32), "YES") == "stated"
    assert burned_in((picture / 255).astype(np.float32), "NO") == "not ruled out"


@given(text=st.text(max_size=40))
def test_any_search_is_only_a_search(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    database = _shared(tmp_path_factory)
    assert worklist.count(database, worklist.Wanted(search=text)) in (0,)


_DATABASES: list[Database] = []


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Database:
    if not _DATABASES:
        _DATABASES.append(Database(f"sqlite:///{tmp_path_factory.mktemp('search') / 'lungs.db'}"))
    return _DATABASES[0]
