"""What readers say of the machine's readings: never overwriting them, and one step from being a labelled set."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from lung_models.correction import unpacked
from lung_models.decode import decode
from lung_models.findings import KEYS
from lung_models.reading import ORGANS
from lung_models.records import audit
from lung_models.records.database import Database, now
from lung_models.records.kept_files import KeptFiles
from lung_models.records.study_tables import FindingRow, OpinionRow, PatientRow, ReadingRow, StudyRow, VerdictRow

Says = Literal["present", "absent", "cannot tell"]
NOTE_LENGTH = 4000  # characters


@dataclass(frozen=True)
class Verdict:
    """One reader's verdict on one reading.

    Args:
        number: Of the verdict.
        reading: Number of the reading.
        by: The reader.
        at: When, UTC.
        says: By finding's key; findings that nothing was said of are not in it.
        note: Free text.
        correction: Name of the kept masks drawn by hand, if the reader corrected them.
        corrected_ratio: Cardiothoracic ratio that follows from those.
    """

    number: int
    reading: int
    by: str
    at: datetime
    says: Mapping[str, Says]
    note: str
    correction: str | None
    corrected_ratio: float | None


def give(
    database: Database,
    reading: int,
    by: str,
    says: Mapping[str, Says],
    *,
    note: str = "",
    correction: bytes | None = None,
    corrected_ratio: float | None = None,
    files: KeptFiles | None = None,
) -> int:
    """Give a verdict on a kept reading; an earlier one of the same reader stays on record. Returns its number.

    Args:
        database: Where the reading is kept.
        reading: Its number.
        by: Who gives it.
        says: By finding's key; leave out what is not judged.
        note: Free text, not longer than ``NOTE_LENGTH``.
        correction: The organ masks drawn by hand, as :func:`lung_models.correction.packed` packs them.
        corrected_ratio: Cardiothoracic ratio that follows from them.
        files: Where the masks go; by default the data folder.

    Raises:
        ValueError: when there is no such reading, or nothing is said, or of something that does not exist.
    """
    if unknown := set(says) - set(KEYS) or set(says.values()) - set(get_args(Says)):
        raise ValueError(f"A verdict cannot say {', '.join(sorted(unknown))}.")
    if len(note) > NOTE_LENGTH:
        raise ValueError(f"The note is longer than {NOTE_LENGTH} characters: shorten it.")
    if not (says or note.strip() or correction):
        raise ValueError("The verdict says nothing: judge a finding, correct an outline or write a note.")
    if correction is not None:
        unpacked(correction)
    files = files or KeptFiles()
    with database.transaction() as session:
        if session.get(ReadingRow, reading) is None:
            raise ValueError(f"There is no reading {reading}: keep it before a verdict is given.")
        calls = {
            row.finding: row.call for row in session.scalars(select(FindingRow).where(FindingRow.reading_id == reading))
        }
        row = VerdictRow(
            reading_id=reading,
            at=now(),
            by=by,
            note=note.strip(),
            correction=None if correction is None else files.put(correction),
            corrected_ratio=corrected_ratio,
        )
        session.add(row)
        session.flush()
        session.add_all(
            OpinionRow(verdict_id=row.id, finding=key, says=said, agrees=agrees(said, calls.get(key)))
            for key, said in says.items()
        )
        audit.record(session, by, "verdict", f"reading {reading}")
        return row.id


def agrees(says: str, call: str | None) -> bool | None:
    """Whether a reader and the machine say the same; None where either is not sure."""
    if says == "cannot tell" or call not in ("present", "absent"):
        return None
    return says == call


def of_reading(database: Database, reading: int) -> list[Verdict]:
    """The newest verdict of every reader on a reading, in the order they were given."""
    with database.transaction() as session:
        return _newest(session, reading)


def newest_correction(database: Database, reading: int, files: KeptFiles | None = None) -> tuple[str, bytes] | None:
    """Who drew a reading's outlines by hand last, and their masks, packed; None where nobody corrected it.

    Raises:
        ValueError: when their file is damaged.
    """
    drawn = [(one.by, one.correction) for one in of_reading(database, reading) if one.correction is not None]
    if not drawn:
        return None
    by, name = drawn[-1]
    return by, (files or KeptFiles()).get(name)


def _newest(session: Session, reading: int | None = None) -> list[Verdict]:
    """The newest verdict of every reader, on one reading or on all."""
    chosen = select(VerdictRow).order_by(VerdictRow.id)
    if reading is not None:
        chosen = chosen.where(VerdictRow.reading_id == reading)
    newest = {(row.reading_id, row.by): row for row in session.scalars(chosen)}
    says: dict[int, dict[str, Says]] = {row.id: {} for row in newest.values()}
    voiced = select(OpinionRow)
    if reading is not None:
        voiced = voiced.where(OpinionRow.verdict_id.in_(says))
    for one in session.scalars(voiced):
        if one.verdict_id in says:
            says[one.verdict_id][one.finding] = one.says  # type: ignore[assignment]
    return [
        Verdict(row.id, row.reading_id, row.by, row.at, says[row.id], row.note, row.correction, row.corrected_ratio)
        for row in sorted(newest.values(), key=lambda row: row.id)
    ]


def write_labelled_set(
    database: Database, folder: Path, kind: Literal["findings", "organs"], files: KeptFiles | None = None
) -> int:
    """Write the verdicts as a labelled set that :mod:`lung_models.intake` understands; returns how many radiographs.

    Findings: ``labels.csv`` with what readers say; where two contradict each other, or one cannot tell, the label is
    left blank. Organs: the masks drawn by hand, the newest of a radiograph. The radiographs are the de-identified
    ones, the patients' column holds pseudonyms.

    Args:
        database: Where the verdicts are.
        folder: Must not exist or be empty.
        kind: What the set is to teach.
        files: Where kept files are; by default the data folder.
    """
    files = files or KeptFiles()
    with database.transaction() as session:
        verdicts = _newest(session)
        studies = _studies(session, {verdict.reading for verdict in verdicts})
    (folder / "images").mkdir(parents=True)
    newest: dict[tuple[int, str, str], Says] = {}  # a reader's own later word, on another reading of the study, counts
    masks: dict[int, str] = {}
    for verdict in verdicts:
        study = studies[verdict.reading][0]
        if verdict.correction is not None:
            masks[study] = verdict.correction
        newest |= {(study, verdict.by, key): said for key, said in verdict.says.items()}
    labels: dict[int, dict[str, set[str]]] = {}
    for (study, _, key), said in newest.items():
        labels.setdefault(study, {}).setdefault(key, set()).add(said)
    about = {study: (file, patient) for study, file, patient in studies.values()}
    wanted = sorted(labels if kind == "findings" else masks)
    for study in wanted:
        (folder / "images" / f"{study:06}.dcm").write_bytes(files.get(about[study][0]))
    if kind == "findings":
        _write_labels(folder, {study: labels[study] for study in wanted}, about)
    else:
        for study in wanted:
            radiograph = decode(files.get(about[study][0]), about[study][1])
            _write_masks(folder, study, unpacked(files.get(masks[study])), (radiograph.width, radiograph.height))
    return len(wanted)


def _studies(session: Session, readings: set[int]) -> dict[int, tuple[int, str, str]]:
    """By reading: number of its study, name of the kept file, the patient's pseudonym."""
    joined = select(ReadingRow.id, StudyRow.id, StudyRow.file, PatientRow.pseudonym).join(
        StudyRow, StudyRow.id == ReadingRow.study_id
    )
    rows = session.execute(joined.join(PatientRow, PatientRow.id == StudyRow.patient_id)).all()
    return {reading: (study, file, patient) for reading, study, file, patient in rows if reading in readings}


def _write_labels(
    folder: Path, labels: Mapping[int, Mapping[str, set[str]]], about: Mapping[int, tuple[str, str]]
) -> None:
    values = {frozenset({"present"}): "1", frozenset({"absent"}): "0"}
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["file", "patient", *KEYS])
        for study, said in labels.items():
            row = [values.get(frozenset(said.get(key, ())), "") for key in KEYS]
            table.writerow([f"images/{study:06}.dcm", about[study][1], *row])


def _write_masks(folder: Path, study: int, masks: np.ndarray, size: tuple[int, int]) -> None:
    """The masks at the size of the picture, (width, height)."""
    for organ, mask in zip(ORGANS, masks, strict=True):
        (folder / "masks" / organ).mkdir(parents=True, exist_ok=True)
        sized = cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_LINEAR)
        path = folder / "masks" / organ / f"{study:06}.png"
        path.write_bytes(bytes(cv2.imencode(".png", np.where(sized >= 128, 255, 0).astype(np.uint8))[1]))
