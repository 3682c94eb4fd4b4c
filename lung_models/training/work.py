"""Working off jobs: the worker's loop, and the process of one job with everything that may befall it."""

import errno
import fcntl
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from lung_models.records.database import Database, data_folder
from lung_models.training import jobs
from lung_models.training.jobs import Job, Point

BEAT_SECONDS = 2.0  # between two looks at the cancel flag and heartbeats while nothing else is written
POINT_SECONDS = 0.5  # at most so often a point of the curves is written
IDLE_SECONDS = 1.0  # between two looks at an empty queue
LOCK_SECONDS = 3.0  # that a new worker waits for one that may be about to end

log = logging.getLogger("lung_models")


def work_off(database: Database, device: str, *, until_idle: bool) -> None:
    """Claim jobs of a device and run each in a process of its own, one after the other.

    Args:
        database: Where the jobs are.
        device: Whose queue.
        until_idle: Return when nothing waits; else wait for more.
    """
    with only_one(device) as is_mine:
        if not is_mine:
            log.info("A worker is at the queue of %s already.", device)
            return
        _work_off(database, device, until_idle)


@contextmanager
def only_one(device: str) -> Iterator[bool]:
    """Whether this process is the worker of a device on this machine; the lock falls with the process.

    One that is about to end is waited for, lest a job that came in just then is left lying.
    """
    with (data_folder() / f"worker-{device}.lock").open("w") as lock:
        until = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield True
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    yield False
                    return
                time.sleep(IDLE_SECONDS)


def _work_off(database: Database, device: str, until_idle: bool) -> None:
    while True:
        job = jobs.claim(database, device)
        if job is not None:
            log.info("Job %d began.", job.number)
            run_apart(database, job)
        elif until_idle and not _waiting(database, device):
            return
        else:
            time.sleep(IDLE_SECONDS)


def run_apart(database: Database, job: Job) -> None:
    """Run a claimed job in a process of its own, in its own session, and wait for it."""
    command = [sys.executable, "-m", "lung_models", "worker", "--job", str(job.number)]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, start_new_session=True, cwd=Path(__file__).resolve().parents[2]
    )
    process.wait()
    state = jobs.one(database, job.number).state
    if state == "running":  # it ended without a word
        jobs.end(database, job.number, "interrupted", jobs.LOST)
    log.info("Job %d ended: %s.", job.number, jobs.one(database, job.number).state)


def run_job(database: Database, number: int) -> None:
    """Do one job in this process; however it ends, the database says so in one line."""
    jobs.take_over(database, number)
    job = jobs.one(database, number)
    pulse = Pulse(database, number)
    pulse.start()
    try:
        jobs.end(database, number, "finished", result=_tune(job, pulse))
        shutil.rmtree(job.workspace / "training", ignore_errors=True)
    except BaseException as error:
        state, message = outcome_of(error)
        jobs.end(database, number, state, message)
        if state == "failed":
            log.exception("Job %d failed.", number)
    finally:
        pulse.stop()


def outcome_of(error: BaseException) -> tuple[jobs.State, str]:
    """How a job that raised something ended, and the one line that is said of it."""
    kind = type(error).__name__
    if kind == "Stopped":
        return "cancelled", "Cancelled. Resume goes on from the last finished epoch."
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "failed", "The disk is full: free some space, then resume."
    if "No space left" in str(error):  # as libraries pass it on
        return "failed", "The disk is full: free some space, then resume."
    if isinstance(error, MemoryError) or kind == "OutOfMemoryError" or "not enough memory" in str(error):
        return "failed", "Memory ran out: close other programs or bring in a smaller set, then resume."
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", "Stopped from outside. Resume goes on from the last finished epoch."
    known = isinstance(error, ValueError) or kind in ("NoWeights", "Refusal")
    return "failed", str(error) if known else f"The training failed ({kind}); worker.log has the details."


def _tune(job: Job, pulse: "Pulse") -> dict[str, object]:
    # Loads torch: only the process of a job does.
    from lung_models.intake.frozen import load
    from lung_models.training.trainer import Step
    from lung_models.training.tuning.finetune import fine_tune
    from lung_models.training.tuning.material import TuningRun
    from lung_models.weights import WeightStore

    def told(step: Step) -> None:
        pulse.step(step.epoch, step.step, step.steps, step.loss, step.validation, step.images_per_second)

    reference = os.environ.get("LUNGS_REFERENCE")
    store = WeightStore(job.store)
    run = TuningRun(
        load(job.labelled_set),
        store,
        store,
        job.workspace,
        Path(reference) if reference else None,
        pulse.tell,
        (told,),
        pulse.is_cancelled,
    )
    result = fine_tune(job.request, run)
    if result is None:
        raise RuntimeError("only a process that writes has a result")
    return result


class Pulse(threading.Thread):
    """Keeps the database told: a heartbeat, the progress, the curves; and brings the wish to stop back."""

    def __init__(self, database: Database, number: int) -> None:
        super().__init__(daemon=True)
        self.database, self.number = database, number
        self.cancelled = threading.Event()
        self.done = threading.Event()
        self.progress: dict[str, object] = {}
        self.written = 0.0

    def run(self) -> None:
        """Beat until stopped."""
        while not self.done.wait(BEAT_SECONDS):
            try:
                self._beat(None)
            except OSError:  # the records may be back at the next beat
                log.warning("A beat of job %s could not be written.", self.number)

    def stop(self) -> None:
        """Beat no more."""
        self.done.set()

    def is_cancelled(self) -> bool:
        """Whether the job was asked to stop."""
        return self.cancelled.is_set()

    def tell(self, done: int, of: int, what: str) -> None:
        """Work outside the training loop; written with the next beat."""
        self.progress = {"done": done, "of": of, "what": what}

    def step(
        self, epoch: int, step: int, steps: int, loss: float, validation: float | None, images_per_second: float
    ) -> None:
        """A batch, or a validation when there is a value."""
        self.progress = {"done": step, "of": steps, "what": f"batches of epoch {epoch + 1}", "epoch": epoch + 1}
        now = time.monotonic()
        if validation is None and now - self.written < POINT_SECONDS and step < steps:
            return
        self.written = now
        said = None if validation is not None else loss
        self._beat(Point(epoch + step / steps, said, validation, images_per_second, _memory_megabytes()))

    def _beat(self, point: Point | None) -> None:
        if jobs.beat(self.database, self.number, dict(self.progress), point):
            self.cancelled.set()


def _memory_megabytes() -> float:
    """Of the GPU where there is one, else of this process."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    return float(psutil.Process().memory_info().rss / 1e6)


def _waiting(database: Database, device: str) -> bool:
    """Whether a job of this device waits or runs."""
    return any(job.state in ("queued", "running") for job in jobs.every(database))
