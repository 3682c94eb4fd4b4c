"""Text that may be burned into a radiograph's pixels: flagged, never ruled out.

Names and numbers are printed at the borders of pictures, where nobody looks at the chest. Lines of at least
:data:`LEAST_CHARACTERS` small, equally high, sharply outlined shapes are taken for text; a side marker alone is not.
Handwriting, faint print and text across the chest are missed, so nothing is ever declared clean.
"""

from typing import Literal

import cv2
import numpy as np

BurnedIn = Literal["stated", "suspected", "not ruled out"]
SIDE = 1024  # pixels that the long side is brought to before looking
BORDER = 0.18  # of each side, that is looked at
CHARACTER_HEIGHT = (6, 40)  # pixels at SIDE
CHARACTER_ASPECT = (0.08, 1.6)  # width over height; an l is thin, an m is wide
LEAST_CHARACTERS = 5  # in a line; "L", "R", "PA" and "ERECT"-less markers stay below
CONTRAST = 0.25  # of full scale, that print stands out from its surroundings at least
FILLED = (0.15, 0.9)  # share of a character's box that is ink
WORDS = {
    "stated": "The file states that text is burned into the picture: it may name the patient.",
    "suspected": "Something like text stands at the border: it may name the patient. Look before keeping.",
    "not ruled out": "No text was noticed at the borders; that does not rule it out. Look before keeping.",
}


def burned_in(pixels: np.ndarray, stated: str | None = None) -> BurnedIn:
    """Whether text may be burned in.

    Args:
        pixels: float32 (height, width), 0..1.
        stated: BurnedInAnnotation (0028,0301) of the file, if any; a "NO" is not relied on.
    """
    if (stated or "").strip().upper() == "YES":
        return "stated"
    return "suspected" if _has_text(pixels) else "not ruled out"


def _has_text(pixels: np.ndarray) -> bool:
    """Whether a line of characters, bright or dark, stands in a border."""
    height, width = pixels.shape
    scale = min(1.0, SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.rint(255 * cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)).astype(np.uint8)
    return any(_has_line(small, operation) for operation in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT))


def _has_line(picture: np.ndarray, operation: int) -> bool:
    """Whether shapes that stand out, brighter or darker as the operation says, form a line of characters."""
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (CHARACTER_HEIGHT[1], CHARACTER_HEIGHT[1]))
    ink = (cv2.morphologyEx(picture, operation, kernel) >= CONTRAST * 255).astype(np.uint8)
    _, _, boxes, middles = cv2.connectedComponentsWithStats(ink)
    boxes, middles = boxes[1:], middles[1:]
    wide, tall, area = (boxes[:, column].astype(float) for column in (2, 3, 4))
    sized = (tall >= CHARACTER_HEIGHT[0]) & (tall <= CHARACTER_HEIGHT[1])
    shaped = (wide >= CHARACTER_ASPECT[0] * tall) & (wide <= CHARACTER_ASPECT[1] * tall)
    inked = (area >= FILLED[0] * wide * tall) & (area <= FILLED[1] * wide * tall)
    near = _at_border(middles, picture.shape)
    chosen = np.flatnonzero(sized & shaped & inked & near)
    return any(_line_length(boxes[chosen], one) >= LEAST_CHARACTERS for one in range(len(chosen)))


def _at_border(middles: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    across, down = middles[:, 0] / shape[1], middles[:, 1] / shape[0]
    return np.minimum(np.minimum(across, 1.0 - across), np.minimum(down, 1.0 - down)) <= BORDER


def _line_length(boxes: np.ndarray, first: int) -> int:
    """How many boxes follow one to the right, of about its height, on its line, without a wide gap."""
    left, top, wide, tall = (int(value) for value in boxes[first, :4])
    end, bottom, count = left + wide, top + tall, 1
    for box in boxes[np.argsort(boxes[:, 0])]:
        same_line = abs(int(box[1]) + int(box[3]) - bottom) <= 0.35 * tall
        same_height = 0.6 * tall <= box[3] <= 1.6 * tall
        if same_line and same_height and end - 2 <= box[0] <= end + 1.5 * tall:
            end, count = int(box[0] + box[2]), count + 1
    return count
