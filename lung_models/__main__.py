"""The command line: ``python -m lung_models COMMAND``. Others script against it; DESIGN's contract says what it prints.

Results go to standard output, everything else to standard error. Exit codes: 0, 1 (work failed), 2 (usage).
"""

import argparse
import io
import json
import logging
import os
import sys
from collections.abc import Sequence
from getpass import getuser
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lung_models.batch import Keep, kept, read_one
from lung_models.commands import audit, models, pacs, records, report, train, worker
from lung_models.findings import FINDINGS
from lung_models.inputs import sources
from lung_models.radiograph import Refusal
from lung_models.reader import Reader
from lung_models.reading import Reading
from lung_models.weights import DEFAULT_ROOT, NETWORKS, WeightStore

UPRIGHT = "in the pixels of the upright picture, as displayed: after its PatientOrientation or EXIF orientation"

log = logging.getLogger("lung_models")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for chatty in ("accelerate", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name need not be text
    try:
        code = int(options.run(options))
        sys.stdout.flush()
        return code
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, OSError):
            _drop_unwritten_output()
        if not isinstance(error, BrokenPipeError):
            log.error("%s", _what_failed(error))
        return 1


def _what_failed(error: BaseException) -> str:
    """One line. Of errors that this library doesn't raise itself only the kind is told: they may quote a file."""
    if isinstance(error, KeyboardInterrupt):
        return "Stopped."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'Writing the results'}: {error.strerror}."
    if isinstance(error, (Refusal, ValueError, OSError)) and str(error):
        return " ".join(str(error).split())
    return f"The command failed ({type(error).__name__})."


def _drop_unwritten_output() -> None:
    """Forget results that could not be written, lest Python tries again as it exits and shows a traceback."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lung_models", description="Read frontal chest radiographs.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--weights", type=Path, default=DEFAULT_ROOT, help="folder of versions (default: weights/)")

    read = commands.add_parser("read", parents=[shared], help="read files, folders or ZIP archives")
    read.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    read.add_argument("--json", action="store_true", help="one JSON object a line")
    read.add_argument(
        "--masks", type=Path, metavar="DIR", help=f"write NAME.png: 1 right lung, 2 left lung, 3 heart; {UPRIGHT}"
    )
    read.add_argument(
        "--heatmaps", type=Path, metavar="DIR", help=f"write NAME.npz: one float32 array a finding; {UPRIGHT}"
    )
    read.add_argument("--keep", action="store_true", help="keep each reading, without identity, in the worklist")
    read.add_argument(
        "--average", action="store_true", help="average over ten views, mirrored and shifted a little; show the spread"
    )
    read.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    read.add_argument("--findings", metavar="VERSION", help="read with this version instead of the active one")
    read.set_defaults(run=_read)

    evaluate = commands.add_parser("evaluate", parents=[shared], help="figures with 95 %% intervals")
    evaluate.add_argument("network", choices=NETWORKS)
    evaluate.add_argument("--data", type=Path, required=True, metavar="DIR")
    evaluate.add_argument("--version", help="default: the active one")
    evaluate.add_argument("--json", action="store_true")
    evaluate.set_defaults(run=_evaluate)

    train.add_to(commands, shared)
    worker.add_to(commands)
    records.add_to(commands)
    pacs.add_to(commands)
    audit.add_to(commands)
    models.add_to(commands, shared)
    return parser


def _read(options: argparse.Namespace) -> int:
    for folder in (options.masks, options.heatmaps):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    reader = Reader.load(options.weights, options.device, options.findings)
    keep = _keeper() if options.keep else None
    taken: set[str] = set()
    failed = 0
    for source in sources(options.paths):
        one = read_one(reader, source, options.average)
        line, reading = {**one.line, **kept(keep, one)}, one.reading
        if options.json:
            print(json.dumps(line), flush=True)
        else:
            print(_table(line), flush=True)
        failed += "not_kept" in line
        if reading is not None and reading.accepted and (options.masks or options.heatmaps):
            _write_pictures(reading, _free_name(Path(source.name).stem, taken), options)
    if failed:
        raise Refusal(f"{failed} readings could not be kept: see not_kept in their lines.")
    return 0


def _keeper() -> Keep:
    """What ``--keep`` keeps readings with."""
    from lung_models.records.database import Database
    from lung_models.records.keeping import keep

    database, by = Database(), getuser()
    return lambda data, reading: keep(database, data, reading, by).reading


def _table(line: dict[str, Any]) -> str:
    """A reading for people."""
    rows = [line["path"]]
    if not line["accepted"]:
        return f"{rows[0]}\n  not read: {line['reason']}"
    for finding in FINDINGS:
        one = line["findings"][finding.key]
        mark = "<- most likely" if line["primary"] == finding.key else ""
        spread = "from {:5.1%} to {:5.1%}  ".format(*one["spread"]) if "spread" in one else ""
        rows.append(
            f"  {finding.name:<17} {one['probability']:7.1%}  {spread}{one['call']:<9} "
            f"(operating point {one['threshold']:.1%}) {mark}".rstrip()
        )
    ratio = line["anatomy"]["cardiothoracic_ratio"]
    rows.append(f"  Cardiothoracic ratio {'not measured' if ratio is None else format(ratio, '.2f')}")
    rows += [f"  Note: {flag}" for flag in line["anatomy"]["flags"]]
    return "\n".join(rows)


def _free_name(stem: str, taken: set[str]) -> str:
    """The input's name, with a number when another input of the same name came before."""
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    if name != stem:
        log.warning("Two inputs have the same name: a number was appended to that of the later one's pictures.")
    taken.add(name)
    return name


def _write_pictures(reading: Reading, name: str, options: argparse.Namespace) -> None:
    height, width = reading.radiograph.height, reading.radiograph.width
    try:
        if options.masks and reading.anatomy is not None:
            _, encoded = cv2.imencode(".png", reading.anatomy.label_map(height, width))
            (options.masks / f"{name}.png").write_bytes(encoded.tobytes())
        if options.heatmaps:
            maps = {one.key: one.heat_map(height, width) for one in reading.findings}
            np.savez_compressed(options.heatmaps / f"{name}.npz", allow_pickle=False, **maps)
    except OSError as error:  # its message names the file, and so perhaps the patient
        raise Refusal(f"The masks or heat maps cannot be written: {error.strerror or 'output error'}.") from error


def _evaluate(options: argparse.Namespace) -> int:
    # Training libraries are loaded only by the commands that need them: `read` starts sooner.
    from lung_models.evaluate import evidence

    store = WeightStore(options.weights)
    card = store.card(options.network, options.version)
    found = evidence(store, card, options.data, report)
    if options.json:
        print(json.dumps({"version": card.version, **found}))
        return 0
    print(f"{card.version} on {options.data}")
    for figure in found["metrics"]:
        interval = f"[{figure['low']:.3f}, {figure['high']:.3f}]"
        print(f"  {figure['name']:<42} {figure['group']:<44} {figure['value']:6.3f} {interval} n={figure['n']}")
    if "where_it_looked" in found:
        from lung_models.evaluate.heat import looks_table

        print("\n".join(looks_table(found["where_it_looked"])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
