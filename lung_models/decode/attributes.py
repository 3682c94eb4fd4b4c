"""Attributes of a DICOM header, read so that a missing, empty or malformed value is simply not stated."""

import math
from typing import Any

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.multival import MultiValue

FRAME_MACROS = (
    "PixelValueTransformationSequence",
    "FrameVOILUTSequence",
    "PixelMeasuresSequence",
    "PatientOrientationInFrameSequence",
)
"""Functional groups of a multi-frame image that this package reads (PS3.3 C.7.6.16.2)."""

ITEM_TAGS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")  # little and big endian (PS3.5 7.5)
ITEMS_LIMIT = 50_000  # items within one sequence, those of nested ones included; 1,000 frames have some 10,000


def stated(dataset: Dataset, keyword: str) -> Any:
    """Value of an attribute; None where it is absent, empty or cannot be converted."""
    try:
        value = dataset.get(keyword)
        return None if value is None or value == "" or (isinstance(value, MultiValue) and not value) else value
    except Exception:
        return None


def words(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Values of a code string, stripped and in capitals; empty where not stated."""
    value = stated(dataset, keyword)
    if value is None:
        return ()
    values = value if isinstance(value, MultiValue) else (value,)
    return tuple(str(one).strip().upper() for one in values)


def word(dataset: Dataset, keyword: str) -> str:
    """First value of a code string; empty where not stated."""
    return next(iter(words(dataset, keyword)), "")


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """Finite values of a numeric attribute; empty where not stated or any of them is no number."""
    value = stated(dataset, keyword)
    if value is None:
        return ()
    try:
        values = tuple(float(one) for one in (value if isinstance(value, MultiValue) else (value,)))
    except (TypeError, ValueError):
        return ()
    return values if all(math.isfinite(one) for one in values) else ()


def number(dataset: Dataset, keyword: str) -> float | None:
    """First value of a numeric attribute; None where not stated."""
    return next(iter(numbers(dataset, keyword)), None)


def whole(dataset: Dataset, keyword: str, otherwise: int = 0) -> int:
    """First value of a numeric attribute as a whole number; ``otherwise`` where not stated."""
    value = number(dataset, keyword)
    return otherwise if value is None else int(value)


def first_item(dataset: Dataset, keyword: str) -> Dataset | None:
    """First item of a sequence; None where there is none, or so many that it is no honest sequence."""
    try:
        unread = dataset.get_item(keyword)
        if isinstance(unread, RawDataElement) and sum(map((unread.value or b"").count, ITEM_TAGS)) > ITEMS_LIMIT:
            return None
        return dataset[keyword].value[0]
    except Exception:
        return None


def of_first_frame(header: Dataset) -> Dataset:
    """The header with what its functional groups say of the first frame laid over it (PS3.3 C.7.6.16.1).

    Args:
        header: Header of a single or multi-frame image; not changed.
    """
    combined = Dataset()
    combined.update(header)
    combined.set_original_encoding(*header.original_encoding)
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        if (group := first_item(header, groups)) is not None:
            for macro in FRAME_MACROS:
                if (item := first_item(group, macro)) is not None:
                    combined.update(item)
    return combined
