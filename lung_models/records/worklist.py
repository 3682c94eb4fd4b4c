"""The kept studies as a worklist: search, filter, sort, a page at a time, in a fixed number of queries."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, Select, and_, func, not_, or_, select
from sqlalchemy.orm import Session, aliased

from lung_models.findings import KEYS
from lung_models.records.database import Database
from lung_models.records.study_tables import FindingRow, OpinionRow, PatientRow, ReadingRow, StudyRow, VerdictRow

PAGE = 25
"""Studies on a page of the worklist."""

Said = Literal["any", "none yet", "agree", "disagree", "cannot tell"]


@dataclass(frozen=True)
class Wanted:
    """What the worklist is to show.

    Args:
        search: Part of a pseudonym, or of a model version; empty for all.
        called: Keep studies where this finding is called ``call``.
        call: ``present``, ``uncertain`` or ``absent``.
        primary: Keep studies whose most likely finding is this.
        view: Keep studies of this view.
        said: Keep studies by what readers said of them: ``disagree`` where one does on any finding, ``agree`` where
            some do and none disagrees.
        since: Keep studies taken on this day or later.
        until: Keep studies taken on this day or earlier.
        patient: Keep studies of this patient, by pseudonym.
        order: ``kept``, ``date``, ``ratio`` or a finding's key: its probability.
        descending: Largest or newest first.
    """

    search: str = ""
    called: str | None = None
    call: str = "present"
    primary: str | None = None
    view: str | None = None
    said: Said = "any"
    since: date | None = None
    until: date | None = None
    patient: str | None = None
    order: str = "kept"
    descending: bool = True


@dataclass(frozen=True)
class Entry:
    """One study of the worklist, with its newest reading.

    Args:
        study: Number of the study.
        reading: Number of its newest reading.
        patient: The patient's pseudonym.
        kept: When it was kept, UTC.
        study_date: When it was taken; None when the file did not say.
        view: Projection, if the file states it.
        burned_in: Whether text may be burned in, see :mod:`lung_models.records.burned_in`.
        thumbnail: PNG.
        accepted: Whether there is a score.
        reason: Why there is none.
        primary: Key of the most likely finding.
        cardiothoracic_ratio: As the machine measured it.
        version: The findings version that read it.
        probabilities: By finding's key, 0..1.
        calls: By finding's key.
        opinions: What readers said, newest of each reader, as (reader, finding's key, present | absent | cannot tell).
        notes: Their notes, as (reader, note).
    """

    study: int
    reading: int
    patient: str
    kept: datetime
    study_date: date | None
    view: str | None
    burned_in: str
    thumbnail: bytes
    accepted: bool
    reason: str | None
    primary: str | None
    cardiothoracic_ratio: float | None
    version: str | None
    probabilities: Mapping[str, float]
    calls: Mapping[str, str]
    opinions: tuple[tuple[str, str, str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()


def count(database: Database, wanted: Wanted) -> int:
    """How many studies are wanted: one query."""
    with database.transaction() as session:
        chosen = _filtered(select(func.count(StudyRow.id)), wanted)
        return session.scalar(chosen) or 0


def page(database: Database, wanted: Wanted, number: int = 0, size: int = PAGE) -> list[Entry]:
    """One page of the wanted studies: four queries, however many there are.

    Args:
        database: Where they are kept.
        wanted: Which, and in which order.
        number: Of the page, from 0.
        size: Studies on a page.
    """
    with database.transaction() as session:
        chosen = _ordered(_filtered(cast(Select[Any], select(StudyRow, ReadingRow, PatientRow)), wanted), wanted)
        rows = session.execute(chosen.offset(number * size).limit(size)).all()
        readings = [reading.id for _, reading, _ in rows]
        findings, opinions, notes = _findings(session, readings), *_verdicts(session, readings)
    return [
        replace(
            _entry(study, reading, patient, findings.get(reading.id, [])),
            opinions=tuple(opinions.get(reading.id, ())),
            notes=tuple(notes.get(reading.id, ())),
        )
        for study, reading, patient in rows
    ]


def entry(database: Database, reading: int) -> Entry:
    """The worklist's line of one reading, the newest of its study or not.

    Raises:
        ValueError: when there is no such reading.
    """
    with database.transaction() as session:
        joined = select(StudyRow, ReadingRow, PatientRow).join(ReadingRow, ReadingRow.study_id == StudyRow.id)
        found = session.execute(
            joined.join(PatientRow, PatientRow.id == StudyRow.patient_id).where(ReadingRow.id == reading)
        ).first()
        if found is None:
            raise ValueError(f"There is no reading {reading}: see the worklist for those that are kept.")
        opinions, notes = _verdicts(session, [reading])
        one = _entry(*found, _findings(session, [reading]).get(reading, []))
    return replace(one, opinions=tuple(opinions.get(reading, ())), notes=tuple(notes.get(reading, ())))


def priors(database: Database, patient: str) -> list[Entry]:
    """All studies of a patient, the oldest first; those without a date by when they were kept."""
    found = page(database, Wanted(patient=patient, order="kept", descending=False), 0, 10_000)
    return sorted(found, key=lambda one: (one.study_date or one.kept.date(), one.kept))


def _filtered(chosen: Select[Any], wanted: Wanted) -> Select[Any]:
    """Studies with their newest reading and their patient, as far as they are wanted."""
    chosen = chosen.select_from(StudyRow).join(
        ReadingRow, and_(ReadingRow.study_id == StudyRow.id, ReadingRow.latest.is_(True))
    )
    chosen = chosen.join(PatientRow, PatientRow.id == StudyRow.patient_id)
    conditions: list[ColumnElement[bool]] = []
    if wanted.search.strip():
        part = f"%{_literal(wanted.search.strip())}%"
        conditions.append(
            or_(PatientRow.pseudonym.ilike(part, escape="\\"), ReadingRow.findings_version.ilike(part, escape="\\"))
        )
    if wanted.called is not None:
        called = select(FindingRow.reading_id).where(
            FindingRow.finding == wanted.called, FindingRow.call == wanted.call
        )
        conditions.append(ReadingRow.id.in_(called))
    for column, value in ((ReadingRow.primary, wanted.primary), (StudyRow.view, wanted.view)):
        if value is not None:
            conditions.append(column == value)
    if wanted.patient is not None:
        conditions.append(PatientRow.pseudonym == wanted.patient)
    if wanted.since is not None:
        conditions.append(StudyRow.study_date >= wanted.since)
    if wanted.until is not None:
        conditions.append(StudyRow.study_date <= wanted.until)
    return chosen.where(*conditions, *_said(wanted.said))


def _said(said: Said) -> list[ColumnElement[bool]]:
    """By what the newest verdict of any reader says."""
    if said == "any":
        return []
    if said == "none yet":
        return [ReadingRow.id.not_in(select(VerdictRow.reading_id))]
    newest = select(func.max(VerdictRow.id)).group_by(VerdictRow.reading_id, VerdictRow.by)
    voiced = select(VerdictRow.reading_id).join(OpinionRow, OpinionRow.verdict_id == VerdictRow.id)
    voiced = voiced.where(VerdictRow.id.in_(newest))
    disagreed = ReadingRow.id.in_(voiced.where(OpinionRow.agrees.is_(False)))
    if said == "disagree":
        return [disagreed]
    if said == "agree":
        return [ReadingRow.id.in_(voiced.where(OpinionRow.agrees.is_(True))), not_(disagreed)]
    return [ReadingRow.id.in_(voiced.where(OpinionRow.says == said))]


def _ordered(chosen: Select[Any], wanted: Wanted) -> Select[Any]:
    column: Any
    if wanted.order in KEYS:
        finding = aliased(FindingRow)
        chosen = chosen.outerjoin(finding, and_(finding.reading_id == ReadingRow.id, finding.finding == wanted.order))
        column = finding.probability
    else:
        orders: dict[str, Any] = {
            "kept": StudyRow.kept,
            "date": StudyRow.study_date,
            "ratio": ReadingRow.cardiothoracic_ratio,
        }
        column = orders[wanted.order]
    ordered = column.desc() if wanted.descending else column.asc()
    return chosen.order_by(ordered.nulls_last(), StudyRow.id.desc() if wanted.descending else StudyRow.id.asc())


def _findings(session: Session, readings: list[int]) -> dict[int, list[FindingRow]]:
    found: dict[int, list[FindingRow]] = {}
    for row in session.scalars(select(FindingRow).where(FindingRow.reading_id.in_(readings))):
        found.setdefault(row.reading_id, []).append(row)
    return found


def _verdicts(
    session: Session, readings: list[int]
) -> tuple[dict[int, list[tuple[str, str, str]]], dict[int, list[tuple[str, str]]]]:
    """Opinions and notes of the newest verdict of every reader, by reading."""
    newest: dict[tuple[int, str], VerdictRow] = {}
    for row in session.scalars(select(VerdictRow).where(VerdictRow.reading_id.in_(readings)).order_by(VerdictRow.id)):
        newest[row.reading_id, row.by] = row
    by_id = {row.id: row for row in newest.values()}
    opinions: dict[int, list[tuple[str, str, str]]] = {}
    notes: dict[int, list[tuple[str, str]]] = {}
    for voiced in session.scalars(select(OpinionRow).where(OpinionRow.verdict_id.in_(by_id))):
        row = by_id[voiced.verdict_id]
        opinions.setdefault(row.reading_id, []).append((row.by, voiced.finding, voiced.says))
    for row in by_id.values():
        if row.note:
            notes.setdefault(row.reading_id, []).append((row.by, row.note))
    return opinions, notes


def _entry(study: StudyRow, reading: ReadingRow, patient: PatientRow, findings: list[FindingRow]) -> Entry:
    return Entry(
        study=study.id,
        reading=reading.id,
        patient=patient.pseudonym,
        kept=study.kept,
        study_date=study.study_date,
        view=study.view,
        burned_in=study.burned_in,
        thumbnail=study.thumbnail,
        accepted=reading.accepted,
        reason=reading.document.get("reason"),
        primary=reading.primary,
        cardiothoracic_ratio=reading.cardiothoracic_ratio,
        version=reading.findings_version,
        probabilities={row.finding: row.probability for row in findings},
        calls={row.finding: row.call for row in findings},
    )


def _literal(text: str) -> str:
    """Text in which the signs of a pattern stand for themselves."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
