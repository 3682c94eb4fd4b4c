"""Many inputs read one after the other: one bad file never stops the rest.

``read_one`` reads a single input into the command line's JSON line; :class:`Batch` does so with a whole list in a
thread of its own, which can be paused and cancelled while its results are looked at.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lung_models.decode import decode
from lung_models.decode.limits import Limits
from lung_models.findings import KEYS
from lung_models.inputs import Source, sources
from lung_models.radiograph import Refusal
from lung_models.reader import Reader
from lung_models.reading import Reading

State = Literal["running", "paused", "cancelled", "finished"]
Line = dict[str, Any]
Keep = Callable[[bytes, Reading], int]
"""Keeps a reading of a file; returns its number."""


@dataclass(frozen=True)
class One:
    """One input, read.

    Args:
        line: What the command line prints for it.
        reading: None when it could not be decoded or read.
        data: The file, where it could be had.
    """

    line: Line
    reading: Reading | None
    data: bytes


def read_one(reader: Reader, source: Source, averaged: bool = False) -> One:
    """Read one input; whatever goes wrong becomes a line with a reason."""
    began = time.perf_counter()
    data = b""
    try:
        data = source.read(Limits())
        radiograph = decode(data, source.name)
        reading = reader.read(radiograph, (time.perf_counter() - began) * 1000.0, averaged=averaged)
        return One(reading.to_json(source.path), reading, data)
    except Refusal as refusal:
        reason = refusal.reason
    except Exception as failure:  # its message may name a patient
        reason = f"The radiograph could not be read ({type(failure).__name__})."
    spent = round((time.perf_counter() - began) * 1000.0, 1)
    line = {
        "path": source.path,
        "accepted": False,
        "reason": reason,
        "view": None,
        "primary": None,
        "findings": None,
        "anatomy": None,
        "models": {
            card.network: {"version": card.version, "sha256": card.stamp.sha256}
            for card in (reader.findings_card, reader.organs_card)
        },
        "milliseconds": {"decode": spent, "organs": 0.0, "findings": 0.0, "total": spent},
    }
    return One(line, None, data)


def flat(line: Line) -> dict[str, Any]:
    """A line as one row of a table: the same columns for every input, empty where there is no score."""
    findings, anatomy = line["findings"] or {}, line["anatomy"] or {}
    row = {name: line[name] for name in ("path", "accepted", "reason", "view", "primary")}
    for key in KEYS:
        for name in ("probability", "threshold", "call"):
            row[f"{key}_{name}"] = findings.get(key, {}).get(name)
    for name in ("cardiothoracic_ratio", "right_lung_fraction", "left_lung_fraction"):
        row[name] = anatomy.get(name)
    row["flags"] = " ".join(anatomy.get("flags", []))
    for network in ("findings", "organs"):
        stamp = line["models"].get(network, {})
        row[f"{network}_version"], row[f"{network}_sha256"] = stamp.get("version"), stamp.get("sha256")
    return {**row, "reading": line.get("reading"), "not_kept": line.get("not_kept")}


def kept(keep: Keep | None, one: One) -> Line:
    """What keeping it adds to its line: ``reading``, its number, or ``not_kept``, why not. Unreadable: nothing."""
    if keep is None or one.reading is None:
        return {}
    try:
        return {"reading": keep(one.data, one.reading)}
    except Exception as failure:  # a full disk, a locked database: the rest is still read
        return {"not_kept": f"Not kept ({type(failure).__name__}): see that the data folder can be written to."}


class Batch:
    """Reads many inputs in a thread of its own.

    Lines are added in order; what is there can be looked at any time. Pausing takes effect before the next input, so
    does cancelling, which keeps what was read.

    Args:
        paths: Files, folders, ZIP archives.
        reader: Reads them.
        averaged: Average each over several views.
        keep: Keeps every reading, refused ones too, see :func:`kept`.
        name: What a source is called in its line; by default its path.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        reader: Reader,
        *,
        averaged: bool = False,
        keep: Keep | None = None,
        name: Callable[[Source], str] = lambda source: source.path,
    ) -> None:
        self.paths = list(paths)
        self.total = sum(1 for _ in sources(self.paths))
        self.lines: list[Line] = []
        self._reader, self._averaged, self._keep, self._name = reader, averaged, keep, name
        self._going = threading.Event()
        self._going.set()
        self._cancelled = False
        self._thread = threading.Thread(target=self._run, args=(sources(self.paths),), daemon=True)

    def start(self) -> "Batch":
        """Begin; returns itself."""
        self._thread.start()
        return self

    @property
    def state(self) -> State:
        """How it stands."""
        if self._thread.is_alive():
            return "running" if self._going.is_set() else "paused"
        return "cancelled" if self._cancelled else "finished"

    def pause(self) -> None:
        """Read no further until :meth:`go_on`."""
        self._going.clear()

    def go_on(self) -> None:
        """Read on."""
        self._going.set()

    def cancel(self) -> None:
        """Read no further for good."""
        self._cancelled = True
        self._going.set()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def _run(self, every: Iterable[Source]) -> None:
        for source in every:
            self._going.wait()
            if self._cancelled:
                return
            one = read_one(self._reader, source, self._averaged)
            self.lines.append({**one.line, "path": self._name(source), **kept(self._keep, one)})
