"""Readings as JSON and as tables."""

import csv
import io
import json
from collections.abc import Iterable

from lung_models.batch import flat
from lung_models.reading import Reading


def as_json(reading: Reading, label: str) -> str:
    """What the command line prints for a reading, under ``label`` in place of its path, indented."""
    return json.dumps(reading.to_json(label), indent=2, ensure_ascii=False)


def as_csv(readings: Iterable[tuple[str, Reading]]) -> str:
    """One row for each (label, reading), columns as :func:`lung_models.batch.flat` names them."""
    rows = [flat(reading.to_json(label)) for label, reading in readings]
    stream = io.StringIO()
    if rows:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return stream.getvalue()
