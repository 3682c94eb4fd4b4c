"""What a set says it holds: its radiographs with what is said of them, and what cannot be used."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Kind = Literal["findings", "organs"]
LABEL_MAP = "label map"


@dataclass(frozen=True)
class Problem:
    """Why a file is left out of a set.

    Args:
        file: Its path within the set.
        problem: One line, what is wrong and what it means.
    """

    file: str
    problem: str


@dataclass(frozen=True)
class Entry:
    """A radiograph with what is said of it.

    Args:
        file: Its path within the set.
        labels: float32 (6,), 1, 0 or NaN for unknown, for a findings set.
        masks: Path of the mask of each organ, or of one ``label map`` with the values 0 to 3, for an organs set.
        patient: As the set names the patient; None when it does not.
        part: ``train``, ``validation`` or ``held_out`` when the set says so.
    """

    file: str
    labels: np.ndarray | None = field(default=None, compare=False)
    masks: Mapping[str, str] = field(default_factory=dict)
    patient: str | None = None
    part: str | None = None


@dataclass(frozen=True)
class Listing:
    """What a set says it holds.

    Args:
        kind: ``findings`` or ``organs``.
        layout: How it was understood, in words.
        mapping: Their word and ours, in the order met, for the user to check.
        entries: The radiographs, by path.
        problems: Files that cannot be used, and why.
    """

    kind: Kind
    layout: str
    mapping: tuple[tuple[str, str], ...]
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
