"""Words that people use for the findings and the organs, and what they mean here."""

import re
from collections.abc import Iterable

import numpy as np

from lung_models.findings import ABNORMAL, FINDINGS, KEYS, NO_FINDING
from lung_models.reading import ORGANS

SYNONYMS: dict[str, tuple[str, ...]] = {
    "cardiomegaly": ("enlarged heart", "heart enlargement", "cardiac enlargement"),
    "pleural_effusion": ("effusion", "pleural effusions", "effusions"),
    "atelectasis": ("atelectases",),
    "consolidation": ("consolidations", "airspace consolidation"),
    "edema": ("oedema", "pulmonary edema", "pulmonary oedema"),
    "no_finding": ("normal", "no findings", "healthy"),
}
"""By key, words beside the key and the name themselves; case and punctuation do not count."""
OTHER_LABELS = (
    "Infiltration",
    "Nodule",
    "Mass",
    "Pneumothorax",
    "Pleural Thickening",
    "Fibrosis",
    "Emphysema",
    "Pneumonia",
    "Hernia",
    "Enlarged Cardiomediastinum",
    "Lung Opacity",
    "Lung Lesion",
    "Pleural Other",
    "Fracture",
    "Tuberculosis",
)
"""Abnormalities of NIH ChestX-ray14 and CheXpert that are none of the six: understood, and not learnt."""
ORGAN_SYNONYMS: dict[str, tuple[str, ...]] = {
    "right_lung": ("lung right", "r lung", "rightlung"),
    "left_lung": ("lung left", "l lung", "leftlung"),
    "heart": ("cardiac silhouette",),
}
YES = frozenset({"1", "1.0", "true", "yes", "positive", "present"})
NO = frozenset({"0", "0.0", "false", "no", "negative", "absent"})
UNKNOWN = frozenset({"", "-1", "-1.0", "nan", "na", "n/a", "unknown", "uncertain", "blank"})
"""Values of a label's own column. CheXpert's -1 is uncertain (Irvin et al. 2019): unknown here, never negative."""


class UnknownWord(ValueError):
    """A label or a value that means nothing here; its text is the word."""


def plain(word: str) -> str:
    """A word without case, blanks and punctuation."""
    return re.sub(r"[^a-z0-9]", "", word.lower())


_FINDING = {
    plain(word): finding.key
    for finding in FINDINGS
    for word in (finding.key, finding.name, *SYNONYMS.get(finding.key, ()))
}
_OTHER = {plain(word) for word in OTHER_LABELS}
_ORGAN = {plain(word): organ for organ in ORGANS for word in (organ, *ORGAN_SYNONYMS.get(organ, ()))}


def finding_of(word: str) -> str | None:
    """Key of the finding that a word names; None when it names none."""
    return _FINDING.get(plain(word))


def is_other_label(word: str) -> bool:
    """Whether a word names an abnormality that is understood but not among the six."""
    return plain(word) in _OTHER


def organ_of(word: str) -> str | None:
    """The organ that a word names; None when it names none."""
    return _ORGAN.get(plain(word))


def value_of(text: str) -> float:
    """What a cell of a finding's own column says: 1, 0, or NaN for unknown.

    Raises:
        UnknownWord: when it says something else.
    """
    said = text.strip().lower()
    if said in YES:
        return 1.0
    if said in NO:
        return 0.0
    if said in UNKNOWN:
        return float("nan")
    raise UnknownWord(text.strip())


def labels_of(words: Iterable[str], *, complete: bool) -> np.ndarray:
    """The six labels that a list of words gives: float32 (6,).

    Args:
        words: Names of findings, or of other abnormalities.
        complete: Whether the list names all there is, so that what it leaves out is absent; else that is unknown.

    Raises:
        UnknownWord: when a word means nothing here.
    """
    labels = np.full(len(KEYS), 0.0 if complete else np.nan, np.float32)
    for word in words:
        key = finding_of(word)
        if key is not None:
            labels[KEYS.index(key)] = 1.0
        elif is_other_label(word):
            labels[KEYS.index(NO_FINDING.key)] = 0.0
        else:
            raise UnknownWord(word.strip())
    return completed(labels)


def completed(labels: np.ndarray) -> np.ndarray:
    """Labels with what follows from them filled in where nothing was said.

    No finding at all means none of the five; one of the five means that there is a finding.
    """
    filled = labels.copy()
    none, abnormal = KEYS.index(NO_FINDING.key), [KEYS.index(finding.key) for finding in ABNORMAL]
    if filled[none] == 1:
        unsaid = [column for column in abnormal if np.isnan(filled[column])]
        filled[unsaid] = 0.0
    elif np.isnan(filled[none]) and (filled[abnormal] == 1).any():
        filled[none] = 0.0
    return filled


def contradicts_itself(labels: np.ndarray) -> bool:
    """Whether labels say both that there is nothing and that there is something."""
    none = KEYS.index(NO_FINDING.key)
    return bool(labels[none] == 1 and (np.delete(labels, none) == 1).any())
