"""Window presets: which part of the display range is spread over black to white.

Pixels reach the display after the file's own VOI transform, so a window is given in per cent of that display range and
not in stored units.
"""

from dataclasses import dataclass

import numpy as np

from lung_models.radiograph import Radiograph
from lung_models.reading import Anatomy

SAMPLES_PER_SIDE = 256
"""Percentiles are taken on a grid of about this many rows and columns: exact enough for a window, and fast."""
DARKEST, BRIGHTEST = 1.0, 99.0
"""Percentiles that a window fitted to a region reaches from and to, in per cent."""
NARROWEST = 5.0
"""No preset is narrower than this, in per cent of the display range."""


@dataclass(frozen=True)
class Window:
    """One window preset.

    Args:
        name: Name on screen.
        centre: Middle of the window, in per cent of the display range.
        width: Width of the window, in per cent of the display range.
        meaning: One sentence for a tooltip.
    """

    name: str
    centre: float
    width: float
    meaning: str


DEFAULT = Window("Default", 50.0, 100.0, "The whole display range, as the file asks to be shown.")
HIGH_CONTRAST = Window("High contrast", 50.0, 50.0, "The middle half of the display range.")
DARK = Window("Lung", 32.5, 65.0, "The dark two thirds of the display range: aerated lung.")
BRIGHT = Window("Mediastinum", 70.0, 60.0, "The bright part of the display range: mediastinum, heart and bone.")


def window_presets(radiograph: Radiograph, anatomy: Anatomy | None) -> tuple[Window, ...]:
    """Return the presets for one radiograph, the default first.

    With organ outlines, ``Lung`` spans the values inside the lungs and ``Mediastinum`` those inside the heart; without
    them both are fixed parts of the display range.
    """
    step = max(1, max(radiograph.height, radiograph.width) // SAMPLES_PER_SIDE)
    values = radiograph.pixels[::step, ::step]
    automatic = _spanning(values, "Automatic", "From the darkest to the brightest hundredth of this picture.")
    lung, mediastinum = DARK, BRIGHT
    if anatomy is not None:
        right, left, heart = anatomy.masks(*values.shape)
        lung = _spanning(values[right | left], "Lung", "The range of values inside the outlined lungs.") or lung
        mediastinum = _spanning(values[heart], "Mediastinum", "The range of values inside the outlined heart.") or (
            mediastinum
        )
    return tuple(window for window in (DEFAULT, automatic, lung, mediastinum, HIGH_CONTRAST) if window)


def _spanning(values: np.ndarray, name: str, meaning: str) -> Window | None:
    """The window that spans the values of a region, float32 of any shape, 0..1; None for an empty region."""
    if values.size == 0:
        return None
    low, high = 100 * np.percentile(values, (DARKEST, BRIGHTEST))
    return Window(name, round(float(low + high) / 2, 1), round(max(float(high - low), NARROWEST), 1), meaning)
