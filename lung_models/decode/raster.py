"""PNG, JPEG, TIFF and their like -> :class:`~lung_models.radiograph.Radiograph`."""

import warnings
from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from lung_models.decode.colour import grey_from_colour
from lung_models.decode.limits import Limits
from lung_models.radiograph import Radiograph, Refusal

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000")
"""Formats that Pillow is asked to recognise; its other readers stay closed to uploads."""
DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "F")  # Pillow's modes of more than 8 bit
BEGINNINGS = (b"\x89PNG", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"GIF8", b"RIFF")
END_MARKS = {"PNG": b"IEND", "JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "GIF": b"\x00;", "JPEG2000": b"\xff\xd9"}
"""What a whole file of each format ends with; a damaged one that lacks it was cut short."""
TAIL = 1024  # bytes at the end in which the end mark is looked for: some programs append a little
ORIENTATION = 0x0112  # EXIF and TIFF tag (EXIF 2.32, 4.6.4 A)
TURNED = range(2, 9)  # its values other than upright
PHOTOMETRIC = 0x0106  # TIFF tag (TIFF 6.0, section 8)
WHITE_IS_ZERO = 0  # value of PHOTOMETRIC
PNG_HEADER = slice(24, 26)  # where a PNG has its bit depth and its colour type (ISO/IEC 15948 11.2.2)
STRETCHED = "More than 8 bit without a window: shown from the darkest to the brightest value."
CONVERTED = "Stored in colour, grey in truth: converted to luminance."
PNG_16_BIT_COLOUR = (b"\x10\x02", b"\x10\x04", b"\x10\x06")  # depth 16: RGB, grey with alpha, RGB with alpha

warnings.filterwarnings("ignore", module=r"PIL\b")  # oddities of metadata, and sizes that the limits judge


def decode_raster(data: bytes, name: str, limits: Limits) -> Radiograph:
    """Decode the first page of a picture.

    8 bit is taken as it is. More than 8 bit has no agreed range (12 bit in a 16 bit file is common), so it is shown
    from its darkest to its brightest value, as a DICOM file without a window is. Transparency is laid on black:
    nothing was exposed there. No size of a pixel is taken from the resolution, which is one of printing.

    Args:
        data: The whole file.
        name: Label for the user.
        limits: Bound on pixels, checked on the file's header.

    Returns:
        The radiograph, upright by its EXIF orientation.

    Raises:
        Refusal: It is no picture, too large, truncated, damaged or a colour photograph.
    """
    with _opened(data, limits) as image:
        try:
            pixels, bits, notes = _read(image, data)
        except Refusal:
            raise
        except Exception as error:
            cut_short = "truncated" in str(error) or END_MARKS.get(image.format or "", b"") not in data[-TAIL:]
            state = "truncated. Send it again." if cut_short else "damaged: it cannot be decoded."
            raise Refusal(f"The {image.format} file is {state}") from None
    return Radiograph(np.ascontiguousarray(pixels), name, "raster", bits=bits, notes=tuple(notes))


def _opened(data: bytes, limits: Limits) -> Image.Image:
    """Read the header only and hold it against the limits."""
    try:
        image = Image.open(BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        raise Refusal(f"The picture has more than {limits.pixels / 1e6:.4g} million pixels: save it smaller.") from None
    except Exception:
        if data.startswith(BEGINNINGS):
            raise Refusal("The file begins as a picture but is truncated or damaged. Send it again.") from None
        raise Refusal("The file is not an image of a kind that can be read: DICOM, PNG, JPEG or TIFF.") from None
    width, height = image.size
    if not width or not height:
        raise Refusal("The picture has no rows or no columns.")
    if excess := limits.excess_pixels(height, width):
        raise Refusal(excess)
    return image


def _has_more_pages(image: Image.Image) -> bool:
    """Whether a second page or frame follows the first; unlike counting them this costs one step."""
    try:
        image.seek(1)
        image.seek(0)
    except EOFError:
        image.seek(0)
        return False
    return True


def _read(image: Image.Image, data: bytes) -> tuple[np.ndarray, int, list[str]]:
    """Decode an opened picture: float32 (height, width), 0..1; its bits a channel; notes."""
    notes: list[str] = []
    if _has_more_pages(image):
        notes.append("The first page of several is shown.")
    orientation = image.getexif().get(ORIENTATION, 1)
    if image.format == "PNG" and data[PNG_HEADER] in PNG_16_BIT_COLOUR:
        pixels, bits = _deep_png(data, notes), 16
    else:
        image.load()
        pixels, bits = _grey(image, notes)
    if image.format != "TIFF":  # Pillow turns a TIFF while loading it
        pixels = _upright(pixels, orientation)
    if orientation in TURNED:
        notes.append("Turned upright by its EXIF orientation.")
    return pixels, bits, [f"Stored as {bits} bit {image.format}.", *notes]


def _grey(image: Image.Image, notes: list[str]) -> tuple[np.ndarray, int]:
    """Grey of a loaded picture: float32 (height, width), 0..1, and its bits a channel."""
    if image.mode in DEEP_MODES:
        pixels = _stretched(np.asarray(image))
        notes.append(STRETCHED)
        if image.format == "TIFF" and image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO:  # type: ignore[attr-defined]
            pixels = 1.0 - pixels
            notes.append("White is stored as zero: inverted for display.")
        return pixels, 16 if image.mode.startswith("I;16") else 32
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"), np.float32) / 255.0, 1 if image.mode == "1" else 8
    if image.has_transparency_data:
        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image)
    pixels = grey_from_colour(np.asarray(image.convert("RGB")), white=255)
    notes.append(CONVERTED)
    return pixels, 8


def _deep_png(data: bytes, notes: list[str]) -> np.ndarray:
    """Grey of a PNG with several channels of 16 bit, of which Pillow would keep 8: float32 (height, width), 0..1."""
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.ndim != 3 or decoded.dtype != np.uint16:
        raise ValueError("truncated")
    if decoded.shape[2] == 4:
        alpha = decoded[..., 3:].astype(np.float32) / 65535.0
        decoded = np.rint(decoded[..., :3] * alpha).astype(np.uint16)
    grey = grey_from_colour(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), white=65535)
    notes.extend((CONVERTED, STRETCHED))
    return _stretched(grey)


def _stretched(values: np.ndarray) -> np.ndarray:
    """Darkest to brightest finite value -> 0..1, float32; a constant picture becomes black."""
    numbers = values.astype(np.float64)
    finite = np.isfinite(numbers)
    low, high = (numbers[finite].min(), numbers[finite].max()) if finite.any() else (0.0, 0.0)
    scaled = (np.where(finite, numbers, low) - low) / (high - low) if high > low else np.zeros(numbers.shape)
    return scaled.astype(np.float32)


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation, 1 to 8 (EXIF 2.32, 4.6.4 A); any other value is left alone."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.T
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
