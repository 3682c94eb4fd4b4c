"""The worklist: search, filter, sort; a fixed number of queries however many studies are kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert

from lung_models.findings import KEYS
from lung_models.records import worklist
from lung_models.records.database import Database
from lung_models.records.study_tables import FindingRow, PatientRow, ReadingRow, StudyRow
from lung_models.records.verdicts import give
from lung_models.records.worklist import Wanted

FIRST, EFFUSION = KEYS[:2]
STUDIES = 5000


def fill(database: Database, count: int) -> None:
    """Studies of which everything is known: two of every patient, probabilities that rise, every third with a call."""
    start = datetime(2026, 1, 1)
    patients = [{"id": 1 + i, "key": f"{i:064}", "pseudonym": f"Patient {1 + i:04}"} for i in range(-(-count // 2))]
    studies: list[dict[str, Any]] = []
    readings: list[dict[str, Any]] = []
    findings: list[dict[str, Any]] = []
    for i in range(count):
        number = i + 1
        studies.append(
            {
                "id": number,
                "patient_id": 1 + i // 2,
                "original": f"{i:064}",
                "file": f"{i:064}",
                "kept": start + timedelta(minutes=i),
                "study_date": date(2025, 1, 1) + timedelta(days=i % 300),
                "view": "PA" if i % 2 else "AP",
                "burned_in": "not ruled out",
                "thumbnail": b"",
            }
        )
        readings.append(
            {
                "id": number,
                "study_id": number,
                "latest": True,
                "at": start,
                "by": "reader",
                "accepted": True,
                "primary": KEYS[i % 6],
                "cardiothoracic_ratio": 0.4 + i / (4 * count),
                "findings_version": "v-1" if i % 10 else "v-2",
                "document": {"reason": None},
            }
        )
        for place, key in enumerate(KEYS):
            probability = (i + place) / (count + 6)
            call = "present" if i % 3 == 0 and key == FIRST else "absent"
            findings.append({"reading_id": number, "finding": key, "probability": probability, "call": call})
    with database.transaction() as session:
        for table, rows in (
            (PatientRow, patients),
            (StudyRow, studies),
            (ReadingRow, readings),
            (FindingRow, findings),
        ):
            session.execute(insert(table), rows)


@pytest.fixture
def filled(database: Database) -> Database:
    fill(database, 60)
    return database


@contextmanager
def queries(database: Database) -> Iterator[list[str]]:
    """The SELECTs made meanwhile."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine, "before_cursor_execute", note)


def test_a_filter_on_five_thousand_studies_takes_five_queries(database: Database) -> None:
    fill(database, STUDIES)
    wanted = Wanted(called=FIRST, order=EFFUSION, search="Patient")
    with queries(database) as seen:
        found = worklist.count(database, wanted)
        entries = worklist.page(database, wanted, 3)
    assert found == -(-STUDIES // 3) and len(entries) == worklist.PAGE
    assert len(seen) == 5
    shown = [entry.probabilities[EFFUSION] for entry in entries]
    assert shown == sorted(shown, reverse=True)
    assert all(entry.calls[FIRST] == "present" for entry in entries)


def test_every_study_is_on_exactly_one_page(filled: Database) -> None:
    for order in ("kept", "date", "ratio", *KEYS):
        pages = [worklist.page(filled, Wanted(order=order), number) for number in range(3)]
        assert sorted(entry.study for one in pages for entry in one) == list(range(1, 61)), order


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(search="0030"), {59, 60}),
        (Wanted(search="v-2"), set(range(1, 61, 10))),
        (Wanted(search="%"), set()),
        (Wanted(called=FIRST), set(range(1, 61, 3))),
        (Wanted(called=FIRST, view="PA"), set(range(4, 61, 6))),
        (Wanted(primary=EFFUSION), set(range(2, 61, 6))),
        (Wanted(since=date(2025, 2, 1), until=date(2025, 2, 3)), {32, 33, 34}),
        (Wanted(patient="Patient 0002"), {3, 4}),
    ],
)
def test_filters(filled: Database, wanted: Wanted, expected: set[int]) -> None:
    assert {entry.study for entry in worklist.page(filled, wanted, size=100)} == expected
    assert worklist.count(filled, wanted) == len(expected)


def test_by_verdict(filled: Database, data_folder: Path) -> None:
    give(filled, 1, "one", {FIRST: "present", EFFUSION: "absent"})
    give(filled, 2, "one", {FIRST: "present"})
    give(filled, 3, "one", {FIRST: "cannot tell"})
    give(filled, 4, "one", {FIRST: "absent"})
    give(filled, 4, "one", {FIRST: "present"}, note="looked again")

    def studies(said: Any) -> set[int]:
        return {entry.study for entry in worklist.page(filled, Wanted(said=said), size=100)}

    assert studies("agree") == {1, 4}
    assert studies("disagree") == {2}
    assert studies("cannot tell") == {3}
    assert studies("none yet") == set(range(5, 61))
    entry = worklist.entry(filled, 4)
    assert entry.opinions == (("one", FIRST, "present"),) and entry.notes == (("one", "looked again"),)


def test_priors_are_in_the_order_they_were_taken(filled: Database) -> None:
    assert [entry.study for entry in worklist.priors(filled, "Patient 0005")] == [9, 10]
