"""Exports of a reading, each read back with another library than wrote it where there is one."""

import csv
import io
import json
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import cv2
import highdicom
import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pypdf import PdfReader

from lung_models.correction import corrected
from lung_models.decode import decode
from lung_models.exports import pdf, picture, table
from lung_models.exports.dicom_sc import secondary_capture
from lung_models.exports.dicom_seg import segmentation
from lung_models.exports.dicom_sr import CALLS, structured_report
from lung_models.exports.export import KINDS, Export, as_file, as_shown, of_open
from lung_models.findings import BY_KEY, KEYS
from lung_models.radiograph import Refusal
from lung_models.reader import Reader
from lung_models.reading import Reading
from tests.conftest import missing

MADE = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
Made = tuple[Reading, Dataset]


@pytest.fixture(scope="module")
def of_dicom(reader: Reader, chest_file: Path) -> Made:
    """The real radiograph and its file."""
    return reader.read(decode(chest_file.read_bytes(), chest_file.name)), dcmread(chest_file)


@pytest.fixture(scope="module")
def of_png(reader: Reader, chest_pixels: np.ndarray) -> Made:
    """The same as a picture, and the DICOM object made of it."""
    reading = reader.read(decode(bytes(cv2.imencode(".png", chest_pixels)[1]), "DOE_JOHN.png"))
    return reading, of_open(b"", reading).source


@pytest.fixture(params=["of_dicom", "of_png"])
def made(request: pytest.FixtureRequest) -> Made:
    found: Made = request.getfixturevalue(request.param)
    return found


def errors(dataset: Dataset, folder: Path) -> list[str]:
    """What dciodvfy calls an error."""
    if shutil.which("dciodvfy") is None:
        missing("dciodvfy (apt-get install dicom3tools)")
    path = folder / "object.dcm"
    path.write_bytes(as_file(dataset))
    said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True).stderr
    assert said.strip()
    return [line for line in said.splitlines() if line.startswith("Error")]


def test_no_object_has_an_error(made: Made, tmp_path: Path) -> None:
    reading, source = made
    segmented = segmentation(reading, source)
    assert errors(segmented, tmp_path) == []
    assert errors(structured_report(reading, source, segmented), tmp_path) == []
    assert errors(secondary_capture(reading, source), tmp_path) == []


def test_a_picture_becomes_a_dicom_object_with_the_same_pixels(of_png: Made, tmp_path: Path) -> None:
    reading, source = of_png
    assert errors(source, tmp_path) == []
    back = decode(as_file(source), "x")
    assert np.abs(back.pixels - reading.radiograph.pixels).max() <= 1 / 65535


def test_the_segmentation_holds_the_masks_bit_by_bit(made: Made) -> None:
    reading, source = made
    assert reading.anatomy is not None
    back = highdicom.seg.segread(BytesIO(as_file(segmentation(reading, source))))
    found = back.get_pixels_by_source_instance([source.SOPInstanceUID])[0]
    masks = reading.anatomy.masks(reading.radiograph.height, reading.radiograph.width)
    for channel, label in enumerate(("Right lung", "Left lung", "Heart")):
        assert back.get_segment_description(channel + 1).segment_label == label
        assert np.array_equal(found[..., channel], masks[channel])
    sides = [
        back.SegmentSequence[i]
        .SegmentedPropertyTypeCodeSequence[0]
        .SegmentedPropertyTypeModifierCodeSequence[0]
        .CodeValue
        for i in (0, 1)
    ]
    assert sides == ["24028007", "7771000"]  # SNOMED CT: right, left
    assert back.StudyInstanceUID == source.StudyInstanceUID


@pytest.mark.parametrize("orientation", [["R", "F"], ["L", "H"], ["F", "L"], ["H", "R"]])
def test_masks_lie_on_the_stored_pixels_however_the_file_is_oriented(
    orientation: list[str], reader: Reader, chest_file: Path
) -> None:
    dataset = dcmread(chest_file)
    pixels = dataset.pixel_array
    if orientation[0] in "FH":
        pixels = pixels.T
        orientation_of_columns, orientation_of_rows = orientation
    else:
        orientation_of_rows, orientation_of_columns = orientation
    flip_rows, flip_columns = orientation_of_rows == "R", orientation_of_columns == "H"
    turned = orientation[0] in "FH"
    if flip_rows:
        pixels = pixels[::-1] if turned else pixels[:, ::-1]
    if flip_columns:
        pixels = pixels[:, ::-1] if turned else pixels[::-1]
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelData = np.ascontiguousarray(pixels).tobytes()
    dataset.PatientOrientation = orientation
    upright = reader.read(decode(chest_file.read_bytes(), "x"))
    data = as_file(dataset)
    reading = reader.read(decode(data, "x"))
    assert reading.anatomy is not None and upright.anatomy is not None
    assert np.array_equal(reading.radiograph.pixels, upright.radiograph.pixels)
    back = highdicom.seg.segread(BytesIO(as_file(segmentation(reading, dcmread(BytesIO(data))))))
    heart = back.get_pixels_by_source_instance([dataset.SOPInstanceUID])[0][..., 2].astype(bool)
    expected = upright.anatomy.masks(upright.radiograph.height, upright.radiograph.width)[2]
    if turned:
        heart = heart[::-1] if flip_rows else heart
        heart = (heart[:, ::-1] if flip_columns else heart).T
    else:
        heart = heart[:, ::-1] if flip_rows else heart
        heart = heart[::-1] if flip_columns else heart
    assert np.array_equal(heart, expected)


def test_the_report_holds_every_number(made: Made) -> None:
    reading, source = made
    segmented = segmentation(reading, source)
    back = highdicom.sr.srread(BytesIO(as_file(structured_report(reading, source, segmented))))
    content = back.content
    groups = content.get_image_measurement_groups()
    by_name = {group.tracking_identifier: group for group in groups}
    assert reading.anatomy is not None
    for one in reading.findings:
        group = by_name[BY_KEY[one.key].name]
        values = {m.name.meaning: (m.value, m.unit.value) for m in group.get_measurements()}
        assert values["Probability"] == (pytest.approx(100 * one.probability, abs=1e-5), "%")
        assert values["CAD Operating Point"] == (pytest.approx(100 * one.threshold, abs=1e-5), "%")
        (call,) = group.get_qualitative_evaluations()
        assert call.value.value == CALLS[one.call].value
        assert group.finding_type.value == BY_KEY[one.key].snomed
    (ratio,) = by_name["Cardiothoracic ratio"].get_measurements()
    assert ratio.value == pytest.approx(reading.anatomy.cardiothoracic_ratio, abs=1e-6)
    regions = content.get_volumetric_roi_measurement_groups()
    fractions = [group.get_measurements()[0].value / 100 for group in regions]
    anatomy = reading.anatomy
    assert fractions == pytest.approx(
        [anatomy.right_lung_fraction, anatomy.left_lung_fraction, anatomy.heart_fraction], abs=1e-7
    )
    assert all(group.referenced_segment.referenced_sop_instance_uid == segmented.SOPInstanceUID for group in regions)


def test_areas_in_square_millimetres_rest_on_the_size_of_a_pixel_in_the_patient(
    reader: Reader, chest_file: Path
) -> None:
    dataset = dcmread(chest_file)
    dataset.PixelSpacing = [0.2, 0.25]
    reading = reader.read(decode(as_file(dataset), "x"))
    back = highdicom.sr.srread(BytesIO(as_file(structured_report(reading, dataset, segmentation(reading, dataset)))))
    heart = back.content.get_volumetric_roi_measurement_groups()[2].get_measurements()[1]
    assert reading.anatomy is not None
    assert heart.unit.value == "mm2"
    pixels = reading.radiograph.width * reading.radiograph.height
    assert heart.value == pytest.approx(reading.anatomy.heart_fraction * pixels * 0.2 * 0.25, rel=1e-4)


def test_the_secondary_capture_shows_the_picture_and_says_that_text_is_burned_in(made: Made) -> None:
    reading, source = made
    back = dcmread(BytesIO(as_file(secondary_capture(reading, source))))
    assert np.array_equal(back.pixel_array, np.asarray(Image.open(BytesIO(picture.png(reading)))))
    assert back.BurnedInAnnotation == "YES" and back.StudyInstanceUID == source.StudyInstanceUID


def test_the_same_export_twice_is_the_same_object(made: Made) -> None:
    reading, source = made
    for make in (segmentation, secondary_capture):
        assert make(reading, source).SOPInstanceUID == make(reading, source).SOPInstanceUID
    assert reading.anatomy is not None
    masks = reading.anatomy.organ_probability >= 0.5
    masks[2, :, :256] = False
    other = replace(reading, anatomy=corrected(reading.radiograph, masks))
    assert segmentation(other, source, corrected=True).SOPInstanceUID != segmentation(reading, source).SOPInstanceUID
    described = segmentation(other, source, corrected=True).SegmentSequence[0]
    assert described.SegmentAlgorithmType == "SEMIAUTOMATIC"


def test_the_page_says_everything(made: Made) -> None:
    reading, _ = made
    said = ["one, 2026-01-02 03:04 UTC: disagrees: something."]
    content = pdf.report(reading, "Patient 0001", corrected=True, reader_lines=said, made=MADE)
    assert content == pdf.report(reading, "Patient 0001", corrected=True, reader_lines=said, made=MADE)
    document = PdfReader(BytesIO(content))
    assert len(document.pages) == 1 and len(document.pages[0].images) == 1
    text = " ".join(document.pages[0].extract_text().split())
    for one in reading.findings:
        assert f"{one.probability:.1%} {one.threshold:.1%}" in text and BY_KEY[one.key].name in text
    for stamp in reading.models.values():
        assert stamp.version in text and stamp.sha256 in text
    assert said[0] in text and "corrected by hand" in text and "Research use only" in text and "Patient 0001" in text


def test_tables_come_back(made: Made) -> None:
    reading, _ = made
    (row,) = csv.DictReader(io.StringIO(table.as_csv([("Patient 0001", reading)])))
    assert row["path"] == "Patient 0001"
    for key in KEYS:
        assert float(row[f"{key}_probability"]) == pytest.approx(reading.finding(key).probability, abs=1e-4)
        assert row[f"{key}_call"] == reading.finding(key).call
    assert json.loads(table.as_json(reading, "Patient 0001", corrected=True)) == {
        **reading.to_json("Patient 0001"),
        "outlines": "corrected by hand",
    }


def test_nothing_meant_for_sharing_names_the_patient(chest_file: Path, reader: Reader) -> None:
    dataset = dcmread(chest_file)
    dataset.PatientName, dataset.PatientID = "CompressedSamples^RG1", "9RG1"
    data = as_file(dataset)
    shared = of_open(data, reader.read(decode(data, "CompressedSamples RG1.dcm")))
    for kind in KINDS:
        content = shared.render(kind)
        assert b"CompressedSamples" not in content and b"9RG1" not in content, kind
        assert str(dataset.StudyInstanceUID).encode() not in content, kind


def test_what_was_refused_is_not_exported(reader: Reader, leg_file: Path) -> None:
    refused = reader.read(decode(leg_file.read_bytes(), "leg"))
    exported = Export(refused, dcmread(leg_file), "leg")
    for kind in ("pdf", "png", "seg", "sr", "sc"):
        with pytest.raises(Refusal, match=r"There (is|are) no"):
            exported.render(kind)


def test_another_picture_than_was_read_is_refused(of_dicom: Made, of_png: Made) -> None:
    with pytest.raises(Refusal, match="not the picture that was read"):
        segmentation(of_dicom[0], of_png[1])
    several = dcmread(BytesIO(as_file(of_dicom[1])))
    several.NumberOfFrames = 2
    with pytest.raises(Refusal, match="several frames"):
        segmentation(of_dicom[0], several)


def test_what_is_shown_is_exported_whatever_was_saved(made: Made) -> None:
    reading, source = made
    assert reading.anatomy is not None
    shown = replace(reading.anatomy, cardiothoracic_ratio=0.77)
    saved = Export(reading, source, "Patient 0001", corrected=True)
    now = as_shown(saved, reading, shown)
    assert now.corrected and json.loads(now.render("json"))["anatomy"]["cardiothoracic_ratio"] == 0.77
    assert json.loads(now.render("json"))["outlines"] == "corrected by hand"
    again = as_shown(saved, reading, None)
    assert not again.corrected and again.reading is reading


@pytest.mark.parametrize("kind", ["seg", "sr", "sc"])
def test_a_source_without_uids_is_refused_in_one_line(of_dicom: Made, kind: str) -> None:
    reading, source = of_dicom
    nameless = dcmread(BytesIO(as_file(source)))
    del nameless.SOPInstanceUID
    with pytest.raises(Refusal, match="lacks the UIDs"):
        Export(reading, nameless, "Patient 0001").render(kind)
