"""The tables of what readers keep: patients by pseudonym, studies, readings, verdicts."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Float, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from lung_models.records.tables import Base

HASH = String(64)  # SHA-256 in hexadecimal


class PatientRow(Base):
    """A patient, known by a pseudonym only.

    ``key`` is a keyed hash of what the files call the patient: the same patient is met again, and nobody without the
    key of this installation learns who it is. It is unknown for pictures that name no patient.
    """

    __tablename__ = "patients"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str | None] = mapped_column(HASH, unique=True)
    pseudonym: Mapped[str] = mapped_column(String(32), unique=True)


class StudyRow(Base):
    """A kept radiograph: a de-identified DICOM file and what is known of it.

    ``original`` is a keyed hash of the file as it came in, so that the same file is one study; ``file`` names the kept
    one by its content. The study date is kept here, where priors need it, and nowhere else. ``endpoint`` and
    ``source_uid`` say where in which PACS the original lies, for results to go back there.
    """

    __tablename__ = "studies"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"), index=True)
    original: Mapped[str] = mapped_column(HASH, unique=True)
    file: Mapped[str] = mapped_column(HASH)
    kept: Mapped[datetime] = mapped_column(index=True)
    study_date: Mapped[date | None] = mapped_column(index=True)
    view: Mapped[str | None] = mapped_column(String(8))
    burned_in: Mapped[str] = mapped_column(String(16))
    thumbnail: Mapped[bytes] = mapped_column(LargeBinary)
    endpoint: Mapped[str | None] = mapped_column(String(64))
    source_study_uid: Mapped[str | None] = mapped_column(String(64))
    source_uid: Mapped[str | None] = mapped_column(String(64))


class ReadingRow(Base):
    """A reading as it was made; never changed. ``latest`` marks the newest of its study, for the worklist."""

    __tablename__ = "readings"
    __table_args__ = (Index("latest_reading", "latest", "study_id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id"), index=True)
    latest: Mapped[bool] = mapped_column(Boolean)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(255))
    accepted: Mapped[bool] = mapped_column(Boolean)
    primary: Mapped[str | None] = mapped_column(String(32))
    cardiothoracic_ratio: Mapped[float | None] = mapped_column(Float)
    findings_version: Mapped[str | None] = mapped_column(String(128), index=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    arrays: Mapped[str | None] = mapped_column(HASH)


class FindingRow(Base):
    """One finding of a reading, to sort and filter by."""

    __tablename__ = "reading_findings"
    __table_args__ = (Index("finding_by_probability", "finding", "probability"),)

    reading_id: Mapped[int] = mapped_column(ForeignKey("readings.id"), primary_key=True)
    finding: Mapped[str] = mapped_column(String(32), primary_key=True)
    probability: Mapped[float] = mapped_column(Float)
    call: Mapped[str] = mapped_column(String(16))


class VerdictRow(Base):
    """What a reader said about a reading. Nothing is overwritten: a reader's newest verdict counts.

    ``correction`` names a file with organ masks drawn by hand, where the reader corrected them.
    """

    __tablename__ = "verdicts"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    reading_id: Mapped[int] = mapped_column(ForeignKey("readings.id"), index=True)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(255))
    note: Mapped[str] = mapped_column(Text, default="")
    correction: Mapped[str | None] = mapped_column(HASH)
    corrected_ratio: Mapped[float | None] = mapped_column(Float)


class OpinionRow(Base):
    """What a verdict says of one finding: ``present``, ``absent`` or ``cannot tell``.

    ``agrees`` is whether that is the machine's call; unknown where either of them is not sure.
    """

    __tablename__ = "verdict_opinions"
    __table_args__ = (UniqueConstraint("verdict_id", "finding"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    verdict_id: Mapped[int] = mapped_column(ForeignKey("verdicts.id"), index=True)
    finding: Mapped[str] = mapped_column(String(32))
    says: Mapped[str] = mapped_column(String(16))
    agrees: Mapped[bool | None] = mapped_column(Boolean)
