"""Fine-tuning as jobs: rows of the database, worked off by processes of their own, one at a time on a device.

A page or a command asks, looks and cancels here; nothing here knows a network. Whoever asks for a job also sees to it
that a worker runs (:func:`ensure_worker`); the worker starts one process for each job
(:mod:`lung_models.training.work`), which outlives the app and the worker alike. A process that is gone without a word
is noticed by whoever looks next.
"""

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import psutil
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from lung_models.access import Person, require
from lung_models.records import audit
from lung_models.records.database import Database, data_folder, now
from lung_models.records.tables import JobRow, StepRow
from lung_models.training.tuning.request import Request

State = Literal["queued", "running", "finished", "failed", "cancelled", "interrupted"]
MAY_RESUME = ("failed", "cancelled", "interrupted")
SILENT_SECONDS = 60  # without a heartbeat, after which a job of another host counts as lost
LOST = (
    "The process that trained is gone: it was killed, the machine stopped, or memory ran out. Resume goes on from the "
    "last finished epoch."
)


@dataclass(frozen=True)
class Job:
    """A job as it stands.

    Args:
        number: Identifies it.
        state: See :class:`lung_models.records.tables.JobRow`.
        request: What was asked for.
        labelled_set: Folder of the frozen set.
        store: Folder of versions that it reads from and writes to.
        created: When it was asked for, UTC.
        started: When it last began.
        ended: When it ended.
        progress: ``done``, ``of`` and ``what`` of work outside the training loop, ``epoch`` within it.
        message: Why it ended, when it did not finish.
        result: What the command line prints, when it finished.
        pid: Its process while it runs.
        cancelling: Whether it was asked to stop and has not yet.
    """

    number: int
    state: State
    request: Request
    labelled_set: Path
    store: Path
    created: datetime
    started: datetime | None
    ended: datetime | None
    progress: dict[str, Any]
    message: str | None
    result: dict[str, Any] | None
    pid: int | None
    cancelling: bool

    @property
    def workspace(self) -> Path:
        """Folder of its checkpoints and of what a page shows of its result."""
        return jobs_folder() / str(self.number)


@dataclass(frozen=True)
class Point:
    """One point of a job's curves: after some batches, or after a validation."""

    epoch: float
    loss: float | None
    validation: float | None
    images_per_second: float
    memory_megabytes: float


def jobs_folder() -> Path:
    """Where jobs keep their checkpoints."""
    return data_folder() / "jobs"


def submit(
    database: Database, request: Request, labelled_set: Path, store: Path, device: str = "default", *, by: Person
) -> Job:
    """Put a job at the end of a device's queue; Forbidden when somebody may not train."""
    require(by, "trainer")
    with database.transaction() as session:
        row = JobRow(
            state="queued",
            device=device,
            request=request.to_json(),
            labelled_set=str(labelled_set),
            store=str(store),
            created=now(),
            queued=now(),
            cancel=False,
            progress={},
        )
        session.add(row)
        session.flush()
        audit.record(session, by.name, "train", f"job {row.id}", f"{request.network}, {request.recipe}")
        return _job(row)


def every(database: Database) -> list[Job]:
    """All jobs, the newest first; those whose process is gone are marked as interrupted."""
    notice_lost(database)
    with database.transaction() as session:
        return [_job(row) for row in session.scalars(select(JobRow).order_by(JobRow.id.desc()))]


def one(database: Database, number: int) -> Job:
    """One job; ValueError when there is no such job."""
    with database.transaction() as session:
        row = session.get(JobRow, number)
        if row is None:
            raise ValueError(f"There is no job {number}.")
        return _job(row)


def curve(database: Database, number: int) -> list[Point]:
    """The curves of a job, in order."""
    with database.transaction() as session:
        rows = session.scalars(select(StepRow).where(StepRow.job_id == number).order_by(StepRow.id))
        return [Point(row.epoch, row.loss, row.validation, row.images_per_second, row.memory_megabytes) for row in rows]


def speed(database: Database, request: Request) -> float | None:
    """Images a second of the last full training of this network on this machine; None before the first."""
    with database.transaction() as session:
        rows = session.scalars(select(JobRow).where(JobRow.state == "finished").order_by(JobRow.id.desc()))
        alike = [
            row.id for row in rows if row.request["network"] == request.network and row.request["recipe"] == "full"
        ]
        if not alike:
            return None
        return session.scalar(select(func.avg(StepRow.images_per_second)).where(StepRow.job_id == alike[0]))


def cancel(database: Database, number: int, *, by: Person) -> None:
    """Ask a job to stop: at once when it waits, at its next batch when it runs; Forbidden when somebody may not."""
    require(by, "trainer")
    with database.transaction() as session:
        row = session.get(JobRow, number)
        if row is not None and row.state == "queued":
            row.state, row.ended, row.message = "cancelled", now(), "Cancelled before it began."
        elif row is not None and row.state == "running":
            row.cancel = True
        audit.record(session, by.name, "cancel", f"job {number}")


def resume(database: Database, number: int, *, by: Person) -> None:
    """Put a job that was stopped, or that failed, back in the queue; it goes on from its last checkpoint.

    Raises:
        Forbidden: when somebody may not train.
    """
    require(by, "trainer")
    with database.transaction() as session:
        row = session.get(JobRow, number)
        if row is not None and row.state in MAY_RESUME:
            row.state, row.queued, row.cancel, row.message, row.ended = "queued", now(), False, None, None
            audit.record(session, by.name, "resume", f"job {number}")


def claim(database: Database, device: str) -> Job | None:
    """Take the next job of a device for this process; None when there is none, or when one runs already."""
    notice_lost(database)
    try:
        with database.transaction() as session:
            waiting = select(JobRow).where(JobRow.state == "queued", JobRow.device == device)
            row = session.scalars(waiting.order_by(JobRow.queued, JobRow.id).limit(1)).first()
            if row is None:
                return None
            row.state, row.started, row.message = "running", now(), None
            _sign(row)
            session.flush()
            return _job(row)
    except IntegrityError:  # one runs on this device already
        return None


def take_over(database: Database, number: int) -> None:
    """Let this process be the one that a running job is known by."""
    with database.transaction() as session:
        row = session.get_one(JobRow, number)
        _sign(row)


def beat(database: Database, number: int, progress: dict[str, Any] | None = None, point: Point | None = None) -> bool:
    """Say that a job lives, and how far it is.

    Returns:
        Whether it was asked to stop.
    """
    with database.transaction() as session:
        row = session.get_one(JobRow, number)
        row.heartbeat = now()
        if progress is not None:
            row.progress = {**row.progress, **progress}
        if point is not None:
            session.add(
                StepRow(
                    job_id=number,
                    epoch=point.epoch,
                    loss=point.loss,
                    validation=point.validation,
                    images_per_second=point.images_per_second,
                    memory_megabytes=point.memory_megabytes,
                )
            )
        return row.cancel


def end(
    database: Database, number: int, state: State, message: str | None = None, result: dict[str, Any] | None = None
) -> None:
    """Say how a running job ended; one that was noticed as lost meanwhile is corrected."""
    with database.transaction() as session:
        row = session.get_one(JobRow, number)
        row.state, row.message, row.result, row.ended, row.pid, row.cancel = state, message, result, now(), None, False


def notice_lost(database: Database) -> None:
    """Mark running jobs whose process is gone as interrupted."""
    with database.transaction() as session:
        for row in session.scalars(select(JobRow).where(JobRow.state == "running")):
            if not _lives(row):
                row.state, row.message, row.ended, row.pid = "interrupted", LOST, now(), None


def ensure_worker(device: str = "default") -> None:
    """Start a worker that works off the queue and ends; when one is at it already, the new one ends at once.

    It is a session of its own, so that closing the app or its terminal does not end it.
    """
    command = [sys.executable, "-m", "lung_models", "worker", "--device", device, "--until-idle"]
    with (data_folder() / "worker.log").open("ab") as log:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=Path(__file__).resolve().parents[2],
            start_new_session=True,
            env={**os.environ},
        )


def _lives(row: JobRow) -> bool:
    """Whether the process of a running job is there: by its number and start on this host, else by its heartbeat."""
    if row.host != socket.gethostname():
        return row.heartbeat is not None and now() - row.heartbeat < timedelta(seconds=SILENT_SECONDS)
    try:
        process = psutil.Process(row.pid)
        return bool(process.create_time() == row.pid_started and process.status() != psutil.STATUS_ZOMBIE)
    except (psutil.Error, TypeError, ValueError):
        return False


def _sign(row: JobRow) -> None:
    own = psutil.Process()
    row.host, row.pid, row.pid_started, row.heartbeat = socket.gethostname(), own.pid, own.create_time(), now()


def _job(row: JobRow) -> Job:
    return Job(
        number=row.id,
        state=row.state,  # type: ignore[arg-type]
        request=Request.from_json(row.request),
        labelled_set=Path(row.labelled_set),
        store=Path(row.store),
        created=row.created,
        started=row.started,
        ended=row.ended,
        progress=row.progress,
        message=row.message,
        result=row.result,
        pid=row.pid,
        cancelling=row.cancel and row.state == "running",
    )
