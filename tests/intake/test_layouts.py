"""What a set says is understood as people write it, and what is not understood is said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lung_models.findings import KEYS
from lung_models.intake.layouts import recognise
from lung_models.intake.listing import LABEL_MAP, Listing
from lung_models.intake.vocabulary import completed, contradicts_itself, finding_of


def table(text: str, files: list[str], *, complete: bool = False) -> Listing:
    return recognise([*files, "labels.csv"], lambda name: text, "findings", folders_complete=complete)


def folders(files: list[str], *, complete: bool = False) -> Listing:
    return recognise(files, lambda name: "", "findings", folders_complete=complete)


def said(listing: Listing, file: str) -> dict[str, float | None]:
    entry = next(entry for entry in listing.entries if entry.file == file)
    assert entry.labels is not None
    return {key: None if np.isnan(value) else float(value) for key, value in zip(KEYS, entry.labels, strict=True)}


def test_shared_datas_layout_keeps_unknown_unknown() -> None:
    text = "file,patient_id,cardiomegaly,pleural_effusion,atelectasis,consolidation,edema,no_finding\n"
    text += "images/a.jpg,p1,1,,0,,,\nimages/b.jpg,p2,,,,,,\n"
    listing = table(text, ["images/a.jpg", "images/b.jpg"])
    assert said(listing, "images/a.jpg") == {
        "cardiomegaly": 1,
        "pleural_effusion": None,
        "atelectasis": 0,
        "consolidation": None,
        "edema": None,
        "no_finding": 0,
    }
    assert listing.entries[0].patient == "p1"
    assert [(one.file, "no label" in one.problem) for one in listing.problems] == [("images/b.jpg", True)]


def test_nih_lists_name_all_that_the_report_holds() -> None:
    text = "Image Index,Finding Labels,Patient ID\na.png,Effusion|Mass,7\nb.png,No Finding,8\nc.png,Nodule,8\n"
    listing = table(text, ["a.png", "b.png", "c.png"])
    assert said(listing, "a.png")["pleural_effusion"] == 1 and said(listing, "a.png")["edema"] == 0
    assert set(said(listing, "b.png").values()) == {0, 1} and said(listing, "b.png")["no_finding"] == 1
    assert set(said(listing, "c.png").values()) == {0}, "a nodule is none of the six, and not nothing"
    assert dict(listing.mapping)["Effusion"] == "Pleural Effusion"
    assert "no label of the six" in dict(listing.mapping)["Mass"]
    assert [entry.patient for entry in listing.entries] == ["7", "8", "8"]


def test_chexperts_uncertain_is_unknown_and_its_paths_name_patients() -> None:
    text = "Path,Sex,Cardiomegaly,Edema,No Finding,Support Devices\n"
    text += "CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg,F,-1.0,1.0,,1.0\n"
    listing = table(text, ["train/patient00001/study1/view1_frontal.jpg"])
    labels = said(listing, "train/patient00001/study1/view1_frontal.jpg")
    assert labels["cardiomegaly"] is None and labels["edema"] == 1 and labels["no_finding"] == 0
    assert labels["atelectasis"] is None
    assert listing.entries[0].patient == "patient00001"


def test_class_folders() -> None:
    files = ["Cardiomegaly/a.png", "Normal/b.png", "Effusion/c.dcm", "Bananas/d.png", "e.png", "readme.txt"]
    listing = folders(files)
    assert said(listing, "Cardiomegaly/a.png")["cardiomegaly"] == 1
    assert said(listing, "Cardiomegaly/a.png")["edema"] is None, "a folder does not say that there is nothing else"
    assert said(listing, "Normal/b.png")["edema"] == 0
    assert said(folders(files, complete=True), "Cardiomegaly/a.png")["edema"] == 0
    assert {one.file: one.problem for one in listing.problems}.keys() == {"Bananas/d.png", "e.png"}
    assert "Bananas is not known" in listing.problems[0].problem


def test_a_table_that_is_wrong_about_files_and_values() -> None:
    text = "file,Edema\na.png,1\na.png,0\nmissing.png,1\nb.png,perhaps\nc.png,0\n"
    listing = table(text, ["a.png", "b.png", "c.png", "d.png"])
    assert [entry.file for entry in listing.entries] == ["a.png", "c.png"]
    problems = {(one.file, one.problem.split(":")[0].split(",")[0]) for one in listing.problems}
    assert ("a.png", "The table names it twice") in problems
    assert ("missing.png", "The table names it") in problems
    assert ("b.png", "Its label perhaps is not known here") in problems
    assert ("d.png", "It has no label") in problems


def test_contradictions_are_left_out() -> None:
    listing = table("file,Edema,Normal\na.png,1,1\nb.png,0,1\n", ["a.png", "b.png"])
    assert [entry.file for entry in listing.entries] == ["b.png"]
    assert "contradict" in listing.problems[0].problem


def test_nothing_understood_says_what_was_looked_for() -> None:
    with pytest.raises(ValueError, match=r"labels\.csv"):
        folders(["a/b.png"])
    with pytest.raises(ValueError, match="column that names the files"):
        table("x,y\n1,2\n", ["a.png"])
    with pytest.raises(ValueError, match="masks/right_lung"):
        recognise(["images/a.png"], lambda name: "", "organs", folders_complete=False)


def test_masks_by_organ_and_label_maps() -> None:
    files = ["images/a.png", "images/b.png", "masks/heart/a.png", "masks/Right Lung/a.png", "masks/left_clavicle/a.png"]
    listing = recognise([*files, "masks/heart/c.png"], lambda name: "", "organs", folders_complete=False)
    assert dict(listing.entries[0].masks) == {"heart": "masks/heart/a.png", "right_lung": "masks/Right Lung/a.png"}
    assert {one.file for one in listing.problems} == {"images/b.png", "masks/heart/c.png"}
    assert dict(listing.mapping)["left_clavicle"] == "not used"
    maps = recognise(["images/a.dcm", "labels/a.png"], lambda name: "", "organs", folders_complete=False)
    assert dict(maps.entries[0].masks) == {LABEL_MAP: "labels/a.png"}


@pytest.mark.parametrize("word", ["Effusion", "pleural-effusion", "PLEURAL EFFUSION", "Pleural_Effusion"])
def test_synonyms(word: str) -> None:
    assert finding_of(word) == "pleural_effusion"


@given(st.lists(st.sampled_from([0.0, 1.0, float("nan")]), min_size=6, max_size=6))
def test_completing_never_contradicts_what_was_said(values: list[float]) -> None:
    labels = np.array(values, np.float32)
    filled = completed(labels)
    known = ~np.isnan(labels)
    assert (filled[known] == labels[known]).all()
    assert contradicts_itself(filled) == contradicts_itself(labels)


@given(st.text(max_size=200), st.lists(st.text(min_size=1, max_size=20), max_size=5))
def test_no_text_breaks_it(text: str, names: list[str]) -> None:
    try:
        listing = recognise([*names, "labels.csv"], lambda name: text, "findings", folders_complete=False)
    except ValueError:
        return
    assert all(entry.file in names for entry in listing.entries)
