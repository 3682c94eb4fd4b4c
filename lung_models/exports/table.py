"""Readings as JSON and as tables."""

import csv
import io
import json
from collections.abc import Iterable

from lung_models.batch import flat
from lung_models.reading import Reading

BY_MACHINE, BY_HAND = "by the machine", "corrected by hand"


def as_json(reading: Reading, label: str, *, corrected: bool = False) -> str:
    """What the command line prints for a reading, under ``label`` in place of its path, and ``outlines``; indented."""
    said = {**reading.to_json(label), "outlines": BY_HAND if corrected else BY_MACHINE}
    return json.dumps(said, indent=2, ensure_ascii=False)


def as_csv(readings: Iterable[tuple[str, Reading]], *, corrected: bool = False) -> str:
    """One row for each (label, reading), columns as :func:`lung_models.batch.flat` names them, and ``outlines``."""
    outlines = {"outlines": BY_HAND if corrected else BY_MACHINE}
    rows = [{**flat(reading.to_json(label)), **outlines} for label, reading in readings]
    stream = io.StringIO()
    if rows:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return stream.getvalue()
