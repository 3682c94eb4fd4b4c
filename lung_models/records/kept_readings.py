"""A reading as it is kept: a JSON document and arrays, from which the very same reading comes back."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from lung_models.radiograph import Radiograph
from lung_models.reading import ORGANS, Anatomy, FindingReading, ModelStamp, Reading, Width


def document(reading: Reading) -> dict[str, Any]:
    """Everything of a reading but its radiograph and its arrays."""
    return {
        "accepted": reading.accepted,
        "reason": reading.reason,
        "primary": reading.primary,
        "findings": [_finding_document(one) for one in reading.findings],
        "anatomy": None if reading.anatomy is None else _anatomy_document(reading.anatomy),
        "models": {name: [one.version, one.sha256, one.architecture] for name, one in reading.models.items()},
        "device": reading.device,
        "milliseconds": dict(reading.milliseconds),
        "heat_unit": reading.heat_unit,
        "heat_tested": reading.heat_tested,
        "views": reading.views,
    }


def arrays(reading: Reading) -> bytes | None:
    """The heat maps (float32), the organs (float16 on their grid) and the outlines; None of a refused reading."""
    if reading.anatomy is None:
        return None
    kept = {f"heat_{one.key}": one.heat for one in reading.findings}
    kept["organ_probability"] = _halved(reading.anatomy.organ_probability)
    for organ in ORGANS:
        for number, outline in enumerate(reading.anatomy.contours[organ]):
            kept[f"outline_{organ}_{number}"] = outline
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **kept)
    return stream.getvalue()


def _halved(probability: np.ndarray) -> np.ndarray:
    """In half precision, with every value on its own side of one half: the masks stay the same to the last pixel."""
    half = probability.astype(np.float16)
    half[(half >= 0.5) & (probability < 0.5)] = np.nextafter(np.float16(0.5), np.float16(0.0))
    return half


def restored(kept: Mapping[str, Any], kept_arrays: bytes | None, radiograph: Radiograph) -> Reading:
    """A kept reading of a radiograph, as it was made.

    Raises:
        ValueError: when the document and the arrays do not belong together.
    """
    found: dict[str, np.ndarray] = {}
    if kept_arrays is not None:
        with np.load(io.BytesIO(kept_arrays), allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
    try:
        return Reading(
            radiograph=radiograph,
            accepted=kept["accepted"],
            reason=kept["reason"],
            primary=kept["primary"],
            findings=tuple(_finding(one, found[f"heat_{one['key']}"]) for one in kept["findings"]),
            anatomy=None if kept["anatomy"] is None else _anatomy(kept["anatomy"], found),
            models={name: ModelStamp(*stamp) for name, stamp in kept["models"].items()},
            device=kept["device"],
            milliseconds=kept["milliseconds"],
            heat_unit=kept["heat_unit"],
            heat_tested=kept["heat_tested"],
            views=kept["views"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError("A kept reading is damaged: restore the data folder from a backup.") from error


def _finding_document(one: FindingReading) -> dict[str, Any]:
    names = ("key", "probability", "threshold", "call", "heat_in_lungs", "heat_in_heart", "heat_checked")
    pairs = {"band": list(one.band), "spread": None if one.spread is None else list(one.spread)}
    return {**{name: getattr(one, name) for name in names}, **pairs}


def _finding(kept: Mapping[str, Any], heat: np.ndarray) -> FindingReading:
    spread = None if kept["spread"] is None else tuple(kept["spread"])
    return FindingReading(**{**kept, "band": tuple(kept["band"]), "spread": spread, "heat": heat})


def _anatomy_document(anatomy: Anatomy) -> dict[str, Any]:
    names = ("cardiothoracic_ratio", "right_lung_fraction", "left_lung_fraction", "heart_fraction")
    widths = {
        name: None if width is None else [list(width.start), list(width.end)]
        for name, width in (("heart_width", anatomy.heart_width), ("thorax_width", anatomy.thorax_width))
    }
    return {**{name: getattr(anatomy, name) for name in names}, **widths, "flags": list(anatomy.flags)}


def _anatomy(kept: Mapping[str, Any], found: Mapping[str, np.ndarray]) -> Anatomy:
    def width(name: str) -> Width | None:
        ends = kept[name]
        return None if ends is None else Width((ends[0][0], ends[0][1]), (ends[1][0], ends[1][1]))

    def outlines(organ: str) -> tuple[np.ndarray, ...]:
        numbers = range(sum(name.startswith(f"outline_{organ}_") for name in found))
        return tuple(found[f"outline_{organ}_{number}"] for number in numbers)

    return Anatomy(
        organ_probability=found["organ_probability"].astype(np.float32),
        contours={organ: outlines(organ) for organ in ORGANS},
        cardiothoracic_ratio=kept["cardiothoracic_ratio"],
        heart_width=width("heart_width"),
        thorax_width=width("thorax_width"),
        right_lung_fraction=kept["right_lung_fraction"],
        left_lung_fraction=kept["left_lung_fraction"],
        heart_fraction=kept["heart_fraction"],
        flags=tuple(kept["flags"]),
    )
