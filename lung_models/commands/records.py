"""The commands of kept readings: ``export`` and ``worklist``."""

import argparse
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from lung_models.findings import BY_KEY

if TYPE_CHECKING:
    from lung_models.records.worklist import Entry

log = logging.getLogger("lung_models")

EXPORTS = {
    "pdf": "a report, one page",
    "seg": "a DICOM Segmentation of the organs",
    "sr": "a DICOM Structured Report (TID 1500)",
    "sc": "a DICOM Secondary Capture with the overlays drawn in",
    "png": "the same as a picture",
    "json": "the reading as JSON",
    "csv": "the reading as one row of a table",
}


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands to a parser."""
    export = commands.add_parser("export", help="write a kept reading as PDF, picture, table or DICOM")
    export.add_argument("reading", type=int, metavar="ID", help="as `read --keep` and `worklist` give it")
    for kind, meaning in EXPORTS.items():
        export.add_argument(f"--{kind}", type=Path, metavar="FILE", help=meaning)
    export.set_defaults(run=_export, parser=export)

    listed = commands.add_parser("worklist", help="the kept studies, the newest first")
    listed.add_argument("--json", action="store_true", help="one JSON object a line")
    listed.add_argument("--search", default="", help="part of a pseudonym or of a model version")
    listed.set_defaults(run=_worklist)


def _export(options: argparse.Namespace) -> int:
    wanted = {kind: path for kind in EXPORTS if (path := getattr(options, kind)) is not None}
    if not wanted:
        options.parser.error(f"name at least one file to write: {', '.join(f'--{kind}' for kind in EXPORTS)}")
    from lung_models.access import local_person
    from lung_models.exports.export import of_kept, render_on_record
    from lung_models.records.database import Database

    database = Database()
    exported = of_kept(database, options.reading)
    for kind, path in wanted.items():
        path.write_bytes(render_on_record(database, exported, kind, local_person().name, options.reading))
        log.info("Wrote %s.", path)
    return 0


def _worklist(options: argparse.Namespace) -> int:
    from lung_models.records import worklist
    from lung_models.records.database import Database

    database, wanted = Database(), worklist.Wanted(search=options.search)
    for number in range(-(-worklist.count(database, wanted) // worklist.PAGE)):
        for entry in worklist.page(database, wanted, number):
            print(json.dumps(_object(entry)) if options.json else _line(entry), flush=True)
    return 0


def _object(entry: "Entry") -> dict[str, object]:
    return {
        "reading": entry.reading,
        "study": entry.study,
        "patient": entry.patient,
        "study_date": entry.study_date.isoformat() if entry.study_date else None,
        "kept": entry.kept.isoformat(),
        "view": entry.view,
        "accepted": entry.accepted,
        "reason": entry.reason,
        "primary": entry.primary,
        "findings": {
            key: {"probability": round(probability, 4), "call": entry.calls[key]}
            for key, probability in entry.probabilities.items()
        }
        or None,
        "cardiothoracic_ratio": entry.cardiothoracic_ratio,
        "version": entry.version,
        "burned_in": entry.burned_in,
        "verdicts": [{"by": by, "finding": key, "says": says} for by, key, says in entry.opinions],
    }


def _line(entry: "Entry") -> str:
    present = [BY_KEY[key].name for key, call in entry.calls.items() if call == "present"]
    outcome = (", ".join(present) or "none present") if entry.accepted else f"refused: {entry.reason}"
    taken = entry.study_date.isoformat() if entry.study_date else "no date   "
    return f"{entry.reading:>6}  {entry.patient}  {taken}  {outcome}"
