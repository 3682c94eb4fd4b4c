"""Verdicts: beside the machine's reading, newest counts, one step from a labelled set."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lung_models.access import Person
from lung_models.correction import packed
from lung_models.findings import KEYS
from lung_models.intake.bring_in import look
from lung_models.reader import Reader
from lung_models.reading import Reading
from lung_models.records import verdicts
from lung_models.records.agreement import agreement
from lung_models.records.database import Database
from lung_models.records.keeping import keep, reopened
from lung_models.records.verdicts import Says, agrees, give, of_reading, write_labelled_set
from lung_models.training.labelled_set import silent


@pytest.fixture
def kept(database: Database, chest_file: Path, chest_reading: Reading) -> int:
    return keep(database, chest_file.read_bytes(), chest_reading, "reader").reading


TRAINER = Person("ada", "trainer")


def certain(reading: Reading) -> str:
    """A finding that the machine is sure of."""
    return next(one.key for one in reading.findings if one.call != "uncertain")


def other(call: str) -> Says:
    return "absent" if call == "present" else "present"


def test_a_verdict_leaves_the_reading_alone_and_the_newest_counts(
    database: Database, kept: int, chest_reading: Reading
) -> None:
    before = reopened(database, kept).to_json("x")
    key = certain(chest_reading)
    call = chest_reading.finding(key).call
    give(database, kept, "one", {key: other(call)}, note="first")
    give(database, kept, "one", {key: "cannot tell"}, note="second")
    give(database, kept, "two", {key: other(call)})
    assert [(one.by, one.says[key], one.note) for one in of_reading(database, kept)] == [
        ("one", "cannot tell", "second"),
        ("two", other(call), ""),
    ]
    assert reopened(database, kept).to_json("x") == before
    version = chest_reading.models["findings"].version
    overall = next(one for one in agreement(database, version) if not one.month)
    assert (overall.finding, overall.agreed, overall.differed, overall.unsure) == (key, 0, 1, 1)
    assert agreement(database, "another version") == []


@pytest.mark.parametrize(
    ("says", "call", "expected"),
    [
        ("present", "present", True),
        ("absent", "present", False),
        ("absent", "absent", True),
        ("present", "uncertain", None),
        ("cannot tell", "present", None),
    ],
)
def test_agreement_is_unknown_where_either_is_not_sure(says: str, call: str, expected: bool | None) -> None:
    assert agrees(says, call) is expected


def test_what_cannot_be_a_verdict_is_refused_in_one_line(database: Database, kept: int) -> None:
    for wrong in ({}, {"pneumonia": "present"}, {KEYS[0]: "perhaps"}):
        with pytest.raises(ValueError, match=r"verdict"):
            give(database, kept, "one", wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no reading 99"):
        give(database, 99, "one", {KEYS[0]: "present"})
    with pytest.raises(ValueError, match="longer"):
        give(database, kept, "one", {}, note="x" * (verdicts.NOTE_LENGTH + 1))
    assert of_reading(database, kept) == []


def test_verdicts_become_a_labelled_set_that_intake_understands(
    database: Database, kept: int, reader: Reader, tmp_path: Path, chest_reading: Reading
) -> None:
    give(database, kept, "one", {KEYS[0]: "present", KEYS[1]: "absent", KEYS[2]: "cannot tell", KEYS[3]: "present"})
    give(database, kept, "two", {KEYS[3]: "absent"})
    assert write_labelled_set(database, tmp_path / "set", "findings") == 1
    seen = look(
        tmp_path / "set",
        "findings",
        reader.gate,
        reader.organs_card.stamp.sha256,
        tmp_path / "sets",
        silent,
        by=TRAINER,
    )
    assert not seen.problems and len(seen.pictures) == 1
    labels = seen.pictures[0].entry.labels
    assert labels is not None
    assert labels[:2].tolist() == [1.0, 0.0] and np.isnan(labels[2:5]).all()
    assert seen.pictures[0].patient is not None


def test_a_reader_who_changes_their_mind_on_a_newer_reading_does_not_contradict_themselves(
    database: Database, kept: int, chest_file: Path, chest_reading: Reading, tmp_path: Path
) -> None:
    first, *others = chest_reading.findings
    again = replace(chest_reading, findings=(replace(first, probability=0.5), *others))
    newer = keep(database, chest_file.read_bytes(), again, "reader")
    assert not newer.new_study and newer.reading != kept
    give(database, kept, "one", {KEYS[0]: "present"})
    give(database, newer.reading, "one", {KEYS[0]: "absent"})
    assert write_labelled_set(database, tmp_path / "set", "findings") == 1
    (row,) = csv.DictReader((tmp_path / "set" / "labels.csv").open())
    assert row[KEYS[0]] == "0"


def test_masks_drawn_by_hand_become_a_labelled_set(
    database: Database, kept: int, reader: Reader, tmp_path: Path, chest_reading: Reading
) -> None:
    assert chest_reading.anatomy is not None
    masks = chest_reading.anatomy.organ_probability >= 0.5
    masks[2, :, :200] = False
    give(database, kept, "one", {}, correction=packed(masks), corrected_ratio=0.4)
    assert write_labelled_set(database, tmp_path / "set", "organs") == 1
    seen = look(
        tmp_path / "set", "organs", reader.gate, reader.organs_card.stamp.sha256, tmp_path / "sets", silent, by=TRAINER
    )
    assert not seen.problems and len(seen.pictures) == 1


def test_a_correction_names_who_drew_it(database: Database, kept: int, chest_reading: Reading) -> None:
    assert chest_reading.anatomy is not None
    masks = packed(chest_reading.anatomy.organ_probability >= 0.5)
    assert verdicts.newest_correction(database, kept) is None
    give(database, kept, "one", {}, correction=masks, corrected_ratio=0.4)
    give(database, kept, "two", {KEYS[0]: "present"})
    assert verdicts.newest_correction(database, kept) == ("one", masks)
