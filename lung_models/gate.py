"""Is this a whole, upright, frontal chest radiograph? If not: no score, and why.

Three independent looks, so that what deceives one meets the next: how OrganNet takes the picture to be presented, how
far its features lie from those of chest radiographs, and whether two plausible lungs were outlined.
"""

from dataclasses import dataclass, replace

import numpy as np

from lung_models import anatomy as organs
from lung_models.networks import PRESENTATIONS
from lung_models.preprocess import network_input
from lung_models.radiograph import Radiograph
from lung_models.reading import Anatomy
from lung_models.runtime import Runtime

SMALLEST_SIDE = 64  # pixels; the smallest radiographs trained on
LONGEST_OVER_SHORTEST = 2.0  # of the picture's sides; chest radiographs stay below about 1.4
SAMPLED_SIDE = 512  # pixels; about so many rows and columns are looked at to tell a blank picture
BLANK_RANGE = 0.01  # of full scale: grey levels that span less are a blank picture
# Plausible area of the larger lung over that of the picture; the other may be opaque, and a child's are small.
LARGER_LUNG = (0.015, 0.45)
CERTAINTY = 0.7  # probability from which a picture is said to be turned, inverted or mirrored, and not just refused
# Of an edge of the picture that a lung must touch beside it, or both lungs above them, to count as cut off. Of 825
# radiographs one touched 0.14 of an edge, the others less; a middle third mostly touches half of those beside it.
BESIDE, ABOVE = 0.3, 0.2

REASONS = {
    "turned_clockwise": "The radiograph is turned 90 degrees clockwise: turn it upright and read it again.",
    "turned_anticlockwise": "The radiograph is turned 90 degrees anticlockwise: turn it upright and read it again.",
    "upside_down": "The radiograph is upside down: turn it by 180 degrees and read it again.",
    "inverted": "The grey scale is inverted (bone is black): invert it and read it again.",
    "other": "This does not look like a whole frontal chest radiograph.",
}
MIRRORED = "The picture looks mirrored, or the heart lies on the right: check the side markers."


@dataclass(frozen=True)
class Presentation:
    """What OrganNet's second output says of a picture.

    Args:
        probabilities: float (7,), one for each of ``PRESENTATIONS``, adding up to 1.
        distance: Distance to typical chest radiographs; about 1 for a typical one.
    """

    probabilities: np.ndarray
    distance: float

    @property
    def most_likely(self) -> str:
        """The most likely of ``PRESENTATIONS``."""
        return PRESENTATIONS[int(np.argmax(self.probabilities))]

    @property
    def is_certain(self) -> bool:
        """Whether the most likely one is likely enough to be named."""
        return float(np.max(self.probabilities)) >= CERTAINTY

    @property
    def is_mirrored(self) -> bool:
        """Whether the picture certainly looks mirrored; it is read all the same, for hearts do lie on the right."""
        return self.most_likely == "mirrored" and self.is_certain


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a picture.

    Args:
        reason: Why it is refused, one line; None when it is accepted.
        anatomy: The organs as outlined, with the gate's own flags; None when the picture was not worth outlining.
    """

    reason: str | None
    anatomy: Anatomy | None


@dataclass(frozen=True)
class Gate:
    """Outlines the organs of a picture and judges whether it is to be read.

    Args:
        organ_net: An OrganNet, ready to run.
        input_size: Side of its input, in pixels.
        distance_limit: Of the version: distances beyond it are refused.

    Example:
        >>> verdict = Gate(organ_net, 256, 1.9).judge(radiograph)  # doctest: +SKIP
        >>> verdict.reason  # doctest: +SKIP
        'The radiograph is upside down: turn it by 180 degrees and read it again.'
    """

    organ_net: Runtime
    input_size: int
    distance_limit: float

    def judge(self, radiograph: Radiograph) -> Verdict:
        """Judge one radiograph; it is outlined only when nothing else speaks against it."""
        if reason := refuse_picture(radiograph):
            return Verdict(reason, None)
        image = network_input(radiograph.pixels, self.input_size)
        masks, presentation, distance = self.organ_net.run(image[np.newaxis])
        exponents = np.exp(presentation[0] - presentation[0].max())
        presented = Presentation(exponents / exponents.sum(), float(distance[0]))
        if reason := refuse_presentation(presented, self.distance_limit):
            return Verdict(reason, None)
        outlined = organs.measure(1.0 / (1.0 + np.exp(-np.clip(masks[0], -30.0, 30.0))), radiograph)
        if presented.is_mirrored:
            others = (flag for flag in outlined.flags if flag != organs.HEART_ON_THE_RIGHT)  # it says less of the same
            outlined = replace(outlined, flags=(*others, MIRRORED))
        return Verdict(refuse_anatomy(outlined), outlined)


def refuse_picture(radiograph: Radiograph) -> str | None:
    """Reasons that need no network: a stated lateral view, too small, too narrow, blank. None when there are none."""
    if radiograph.view == "lateral":
        return "The file states a lateral view: only frontal chest radiographs (PA or AP) are read."
    shortest, longest = sorted((radiograph.height, radiograph.width))
    if shortest < SMALLEST_SIDE:
        return f"The picture is {radiograph.width} x {radiograph.height} pixels: too small to read (at least 64)."
    if longest > LONGEST_OVER_SHORTEST * shortest:
        return f"The picture is {radiograph.width} x {radiograph.height} pixels: too narrow for a whole chest."
    step = max(1, shortest // SAMPLED_SIDE)
    low, high = np.percentile(radiograph.pixels[::step, ::step], (1, 99))
    if high - low < BLANK_RANGE:
        return "The picture is blank: all its grey levels are nearly the same."
    return None


def refuse_presentation(presentation: Presentation, distance_limit: float) -> str | None:
    """Reasons that OrganNet's second output gives; None when there are none.

    Args:
        presentation: OrganNet's second output.
        distance_limit: Of the version: distances beyond it are refused.
    """
    if reason := REASONS.get(presentation.most_likely):
        return reason if presentation.is_certain else REASONS["other"]
    if presentation.distance > distance_limit:
        return f"{REASONS['other']} Its appearance is too far from the radiographs this model knows."
    return None


def refuse_anatomy(anatomy: Anatomy) -> str | None:
    """Reasons that the outlines give: lungs that are missing, implausible or cut off; None when there are none."""
    right, left = anatomy.right_lung_fraction, anatomy.left_lung_fraction
    if right == 0 or left == 0:
        missing = "no lungs were" if right == left else f"no {'right' if right == 0 else 'left'} lung was"
        return f"{REASONS['other']} In it {missing} found."
    low, high = LARGER_LUNG
    if not low <= max(right, left) <= high:
        return f"{REASONS['other']} The lungs found in it have an implausible size."
    if _is_cut_off(anatomy):
        return f"{REASONS['other']} The lungs found in it are cut off by the edges of the picture."
    if _centre(anatomy, "right_lung") >= _centre(anatomy, "left_lung"):
        return f"{REASONS['other']} The lungs found in it lie on the wrong sides."
    return None


def _is_cut_off(anatomy: Anatomy) -> bool:
    """Whether a lung runs out of the picture beside it, or both run out above."""
    right, left = anatomy.organ_probability[:2] >= 0.5
    beside = max(right[:, 0].mean(), left[:, -1].mean())
    return bool(beside > BESIDE or min(right[0].mean(), left[0].mean()) > ABOVE)


def _centre(anatomy: Anatomy, organ: str) -> float:
    """Mean column of an organ's largest outline."""
    return float(max(anatomy.contours[organ], key=len)[:, 0].mean())
