"""A picture stored in colour: grey in truth, or refused."""

import cv2
import numpy as np

from lung_models.radiograph import Refusal

SAMPLE_SIDE = 256  # pixels; colour is measured on a copy no larger than this
CHROMA_LIMIT = 0.20
"""Mean chroma (largest minus smallest channel, 0..1) above which a picture is coloured whatever its hues are.

A film with a blue base has 0.15, a toned one 0.10; photographs of few hues, which the second rule could miss, have more
(measured: a ginger cat 0.24, a retina 0.45).
"""
VARIED_CHROMA_LIMIT = 0.055
"""Mean chroma, 0..1, above which a picture is coloured once the tint that goes with its brightness is taken out.

Measured: photographs 0.064 to 0.20, a stained slide 0.071; grey radiographs 0.00 as stored or evenly tinted, 0.03 with
a cast that changes from side to side, 0.052 with 3 % of the area covered by saturated annotation.
"""
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as OpenCV and Pillow have it


def grey_from_colour(colour: np.ndarray, white: float) -> np.ndarray:
    """Luminance of a picture that is grey although it is stored in colour.

    A tint that depends on brightness only (the base of a film, toning, a camera's cast) and small coloured annotation
    pass; a photograph does not.

    Args:
        colour: uint8 or uint16, shape (height, width, 3), red, green, blue.
        white: The value that stands for white.

    Returns:
        float32, shape (height, width), 0..1: luminance after ITU-R BT.601.

    Raises:
        Refusal: It is a colour photograph.
    """
    height, width = colour.shape[:2]
    scale = min(1.0, SAMPLE_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    sample = cv2.resize(colour, size, interpolation=cv2.INTER_AREA).astype(np.float32).reshape(-1, 3) / white
    if _mean_chroma(sample) > CHROMA_LIMIT or _mean_chroma(_without_tint(sample)) > VARIED_CHROMA_LIMIT:
        raise Refusal("The picture is a colour photograph, not a radiograph.")
    luminance = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.clip(luminance / np.float32(white), 0.0, 1.0)


def _mean_chroma(colours: np.ndarray) -> float:
    """Mean of largest minus smallest channel of float (n, 3) colours."""
    return float(np.ptp(colours, axis=1).mean())


def _without_tint(colours: np.ndarray) -> np.ndarray:
    """What is left of float (n, 3) colours when each channel's best quadratic in luminance is taken out."""
    luminance = colours @ LUMINANCE
    powers = np.stack([np.ones_like(luminance), luminance, luminance**2], axis=1)
    fitted, *_ = np.linalg.lstsq(powers, colours, rcond=None)
    return colours - powers @ fitted
