"""The tables, as SQLAlchemy maps them; :mod:`lung_models.records.migrations` makes them in a database."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """What the tables share."""


class JobRow(Base):
    """A fine-tuning that was asked for.

    ``state`` is ``queued``, ``running``, ``finished``, ``failed``, ``cancelled`` or ``interrupted``. A running job is
    known to live by its process (``pid`` and when it started, for numbers are used again) and its heartbeat. At most
    one job runs on a device: a unique index says so, whoever asks.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index(
            "one_running_job_a_device",
            "device",
            unique=True,
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    state: Mapped[str] = mapped_column(String(16), index=True)
    device: Mapped[str] = mapped_column(String(32))
    request: Mapped[dict[str, Any]] = mapped_column(JSON)
    labelled_set: Mapped[str] = mapped_column(Text)
    store: Mapped[str] = mapped_column(Text)
    created: Mapped[datetime]
    queued: Mapped[datetime]
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]
    heartbeat: Mapped[datetime | None]
    host: Mapped[str | None] = mapped_column(String(255))
    pid: Mapped[int | None]
    pid_started: Mapped[float | None] = mapped_column(Float)
    cancel: Mapped[bool] = mapped_column(default=False)
    progress: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    message: Mapped[str | None] = mapped_column(Text)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class StepRow(Base):
    """One point of a job's curves."""

    __tablename__ = "job_steps"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), index=True)
    epoch: Mapped[float] = mapped_column(Float)
    loss: Mapped[float | None] = mapped_column(Float)
    validation: Mapped[float | None] = mapped_column(Float)
    images_per_second: Mapped[float] = mapped_column(Float)
    memory_megabytes: Mapped[float] = mapped_column(Float)


class AuditRow(Base):
    """One act. The database refuses to change or remove a row.

    ``id`` is its place in the chain, from 1; ``at`` ISO 8601 in UTC; ``before`` the hash of the row before it, ``hash``
    the SHA-256 of all the rest, see :mod:`lung_models.records.audit`.
    """

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(String(32))
    by: Mapped[str] = mapped_column(String(255))
    action: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text)
    before: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditHeadRow(Base):
    """Where the chain of the audit ends: shows rows that were removed from its end."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    rows: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))
