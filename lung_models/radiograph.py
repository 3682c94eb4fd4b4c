"""A decoded radiograph: what every decoder returns and everything downstream starts from."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

View = Literal["PA", "AP", "lateral"]


class Refusal(Exception):
    """A file or an image that is not read, with the reason in one line a user can act on.

    The text names what was wrong and, where there is something to do, what to do. It never holds a patient's name.
    """

    @property
    def reason(self) -> str:
        """The one line shown to the user and written to the command line's ``reason``."""
        return str(self)


@dataclass(frozen=True)
class Spacing:
    """Physical size of a pixel.

    Args:
        row_mm: Distance between the centres of neighbouring rows, in mm.
        column_mm: Distance between the centres of neighbouring columns, in mm.
        source: The DICOM attribute it comes from. ``ImagerPixelSpacing`` is measured at the detector and overstates
            lengths in the patient by the magnification (PS3.3 C.8.11.7 and 10.7.1.3); it is never passed off as
            ``PixelSpacing``.
    """

    row_mm: float
    column_mm: float
    source: Literal["PixelSpacing", "ImagerPixelSpacing"]


@dataclass(frozen=True)
class Radiograph:
    """One radiograph, ready to be displayed or read.

    Args:
        pixels: float32, shape (height, width), 0..1; 1 is white, that is most attenuated (bone), whatever the file's
            photometric interpretation was. The modality and VOI transforms are already applied.
        name: Label for the user, usually the file's name. Never logged: it may hold a patient's name.
        origin: The kind of file it was decoded from.
        bits: Bits per pixel that the file stored.
        view: Projection if the file states it, else None.
        spacing: Size of a pixel if the file states it, else None.
        notes: What was done to the pixels, in order, one short sentence each; shown on the page.
        warnings: What a reader should know about the file (for example burned-in annotation), one sentence each.
    """

    pixels: np.ndarray
    name: str
    origin: Literal["dicom", "raster"]
    bits: int = 8
    view: View | None = None
    spacing: Spacing | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Hold the promise on shape, type and range, and make the pixels read-only."""
        if self.pixels.ndim != 2 or self.pixels.dtype != np.float32:
            raise ValueError(f"pixels must be float32 (height, width), not {self.pixels.dtype} {self.pixels.shape}")
        self.pixels.flags.writeable = False

    @property
    def height(self) -> int:
        """Number of rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.pixels.shape[1])
