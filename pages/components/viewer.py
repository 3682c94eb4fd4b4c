"""The radiograph viewer: a canvas that zooms, windows, measures and draws layers in the browser, without a rerun.

Python sends one block of bytes for each study and nothing when a layer, a window or the chosen finding changes: all six
heat maps travel with the pixels.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import streamlit as st

from lung_models.findings import BY_KEY
from lung_models.radiograph import Radiograph, Spacing
from lung_models.reading import Anatomy, FindingReading, Reading, Width
from lung_models.windows import window_presets

LONGEST_SIDE = 4096
"""A picture with a longer side is reduced to this many pixels for the screen, and the viewer says so."""
SCRIPTS = (
    "channel",
    "drop",
    "viewer_colours",
    "viewer_picture",
    "viewer_overlays",
    "viewer_keys",
    "viewer_controls",
    "viewer_link",
    "viewer_drawing",
    "viewer_correct",
    "viewer",
)
"""The browser's part, in the order it is joined."""

_HERE = Path(__file__).parent
_mount = st.components.v2.component(
    "lungs_viewer",
    html=(_HERE / "viewer.html").read_text(encoding="utf-8"),
    css=(_HERE / "viewer.css").read_text(encoding="utf-8"),
    js="\n".join((_HERE / f"{script}.js").read_text(encoding="utf-8") for script in SCRIPTS),
)


def viewer(payload: bytes, *, key: str, on_corrected: Callable[[dict[str, Any]], None] | None = None) -> None:
    """Draw the viewer.

    Args:
        payload: From :func:`viewer_payload`; the same bytes again cost the browser nothing.
        key: Identifies the component on the page; zoom and window survive reruns that keep it.
        on_corrected: Called before the page is drawn again when outlines were corrected by hand, with ``study`` as
            given to :func:`viewer_payload`, and ``masks``: base64 of what :func:`lung_models.correction.unpacked`
            takes, or None to drop every correction.
    """

    def corrected() -> None:
        value = st.session_state[key].get("corrected")
        if on_corrected is not None and isinstance(value, dict):
            on_corrected(value)

    _mount(key=key, data=payload, on_corrected_change=corrected)


def viewer_payload(
    reading: Reading, *, study: str, channel: str = "read", linked: str = "", correctable: bool = True
) -> bytes:
    """Everything the viewer needs of a reading, as it travels.

    Args:
        reading: A refused one gives the picture alone.
        study: Identifies the study in the browser, which remembers zoom and window by it.
        channel: Joins the viewer and the findings panel of one page.
        correctable: Whether its outlines can be corrected by hand.
        linked: Viewers of the same name share zoom, place and window; empty for none.

    Returns:
        The header's length (uint32), the header (JSON), the pixels (uint16, row by row, 65535 is white), the heat maps
        (uint16, 65535 is 1.0) and the masks (one bit a place), all little endian. Pixels are sent raw: as PNG they take
        ten times as long to encode and are hardly smaller.
    """
    radiograph = reading.radiograph
    pixels = _stored_pixels(radiograph)
    blocks = [pixels.tobytes()]
    heats: dict[str, Any] = {}
    for one in reading.findings:
        heats[one.key], block = _heat(one, sum(map(len, blocks)))
        blocks.append(block)
    masks = _masks(reading.anatomy) if correctable else None
    header = {
        "masks": None if masks is None else {"place": sum(map(len, blocks)), "side": reading_side(reading)},
        "channel": channel,
        "linked": linked,
        "study": study,
        "label": _label(radiograph),
        "width": radiograph.width,
        "height": radiograph.height,
        "stored": {"width": pixels.shape[1], "height": pixels.shape[0]},
        "reduced": pixels.shape != radiograph.pixels.shape,
        "sides": _sides(reading),
        "spacing": None if radiograph.spacing is None else vars(radiograph.spacing),
        "presets": [vars(window) for window in window_presets(radiograph, reading.anatomy)],
        "contours": _contours(reading.anatomy),
        "ratio": _ratio(reading.anatomy, radiograph.spacing),
        "heats": heats,
        "heat_unit": reading.heat_unit,
    }
    if masks is not None:
        blocks.append(masks)
    digest = hashlib.blake2b(json.dumps(header).encode(), digest_size=16)
    for block in blocks:
        digest.update(block)
    encoded = json.dumps({**header, "digest": digest.hexdigest()}).encode()
    return b"".join([len(encoded).to_bytes(4, "little"), encoded, *blocks])


def reading_side(reading: Reading) -> int:
    """Side of the grid that the organs' masks are on; 0 without."""
    return 0 if reading.anatomy is None else int(reading.anatomy.organ_probability.shape[-1])


def _masks(anatomy: Anatomy | None) -> bytes | None:
    """The organs' masks, one bit a place: where correcting them starts from."""
    return None if anatomy is None else np.packbits(anatomy.organ_probability >= 0.5).tobytes()


def length_text(width: Width, spacing: Spacing | None) -> str:
    """A measured width in words: in mm where the file says how large a pixel is, and on what that rests."""
    if spacing is None:
        return f"{width.pixels:.0f} px"
    where = " at the detector" if spacing.source == "ImagerPixelSpacing" else ""
    return f"{width.pixels * spacing.column_mm:.0f} mm{where}"


def _stored_pixels(radiograph: Radiograph) -> np.ndarray:
    """The pixels as they travel: uint16, at most LONGEST_SIDE on the longer side."""
    pixels = radiograph.pixels
    scale = LONGEST_SIDE / max(pixels.shape)
    if scale < 1:
        size = (max(1, round(radiograph.width * scale)), max(1, round(radiograph.height * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return _to_uint16(pixels)


def _to_uint16(values: np.ndarray) -> np.ndarray:
    """0..1 as 0..65535, rounded, little endian."""
    scaled = values * np.float32(65535)
    scaled += np.float32(0.5)
    return np.clip(scaled, 0, 65535, out=scaled).astype("<u2")


def _heat(one: FindingReading, place: int) -> tuple[dict[str, Any], bytes]:
    """Header entry and block of one heat map; a finding called absent sends none, so that none can be shown."""
    entry: dict[str, Any] = {"name": BY_KEY[one.key].name, "call": one.call}
    if one.call == "absent":
        return {**entry, "place": None}, b""
    height, width = one.heat.shape
    entry["greatest"] = f"{one.heat.max():.2f}"
    return {**entry, "place": place, "width": width, "height": height}, _to_uint16(one.heat).tobytes()


def _contours(anatomy: Anatomy | None) -> dict[str, list[list[float]]]:
    """Each organ's outlines as x, y, x, y ... to a tenth of a pixel."""
    if anatomy is None:
        return {}
    return {
        organ: [np.round(outline.astype(float), 1).ravel().tolist() for outline in outlines if len(outline) > 2]
        for organ, outlines in anatomy.contours.items()
    }


def _sides(reading: Reading) -> list[str] | None:
    """The marks at the picture's left and right edge; None unless it is known to be a chest seen from the front."""
    if reading.anatomy is None:
        return None
    from lung_models.gate import MIRRORED  # imports torch, which made this reading; the page itself starts without

    return ["R?", "L?"] if MIRRORED in reading.anatomy.flags else ["R", "L"]


def _ratio(anatomy: Anatomy | None, spacing: Spacing | None) -> dict[str, Any] | None:
    """The cardiothoracic ratio and the two lines it rests on, counted from the picture's edge."""
    if anatomy is None or anatomy.cardiothoracic_ratio is None:
        return None
    if anatomy.heart_width is None or anatomy.thorax_width is None:
        return None
    lines = {
        name: {
            "line": [place + 0.5 for place in (*width.start, *width.end)],
            "text": length_text(width, spacing),
        }
        for name, width in (("heart", anatomy.heart_width), ("thorax", anatomy.thorax_width))
    }
    return {"value": f"{anatomy.cardiothoracic_ratio:.2f}", **lines}


def _label(radiograph: Radiograph) -> str:
    """Name, projection and size for the corner of the picture."""
    view = f", {radiograph.view}" if radiograph.view else ""
    return f"{radiograph.name}{view}, {radiograph.width} x {radiograph.height} px, {radiograph.bits} bit"
