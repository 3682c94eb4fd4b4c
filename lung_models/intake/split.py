"""Dealing patients into three parts: to learn from, to calibrate and stop on, and to judge by."""

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

PARTS = ("train", "validation", "held_out")
TENTHS = {"held_out": 3, "validation": 2}  # of the patients; the rest is learnt from
SEED = 1


def deal(classes: np.ndarray, patients: np.ndarray, stated: Sequence[str | None]) -> tuple[np.ndarray, str]:
    """Deal radiographs into parts, all of a patient's into one, with like shares of the classes.

    Parts that the set states itself are kept when they name some to learn from and some to hold out; without a
    validation part of its own, a fifth of the patients to learn from become one.

    Args:
        classes: int (n,), what is to be shared out evenly, the rarest finding of each radiograph.
        patients: str (n,).
        stated: The part that the set states for each; None where it does not.

    Returns:
        str (n,), one of ``PARTS`` each, and one sentence on how it was done.
    """
    if {"train", "held_out"} <= set(stated):
        parts = np.array([one or "train" for one in stated])
        if "validation" not in parts:
            learnt = np.flatnonzero(parts == "train")
            folds = _folds(classes[learnt], patients[learnt], 5)
            parts[learnt[folds == 0]] = "validation"
        return parts, "The parts are those that the set states."
    folds = _folds(classes, patients, 10)
    parts = np.full(len(classes), "train", dtype="U10")
    parts[folds < TENTHS["held_out"]] = "held_out"
    parts[(folds >= TENTHS["held_out"]) & (folds < sum(TENTHS.values()))] = "validation"
    return parts, "Split by patient: half to learn from, a fifth to calibrate on, three tenths held out."


def _folds(classes: np.ndarray, patients: np.ndarray, count: int) -> np.ndarray:
    """Fold of each radiograph, 0..count - 1; fewer patients than folds leave some of the folds empty."""
    count = min(count, len(np.unique(patients)))
    folds = np.zeros(len(classes), int)
    if count < 2:
        return folds
    if np.unique(classes, return_counts=True)[1].max() < count:  # too few of any to share out; only patients count
        classes = np.zeros_like(classes)
    splitter = StratifiedGroupKFold(n_splits=count, shuffle=True, random_state=SEED)
    for number, (_, members) in enumerate(splitter.split(classes, classes, patients)):
        folds[members] = number
    return folds


def straddling(patients: np.ndarray, stated: Sequence[str | None]) -> np.ndarray:
    """bool (n,): radiographs whose patient the set states in more than one part, outside the part to learn from.

    Leaving them out keeps the patient, on one side only.
    """
    parts_of: dict[str, set[str]] = {}
    for patient, part in zip(patients, stated, strict=True):
        if part is not None:
            parts_of.setdefault(str(patient), set()).add(part)
    return np.array(
        [
            part is not None and len(parts_of[str(patient)]) > 1 and part != _kept(parts_of[str(patient)])
            for patient, part in zip(patients, stated, strict=True)
        ],
        bool,
    )


def _kept(parts: set[str]) -> str:
    """The part that a patient who is in several stays in: the first of ``PARTS``."""
    return min(parts, key=PARTS.index)


def rarest(labels: np.ndarray) -> np.ndarray:
    """int (n,): for each radiograph the rarest finding that it has, -1 where none is known to be there."""
    positives = np.nansum(labels == 1, axis=0)
    classes = np.full(len(labels), -1)
    for column in np.argsort(-positives):
        classes[labels[:, column] == 1] = column
    return classes
