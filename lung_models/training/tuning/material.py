"""What every fine-tuning works on: the run, and what the parent sees and says of a labelled set."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lung_models import anatomy, runtime
from lung_models.calibration import Calibration
from lung_models.findings import KEYS
from lung_models.intake.frozen import FrozenSet
from lung_models.preprocess import Frame, network_input
from lung_models.radiograph import Radiograph
from lung_models.reading import Anatomy
from lung_models.training.head import FittedHead, linear_of
from lung_models.training.labelled_set import Progress, silent
from lung_models.training.organs import outline_one
from lung_models.training.trainer import Callback, Stopped
from lung_models.training.tuning.compare import Said
from lung_models.weights import Card, WeightStore

FEATURES_BATCH = 8  # radiographs in a run of the network; more are slower on a CPU


@dataclass(frozen=True)
class TuningRun:
    """What a fine-tuning needs to know beside the request.

    Args:
        labelled: What to learn from, stop on and be judged by.
        store: Where the parent is.
        out: Where the new version is written; may be the same.
        workspace: Folder for the state of the training and for what the page shows of the result.
        reference: Folder laid out as shared/data that is scored too, to see what was forgotten; None without.
        progress: Told of work outside the training loop.
        callbacks: Told after every batch.
        should_stop: Asked at every batch.
        writes: Whether this process is the one that writes the version; the others only help to train.
    """

    labelled: FrozenSet
    store: WeightStore
    out: WeightStore
    workspace: Path
    reference: Path | None = None
    progress: Progress = silent
    callbacks: Sequence[Callback] = ()
    should_stop: Callable[[], bool] = field(default=lambda: False)
    writes: bool = True

    @property
    def seen(self) -> np.ndarray:
        """Rows of the parts that are not held out."""
        return np.concatenate([self.labelled.rows("train"), self.labelled.rows("validation")])

    def check(self) -> None:
        """Raise Stopped when the run is to stop."""
        if self.should_stop():
            raise Stopped("stopped before the training began")


def outlined(network: nn.Module, size: int, run: TuningRun, rows: np.ndarray) -> Iterator[tuple[Radiograph, Anatomy]]:
    """Kept radiographs with their organs, measured as the reader does, one after the other."""
    for done, row in enumerate(rows, start=1):
        run.check()
        radiograph = run.labelled.radiograph(int(row))
        yield radiograph, outline_one(network, size, radiograph)
        run.progress(done, len(rows), "radiographs outlined")


def measured(run: TuningRun, organs: Card) -> tuple[np.ndarray, list[Frame]]:
    """Geometry and frames by the organ model of the parent: those taken when the set came in, or measured again."""
    labelled = run.labelled
    if labelled.about["organs_sha256"] == organs.stamp.sha256:
        return labelled.geometry, [labelled.frame(row) for row in range(len(labelled))]
    every = np.arange(len(labelled))
    found = [one for _, one in outlined(run.store.load(organs), organs.input_size, run, every)]
    return np.stack([anatomy.geometry(one) for one in found]), [anatomy.frame(one) for one in found]


def standardised(run: TuningRun, size: int, frames: Sequence[Frame]) -> np.ndarray:
    """What a network sees of a set: uint8 (n, 1, size, size)."""
    images = np.empty((len(run.labelled), 1, size, size), np.uint8)
    for row, frame in enumerate(frames):
        run.check()
        images[row] = np.rint(network_input(run.labelled.radiograph(row).pixels, size, frame) * 255.0)
        run.progress(row + 1, len(run.labelled), "radiographs prepared")
    return images


def cached_features(run: TuningRun, base: Card, network: nn.Module, images: np.ndarray) -> np.ndarray:
    """Pooled features by the parent, float32 (n, channels): computed once for a set and a version."""
    path = run.labelled.folder / f"features-{base.stamp.sha256[:16]}.npy"
    if path.is_file():
        features = np.load(path, allow_pickle=False)
        if len(features) == len(images):
            return np.asarray(features, np.float32)
    running = runtime.start(network, base.input_size, base.stamp.sha256)
    rows = []
    for start in range(0, len(images), FEATURES_BATCH):
        run.check()
        maps = running.run(images[start : start + FEATURES_BATCH].astype(np.float32) / 255.0)[1]
        rows.append(maps.mean(axis=(2, 3)))
        run.progress(min(start + FEATURES_BATCH, len(images)), len(images), "features computed")
    features = np.concatenate(rows).astype(np.float32)
    partial = path.with_suffix(".tmp.npy")
    np.save(partial, features, allow_pickle=False)
    partial.replace(path)
    return features


def head_of(network: nn.Module, calibration: Calibration) -> FittedHead:
    """The linear head of a classifier, with a calibration."""
    linear = linear_of(network)
    return FittedHead(linear.weight, linear.bias, calibration)


def said(head: FittedHead, features: np.ndarray, geometry: np.ndarray) -> Said:
    """What a version says of every radiograph."""
    probability = head.probabilities(features, geometry)
    thresholds = np.array([head.calibration.findings[key].threshold for key in KEYS])
    return Said(probability, probability >= thresholds)


def part(whole: Said, rows: np.ndarray) -> Said:
    """What was said of some of the radiographs."""
    return Said(whole.probability[rows], whole.positive[rows])


def half_precision() -> str:
    """Mixed precision on a GPU; a CPU gains nothing from it."""
    return "fp16" if torch.cuda.is_available() else "no"
