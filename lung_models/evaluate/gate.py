"""Figures of the gate: what it accepts, what it refuses, and whether it names how a radiograph is turned.

Each figure is a share of pictures; its interval is Wilson's score interval (Wilson 1927; Newcombe 1998, method 3),
for a bootstrap of pictures that all went well has no width.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from lung_models import runtime
from lung_models.decode import decode
from lung_models.evaluate import other_pictures as others
from lung_models.figures import Figure, share
from lung_models.gate import MIRRORED, REASONS, Gate, Verdict
from lung_models.radiograph import Radiograph, Refusal
from lung_models.training.labelled_set import Progress, load_findings, load_organs, silent
from lung_models.weights import Card, WeightStore

SEED = 7  # of what is drawn and cut; the gate is taught with others
RADIOGRAPHS = 120  # of val that are turned, inverted, mirrored and cut
ACCEPTED, REFUSED = "Accepted", "Refused"
NAMED, FLAGGED = "Refused and named as such", "Accepted and flagged as mirrored"
TAUGHT = "all radiographs with outlines, most or all of which taught outlines and gate"
UNTAUGHT = "radiographs that taught neither outlines nor gate"
PICTURES = "pictures of kinds and sources that did not teach the gate, grey"
TURNED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "turned_clockwise": lambda pixels: np.rot90(pixels, -1),
    "turned_anticlockwise": lambda pixels: np.rot90(pixels, 1),
    "upside_down": lambda pixels: np.rot90(pixels, 2),
    "inverted": lambda pixels: 1.0 - pixels,
}
"""What is done to an upright radiograph, by what the gate should call it."""


def gate_of(store: WeightStore, card: Card) -> Gate:
    """The gate of an organ model, ready to judge."""
    network = runtime.start(store.load(card), card.input_size, card.stamp.sha256)
    return Gate(network, card.input_size, float(card.data["gate"]["distance_limit"]))


def gate_figures(gate: Gate, data: Path, progress: Progress = silent) -> list[Figure]:
    """All figures of the gate.

    Args:
        gate: The gate of a version.
        data: Folder in the layout of shared/data; of ``classification`` only the split ``val`` is used, and where it
            is missing, so are the figures that rest on it.
        progress: Told of the kinds of pictures done.
    """
    labelled = load_organs(data)
    upright = {f"segmentation, {source}": _of(labelled.paths, labelled.source, source) for source in labelled.source}
    val = load_findings(data, "val").paths if (data / "classification" / "labels.csv").is_file() else ()
    tasks = [lambda: _accepted(gate, upright), lambda: _others(gate)]
    if val:
        tasks += [lambda: _val(gate, val), lambda: _changed(gate, val)]
    figures = []
    for done, task in enumerate(tasks, start=1):
        figures += task()
        progress(done, len(tasks), "parts of the gate's test done")
    return figures


def _accepted(gate: Gate, upright: dict[str, list[Path]]) -> list[Figure]:
    """Radiographs with outlines, by source and together."""
    held = {name: [_read(gate, path).reason is None for path in paths] for name, paths in sorted(upright.items())}
    every = [accepted for one in held.values() for accepted in one]
    by_source = [figure for name, one in held.items() for figure in share(ACCEPTED, name, one, TAUGHT)]
    return [*by_source, *share(ACCEPTED, "segmentation, all sources", every, TAUGHT)]


def _val(gate: Gate, paths: Sequence[Path]) -> list[Figure]:
    """Radiographs of val as they are."""
    verdicts = [_read(gate, path) for path in paths]
    accepted = [verdict for verdict in verdicts if verdict.reason is None]
    return [
        *share(ACCEPTED, "val", (verdict.reason is None for verdict in verdicts), UNTAUGHT),
        *share(FLAGGED, "val, not mirrored", (_is_flagged(verdict) for verdict in accepted), UNTAUGHT),
    ]


def _changed(gate: Gate, paths: Sequence[Path]) -> list[Figure]:
    """Radiographs of val turned, inverted, mirrored and cut."""
    rng = np.random.default_rng(SEED)
    chosen = [paths[i] for i in rng.permutation(len(paths))[:RADIOGRAPHS]]
    named: dict[str, list[bool]] = {name: [] for name in TURNED}
    refused: list[bool] = []
    cut: dict[str, list[bool]] = {}
    flagged = []
    for number, path in enumerate(chosen):
        pixels = decode(path.read_bytes(), path.name).pixels
        for name, change in TURNED.items():
            reason = _judge(gate, change(pixels)).reason
            named[name].append(reason == REASONS[name])
            refused.append(reason is not None)
        flagged.append(_is_flagged(_judge(gate, pixels[:, ::-1])))
        for name, part in others.thirds(pixels, SEED + number):
            cut.setdefault(name, []).append(_judge(gate, part).reason is not None)
    figures = share(REFUSED, "turned or inverted radiographs", refused, UNTAUGHT)
    for name, held in named.items():
        figures += share(NAMED, name.replace("_", " "), held, UNTAUGHT)
    figures += share(FLAGGED, "mirrored", flagged, UNTAUGHT)
    for name, held in cut.items():
        figures += share(REFUSED, f"a third of a radiograph: {name}", held, UNTAUGHT)
    return figures


def _others(gate: Gate) -> list[Figure]:
    """Pictures of other things; DICOM files also as files, which the decoder refuses for what they state."""
    pictures: dict[str, Iterable[np.ndarray]] = {
        "photographs of scikit-image and scikit-learn, whole and quarters": others.photographs(),
        "pictures in DICOM files that are no chest radiograph": others.dicom_pictures(),
        "noise": others.noise(SEED),
        "text": others.texts(SEED),
        "drawn shapes": others.shapes(SEED),
    }
    figures = share(
        REFUSED,
        "DICOM files that are no chest radiograph",
        (_read(gate, path).reason is not None for path in others.dicom_files()),
        "files that pydicom and pydicom-data ship",
    )
    for name, kind in pictures.items():
        figures += share(REFUSED, name, (_judge(gate, picture).reason is not None for picture in kind), PICTURES)
    return figures


def _of(paths: Sequence[Path], source: np.ndarray, wanted: str) -> list[Path]:
    return [path for path, one in zip(paths, source, strict=True) if one == wanted]


def _read(gate: Gate, path: Path) -> Verdict:
    """The verdict on a file; what can't be decoded is refused."""
    try:
        return gate.judge(decode(path.read_bytes(), path.name))
    except Refusal as refusal:
        return Verdict(refusal.reason, None)


def _judge(gate: Gate, pixels: np.ndarray) -> Verdict:
    return gate.judge(Radiograph(np.ascontiguousarray(pixels, np.float32), "picture", "raster"))


def _is_flagged(verdict: Verdict) -> bool:
    return verdict.reason is None and verdict.anatomy is not None and MIRRORED in verdict.anatomy.flags
