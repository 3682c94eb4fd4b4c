"""Labelled radiographs on disk, in the layout of shared/data: what a recipe trains on and an evaluation scores.

``classification/labels.csv`` names images and their findings; ``segmentation/manifest.csv`` names images and the
organs drawn on them. Blank labels and organs not listed are unknown, never negative: they are NaN here and are left
out of every loss and every score.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from lung_models.decode import decode
from lung_models.findings import KEYS
from lung_models.preprocess import WHOLE, Frame, network_input
from lung_models.reading import ORGANS

AUXILIARY_LABELS = (
    "Infiltration",
    "Nodule",
    "Mass",
    "Pneumothorax",
    "Pleural_Thickening",
    "Fibrosis",
    "Emphysema",
    "Pneumonia",
    "Hernia",
)
"""The labels of NIH ChestX-ray14 that are not among the six: learnt beside them while training, then dropped."""
REREAD_LABELS = ("Lung Opacity", "Normal")
"""What the radiologists of the RSNA Pneumonia Detection Challenge (Shih et al. 2019) called some of these radiographs:
learnt beside the others, then dropped."""
HELD_OUT_SEED = 20180
HELD_OUT_SHARE = 5  # one in so many images of each source is held out of organ training

Progress = Callable[[int, int, str], None]
"""Called with (done, of, what)."""


def silent(done: int, of: int, what: str) -> None:
    """A progress callback that says nothing."""


@dataclass(frozen=True)
class FindingsSet:
    """Radiographs with labels for the six findings.

    Args:
        paths: Image files, n of them.
        labels: float32 (n, 6), 1, 0 or NaN for unknown, in the order of the findings.
        auxiliary: float32 (n, 9), the same for ``AUXILIARY_LABELS``.
        reread: float32 (n, 2), the same for ``REREAD_LABELS``.
        patients: str (n,), one identifier a patient.
        source: str (n,), the collection each image comes from.
        stratum: str (n,), view, source and stored size together: what a network could use as a shortcut.
        stored_width: int (n,), width in pixels of the file.
    """

    paths: tuple[Path, ...]
    labels: np.ndarray
    auxiliary: np.ndarray
    reread: np.ndarray
    patients: np.ndarray
    source: np.ndarray
    stratum: np.ndarray
    stored_width: np.ndarray

    def __len__(self) -> int:
        return len(self.paths)

    def subset(self, chosen: np.ndarray) -> "FindingsSet":
        """The radiographs chosen by a boolean mask or by indices."""
        positions = np.arange(len(self))[chosen]
        return FindingsSet(
            tuple(self.paths[i] for i in positions),
            self.labels[positions],
            self.auxiliary[positions],
            self.reread[positions],
            self.patients[positions],
            self.source[positions],
            self.stratum[positions],
            self.stored_width[positions],
        )


@dataclass(frozen=True)
class OrgansSet:
    """Radiographs with outlines of the lungs and, for some, the heart.

    Args:
        paths: Image files, n of them.
        masks: For each image the mask files by organ; an organ that is not there is unknown.
        source: str (n,), the collection each image comes from.
    """

    paths: tuple[Path, ...]
    masks: tuple[dict[str, Path], ...]
    source: np.ndarray

    def __len__(self) -> int:
        return len(self.paths)

    def subset(self, chosen: np.ndarray) -> "OrgansSet":
        """The radiographs chosen by a boolean mask or by indices."""
        positions = np.arange(len(self))[chosen]
        return OrgansSet(
            tuple(self.paths[i] for i in positions), tuple(self.masks[i] for i in positions), self.source[positions]
        )

    def with_hearts_repeated(self, times: int) -> "OrgansSet":
        """The same radiographs, those with a drawn heart ``times`` over: most have none, and it is learnt too late."""
        has_heart = np.array(["heart" in files for files in self.masks])
        return self.subset(np.repeat(np.arange(len(self)), np.where(has_heart, times, 1)))

    def held_out(self) -> np.ndarray:
        """bool (n,): the fifth of every source that the shipped networks never trained on, always the same one."""
        chosen = np.zeros(len(self), bool)
        for source in sorted(set(self.source)):
            positions = np.flatnonzero(self.source == source)
            shuffled = np.random.default_rng(HELD_OUT_SEED).permutation(positions)
            chosen[shuffled[: len(positions) // HELD_OUT_SHARE]] = True
        return chosen


def load_findings(data: Path, split: str) -> FindingsSet:
    """The radiographs of ``data/classification`` that belong to a split.

    Args:
        data: Folder in the layout of shared/data.
        split: ``train`` or ``val``.

    Raises:
        FileNotFoundError: when there is no ``classification/labels.csv``.
        ValueError: when it lacks a column.
    """
    folder = data / "classification"
    table = pd.read_csv(_existing(folder / "labels.csv"), dtype={"patient_id": str, "nih_report_labels": str})
    _check_columns(table, {"file", "source", "split", "patient_id", "view", "width", *KEYS, "nih_report_labels"})
    table = table[table["split"] == split].reset_index(drop=True)
    mined = table["nih_report_labels"].str.split("|")
    known = mined.notna()
    auxiliary = np.full((len(table), len(AUXILIARY_LABELS)), np.nan, np.float32)
    for column, label in enumerate(AUXILIARY_LABELS):
        auxiliary[known, column] = [float(label in found) for found in mined[known]]
    reread = np.full((len(table), len(REREAD_LABELS)), np.nan, np.float32)
    if "rsna_read" in table:
        read = table["rsna_read"].notna()
        for column, label in enumerate(REREAD_LABELS):
            reread[read, column] = table["rsna_read"][read] == label
    stratum = table["source"] + " " + table["view"].fillna("?") + " " + table["width"].astype(str)
    return FindingsSet(
        paths=tuple(folder / file for file in table["file"]),
        labels=table[list(KEYS)].to_numpy(np.float32),
        auxiliary=auxiliary,
        reread=reread,
        patients=table["patient_id"].fillna(table["file"]).to_numpy(str),
        source=table["source"].to_numpy(str),
        stratum=stratum.to_numpy(str),
        stored_width=table["width"].to_numpy(int),
    )


def load_organs(data: Path) -> OrgansSet:
    """All radiographs of ``data/segmentation``.

    Raises:
        FileNotFoundError: when there is no ``segmentation/manifest.csv``.
        ValueError: when it lacks a column.
    """
    folder = data / "segmentation"
    table = pd.read_csv(_existing(folder / "manifest.csv"))
    _check_columns(table, {"file", "source", "structures"})
    masks = tuple(
        {
            organ: folder / "masks" / organ / f"{Path(file).stem}.png"
            for organ in ORGANS
            if organ in structures.split("|")
        }
        for file, structures in zip(table["file"], table["structures"], strict=True)
    )
    return OrgansSet(tuple(folder / file for file in table["file"]), masks, table["source"].to_numpy(str))


def read_images(
    paths: Sequence[Path], size: int, progress: Progress = silent, frames: Sequence[Frame] | None = None
) -> np.ndarray:
    """Decode and standardise images as the reader does: uint8 (n, 1, size, size), 255 is white.

    Args:
        paths: Image files, n of them.
        size: Side of the network's input, in pixels.
        progress: Told of the images done.
        frames: What part of each to take; the whole by default.
    """
    images = np.empty((len(paths), 1, size, size), np.uint8)
    for index, path in enumerate(paths):
        radiograph = decode(path.read_bytes(), path.name)
        images[index] = np.rint(
            network_input(radiograph.pixels, size, WHOLE if frames is None else frames[index]) * 255.0
        )
        progress(index + 1, len(paths), "images read")
    return images


def read_masks(masks: Sequence[dict[str, Path]], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Organ masks resized to the network's square.

    Returns:
        uint8 (n, 3, size, size), 1 inside, and bool (n, 3), which organs are known.
    """
    drawn = np.zeros((len(masks), len(ORGANS), size, size), np.uint8)
    known = np.zeros((len(masks), len(ORGANS)), bool)
    for index, files in enumerate(masks):
        for channel, organ in enumerate(ORGANS):
            if organ in files:
                full = cv2.imread(str(files[organ]), cv2.IMREAD_GRAYSCALE)
                if full is None:
                    raise FileNotFoundError(f"{files[organ]} is missing or is not a picture: restore it.")
                drawn[index, channel] = cv2.resize(full, (size, size), interpolation=cv2.INTER_AREA) >= 128
                known[index, channel] = True
    return drawn, known


def prior_log_odds(targets: np.ndarray, stratum: np.ndarray, *, smoothing: float = 20.0) -> np.ndarray:
    """How likely each label is before the picture is looked at, given only its stratum.

    Added to the logits while training (logit adjustment, Menon et al. 2021), it leaves to the network only what view,
    hospital and stored size do not already say.

    Args:
        targets: float32 (n, labels), 1, 0 or NaN.
        stratum: str (n,).
        smoothing: Weight of the whole set's frequency in each stratum, in images.

    Returns:
        float32 (n, labels), natural log-odds.
    """
    overall = np.nan_to_num(np.nanmean(targets, axis=0), nan=0.5).clip(1e-4, 1 - 1e-4)
    result = np.empty_like(targets)
    for name in np.unique(stratum):
        rows = stratum == name
        positives = np.nansum(targets[rows], axis=0)
        count = np.sum(~np.isnan(targets[rows]), axis=0)
        frequency = (positives + smoothing * overall) / (count + smoothing)
        result[rows] = np.log(frequency / (1.0 - frequency))
    return result


def fingerprint(files: Sequence[Path], *labels: np.ndarray) -> str:
    """A short hash of which files make a set, by name, and of their labels."""
    digest = hashlib.sha256("\n".join(path.name for path in files).encode())
    for array in labels:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: --data takes a folder laid out as described in docs/training.md.")
    return path


def _check_columns(table: pd.DataFrame, wanted: set[str]) -> None:
    if missing := sorted(wanted - set(table.columns)):
        raise ValueError(f"The table of labels lacks {', '.join(missing)}: see docs/training.md for its layout.")
