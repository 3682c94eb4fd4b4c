"""Stored values -> grey: modality transform, VOI transform and polarity of a DICOM image (PS3.3 C.11.1, C.11.2).

All of it maps one value to one value. So it is worked out once for every value that can be stored, by pydicom, and the
picture is a look-up in that table.
"""

from dataclasses import dataclass, field

import numpy as np
from pydicom import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi, apply_windowing

from lung_models.decode.attributes import first_item, number, numbers, word

STRIP = 1 << 20  # pixels looked up at a time: indexing needs 8 bytes a pixel while it runs
VOI_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")  # PS3.3 C.11.2.1.2 and C.11.2.1.3


@dataclass
class Remarks:
    """What is told to the reader, gathered on the way.

    Args:
        notes: What was done to the pixels.
        warnings: What to know about the file.
    """

    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def display_grey(stored: np.ndarray, header: Dataset, remarks: Remarks) -> np.ndarray:
    """Bring the stored values of a grey image to display.

    The range of the VOI transform becomes 0..1; without one, the image's own darkest to brightest value does, padding
    (PS3.3 C.7.5.1.1.2) left out. MONOCHROME1 is inverted; PresentationLUTShape INVERSE says the same thing of the same
    image (PS3.3 C.8.11.3.1.2), so it is not applied a second time.

    Args:
        stored: Integers, shape (height, width), as the decoder returns them.
        header: Attributes of this frame, photometric interpretation MONOCHROME1 or MONOCHROME2.
        remarks: Notes and warnings are added to it.

    Returns:
        float32, shape (height, width), 0..1, 1 is white.
    """
    if stored.dtype.itemsize > 2:
        values, used = stored.ravel(), np.ones(stored.size, bool)
    else:
        unsigned = np.dtype(f"u{stored.dtype.itemsize}")
        codes = stored.astype(stored.dtype.newbyteorder("=")).view(unsigned)
        values = np.arange(2 ** (8 * unsigned.itemsize), dtype=unsigned).view(stored.dtype.newbyteorder("="))
        used = np.zeros(values.size, bool)
        for strip in _strips(codes):
            used[strip] = True
    padding = _padding(values, header)
    grey = _voi(_modality(values.astype(np.int64), header, remarks), used & ~padding, header, remarks)
    if word(header, "PhotometricInterpretation") == "MONOCHROME1":
        grey = 1.0 - grey
        remarks.notes.append("MONOCHROME1: inverted for display.")
    elif word(header, "PresentationLUTShape") == "INVERSE":
        remarks.warnings.append("The file is MONOCHROME2 yet asks for an inverse display; it is shown as MONOCHROME2.")
    if (used & padding).any():
        grey[padding] = 0.0
        remarks.notes.append("Padding around the picture is shown black.")
    table = np.clip(np.nan_to_num(grey, nan=0.0), 0.0, 1.0).astype(np.float32)
    if stored.dtype.itemsize > 2:
        return table.reshape(stored.shape)
    return np.concatenate([table[strip] for strip in _strips(codes)]).reshape(stored.shape)


def _strips(codes: np.ndarray) -> list[np.ndarray]:
    """The pixels in pieces of at most ``STRIP``."""
    flat = codes.ravel()
    return [flat[start : start + STRIP] for start in range(0, flat.size, STRIP)]


def _padding(values: np.ndarray, header: Dataset) -> np.ndarray:
    """Which stored values are padding: one value, or all between two (PS3.3 C.7.5.1.1.2)."""
    one = number(header, "PixelPaddingValue")
    if one is None:
        return np.zeros(values.shape, bool)
    other = number(header, "PixelPaddingRangeLimit")
    low, high = sorted((one, one if other is None else other))
    return (values >= low) & (values <= high)


def _modality(values: np.ndarray, header: Dataset, remarks: Remarks) -> np.ndarray:
    """Modality LUT, or else rescale slope and intercept (PS3.3 C.11.1)."""
    if (item := first_item(header, "ModalityLUTSequence")) is not None:
        try:
            mapped = apply_modality_lut(*_indexable(values, header, item, "ModalityLUTSequence")).astype(np.float64)
        except Exception:
            remarks.warnings.append("The file's modality look-up table is malformed and was left out.")
        else:
            remarks.notes.append("Modality look-up table applied.")
            return mapped
    slope, intercept = number(header, "RescaleSlope"), number(header, "RescaleIntercept")
    if slope is None or intercept is None or (slope, intercept) == (1, 0):
        return values.astype(np.float64)
    if slope == 0:
        remarks.warnings.append("The file's rescale slope is 0 and was left out.")
        return values.astype(np.float64)
    rescale = Dataset()
    rescale.RescaleSlope, rescale.RescaleIntercept = slope, intercept
    remarks.notes.append(f"Rescale {slope:.6g} x + {intercept:.6g} applied.")
    return apply_modality_lut(values, rescale)


def _voi(values: np.ndarray, shown: np.ndarray, header: Dataset, remarks: Remarks) -> np.ndarray:
    """VOI LUT, or else the first window, or else the image's own range: float64, 0..1 over its range."""
    if (item := first_item(header, "VOILUTSequence")) is not None:
        try:
            depth = int(item.LUTDescriptor[2])
            mapped = apply_voi(*_indexable(np.rint(values), header, item, "VOILUTSequence"))
        except Exception:
            remarks.warnings.append("The file's VOI look-up table is malformed and was left out.")
        else:
            remarks.notes.append("VOI look-up table applied.")
            return mapped.astype(np.float64) / (2**depth - 1)
    if (window := _window(header, remarks)) is not None:
        with np.errstate(over="ignore"):
            return apply_windowing(values, window)
    remarks.notes.append("No window stored: shown from the darkest to the brightest value.")
    low, high = (values[shown].min(), values[shown].max()) if shown.any() else (0.0, 0.0)
    return (values - low) / (high - low) if high > low else np.zeros(values.shape)


def _window(header: Dataset, remarks: Remarks) -> Dataset | None:
    """The first window in a header of its own whose output range is 0..1; None where there is no usable one."""
    centres, widths = numbers(header, "WindowCenter"), numbers(header, "WindowWidth")
    if not centres or not widths:
        return None
    function = word(header, "VOILUTFunction") or "LINEAR"
    if function not in VOI_FUNCTIONS:
        remarks.warnings.append("The file's VOI function is not one of the standard's: LINEAR is used.")
        function = "LINEAR"
    centre, width = centres[0], widths[0]
    if width <= 0 or (function == "LINEAR" and width < 1):
        remarks.warnings.append(f"The file's window width of {width:.6g} is not valid: the window was left out.")
        return None
    if len(centres) > 1:
        remarks.notes.append(f"The first of {len(centres)} stored windows is used.")
    remarks.notes.append(f"Window {centre:.6g} / {width:.6g} ({function}) applied.")
    window = Dataset()
    window.PhotometricInterpretation = "MONOCHROME2"
    window.WindowCenter, window.WindowWidth, window.VOILUTFunction = centre, width, function
    window.BitsStored, window.PixelRepresentation = 1, 0  # apply_windowing's output range is that of the stored bits
    return window


def _indexable(values: np.ndarray, header: Dataset, item: Dataset, sequence: str) -> tuple[np.ndarray, Dataset]:
    """Arguments for pydicom's look-up of ``values`` in a table, such that it cannot wrap around.

    pydicom counts the table's entries in the type of its output: a table of 4,096 entries of 8 bits would fold over,
    one of 12 bits has no type. So the values are clipped to the table and its entries called 16 bit beforehand.
    """
    length, first, _ = (int(one) for one in item.LUTDescriptor)
    clipped = np.clip(values, first, first + (length or 2**16) - 1).astype(np.int64)
    table = Dataset()
    table.LUTDescriptor = [length, first, 16]
    table.add(item["LUTData"])
    lone = Dataset()
    lone.set_original_encoding(*header.original_encoding)
    setattr(lone, sequence, [table])
    return clipped, lone
