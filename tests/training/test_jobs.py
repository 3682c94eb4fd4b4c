"""Jobs: processes of their own that survive, are missed when they die, stop when asked and go on to the same result."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from safetensors.torch import load_file

from lung_models.access import Forbidden, Person, local_person
from lung_models.intake.bring_in import bring_in
from lung_models.intake.frozen import FrozenSet
from lung_models.reader import Reader
from lung_models.records.database import Database
from lung_models.training import jobs, work
from lung_models.training.jobs import Job
from lung_models.training.tuning.request import Request
from tests.conftest import ROOT
from tests.pictures import variant, write

ADMIN = local_person()

WAIT_SECONDS = 300
"""How long a state may take to come about on a busy machine; only a bound."""


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory, chest_pixels: np.ndarray, reader: Reader) -> FrozenSet:
    """Forty radiographs, half of them called Cardiomegaly."""
    folder = tmp_path_factory.mktemp("set")
    for number in range(40):
        write(folder / ("Cardiomegaly", "Normal")[number % 2] / f"{number:02}.png", variant(chest_pixels, number))
    sets = tmp_path_factory.mktemp("sets")
    return bring_in(folder, "findings", reader.gate, reader.organs_card.stamp.sha256, sets, lambda *_: None, by=ADMIN)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A data folder of its own; whatever still trains at the end is killed."""
    monkeypatch.setenv("LUNGS_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("LUNGS_REFERENCE", raising=False)
    monkeypatch.delenv("LUNGS_DATABASE_URL", raising=False)
    database = Database()
    yield database
    for job in jobs.every(database):
        if job.pid is not None and job.pid != os.getpid():
            psutil.Process(job.pid).kill()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The shipped versions, to add to."""
    root = tmp_path / "weights"
    shutil.copytree(ROOT / "weights", root)
    return root


def wait_for(database: Database, number: int, is_so: Callable[[Job], bool]) -> Job:
    until = time.monotonic() + WAIT_SECONDS
    pause = threading.Event()
    while time.monotonic() < until:
        job = next(job for job in jobs.every(database) if job.number == number)
        if is_so(job):
            return job
        pause.wait(0.2)
    raise AssertionError(f"it did not come about: {job}")


def start_worker() -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "lung_models", "worker", "--until-idle"]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True)


def full(base: str = "seven-layer-3", epochs: int = 4) -> Request:
    return Request("findings", "full", base, epochs=epochs)


def weights_of(job: Job) -> dict:
    assert job.result is not None, job.message
    return load_file(job.store / "findings" / str(job.result["version"]) / "model.safetensors")


def in_epoch(number: int) -> Callable[[Job], bool]:
    return lambda job: job.progress.get("epoch", 0) >= number


def test_a_killed_job_is_noticed_and_resumes_to_the_same_weights(
    database: Database, labelled: FrozenSet, store: Path
) -> None:
    """Neither the worker that started it nor the job itself is given time to say anything."""
    whole = jobs.submit(database, full(), labelled.folder, store, by=ADMIN)
    start_worker()
    whole = wait_for(database, whole.number, lambda job: job.state == "finished")
    killed = jobs.submit(database, full(), labelled.folder, store, by=ADMIN)
    worker = start_worker()
    running = wait_for(database, killed.number, in_epoch(3))
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    assert running.pid is not None
    assert psutil.Process(running.pid).is_running(), "the job outlives its worker"
    os.kill(running.pid, signal.SIGKILL)
    lost = wait_for(database, killed.number, lambda job: job.state != "running")
    assert lost.state == "interrupted" and lost.message == jobs.LOST
    jobs.resume(database, killed.number, by=ADMIN)
    jobs.ensure_worker()
    again = wait_for(database, killed.number, lambda job: job.state == "finished")
    one, other = weights_of(whole), weights_of(again)
    assert all(bool((one[name] == other[name]).all()) for name in one)
    epochs = [point.epoch for point in jobs.curve(database, killed.number)]
    assert sum(epoch <= 1.0 for epoch in epochs) <= 3, "a finished epoch is not done again"


def test_cancelling_keeps_the_checkpoint_and_others_wait_in_order(
    database: Database, labelled: FrozenSet, store: Path
) -> None:
    first = jobs.submit(database, full(epochs=200), labelled.folder, store, by=ADMIN)
    second = jobs.submit(Database(), Request("findings", "quick", "seven-layer-3"), labelled.folder, store, by=ADMIN)
    third = jobs.submit(database, Request("findings", "quick"), labelled.folder, store, by=ADMIN)
    jobs.ensure_worker()
    jobs.ensure_worker()
    wait_for(database, first.number, in_epoch(2))
    assert [jobs.one(database, job.number).state for job in (second, third)] == ["queued", "queued"]
    jobs.cancel(database, third.number, by=ADMIN)
    jobs.cancel(database, first.number, by=ADMIN)
    stopped = wait_for(database, first.number, lambda job: job.state == "cancelled")
    assert "Resume" in str(stopped.message) and (stopped.workspace / "training" / "progress.json").is_file()
    finished = wait_for(database, second.number, lambda job: job.state == "finished")
    assert finished.result is not None and finished.result["parent"] == "seven-layer-3"
    assert jobs.one(database, third.number).state == "cancelled"
    assert any(point.loss is not None for point in jobs.curve(database, first.number))


def test_one_job_at_a_time_on_a_device(database: Database, labelled: FrozenSet, store: Path) -> None:
    for device in ("a", "a", "b"):
        jobs.submit(database, full(), labelled.folder, store, device, by=ADMIN)
    one, other = jobs.claim(database, "a"), jobs.claim(database, "b")
    assert one is not None and other is not None and one.number == 1 and other.number == 3
    assert jobs.claim(database, "a") is None
    jobs.end(database, one.number, "failed", "for a reason")
    assert jobs.claim(database, "a").number == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "error, words",
    [
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full"),
        (RuntimeError("SafetensorError: I/O error: No space left on device (os error 28)"), "The disk is full"),
        (MemoryError(), "Memory ran out"),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"), "Memory ran out"),
        (ValueError("The set is of another kind."), "The set is of another kind."),
        (KeyError("Doe^John"), "The training failed (KeyError); worker.log has the details."),
    ],
)
def test_what_goes_wrong_is_one_line_and_the_job_can_be_resumed(
    database: Database,
    labelled: FrozenSet,
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    words: str,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("lung_models.training.tuning.finetune.fine_tune", fail)
    number = jobs.submit(database, full(), labelled.folder, store, by=ADMIN).number
    assert jobs.claim(database, "default") is not None
    work.run_job(database, number)
    failed = jobs.one(database, number)
    assert failed.state == "failed" and str(failed.message).startswith(words)
    jobs.resume(database, number, by=ADMIN)
    assert jobs.one(database, number).state == "queued"


def test_a_process_number_that_is_used_again_is_not_taken_for_the_job(
    database: Database, labelled: FrozenSet, store: Path
) -> None:
    number = jobs.submit(database, full(), labelled.folder, store, by=ADMIN).number
    jobs.claim(database, "default")
    assert jobs.every(database)[0].state == "running"
    with database.transaction() as session:
        from lung_models.records.tables import JobRow

        session.get_one(JobRow, number).pid_started = 1.0
    assert jobs.every(database)[0].state == "interrupted"


def test_a_reader_may_not_train(database: Database, labelled: FrozenSet, store: Path) -> None:
    reader = Person("eve", "reader")
    with pytest.raises(Forbidden, match="Only a trainer"):
        jobs.submit(database, full(), labelled.folder, store, by=reader)
    number = jobs.submit(database, full(), labelled.folder, store, by=Person("tim", "trainer")).number
    for act in (jobs.cancel, jobs.resume):
        with pytest.raises(Forbidden):
            act(database, number, by=reader)
    assert jobs.one(database, number).state == "queued"
