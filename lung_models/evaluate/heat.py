"""Where a classifier looked: whether its heat maps point at the right organs and at what its answer rests on.

Every finding called present is tested three ways, always on what the network was given (the frame, where it looks at
one) and with the map as the app shows it, on the version's fixed scale:

- **Heat inside**: share of the heat inside the lungs and the heart, for cardiomegaly inside the heart, beside the share
  of the picture that they take up.
- **Pointing game** (Zhang et al. 2018): a hit when the greatest heat lies inside a box that a radiologist drew. The
  labelled radiographs have no boxes. Here the region is the organs in which the finding must lie, as OrganNet outlined
  them, so that a hit means no more than a place that is anatomically possible; no finding must lie anywhere.
- **Deletion and insertion** (Petsiuk et al. 2018): pixels are replaced by a blurred copy in the order of their heat, or
  brought back into the blurred copy; the calibrated probability is followed. What the map does not explain is held
  fixed: the measured organs and, for No Finding, what the other findings say. A good map has a small area under the
  first curve and a large one under the second.

Beside the map stand a random order, as coarse as the map, and a Gaussian blob in the middle, which many a plausible map
does not beat. Areas are compared in pairs, radiograph by radiograph.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lung_models import anatomy as organs
from lung_models import heatmap
from lung_models.calibration import log_absence
from lung_models.decode import decode
from lung_models.evaluate.perturbation import Score, areas, centred_blob, pointing, ranked, resized
from lung_models.figures import bootstrap
from lung_models.findings import BY_KEY, CARDIOMEGALY, KEYS
from lung_models.preprocess import WHOLE, network_input
from lung_models.radiograph import Radiograph
from lung_models.reader import Reader
from lung_models.reading import Anatomy
from lung_models.training.labelled_set import Progress, load_findings, silent
from lung_models.weights import Card, WeightStore

FEWEST = 10  # cases; with fewer a finding's maps count as not tested
SEED = 12  # of the random orders, another one for every radiograph
MEASURES = (
    *("heat_inside", "chance", "pointing", "pointing_blob"),
    *("deletion", "deletion_random", "deletion_blob", "insertion", "insertion_random", "insertion_blob"),
    *("lead_random", "lead_blob"),
)
"""What is measured of every case. ``chance`` is the region's share of the network's input; a lead is insertion minus
deletion of the map less that of the other order."""
PROTOCOL = (
    "Findings called present, rightly or not, on the radiographs of val that the gate accepts, by the version as "
    "shipped; its head was fitted on val. There are no boxes: the region is the organs in which the finding must lie, "
    "as outlined. Deletion and insertion: area under the calibrated probability while eighths of the network's input "
    "are blurred or brought back, hottest first, with the measured organs and, for No Finding, the other findings held "
    "fixed. Lead: insertion minus deletion "
    "of the map less that of the other order, in pairs; the map is better when the whole 95 % interval (bootstrap over "
    f"patients) is above 0. Fewer than {FEWEST} cases are too few to tell."
)

Case = dict[str, float]
"""One finding called present in one radiograph: each of ``MEASURES``, NaN where there is no heat or no region."""
Measured = dict[str, float]
"""One of ``MEASURES`` over all cases: ``value``, and ``low`` and ``high`` of its 95 % interval."""


@dataclass(frozen=True)
class Looked:
    """How the heat maps of one finding did.

    Args:
        finding: Its key.
        n: Radiographs in which it was called present.
        patients: Patients that they come from.
        region: Where it must lie, in words.
        figures: Each of ``MEASURES``, the mean over the radiographs; None where there was nothing to measure.
    """

    finding: str
    n: int
    patients: int
    region: str
    figures: Mapping[str, Measured | None]

    @property
    def better_than_blob(self) -> bool | None:
        """Whether the map beats the blob by more than chance explains; None with fewer than ``FEWEST`` cases."""
        return self._leads("lead_blob")

    @property
    def better_than_random(self) -> bool | None:
        """The same for the random order: where findings lie far from the middle, a blob does worse than chance."""
        return self._leads("lead_random")

    def _leads(self, measure: str) -> bool | None:
        lead = self.figures[measure]
        return None if self.n < FEWEST or lead is None else lead["low"] > 0

    def to_json(self) -> dict[str, Any]:
        """What a card holds."""
        return {
            "finding": self.finding,
            "n": self.n,
            "patients": self.patients,
            "region": self.region,
            **self.figures,
            "better_than_blob": self.better_than_blob,
            "better_than_random": self.better_than_random,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Looked":
        """What :meth:`to_json` wrote."""
        figures = {name: data[name] for name in MEASURES}
        return cls(data["finding"], data["n"], data["patients"], data["region"], figures)


def where_it_looked(store: WeightStore, card: Card, data: Path, progress: Progress = silent) -> dict[str, Any]:
    """Test the heat maps of a version on val.

    Args:
        store: Holds the version and the organ model it was calibrated with.
        card: The version's.
        data: Folder in the layout of shared/data.
        progress: Told of the radiographs done.

    Returns:
        What a card holds under ``where_it_looked``: ``protocol``, how many ``radiographs`` there were and how many of
        them the gate ``refused``, and ``findings``, one :meth:`Looked.to_json` for each.
    """
    labelled = load_findings(data, "val")
    organs_version = card.data["geometry"]["organs_version"]
    reader = Reader.load(store.root, findings_version=card.version, organs_version=organs_version)
    random, refused = np.random.default_rng(SEED), 0
    cases: dict[str, list[Case]] = {key: [] for key in KEYS}
    patients: dict[str, list[str]] = {key: [] for key in KEYS}
    for done, (path, patient) in enumerate(zip(labelled.paths, labelled.patients, strict=True), start=1):
        measured = _cases_of(reader, decode(path.read_bytes(), path.name), random)
        refused += measured is None
        for key, case in (measured or {}).items():
            cases[key].append(case)
            patients[key].append(str(patient))
        progress(done, len(labelled), "radiographs whose heat maps are tested")
    rows = [summary(key, cases[key], np.array(patients[key])).to_json() for key in KEYS]
    return {"protocol": PROTOCOL, "radiographs": len(labelled), "refused": refused, "findings": rows}


def _cases_of(reader: Reader, radiograph: Radiograph, random: np.random.Generator) -> dict[str, Case] | None:
    """By finding the cases of one radiograph; None when it is refused."""
    reading = reader.read(radiograph)
    outlined = reading.anatomy
    if not reading.accepted or outlined is None:
        return None
    card, net = reader.findings_card, reader.findings_net
    frame = organs.frame(outlined) if card.looks_at_organs else WHOLE
    image = network_input(radiograph.pixels, card.input_size, frame)
    heat = heatmap.closed_form(net.run(image[np.newaxis])[1][0], reader.head_weight)
    heat = heatmap.on_fixed_scale(heat, float(card.data["heat_scale"]))
    present = [one.key for one in reading.findings if one.call == "present"]
    geometry = organs.geometry(outlined)[np.newaxis]
    absence = log_absence(reader.calibration.alone(net.run(image[np.newaxis])[0], geometry))

    def score(images: np.ndarray) -> np.ndarray:
        logits, times = net.run(images)[0], len(images)
        return reader.calibration.probabilities(logits, geometry.repeat(times, axis=0), absence.repeat(times))

    regions = {key: resized(frame.of(region(key, outlined)), card.input_size) >= 0.5 for key in present}
    return measure(score, image[0], {key: heat[KEYS.index(key)] for key in present}, regions, random)


def region(key: str, anatomy: Anatomy) -> np.ndarray:
    """Where a finding must lie: float32 (h, w), 0 or 1, over the whole radiograph."""
    masks = anatomy.organ_probability >= 0.5
    return (masks[2] if key == CARDIOMEGALY.key else masks.max(axis=0)).astype(np.float32)


def measure(
    score: Score,
    image: np.ndarray,
    heat: Mapping[str, np.ndarray],
    regions: Mapping[str, np.ndarray],
    random: np.random.Generator,
) -> dict[str, Case]:
    """Test the maps of one radiograph.

    Args:
        score: The classifier, one output for each finding.
        image: float32 (side, side), 0..1, its input.
        heat: By finding float32 (h, w), at least 0, on a coarse grid over the input.
        regions: By finding bool (side, side), where it must lie.
        random: Draws the random order, which also breaks ties of the others.

    Returns:
        By finding what was measured.
    """
    if not heat:
        return {}
    side = len(image)
    chaos = resized(random.random(next(iter(heat.values())).shape, np.float32), side)
    blob, maps = centred_blob(side), [resized(one, side) for one in heat.values()]
    followed = areas(score, image, [ranked(one, chaos) for one in (chaos, blob, *maps)])
    cases = {}
    for row, (key, one) in enumerate(zip(heat, maps, strict=True), start=2):
        deletion, insertion = followed[[row, 0, 1], :, KEYS.index(key)].T  # map, random, blob
        lead = (insertion - deletion)[0] - (insertion - deletion)[1:]
        values = [*_in_region(one, blob, regions[key]), *deletion, *insertion, *lead]
        cases[key] = dict(zip(MEASURES, map(float, values), strict=True))
    return cases


def _in_region(heat: np.ndarray, blob: np.ndarray, inside: np.ndarray) -> tuple[float, float, float, float]:
    """The first four of ``MEASURES``."""
    if not inside.any():
        return np.nan, np.nan, np.nan, np.nan
    share = heatmap.share_inside(heat, inside)
    hit = np.nan if share is None else pointing(heat, inside)
    return np.nan if share is None else share, float(inside.mean()), hit, pointing(blob, inside)


def summary(key: str, cases: list[Case], patients: np.ndarray) -> Looked:
    """The means over all cases of a finding, with intervals over patients, rounded as a card holds them.

    Args:
        key: The finding's.
        cases: What was measured, n of them.
        patients: str (n,), whose radiograph each was.
    """
    figures = {name: _mean(np.array([case[name] for case in cases]), patients) for name in MEASURES}
    where = "the heart" if key == CARDIOMEGALY.key else "the lungs and the heart"
    return Looked(key, len(cases), len(np.unique(patients)), where, figures)


def _mean(values: np.ndarray, patients: np.ndarray) -> Measured | None:
    known = ~np.isnan(values)
    if not known.any():
        return None
    values, patients = values[known], patients[known]
    low, high = bootstrap(lambda rows: float(values[rows].mean()), patients)
    return {"value": round(float(values.mean()), 4), "low": round(low, 4), "high": round(high, 4)}


def looks_table(found: Mapping[str, Any]) -> list[str]:
    """What :func:`where_it_looked` returned, as lines of text.

    Args:
        found: What it returned; a card's ``where_it_looked``.
    """
    rows = [Looked.from_json(one) for one in found["findings"]]
    places = ("heat_inside", "chance", "pointing", "pointing_blob")
    lines = [_line("Finding", "n", "heat inside", "area (chance)", "hottest inside", "the same of a blob")]
    for row in rows:
        name = BY_KEY[row.finding].name
        lines.append(_line(name, str(row.n), *(_text(row.figures[measure]) for measure in places)))
    lines += ["", _line("Finding", "", "deletion", "insertion", "lead of the map", "")]
    for row in rows:
        for kind, order, better in (
            ("", "map", None),
            ("_random", "random", row.better_than_random),
            ("_blob", "blob", row.better_than_blob),
        ):
            figures = [row.figures[f"{measure}{kind}"] for measure in ("deletion", "insertion")]
            lead = _text(row.figures[f"lead{kind}"]) if kind else ""
            said = {True: "better", False: "no better", None: "too few to tell" if kind else ""}[better]
            name = "" if kind else BY_KEY[row.finding].name
            lines.append(_line(name, order, *map(_text, figures), lead, said))
    return [*lines, "", f"{found['radiographs']} radiographs, {found['refused']} refused. {found['protocol']}"]


def _line(name: str, second: str, *cells: str) -> str:
    return f"{name:17}{second:>7}" + "".join(f"{cell:>24}" for cell in cells)


def _text(figure: Measured | None) -> str:
    return "-" if figure is None else f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"
