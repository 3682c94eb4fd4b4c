import threading
from dataclasses import replace
from types import TracebackType

import numpy as np
import pytest

from lung_models.findings import KEYS
from lung_models.opened import KEPT_READINGS, OpenStudies, decode_study, read_study, without_score
from lung_models.radiograph import Radiograph, Refusal
from lung_models.reading import FindingReading, Reading

PATIENT = "DOE^JOHN"


def decode(data: bytes, name: str) -> Radiograph:
    if data == b"bad":
        raise Refusal("The file is not an image.")
    if data == b"crash":
        raise ValueError(PATIENT)
    return Radiograph(np.full((200, 100), 0.5, np.float32), name, "raster")


def read(radiograph: Radiograph, decode_milliseconds: float, averaged: bool) -> Reading:
    return without_score(radiograph, "Not a chest.")


def opened(*files: bytes) -> OpenStudies:
    studies = OpenStudies()
    for i, data in enumerate(files):
        studies.add(f"file {i}", data)
    return studies


def test_first_study_is_shown_and_steps_stop_at_the_ends() -> None:
    studies = opened(b"a", b"b")
    assert studies.current is studies.studies[0]
    studies.step(-1)
    assert studies.current is studies.studies[0]
    studies.step(5)
    assert studies.current is studies.studies[1]


def test_removing_frees_and_shows_the_neighbour() -> None:
    studies = opened(b"a", b"b", b"c")
    studies.step(1)
    studies.remove(2)
    assert [study.name for study in studies.studies] == ["file 0", "file 2"]
    assert studies.current is studies.studies[1]
    studies.remove(3)
    studies.remove(1)
    assert studies.current is None and studies.waiting() is None
    studies.remove(1)  # twice is harmless


def test_a_study_is_read_once_and_keeps_a_thumbnail() -> None:
    studies = opened(b"a")
    study = studies.studies[0]
    read_study(study, decode, read)
    assert (study.state, study.outcome) == ("refused", "Not a chest.")
    assert study.thumbnail is not None and study.thumbnail.shape == (96, 48) and study.thumbnail[0, 0] == 128
    first = study.reading
    read_study(study, decode, read)
    assert study.reading is first
    assert studies.waiting() is None


@pytest.mark.parametrize(("data", "reason"), [(b"bad", "not an image"), (b"crash", "ValueError")])
def test_what_cannot_be_decoded_says_why(data: bytes, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    study = opened(data).studies[0]
    decode_study(study, decode)
    assert study.state == "unreadable" and reason in study.outcome
    read_study(study, decode, read)
    assert study.reading is None
    assert PATIENT not in study.outcome + caplog.text


def test_a_failing_reader_becomes_a_refusal(caplog: pytest.LogCaptureFixture) -> None:
    def fail(radiograph: Radiograph, decode_milliseconds: float, averaged: bool) -> Reading:
        raise RuntimeError(PATIENT)

    study = opened(b"a").studies[0]
    read_study(study, decode, fail)
    assert study.reading is not None and not study.reading.accepted
    assert "RuntimeError" in study.outcome and PATIENT not in study.outcome + caplog.text


def test_only_studies_shown_lately_keep_their_pictures() -> None:
    studies = opened(*[b"a"] * (KEPT_READINGS + 2))
    for study in studies.studies:
        studies.show(study.number)
        read_study(study, decode, read)
    studies.release()
    kept = [study.radiograph is not None for study in studies.studies]
    assert kept == [False, False] + [True] * KEPT_READINGS
    assert all(study.state == "refused" for study in studies.studies)  # and what came out is still known


WAIT = 60
"""Seconds; only a bound for a test that fails."""


class WatchedLock:
    """A lock that says when the second one comes to it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.comers = 0
        self.second_came = threading.Event()

    def __enter__(self) -> None:
        self.comers += 1
        if self.comers == 2:
            self.second_came.set()
        assert self.lock.acquire(timeout=WAIT)

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.lock.release()


@pytest.mark.parametrize("released", [False, True])
def test_two_threads_read_a_study_once(released: bool) -> None:
    studies = opened(*[b"a"] * (KEPT_READINGS + 1))
    study = studies.studies[-1]  # never shown, so that release() frees it
    study.lock = WatchedLock()  # type: ignore[assignment]
    reads = []

    def read_slowly(radiograph: Radiograph, decode_milliseconds: float, averaged: bool) -> Reading:
        reads.append(radiograph)
        assert study.lock.second_came.wait(WAIT)  # type: ignore[attr-defined]
        return read(radiograph, decode_milliseconds, averaged)

    def run() -> None:
        read_study(study, decode, read_slowly)
        if released:
            studies.release()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert len(reads) == 1 and study.state == "refused"
    assert (study.reading is None) == released


@pytest.mark.parametrize("released", [False, True])
def test_what_was_read_the_other_way_is_due_again(released: bool) -> None:
    modes = []

    def noted(radiograph: Radiograph, decode_milliseconds: float, averaged: bool) -> Reading:
        modes.append(averaged)
        return called(edema="present") if radiograph.name != "file 1" else without_score(radiograph, "Not a chest.")

    studies = opened(b"a", b"b", b"c", b"bad")
    for study in studies.studies:
        read_study(study, decode, noted)
    assert studies.waiting() is None
    studies.averaged = True
    if released:
        for study in studies.studies:
            study.radiograph = study.reading = None
    due = [study for study in studies.studies if studies.is_due(study)]
    assert due == [studies.studies[0], studies.studies[2]]  # what was refused is refused either way
    assert studies.waiting() is due[0]
    for study in due * 2:
        read_study(study, decode, noted, studies.averaged)
    assert modes == [False, False, False, True, True] and studies.waiting() is None
    studies.averaged = False
    assert studies.waiting() is due[0]


def test_a_reading_that_comes_too_late_is_made_again_the_way_asked_for() -> None:
    """The user changes the way of reading while a thread still reads the old way."""
    studies = opened(b"a")
    study = studies.studies[0]
    study.lock = WatchedLock()  # type: ignore[assignment]
    modes = []
    reading_now = threading.Event()

    def read_slowly(radiograph: Radiograph, decode_milliseconds: float, averaged: bool) -> Reading:
        modes.append(averaged)
        reading_now.set()
        assert study.lock.second_came.wait(WAIT)  # type: ignore[attr-defined]
        return called(edema="present")

    started = threading.Thread(target=read_study, args=(study, decode, read_slowly))
    started.start()
    assert reading_now.wait(WAIT)
    studies.averaged = True
    read_study(study, decode, read_slowly, studies.averaged)
    started.join(WAIT)
    assert modes == [False, True] and not studies.is_due(study)


@pytest.mark.parametrize("fails", [False, True])
def test_a_picture_released_while_it_is_read_is_still_in_its_reading(fails: bool) -> None:
    studies = opened(b"a", b"b")
    study = studies.studies[1]
    reading_now, go_on = threading.Event(), threading.Event()

    def read_slowly(radiograph: Radiograph, decode_milliseconds: float, averaged: bool) -> Reading:
        reading_now.set()
        assert go_on.wait(WAIT)
        if fails:
            raise RuntimeError
        return read(radiograph, decode_milliseconds, averaged)

    thread = threading.Thread(target=read_study, args=(study, decode, read_slowly))
    thread.start()
    assert reading_now.wait(WAIT)
    studies.release()
    assert study.radiograph is None
    go_on.set()
    thread.join(WAIT)
    assert study.state == "refused" and study.reading is not None
    assert study.reading.radiograph is study.radiograph is not None


def test_only_what_failed_for_a_passing_cause_is_tried_again() -> None:
    def no_weights(radiograph: Radiograph, decode_milliseconds: float, averaged: bool) -> Reading:
        raise Refusal("No findings model is active.")

    def crash(radiograph: Radiograph, decode_milliseconds: float, averaged: bool) -> Reading:
        raise RuntimeError

    studies = opened(b"a", b"b", b"c", b"bad")
    for study, outcome in zip(studies.studies, (no_weights, crash, read, read), strict=True):
        read_study(study, decode, outcome)
    assert [study.may_retry for study in studies.studies] == [True, True, False, False]
    studies.retry()
    assert [study.state for study in studies.studies] == ["waiting", "waiting", "refused", "unreadable"]
    read_study(studies.studies[0], decode, read)
    assert studies.studies[0].outcome == "Not a chest." and not studies.studies[0].may_retry


def called(**calls: str) -> Reading:
    """A reading with these calls, each at 30 %, and all else absent."""
    no_heat = np.zeros((2, 2), np.float32)
    findings = tuple(
        FindingReading(
            key, 0.3 if key in calls else 0.01, 0.2, (0.1, 0.3), calls.get(key, "absent"), no_heat, None, None
        )
        for key in KEYS
    )
    return replace(
        without_score(decode(b"a", "a"), ""), accepted=True, reason=None, primary="no_finding", findings=findings
    )


@pytest.mark.parametrize(
    "calls, outcome",
    [
        ({"edema": "present", "no_finding": "present"}, "Edema 30%"),
        ({"edema": "present", "atelectasis": "uncertain"}, "Edema 30%"),
        ({"atelectasis": "uncertain", "no_finding": "uncertain"}, "Uncertain: Atelectasis 30%"),
        ({"no_finding": "present"}, "No Finding 30%"),
        ({}, "No finding reaches its band"),
    ],
)
def test_the_worklist_never_hides_a_finding_behind_no_finding(calls: dict[str, str], outcome: str) -> None:
    study = opened(b"a").studies[0]
    read_study(study, decode, lambda *_: called(**calls))
    assert study.outcome == outcome
