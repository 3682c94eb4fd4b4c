"""What a reader gets back: a :class:`Reading`, immutable, complete, and all that pages, exports and records see."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np

from lung_models.radiograph import Radiograph

Call = Literal["present", "uncertain", "absent"]
Point = tuple[float, float]
"""A place in the radiograph: (column, row) in its pixels, the centre of the top left pixel being (0, 0)."""

ORGANS = ("right_lung", "left_lung", "heart")
"""Channels of every organ mask, in order; right and left are the patient's."""


@dataclass(frozen=True)
class ModelStamp:
    """Which weights made a reading.

    Args:
        version: Name of the version, for example ``efficientnet-lite0-1``.
        sha256: Hash of its ``model.safetensors``.
        architecture: Name of the network's class.
    """

    version: str
    sha256: str
    architecture: str


@dataclass(frozen=True)
class FindingReading:
    """One finding in one radiograph.

    Args:
        key: Key of the finding, see :mod:`lung_models.findings`.
        probability: Calibrated probability, 0..1; of an averaged reading the mean over its views.
        threshold: Operating point of this version, 0..1.
        band: The uncertain band around it, (low, high), 0..1.
        call: ``present`` above the band, ``absent`` below it, else ``uncertain``.
        heat: float32 (h, w), 0..1: Grad-CAM on the fixed scale of the version, on a grid over the whole radiograph.
        heat_in_lungs: Share of the heat that lies inside the two lungs, 0..1; None where there is no heat.
        heat_in_heart: The same for the heart.
        heat_checked: Whether this version's maps of the finding did better on val than a blob in the middle and than
            chance; None when that was not tested or there were too few cases, see ``Reading.heat_tested``.
        spread: Lowest and highest probability among the views of an averaged reading, 0..1; else None.
    """

    key: str
    probability: float
    threshold: float
    band: tuple[float, float]
    call: Call
    heat: np.ndarray = field(repr=False)
    heat_in_lungs: float | None
    heat_in_heart: float | None
    heat_checked: bool | None = None
    spread: tuple[float, float] | None = None

    def heat_map(self, height: int, width: int) -> np.ndarray:
        """The heat resized (bilinear) to an image: float32 (height, width), 0..1 on the fixed scale."""
        return cv2.resize(self.heat, (width, height), interpolation=cv2.INTER_LINEAR)


@dataclass(frozen=True)
class Width:
    """A horizontal width measured in the radiograph, from the patient's right to the left.

    Args:
        start: End of the line on the image's left.
        end: End of the line on the image's right.
    """

    start: Point
    end: Point

    @property
    def pixels(self) -> float:
        """Length in columns of the radiograph."""
        return self.end[0] - self.start[0]


@dataclass(frozen=True)
class Anatomy:
    """The organs and what was measured on them.

    Args:
        organ_probability: float32 (3, h, w), 0..1, channels as :data:`ORGANS`, on a grid that covers the whole
            radiograph; stray islands are already removed.
        contours: For each organ its outlines, each float32 (n, 2) of (column, row) in the radiograph's pixels.
        cardiothoracic_ratio: Greatest heart width over greatest inner thorax width; None when it can't be measured.
        heart_width: The line measured for the heart: horizontal, from its right to its left extreme.
        thorax_width: The line measured for the thorax.
        right_lung_fraction: Area of the right lung over the area of the radiograph, 0..1.
        left_lung_fraction: The same for the left lung.
        heart_fraction: The same for the heart.
        flags: What the outlines say about the quality of the film, one short sentence each.
    """

    organ_probability: np.ndarray = field(repr=False)
    contours: Mapping[str, tuple[np.ndarray, ...]] = field(repr=False)
    cardiothoracic_ratio: float | None
    heart_width: Width | None
    thorax_width: Width | None
    right_lung_fraction: float
    left_lung_fraction: float
    heart_fraction: float
    flags: tuple[str, ...]

    def masks(self, height: int, width: int) -> np.ndarray:
        """The organs' masks at an image's size: bool (3, height, width), channels as :data:`ORGANS`."""
        resized = [cv2.resize(p, (width, height), interpolation=cv2.INTER_LINEAR) for p in self.organ_probability]
        return np.stack(resized) >= 0.5

    def label_map(self, height: int, width: int) -> np.ndarray:
        """The organs as one picture: uint8 (height, width); 0 background, 1 right lung, 2 left lung, 3 heart.

        Where they overlap the heart wins, then the left lung: they are drawn in that order.
        """
        labels = np.zeros((height, width), np.uint8)
        for value, mask in enumerate(self.masks(height, width), start=1):
            labels[mask] = value
        return labels


@dataclass(frozen=True)
class Reading:
    """The result of reading one radiograph.

    Args:
        radiograph: What was read.
        accepted: False when the gate or the models refused; then ``reason`` says why and there is no score at all.
        reason: One line; None when accepted.
        primary: Key of the single most likely of the six findings; None when refused.
        findings: One per finding, in the order of :data:`lung_models.findings.FINDINGS`; empty when refused.
        anatomy: The organs; None when refused.
        models: Stamps by network: ``findings`` and ``organs``; empty when no model was there to read.
        device: Where the networks ran, for the page, for example ``CPU (OpenVINO, f32)``.
        milliseconds: Time taken by stage: ``decode``, ``organs``, ``findings``, ``total``.
        heat_unit: What 1.0 on the scale of the heat maps means; empty when there are none.
        heat_tested: Whether the version's heat maps were tested on val; then ``heat_checked`` of each finding counts.
        views: How many views of the radiograph each probability is the mean of; 1 unless the reading was averaged.
    """

    radiograph: Radiograph
    accepted: bool
    reason: str | None
    primary: str | None
    findings: tuple[FindingReading, ...]
    anatomy: Anatomy | None
    models: Mapping[str, ModelStamp]
    device: str
    milliseconds: Mapping[str, float]
    heat_unit: str = ""
    heat_tested: bool = False
    views: int = 1

    @property
    def averaged(self) -> bool:
        """Whether the probabilities are means over several views and have a spread; never of a refused reading."""
        return self.views > 1

    def finding(self, key: str) -> FindingReading:
        """The reading of one finding; KeyError when refused or unknown."""
        for one in self.findings:
            if one.key == key:
                return one
        raise KeyError(key)

    def to_json(self, path: str) -> dict[str, Any]:
        """The object that the command line prints for ``path``; findings have a ``spread`` only when averaged."""
        anatomy = self.anatomy
        return {
            "path": path,
            "accepted": self.accepted,
            "reason": self.reason,
            "view": self.radiograph.view,
            "primary": self.primary,
            "findings": {
                one.key: {
                    "probability": round(one.probability, 4),
                    "threshold": round(one.threshold, 4),
                    "call": one.call,
                    **({} if one.spread is None else {"spread": [round(end, 4) for end in one.spread]}),
                }
                for one in self.findings
            }
            or None,
            "anatomy": None
            if anatomy is None
            else {
                "cardiothoracic_ratio": None
                if anatomy.cardiothoracic_ratio is None
                else round(anatomy.cardiothoracic_ratio, 4),
                "right_lung_fraction": round(anatomy.right_lung_fraction, 4),
                "left_lung_fraction": round(anatomy.left_lung_fraction, 4),
                "flags": list(anatomy.flags),
            },
            "models": {
                network: {"version": stamp.version, "sha256": stamp.sha256} for network, stamp in self.models.items()
            },
            "milliseconds": {stage: round(value, 1) for stage, value in self.milliseconds.items()},
        }
