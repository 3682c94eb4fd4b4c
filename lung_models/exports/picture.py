"""A reading as a picture: the radiograph with outlines, the measured lines, sides, and a strip that says what it is."""

import io
from functools import cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lung_models.exports.dicom_seg import COLOURS
from lung_models.findings import BY_KEY
from lung_models.gate import MIRRORED
from lung_models.radiograph import Refusal
from lung_models.reading import ORGANS, Reading

NOTICE = "Research use only. Not a medical device. It does not replace a reader's own judgement."
LEAST_SIDE = 1200  # pixels; a smaller picture is enlarged so that words stay readable
FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
INK, GROUND, AMBER = (230, 233, 236), (15, 18, 20), (236, 217, 166)
RATIO_INK = (255, 224, 102)


def overlaid(reading: Reading) -> np.ndarray:
    """The radiograph, nothing but what was outlined drawn on it.

    Returns:
        uint8 (height, width, 3), red, green, blue; at least ``LEAST_SIDE`` pixels on the long side.
    """
    scale = max(1.0, LEAST_SIDE / max(reading.radiograph.height, reading.radiograph.width))
    size = (round(reading.radiograph.width * scale), round(reading.radiograph.height * scale))
    grey = cv2.resize(reading.radiograph.pixels, size, interpolation=cv2.INTER_LINEAR)
    picture = np.repeat(np.rint(255 * grey.clip(0.0, 1.0)).astype(np.uint8)[..., np.newaxis], 3, axis=2)
    if reading.anatomy is None:
        return picture
    thick = max(1, round(max(size) / 700))
    for organ in ORGANS:
        for outline in reading.anatomy.contours[organ]:
            points = np.rint((outline + 0.5) * scale - 0.5).astype(np.int32)
            cv2.polylines(picture, [points], True, COLOURS[organ], thick, cv2.LINE_AA)
    for width in (reading.anatomy.heart_width, reading.anatomy.thorax_width):
        if width is not None:
            start, end = (
                tuple(round((place + 0.5) * scale - 0.5) for place in one) for one in (width.start, width.end)
            )
            cv2.line(picture, start, end, RATIO_INK, thick, cv2.LINE_AA)
    return _with_sides(picture, reading)


def png(reading: Reading, *, corrected: bool = False) -> bytes:
    """The picture with a strip below it: calls, measurements, versions, notice. PNG, without any metadata.

    Args:
        reading: An accepted one.
        corrected: Whether its outlines were corrected by hand.

    Raises:
        Refusal: when there is no score.
    """
    stream = io.BytesIO()
    Image.fromarray(with_strip(reading, corrected=corrected)).save(stream, "PNG", optimize=False)
    return stream.getvalue()


def with_strip(reading: Reading, *, corrected: bool = False) -> np.ndarray:
    """The same as pixels: uint8 (height, width, 3)."""
    if not reading.accepted or reading.anatomy is None:
        raise Refusal(f"There is no score to export: {reading.reason or 'the radiograph was not read.'}")
    picture = Image.fromarray(overlaid(reading))
    size = max(16, round(picture.width / 62))
    lines = strip_lines(reading, corrected)
    font = font_of(size)
    lines = [part for line in lines for part in wrapped(line, font, picture.width - 2 * size)]
    height = round(size * 1.45)
    whole = Image.new("RGB", (picture.width, picture.height + height * len(lines) + size), GROUND)
    whole.paste(picture, (0, 0))
    draw = ImageDraw.Draw(whole)
    for number, line in enumerate(lines):
        colour = AMBER if line in NOTICE else INK
        draw.text((size, picture.height + size // 2 + number * height), line, fill=colour, font=font)
    return np.asarray(whole)


def strip_lines(reading: Reading, corrected: bool) -> list[str]:
    """What the strip says."""
    said = [f"{BY_KEY[one.key].name} {one.probability:.1%} ({one.call})" for one in reading.findings]
    ratio = None if reading.anatomy is None else reading.anatomy.cardiothoracic_ratio
    measured = "not measured" if ratio is None else f"{ratio:.2f}"
    versions = ", ".join(f"{stamp.version} ({stamp.sha256[:8]})" for stamp in reading.models.values())
    by_hand = " Outlines corrected by hand; probabilities are those of the machine's." if corrected else ""
    return [", ".join(said) + ".", f"Cardiothoracic ratio {measured}. Models {versions}.{by_hand}", NOTICE]


def wrapped(line: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """A line broken at its spaces so that no part is wider than ``width`` pixels."""
    parts, part = [], ""
    for word in line.split():
        longer = f"{part} {word}".strip()
        if part and font.getlength(longer) > width:
            parts.append(part)
            longer = word
        part = longer
    return [*parts, part]


@cache
def font_of(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib."""
    return ImageFont.truetype(str(FONT), size)


def _with_sides(picture: np.ndarray, reading: Reading) -> np.ndarray:
    """R and L at the edges, with a question mark where the film may be mirrored."""
    if reading.anatomy is None:
        return picture
    sides = ("R?", "L?") if MIRRORED in reading.anatomy.flags else ("R", "L")
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    size = max(20, image.width // 30)
    for side, anchor, across in ((sides[0], "lm", size // 3), (sides[1], "rm", image.width - size // 3)):
        place = (across, image.height // 2)
        box = draw.textbbox(place, side, font=font_of(size), anchor=anchor)
        draw.rectangle([box[0] - 4, box[1] - 4, box[2] + 4, box[3] + 4], fill=GROUND)
        draw.text(place, side, fill=INK, font=font_of(size), anchor=anchor)
    return np.asarray(image)
