"""A labelled set as it is learnt from: pictures without tags, labels, patients by number, and the split, never changed.

set.json            what it is, how it was understood, what was left out, how it was split
items.npz           labels, patients, parts, geometry and frames, one row a radiograph
images/DIGEST.png   16-bit grey, reduced
masks/ORGAN/DIGEST.png
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from zipfile import BadZipFile

import cv2
import numpy as np

from lung_models.access import Person, require
from lung_models.findings import FINDINGS, KEYS
from lung_models.intake import split
from lung_models.intake.examine import Examined
from lung_models.intake.listing import Kind, Problem
from lung_models.preprocess import Frame
from lung_models.radiograph import Radiograph
from lung_models.reading import ORGANS

LEAST_PATIENTS = 10  # fewer cannot be dealt into three parts that mean anything
LEARN = 5  # of each class to learn from; with fewer the parent's head is kept for that finding
JUDGE = 10  # of each class held out; with fewer an interval is too wide to tell better from worse


@dataclass(frozen=True)
class FrozenSet:
    """A labelled set on disk, n radiographs.

    Args:
        folder: Where it lies.
        about: All of ``set.json``.
        names: str (n,), the files' paths in the set that came in.
        digests: str (n,), SHA-256 of the files.
        labels: float32 (n, 6), 1, 0 or NaN for unknown; all NaN in a set of organs.
        patients: str (n,), numbers in place of identities.
        parts: str (n,), ``train``, ``validation`` or ``held_out``.
        geometry: float32 (n, 6).
        frames: float32 (n, 4), left, top, right, bottom.
    """

    folder: Path
    about: dict[str, Any]
    names: np.ndarray
    digests: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    parts: np.ndarray
    geometry: np.ndarray
    frames: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    @property
    def kind(self) -> Kind:
        """What it is to teach."""
        return cast(Kind, self.about["kind"])

    @property
    def sha256(self) -> str:
        """Of files, labels and split: what a card names the set by."""
        return str(self.about["sha256"])

    @property
    def problems(self) -> list[Problem]:
        """Everything that was left out."""
        return [Problem(**problem) for problem in self.about["problems"]]

    def rows(self, part: str) -> np.ndarray:
        """Indices of a part's radiographs."""
        return np.flatnonzero(self.parts == part)

    def counts(self) -> dict[str, int]:
        """Radiographs in each part, and how many were left out."""
        return {**{part: len(self.rows(part)) for part in split.PARTS}, "left_out": len(self.about["problems"])}

    def picture(self, row: int) -> Path:
        """The kept picture of a radiograph."""
        return self.folder / "images" / f"{self.digests[row]}.png"

    def masks(self, row: int) -> dict[str, Path]:
        """The masks of a radiograph, by organ."""
        paths = {organ: self.folder / "masks" / organ / f"{self.digests[row]}.png" for organ in ORGANS}
        return {organ: path for organ, path in paths.items() if path.is_file()}

    def frame(self, row: int) -> Frame:
        """The frame around a radiograph's organs."""
        return Frame(*(float(edge) for edge in self.frames[row]))

    def radiograph(self, row: int) -> Radiograph:
        """A kept radiograph, as decoding gave it but for its size."""
        stored = cv2.imread(str(self.picture(row)), cv2.IMREAD_UNCHANGED)
        if stored is None:
            raise FileNotFoundError(f"{self.picture(row)} is missing: the labelled set is damaged, bring it in again.")
        return Radiograph((stored / np.float32(65535.0)).astype(np.float32), f"radiograph {row + 1}", "raster", 16)


def freeze(examined: Examined, root: Path, *, by: Person) -> FrozenSet:
    """Split what was found usable and write the set, once and for all.

    Args:
        examined: From :func:`lung_models.intake.examine.examine`; its folder is moved.
        root: Folder of sets.
        by: Who brings it in: a trainer.

    Raises:
        Forbidden: when they may not.
        ValueError: when too few patients are left to split.
    """
    require(by, "trainer")
    pictures, problems = list(examined.pictures), list(examined.problems)
    identities = [picture.patient or picture.entry.file for picture in pictures]
    straddles = split.straddling(np.array(identities), [picture.entry.part for picture in pictures])
    for picture in (one for one, out in zip(pictures, straddles, strict=True) if out):
        problems.append(
            Problem(picture.entry.file, "Its patient is in another part of the set too: only that is kept.")
        )
    pictures = [picture for picture, out in zip(pictures, straddles, strict=True) if not out]
    numbers: dict[str, str] = {}
    for picture in pictures:
        numbers.setdefault(picture.patient or picture.entry.file, f"P{len(numbers) + 1:05}")
    if len(numbers) < LEAST_PATIENTS:
        raise ValueError(
            f"Only {len(numbers)} patients are left that can be used; at least {LEAST_PATIENTS} are needed to learn "
            f"from some and judge by others. {len(problems)} files were left out."
        )
    patients = np.array([numbers[picture.patient or picture.entry.file] for picture in pictures])
    unknown = np.full(len(KEYS), np.nan, np.float32)
    labels = np.stack([unknown if one.entry.labels is None else one.entry.labels for one in pictures])
    drawn = np.array([len(picture.entry.masks) for picture in pictures])
    classes = split.rarest(labels) if examined.listing.kind == "findings" else drawn
    parts, how = split.deal(classes, patients, [picture.entry.part for picture in pictures])
    items = {
        "names": np.array([picture.entry.file for picture in pictures]),
        "digests": np.array([picture.digest for picture in pictures]),
        "labels": labels.astype(np.float32),
        "patients": patients,
        "parts": parts,
        "geometry": np.stack([picture.geometry for picture in pictures]),
        "frames": np.stack([picture.frame for picture in pictures]),
    }
    unnamed = sum(picture.patient is None for picture in pictures)
    about = {
        "kind": examined.listing.kind,
        "sha256": _digest(items),
        "layout": examined.listing.layout,
        "mapping": [list(pair) for pair in examined.listing.mapping],
        "split": how,
        "warnings": [*_patient_warnings(unnamed, len(pictures)), *_count_warnings(items, examined.listing.kind)],
        "problems": [{"file": one.file, "problem": one.problem} for one in sorted(problems, key=lambda p: p.file)],
        "organs_sha256": examined.organs_sha256,
    }
    folder = root / hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    about["frozen"] = datetime.now(UTC).isoformat(timespec="seconds")
    np.savez(examined.folder / "items.npz", allow_pickle=False, **items)
    (examined.folder / "set.json").write_text(json.dumps(about, indent=2, ensure_ascii=False))
    try:
        there = load(folder)  # the very same set was brought in before, and a job may be learning from it
    except ValueError:
        shutil.rmtree(folder, ignore_errors=True)
        examined.folder.replace(folder)
        return load(folder)
    shutil.rmtree(examined.folder, ignore_errors=True)
    return there


def load(folder: Path) -> FrozenSet:
    """A set from disk.

    Raises:
        ValueError: when it is not there or not whole.
    """
    try:
        about = json.loads((folder / "set.json").read_text())
        with np.load(folder / "items.npz", allow_pickle=False) as items:
            found = FrozenSet(folder, about, **{name: items[name] for name in items.files})
    except (OSError, ValueError, TypeError, KeyError, EOFError, BadZipFile) as error:
        raise ValueError(f"The labelled set in {folder} is missing or damaged: bring it in again.") from error
    return found


def _digest(items: dict[str, np.ndarray]) -> str:
    """Hash of what decides what is learnt: which files, their labels, patients and parts."""
    digest = hashlib.sha256()
    for name in ("digests", "patients", "parts"):
        digest.update("\n".join(items[name].tolist()).encode())
    digest.update(np.ascontiguousarray(items["labels"]).tobytes())
    return digest.hexdigest()


def _patient_warnings(unnamed: int, count: int) -> list[str]:
    """What follows when patients are not named."""
    if not unnamed:
        return []
    return [
        f"{unnamed} of {count} radiographs name no patient, and each counts as another one: if two are of the same, "
        "they may stand on both sides of the split, and the figures come out too good."
    ]


def _count_warnings(items: dict[str, np.ndarray], kind: Kind) -> list[str]:
    """For each finding with too few radiographs, what that means."""
    warnings = []
    if kind == "organs":
        held_out = int((items["parts"] == "held_out").sum())
        if held_out < JUDGE:
            warnings.append(f"Only {held_out} radiographs are held out: too few to tell better from worse.")
        return warnings
    unsaid = [finding.name for column, finding in enumerate(FINDINGS) if np.isnan(items["labels"][:, column]).all()]
    if unsaid:
        warnings.append(f"Nothing is said of {', '.join(unsaid)}: there the version keeps what its parent knows.")
    for column, finding in enumerate(FINDINGS):
        if finding.name in unsaid:
            continue
        counted = {part: items["labels"][items["parts"] == part, column] for part in split.PARTS}
        learnt = [int((counted["train"] == value).sum()) for value in (1, 0)]
        judged = [int((counted["held_out"] == value).sum()) for value in (1, 0)]
        if min(learnt) < LEARN:
            meaning = "too few to learn from, so this finding keeps what the parent knows"
            warnings.append(f"{finding.name}: {learnt[0]} with and {learnt[1]} without it to learn from; {meaning}.")
        elif min(judged) < JUDGE:
            meaning = "too few to tell better from worse"
            warnings.append(f"{finding.name}: {judged[0]} with and {judged[1]} without it held out; {meaning}.")
    return warnings
