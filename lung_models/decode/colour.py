"""A picture stored in colour: grey in truth, or refused."""

import cv2
import numpy as np

from lung_models.radiograph import Refusal

SAMPLE_SIDE = 256  # pixels; colour is measured on a copy no larger than this
CHROMA_LIMIT = 0.25
"""Mean chroma (largest minus smallest channel, 0..1) above which a picture is coloured whatever its hues are.

The blue base of a scanned film and the cast of a photographed view box stay below 0.15; the one-hued photographs that
the second rule would miss (a retina, a lawn) have 0.4.
"""
VARIED_CHROMA_LIMIT = 0.035
"""Mean chroma, 0..1, above which a picture is coloured once the tint that goes with its brightness is taken out.

Natural photographs have 0.047 (a ginger cat) to 0.14 (portraits); a grey radiograph has 0 when tinted evenly, some
0.005 after JPEG, and 0.03 when 3 % of it is covered by fully saturated annotation.
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
