"""A set comes in whole: what can be used is kept without tags, everything else is named with its file."""

import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest

from lung_models.access import Forbidden, Person
from lung_models.intake import frozen
from lung_models.intake.bring_in import bring_in, look
from lung_models.intake.frozen import FrozenSet, load
from lung_models.reader import Reader
from tests.pictures import variant, write

TRAINER = Person("ada", "trainer")


def silent(done: int, of: int, what: str) -> None:
    """No one listens."""


def brought_in(path: Path, root: Path, reader: Reader, kind: str = "findings", by: Person = TRAINER) -> FrozenSet:
    return bring_in(path, kind, reader.gate, reader.organs_card.stamp.sha256, root, silent, by=by)  # type: ignore[arg-type]


def problems(labelled: FrozenSet) -> dict[str, str]:
    return {one.file: one.problem for one in labelled.problems}


def test_planted_faults_are_named_each_with_its_file(
    class_folders: Path, tmp_path: Path, reader: Reader, leg_file: Path, chest_pixels: np.ndarray
) -> None:
    (class_folders / "Normal" / "text.png").write_text("not a picture")
    shutil.copy(class_folders / "Normal" / "01.png", class_folders / "Normal" / "zz-copy.png")
    small = cv2.resize(variant(chest_pixels, 0), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(class_folders / "Cardiomegaly" / "zz-smaller.jpg"), small, [cv2.IMWRITE_JPEG_QUALITY, 70])
    shutil.copy(leg_file, class_folders / "Normal" / "leg.dcm")
    write(class_folders / "Bananas" / "a.png", variant(chest_pixels, 99))
    archive = shutil.make_archive(str(tmp_path / "set"), "zip", class_folders.parent, class_folders.name)
    labelled = brought_in(Path(archive), tmp_path / "sets", reader)
    found = problems(labelled)
    assert found.keys() == {
        "Normal/text.png",
        "Normal/zz-copy.png",
        "Cardiomegaly/zz-smaller.jpg",
        "Normal/leg.dcm",
        "Bananas/a.png",
    }
    assert "not an image" in found["Normal/text.png"]
    assert found["Normal/zz-copy.png"] == "The same picture as Normal/01.png, which is kept."
    assert found["Cardiomegaly/zz-smaller.jpg"] == "The same picture as Cardiomegaly/00.png, which is kept."
    assert found["Normal/leg.dcm"].startswith("Refused as when reading")
    assert "Bananas is not known" in found["Bananas/a.png"]
    assert len(labelled) == 12 and labelled.counts()["left_out"] == 5
    assert any("name no patient" in warning for warning in labelled.about["warnings"])


def test_the_same_set_is_the_same_from_a_folder_and_an_archive(
    class_folders: Path, tmp_path: Path, reader: Reader
) -> None:
    archive = shutil.make_archive(str(tmp_path / "set"), "zip", class_folders)
    one = brought_in(class_folders, tmp_path / "one", reader)
    other = brought_in(Path(archive), tmp_path / "other", reader)
    assert one.sha256 == other.sha256
    assert (one.parts == other.parts).all() and set(one.parts) == {"train", "validation", "held_out"}
    again = load(other.folder)
    assert again.about == other.about and (again.labels[~np.isnan(again.labels)] >= 0).all()
    assert list(again.folder.parent.iterdir()) == [again.folder], "no draft is left behind"


def test_dicom_files_name_their_patients_and_leave_their_tags_behind(
    tmp_path: Path, reader: Reader, chest_file: Path
) -> None:
    folder = tmp_path / "set"
    source = pydicom.dcmread(chest_file)
    pixels = source.pixel_array[::4, ::4]
    for number in range(20):
        changed = pydicom.dcmread(chest_file)
        made = variant(np.rint(pixels / pixels.max() * 255).astype(np.uint8), number).astype(np.uint16) * 100
        changed.PixelData, (changed.Rows, changed.Columns) = made.tobytes(), made.shape
        changed.PatientID, changed.PatientName = f"SECRET{number // 2}", "Secret^Name"
        path = folder / ("Edema", "Normal")[number // 2 % 2] / f"{number:02}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        changed.save_as(path)
    labelled = brought_in(folder, tmp_path / "sets", reader)
    for patient in np.unique(labelled.patients):
        assert len(set(labelled.parts[labelled.patients == patient])) == 1, "a patient straddles the split"
    assert len(np.unique(labelled.patients)) == 10
    kept = b"".join(path.read_bytes() for path in labelled.folder.rglob("*") if path.is_file())
    assert b"SECRET" not in kept and b"Secret" not in kept
    assert labelled.radiograph(0).pixels.shape == pixels.shape


def test_a_patient_on_both_sides_of_a_stated_split_is_kept_on_one(
    tmp_path: Path, reader: Reader, chest_pixels: np.ndarray
) -> None:
    rows = ["file,patient_id,Edema,split"]
    for number in range(14):
        write(tmp_path / "set" / f"{number:02}.png", variant(chest_pixels, number))
        patient = "p0" if number == 13 else f"p{number}"
        rows.append(f"{number:02}.png,{patient},{number % 2},{'test' if number > 8 else 'train'}")
    (tmp_path / "set" / "labels.csv").write_text("\n".join(rows))
    labelled = brought_in(tmp_path / "set", tmp_path / "sets", reader)
    assert problems(labelled) == {"13.png": "Its patient is in another part of the set too: only that is kept."}
    assert set(labelled.names[labelled.parts == "held_out"]) == {f"{number:02}.png" for number in range(9, 13)}


def test_masks_of_another_size_and_damaged_ones(tmp_path: Path, reader: Reader, chest_pixels: np.ndarray) -> None:
    folder = tmp_path / "set"
    for number in range(14):
        picture = variant(chest_pixels, number)
        write(folder / "images" / f"{number:02}.png", picture)
        mask = np.zeros(picture.shape, np.uint8)
        mask[100:300, 50:150], mask[100:300, 250:350], mask[250:350, 150:250] = 1, 2, 3
        write(folder / "labels" / f"{number:02}.png", mask)
    write(folder / "labels" / "03.png", np.ones((20, 20), np.uint8))
    write(folder / "labels" / "04.png", np.full(chest_pixels.shape, 9, np.uint8))
    (folder / "labels" / "05.png").write_text("no picture")
    labelled = brought_in(folder, tmp_path / "sets", reader, "organs")
    found = problems(labelled)
    assert "is 20 x 20 pixels" in found["images/03.png"]
    assert "has the value 9" in found["images/04.png"]
    assert "not a picture" in found["images/05.png"]
    drawn = labelled.masks(0)
    assert set(drawn) == {"right_lung", "left_lung", "heart"}
    heart = cv2.imread(str(drawn["heart"]), cv2.IMREAD_GRAYSCALE)
    assert heart[300, 200] == 255 and heart[200, 100] == 0


def test_too_few_patients_are_refused_and_nothing_is_left(class_folders: Path, tmp_path: Path, reader: Reader) -> None:
    for path in sorted(class_folders.rglob("*.png"))[5:]:
        path.unlink()
    with pytest.raises(ValueError, match="Only 5 patients"):
        brought_in(class_folders, tmp_path / "sets", reader)
    assert list((tmp_path / "sets").iterdir()) == []


def test_an_archive_cannot_write_outside_or_unpack_without_end(tmp_path: Path, reader: Reader) -> None:
    path = tmp_path / "hostile.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Normal/../../../escaped.png", b"x")
        archive.writestr("Normal/bomb.png", b"\0" * 300_000_000)
    examined = look(path, "findings", reader.gate, "", tmp_path / "sets", silent, by=TRAINER)
    assert {one.file: one.problem for one in examined.problems}["Normal/bomb.png"].startswith("The file is 300 MB")
    assert not examined.pictures
    assert not list(tmp_path.parent.rglob("escaped.png"))


def test_a_damaged_set_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="missing or damaged"):
        load(tmp_path)
    (tmp_path / "set.json").write_text("{}")
    np.savez(tmp_path / "items.npz", names=np.array(["a"]))
    with pytest.raises(ValueError, match="missing or damaged"):
        load(tmp_path)


def test_warnings_say_what_too_few_means(class_folders: Path, tmp_path: Path, reader: Reader) -> None:
    labelled = brought_in(class_folders, tmp_path / "sets", reader)
    words = " ".join(labelled.about["warnings"])
    assert "Cardiomegaly" in words and "keeps what the parent knows" in words
    assert frozen.LEARN > 3


def test_a_reader_brings_no_set_in(tmp_path: Path, reader: Reader, chest_pixels: np.ndarray) -> None:
    for number in range(12):
        write(tmp_path / "set" / ("Edema", "Normal")[number % 2] / f"{number}.png", variant(chest_pixels, number))
    with pytest.raises(Forbidden, match="Only a trainer"):
        brought_in(tmp_path / "set", tmp_path / "sets", reader, by=Person("eve", "reader"))
    assert not (tmp_path / "sets").exists()
