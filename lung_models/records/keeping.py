"""Keeping a reading: the de-identified file, the patient's pseudonym, the study and the reading, in one transaction."""

from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO

import cv2
import numpy as np
from pydicom import Dataset, dcmread
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from lung_models.decode import decode
from lung_models.decode.sniff import is_dicom
from lung_models.exports.source import as_dicom
from lung_models.opened import thumbnail
from lung_models.radiograph import Radiograph
from lung_models.reading import Reading
from lung_models.records import audit, kept_readings
from lung_models.records.burned_in import BurnedIn, burned_in
from lung_models.records.database import Database, now
from lung_models.records.deidentify import deidentified
from lung_models.records.kept_files import KeptFiles, installation_key, keyed_hash
from lung_models.records.study_tables import FindingRow, PatientRow, ReadingRow, StudyRow

ATTEMPTS = 3  # when another process keeps the same patient or file at the same moment
TIMES = ("milliseconds", "device")  # of a reading's document: they differ though the reading is the same


@dataclass(frozen=True)
class Kept:
    """What keeping a reading came to.

    Args:
        reading: Number of the kept reading.
        study: Number of its study.
        patient: Pseudonym of the patient.
        new_study: False when the same file was kept before.
        new_reading: False when the same reading was.
    """

    reading: int
    study: int
    patient: str
    new_study: bool
    new_reading: bool


@dataclass(frozen=True)
class Origin:
    """What a file says of its patient and its place, read once and not kept as it is.

    Args:
        patient: Keyed hash of the patient's identity; None when the file names none.
        study_date: When it was taken, if the file says so.
        study_uid: UID of its study.
        uid: Its own UID.
        stated_annotation: BurnedInAnnotation as stated.
    """

    patient: str | None
    study_date: date | None
    study_uid: str | None
    uid: str | None
    stated_annotation: str | None


NOBODY = {"unknown", "anonymous", "anon", "anonymized", "none", "na", "n/a", "test", "x"}
"""Patient IDs that name nobody, in lower case."""


def keep(
    database: Database,
    data: bytes,
    reading: Reading,
    by: str,
    *,
    patient: str | None = None,
    endpoint: str | None = None,
    files: KeptFiles | None = None,
) -> Kept:
    """Keep a reading and the file it was made of, without the patient's identity.

    The same file gives one study, and the same reading of it one reading. Nothing is kept half: the files are written
    first, the rows are committed together.

    Args:
        database: Where to.
        data: The file as it came in.
        reading: What was read in it, accepted or refused.
        by: Who keeps it.
        patient: Pseudonym of a patient already kept that it belongs to, when the file names none.
        endpoint: Name of the PACS it came from; then its UIDs are kept too, so that results can go back.
        files: Where files go; by default the data folder.

    Raises:
        ValueError: when ``patient`` is not known.
    """
    files = files or KeptFiles()
    for attempt in range(ATTEMPTS):
        try:
            with database.transaction() as session:
                study, pseudonym, new_study = _study(session, data, reading.radiograph, patient, endpoint, files)
                number, new_reading = _reading(session, study, reading, by, files)
                if new_reading:
                    audit.record(session, by, "keep", f"study {study.id}, reading {number}")
                return Kept(number, study.id, pseudonym, new_study, new_reading)
        except IntegrityError:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def origin(data: bytes, key: bytes) -> Origin:
    """What a file says of its patient; a picture says nothing."""
    header = _header(data)
    if header is None:
        return Origin(None, None, None, None, None)
    identity, issuer = _identity(header), str(header.get("IssuerOfPatientID") or "").strip()
    return Origin(
        patient=keyed_hash(key, "patient", issuer, identity) if identity else None,
        study_date=_date(str(header.get("StudyDate") or header.get("AcquisitionDate") or "")),
        study_uid=str(header.get("StudyInstanceUID") or "") or None,
        uid=str(header.get("SOPInstanceUID") or "") or None,
        stated_annotation=str(header.get("BurnedInAnnotation") or "") or None,
    )


def names_patient(data: bytes) -> bool:
    """Whether a file says whose it is."""
    header = _header(data)
    return header is not None and bool(_identity(header))


def patients(database: Database) -> list[str]:
    """The pseudonyms of all kept patients, the newest first."""
    with database.transaction() as session:
        return list(session.scalars(select(PatientRow.pseudonym).order_by(PatientRow.id.desc())))


def suspected_text(data: bytes, radiograph: Radiograph) -> BurnedIn:
    """Whether text may be burned into a file's picture, see :func:`lung_models.records.burned_in.burned_in`."""
    header = _header(data)
    return burned_in(radiograph.pixels, None if header is None else str(header.get("BurnedInAnnotation") or ""))


def _identity(header: Dataset) -> str:
    """The Patient ID; empty where it stands for nobody, for that would make one patient of many."""
    identity = str(header.get("PatientID") or "").strip()
    return "" if identity.casefold() in NOBODY or not identity.strip("0-. ") else identity


def _header(data: bytes) -> Dataset | None:
    if not is_dicom(data):
        return None
    return dcmread(BytesIO(data), stop_before_pixels=True, force=True)


def _date(text: str) -> date | None:
    try:
        return datetime.strptime(text.strip()[:8], "%Y%m%d").date()
    except ValueError:
        return None


def _study(
    session: Session, data: bytes, radiograph: Radiograph, patient: str | None, endpoint: str | None, files: KeptFiles
) -> tuple[StudyRow, str, bool]:
    """The study of a file, made if it is new; with the patient's pseudonym and whether it is new."""
    key = installation_key()
    original = keyed_hash(key, "file", data)
    there = session.scalar(select(StudyRow).where(StudyRow.original == original))
    if there is not None:
        owner = session.get_one(PatientRow, there.patient_id)
        return there, owner.pseudonym, False
    said = origin(data, key)
    owner = _patient(session, said.patient, patient)
    if is_dicom(data):
        content = deidentified(data, key, owner.pseudonym)
    else:
        content = _file(as_dicom(radiograph, owner.pseudonym))
    study = StudyRow(
        patient_id=owner.id,
        original=original,
        file=files.put(content),
        kept=now(),
        study_date=said.study_date,
        view=radiograph.view,
        burned_in=burned_in(radiograph.pixels, said.stated_annotation),
        thumbnail=_png(thumbnail(radiograph)),
        endpoint=endpoint,
        source_study_uid=said.study_uid if endpoint else None,
        source_uid=said.uid if endpoint else None,
    )
    session.add(study)
    session.flush()
    return study, owner.pseudonym, True


def _patient(session: Session, key: str | None, pseudonym: str | None) -> PatientRow:
    """The patient of a file: known by its key or, when the file names none, by the pseudonym given; else a new one."""
    if key is not None:
        known = session.scalar(select(PatientRow).where(PatientRow.key == key))
    elif pseudonym is not None:
        known = session.scalar(select(PatientRow).where(PatientRow.pseudonym == pseudonym))
        if known is None:
            raise ValueError(f"There is no patient {pseudonym} among the kept ones: choose one of the worklist.")
    else:
        known = None
    if known is not None:
        return known
    last = session.scalar(select(PatientRow.id).order_by(PatientRow.id.desc()).limit(1)) or 0
    made = PatientRow(key=key, pseudonym=f"Patient {last + 1:04}")
    session.add(made)
    session.flush()
    return made


def _reading(session: Session, study: StudyRow, reading: Reading, by: str, files: KeptFiles) -> tuple[int, bool]:
    """The number of a kept reading, and whether it is new."""
    document = kept_readings.document(reading)
    latest = session.scalar(select(ReadingRow).where(ReadingRow.study_id == study.id, ReadingRow.latest))
    if latest is not None and _same(latest.document, document):
        return latest.id, False
    session.execute(update(ReadingRow).where(ReadingRow.study_id == study.id).values(latest=False))
    content = kept_readings.arrays(reading)
    stamp = reading.models.get("findings")
    row = ReadingRow(
        study_id=study.id,
        latest=True,
        at=now(),
        by=by,
        accepted=reading.accepted,
        primary=reading.primary,
        cardiothoracic_ratio=None if reading.anatomy is None else reading.anatomy.cardiothoracic_ratio,
        findings_version=None if stamp is None else stamp.version,
        document=document,
        arrays=None if content is None else files.put(content),
    )
    session.add(row)
    session.flush()
    session.add_all(
        FindingRow(reading_id=row.id, finding=one.key, probability=one.probability, call=one.call)
        for one in reading.findings
    )
    return row.id, True


def _same(one: dict[str, object], other: dict[str, object]) -> bool:
    """Whether two documents are of the same reading."""
    return all(one.get(name) == value for name, value in other.items() if name not in TIMES)


def reopened(database: Database, number: int, files: KeptFiles | None = None) -> Reading:
    """A kept reading, as it was made, with the radiograph of the kept file.

    Raises:
        ValueError: when there is no such reading, or its files are damaged.
    """
    files = files or KeptFiles()
    row, study, pseudonym = _rows(database, number)
    radiograph = decode(files.get(study.file), pseudonym)
    return kept_readings.restored(row.document, None if row.arrays is None else files.get(row.arrays), radiograph)


def kept_file(database: Database, number: int, files: KeptFiles | None = None) -> tuple[str, bytes]:
    """The patient's pseudonym and the de-identified DICOM file that a kept reading was made of.

    Raises:
        ValueError: when there is no such reading, or the file is damaged.
    """
    _, study, pseudonym = _rows(database, number)
    return pseudonym, (files or KeptFiles()).get(study.file)


def _rows(database: Database, number: int) -> tuple[ReadingRow, StudyRow, str]:
    with database.transaction() as session:
        row = session.get(ReadingRow, number)
        if row is None:
            raise ValueError(f"There is no reading {number}: see the worklist for those that are kept.")
        study = session.get_one(StudyRow, row.study_id)
        return row, study, session.get_one(PatientRow, study.patient_id).pseudonym


def _file(dataset: Dataset) -> bytes:
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _png(picture: np.ndarray) -> bytes:
    encoded, content = cv2.imencode(".png", picture)
    if not encoded:
        raise ValueError("The thumbnail could not be made.")
    return bytes(content)
