"""The studies that one session has open: held in memory, read one after the other, freed when removed."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from traceback import format_tb
from typing import Literal

import cv2
import numpy as np

from lung_models.correction import Correction
from lung_models.findings import ABNORMAL, BY_KEY
from lung_models.radiograph import Radiograph, Refusal
from lung_models.reading import Reading

KEPT_READINGS = 4
"""Readings kept whole, the most recently shown; older ones are read again from their file when opened."""
THUMBNAIL_SIDE = 96
"""Long side of a thumbnail, in pixels."""

log = logging.getLogger(__name__)

Decode = Callable[[bytes, str], Radiograph]
Read = Callable[[Radiograph, float, bool], Reading]
"""Reads a radiograph, given how many milliseconds its decoding took and whether to average over several views."""
State = Literal["waiting", "read", "refused", "unreadable"]


@dataclass
class OpenStudy:
    """One opened file.

    Args:
        number: Identifies it within the session.
        name: Label for the user, usually the file's name.
        data: The file's content.
        sample: Whether it is one of the samples that ship with the app.
        state: ``waiting`` until read; ``refused`` when there is a picture but no score; ``unreadable`` without picture.
        outcome: One line for the worklist: what is called, or the reason of a refusal.
        thumbnail: uint8 (height, width), 255 is white; None until decoded.
        decode_milliseconds: How long decoding took.
        radiograph: The decoded picture while it is kept.
        reading: The result while it is kept.
        averaged: Whether its outcome and its reading were asked for as an average over several views.
        may_retry: Whether it was refused for a cause that may pass: no weights, or a failure while reading.
        endpoint: Name of the PACS it was retrieved from.
        kept: Number of its kept reading, if it was kept or comes from the worklist.
        correction: Outlines that were corrected by hand; the reading itself stays as it was made.
        own_correction: Whether it, or its removal, is this reader's own: only then it is saved with a verdict.
        restore: Gives back the kept reading; such a study is never read anew, whichever version reads by now.
        lock: Held while it is decoded or read, for the browser may ask for the same study twice at once.
    """

    number: int
    name: str
    data: bytes = field(repr=False)
    sample: bool = False
    state: State = "waiting"
    outcome: str = "Waiting"
    thumbnail: np.ndarray | None = field(default=None, repr=False)
    decode_milliseconds: float = 0.0
    radiograph: Radiograph | None = field(default=None, repr=False)
    reading: Reading | None = field(default=None, repr=False)
    averaged: bool = False
    may_retry: bool = False
    correction: Correction | None = None
    own_correction: bool = False
    endpoint: str | None = None
    kept: int | None = None
    restore: Callable[[], Reading] | None = field(default=None, repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)


class OpenStudies:
    """The open studies of one session in the order they were opened, which one is shown, and how they are read.

    Setting ``averaged`` makes every study that was read the other way due again.
    """

    def __init__(self) -> None:
        self.studies: list[OpenStudy] = []
        self.current: OpenStudy | None = None
        self.averaged = False
        self._next_number = 1
        self._shown: list[int] = []

    def add(
        self,
        name: str,
        data: bytes,
        sample: bool = False,
        *,
        kept: int | None = None,
        restore: Callable[[], Reading] | None = None,
    ) -> OpenStudy:
        """Open a file; it is shown when nothing else is."""
        study = OpenStudy(self._next_number, name, data, sample, kept=kept, restore=restore)
        self._next_number += 1
        self.studies.append(study)
        if self.current is None:
            self.show(study.number)
        return study

    def show(self, number: int) -> None:
        """Show a study. An unknown number changes nothing."""
        study = next((one for one in self.studies if one.number == number), None)
        if study is None:
            return
        self.current = study
        self._shown = [*[one for one in self._shown if one != number], number]
        self.release()

    def release(self) -> None:
        """Free the pictures and readings of studies not shown lately."""
        for one in self.studies:
            if one.number not in self._shown[-KEPT_READINGS:]:
                one.radiograph = one.reading = None

    def step(self, by: int) -> None:
        """Show the study ``by`` places further on, stopping at either end."""
        if self.current is not None:
            place = self.studies.index(self.current) + by
            self.show(self.studies[min(max(place, 0), len(self.studies) - 1)].number)

    def remove(self, number: int) -> None:
        """Close a study and free everything held of it; its neighbour is shown if it was the one shown."""
        place = next((i for i, one in enumerate(self.studies) if one.number == number), None)
        if place is None:
            return
        removed = self.studies.pop(place)
        self._shown = [one for one in self._shown if one != number]
        if removed is self.current:
            self.current = None
            if self.studies:
                self.show(self.studies[min(place, len(self.studies) - 1)].number)

    def waiting(self) -> OpenStudy | None:
        """The next study that is due, in the order opened; None when none is."""
        return next((one for one in self.studies if self.is_due(one)), None)

    def is_due(self, study: OpenStudy) -> bool:
        """Whether a study was never read, or scored the other way than is asked for now."""
        other_way = study.averaged != self.averaged and study.restore is None
        return study.state == "waiting" or (study.state == "read" and other_way)

    def retry(self) -> None:
        """Let every study that was refused for a cause that may pass be read again."""
        for one in self.studies:
            if one.may_retry:
                one.state, one.outcome, one.reading, one.may_retry = "waiting", "Waiting", None, False


def decode_study(study: OpenStudy, decode: Decode) -> None:
    """Decode a study's file into ``study.radiograph``; a refusal or a failure makes it ``unreadable``."""
    if study.radiograph is None:
        with study.lock:
            _decoded(study, decode)


def read_study(study: OpenStudy, decode: Decode, read: Read, averaged: bool = False) -> None:
    """Decode and read a study; whatever goes wrong becomes a refusal with a reason, never an exception.

    A reading that was made the other way, averaged or not, is replaced.

    Safe to call from several threads: one reads, the others wait for it. What the user does meanwhile, such as
    :meth:`OpenStudies.release`, does not disturb it.
    """
    before = study.state
    with study.lock:
        known = study.reading is not None or study.state != before  # perhaps another thread has just read it
        if known and (study.averaged == averaged or study.restore is not None):
            return
        radiograph = _decoded(study, decode)
        if radiograph is None:
            return
        may_retry = True
        try:
            if study.restore is None:
                reading = read(radiograph, study.decode_milliseconds, averaged)
            else:
                reading = study.restore()
            may_retry = False
        except Refusal as refusal:
            reading = without_score(radiograph, refusal.reason)
        except Exception as failure:
            reading = without_score(radiograph, _failed("read", failure))
        study.radiograph, study.reading, study.may_retry = reading.radiograph, reading, may_retry
        study.averaged = averaged
        study.outcome = _outcome(reading)
        study.state = "read" if reading.accepted else "refused"


def _decoded(study: OpenStudy, decode: Decode) -> Radiograph | None:
    """The study's picture, decoded if need be; None when that is not possible. The caller holds the study's lock."""
    radiograph = study.radiograph
    if radiograph is not None or study.state == "unreadable":
        return radiograph
    start = time.perf_counter()
    try:
        radiograph = decode(study.data, study.name)
    except Refusal as refusal:
        study.outcome, study.state = refusal.reason, "unreadable"
        return None
    except Exception as failure:
        study.outcome, study.state = _failed("decoded", failure), "unreadable"
        return None
    study.decode_milliseconds = 1000 * (time.perf_counter() - start)
    if study.thumbnail is None:
        study.thumbnail = thumbnail(radiograph)
    study.radiograph = radiograph
    return radiograph


def without_score(radiograph: Radiograph, reason: str) -> Reading:
    """A reading that only says why there is none."""
    return Reading(radiograph, False, reason, None, (), None, {}, "", {})


def _outcome(reading: Reading) -> str:
    """One line for the worklist: what is called present, else what is uncertain; or the reason of a refusal.

    No Finding is named only where no other finding is: it must never hide one.
    """
    if not reading.accepted:
        return reading.reason or "Not read"
    for call, lead in (("present", ""), ("uncertain", "Uncertain: ")):
        called = [one for one in reading.findings if one.call == call]
        abnormal = [one for one in called if BY_KEY[one.key] in ABNORMAL]
        if named := abnormal or called:
            return lead + ", ".join(f"{BY_KEY[one.key].name} {one.probability:.0%}" for one in named)
    return "No finding reaches its band"


def _failed(verb: str, failure: Exception) -> str:
    """Log where it failed, without the message, which may name a patient; return the line shown."""
    log.error(
        "A study could not be %s: %s\n%s", verb, type(failure).__name__, "".join(format_tb(failure.__traceback__))
    )
    return f"This file could not be {verb} ({type(failure).__name__}). The server's log has the details."


def thumbnail(radiograph: Radiograph) -> np.ndarray:
    """The picture with a long side of ``THUMBNAIL_SIDE`` pixels: uint8 (height, width), 255 is white."""
    scale = THUMBNAIL_SIDE / max(radiograph.height, radiograph.width)
    size = (max(1, round(radiograph.width * scale)), max(1, round(radiograph.height * scale)))
    small = cv2.resize(radiograph.pixels, size, interpolation=cv2.INTER_AREA)
    return np.clip(255 * small + 0.5, 0, 255).astype(np.uint8)
