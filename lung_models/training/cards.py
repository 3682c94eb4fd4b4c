"""What every card of a version says in words: data and terms, intended use, limits."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lung_models.figures import Figure

TERMS = (
    "For research and education. Not for clinical or commercial use: the terms of the training data do not allow it."
)
INTENDED_USE = (
    "Research and teaching with frontal chest radiographs of adults, beside a reader who looks at the picture. "
    "It supplements a reader and does not replace one."
)
COLLECTIONS = {
    "nih": {
        "name": "NIH ChestX-ray14",
        "terms": "No restriction on use.",
        "citation": "Wang et al., ChestX-ray8, CVPR 2017; NIH Clinical Center.",
    },
    "radiologists": {
        "name": "Radiologists' labels for NIH ChestX-ray14",
        "terms": "Research and education.",
        "citation": "Nabulsi et al., Scientific Reports 2021 (Google).",
    },
    "shenzhen": {
        "name": "Shenzhen (NLM)",
        "terms": "Attribution; masks reported as CC BY-NC-SA 4.0.",
        "citation": "Jaeger et al. 2014; masks Stirenko et al. 2018.",
    },
    "jsrt": {
        "name": "JSRT with SCR outlines",
        "terms": "Research and education; masks for research.",
        "citation": "Shiraishi et al. 2000; van Ginneken et al. 2006.",
    },
    "wingspan": {"name": "Wingspan", "terms": "MIT.", "citation": "Dong et al. 2018."},
}
FINDINGS_LIMITS = [
    "Six findings only: a nodule, a pneumothorax, a fracture or a misplaced tube is not looked for.",
    "Validated on PA radiographs of one hospital; on AP films and elsewhere the probabilities may be off.",
    "The rarer a finding was in validation, the wider its interval: edema and consolidation rest on few positives.",
    "The probability also rests on the cardiothoracic ratio and the areas of the outlined organs, that of No Finding "
    "on the probabilities of the other five instead; the heat map explains the network's part only.",
    "Seen on films that it was not fitted on: where a lung is opaque or both bases are hidden, the outlines go wrong, "
    "the ratio reads high and cardiomegaly is overcalled; a poor inspiration is called atelectasis.",
    "Missed most: an effusion that only blunts an angle, a thin line of atelectasis, interstitial edema with a heart "
    "of normal size. No Finding is given to films whose only abnormality is none of the five.",
    "Lateral views and children were not tested.",
]
ORGANS_LIMITS = [
    "Lungs are outlined without the heart's shadow; behind an effusion or a collapse the outline is a guess.",
    "The cardiothoracic ratio is that of the outlines, and reads high on AP films and in expiration.",
    "Lateral views: none were in the data, so the gate was neither taught nor tested on them. A file that states a "
    "lateral view is refused for that; one that does not state it may be read as if it were frontal.",
    "The gate was tested on radiographs turned by quarters, inverted, mirrored and cut to a third, on photographs, "
    "DICOM files of other body parts, noise, text and drawings. Not tested: oblique and decubitus views, other body "
    "parts but one leg, CT or MR slices exported as pictures beyond the DICOM test files, and turns by other angles.",
    "A part of a chest larger than a third may pass. A mirrored picture is flagged and read, for hearts do lie on the "
    "right; some mirrored pictures are not flagged, the figures say how many.",
    "A few thresholds of the gate were set after its figures on val and on the test pictures had been seen: on other "
    "pictures they may be a little lower.",
    "The gate was taught on some films of children and some AP films and is not scored on them apart.",
]


def card(
    summary: str,
    input_size: int,
    figures: Sequence[Figure],
    how: dict[str, Any],
    training_data: list[dict[str, Any]],
    limits: list[str],
) -> dict[str, Any]:
    """What cards of every network share.

    Args:
        summary: One sentence on what it is.
        input_size: Side of the network's input, in pixels.
        figures: What was measured.
        how: Recipe, commit and date.
        training_data: From :func:`used`.
        limits: What a user must know before relying on it.
    """
    return {
        "summary": summary,
        "input_size": input_size,
        "metrics": [figure.to_json() for figure in figures],
        "intended_use": INTENDED_USE,
        "limits": limits,
        "training_data": training_data,
        "terms": TERMS,
        **how,
    }


def used(sources: np.ndarray, what_for: str) -> list[dict[str, Any]]:
    """The collections that some radiographs came from, each with their number.

    Args:
        sources: str (n,), the collection of each, a key of ``COLLECTIONS``.
        what_for: What they were used for.
    """
    names, counts = np.unique(sources, return_counts=True)
    return [
        {
            **COLLECTIONS.get(str(name), {"name": str(name), "terms": "unknown", "citation": ""}),
            "images": int(count),
            "use": what_for,
        }
        for name, count in zip(names, counts, strict=True)
    ]
