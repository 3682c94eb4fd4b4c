"""The findings panel: six rows to choose a heat map by, measurements, quality flags, and how the result was made."""

from pathlib import Path
from typing import Any

import streamlit as st

from lung_models.findings import ABNORMAL, BY_KEY
from lung_models.radiograph import Spacing
from lung_models.reading import Anatomy, FindingReading, Reading, Width
from pages.components.viewer import length_text

_HERE = Path(__file__).parent
_mount = st.components.v2.component(
    "lungs_findings_panel",
    html=(_HERE / "findings_panel.html").read_text(encoding="utf-8"),
    css=(_HERE / "findings_panel.css").read_text(encoding="utf-8"),
    js="\n".join((_HERE / script).read_text(encoding="utf-8") for script in ("channel.js", "findings_panel.js")),
)

Line = dict[str, str]
"""One figure: ``label``, ``value`` with its unit, and ``tip``, what it means."""


def findings_panel(content: dict[str, Any], *, key: str) -> None:
    """Draw the panel from :func:`panel_content`. Choosing a row shows its heat map in the viewer, without a rerun."""
    _mount(key=key, data=content)


def panel_content(
    reading: Reading, *, study: str, channel: str = "read", corrections: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What the panel shows of a reading, as words and figures ready to draw.

    Args:
        reading: An accepted reading has rows and measurements; a refused one only how it was made.
        study: The same as the viewer's.
        channel: The same as the viewer's.
        corrections: What a reader corrected by hand, in words.
    """
    return {
        "channel": channel,
        "study": study,
        "rows": [_row(one, reading) for one in reading.findings],
        "corrections": list(corrections),
        "measurements": _measurements(reading.anatomy, reading),
        "flags": list(reading.anatomy.flags) if reading.anatomy else [],
        "warnings": list(reading.radiograph.warnings),
        "made_by": _made_by(reading),
        "made": _made(reading),
        "notes": list(reading.radiograph.notes),
    }


def _row(one: FindingReading, reading: Reading) -> dict[str, Any]:
    finding = BY_KEY[one.key]
    low, high = one.band
    spread = "" if one.spread is None else f" ({one.spread[0]:.1%} to {one.spread[1]:.1%} over {reading.views} views)"
    tip = (
        f"{finding.meaning} Calibrated probability {one.probability:.1%}{spread}. Operating point {one.threshold:.1%}; "
        f"from {low:.1%} to {high:.1%} is called uncertain. Model {reading.models['findings'].version}."
    )
    doubt = _doubt(one, reading)
    return {
        "key": one.key,
        "name": finding.name,
        "probability": one.probability,
        "threshold": one.threshold,
        "low": low,
        "high": high,
        "spread": one.spread,
        "call": one.call,
        "abnormal": finding in ABNORMAL,
        "primary": one.key == reading.primary,
        "tip": f"{tip} {doubt}".strip(),
        "heat": _heat_text(one),
        "doubt": "" if one.call == "absent" else doubt,
    }


def _heat_text(one: FindingReading) -> str:
    """The line under a chosen row: whether there is a map, and where its heat lies."""
    if one.call == "absent":
        return "Called absent: no heat map is shown."
    shares = [(one.heat_in_lungs, "in the lungs"), (one.heat_in_heart, "in the heart")]
    parts = [f"{share:.0%} {where}" for share, where in shares if share is not None]
    return f"Share of the heat: {', '.join(parts)}." if parts else "There is no heat in this map."


def _doubt(one: FindingReading, reading: Reading) -> str:
    """Why not to rely on where the map points; empty when validation spoke for it, or when it was not tested at all."""
    if not reading.heat_tested or one.heat_checked:
        return ""
    if one.heat_checked is None:
        return "Whether this finding's maps point at the right place is not known: there were too few cases to test."
    return (
        "On validation this finding's maps did no better than a blob in the middle of the picture, or than chance: do "
        "not rely on where it points."
    )


def _measurements(anatomy: Anatomy | None, reading: Reading) -> list[Line]:
    if anatomy is None:
        return []
    spacing = reading.radiograph.spacing
    area = reading.radiograph.width * reading.radiograph.height
    ratio = anatomy.cardiothoracic_ratio
    lines = [
        {
            "label": "Cardiothoracic ratio",
            "value": "not measurable" if ratio is None else f"{ratio:.2f}",
            "tip": "Greatest width of the heart over greatest inner width of the thorax, both horizontal; no unit. "
            "Above 0.5 on a PA film the heart usually counts as enlarged; AP films overstate it.",
        },
        _width("Heart width", anatomy.heart_width, spacing),
        _width("Thorax width", anatomy.thorax_width, spacing),
        _area("Right lung area", anatomy.right_lung_fraction, area, spacing),
        _area("Left lung area", anatomy.left_lung_fraction, area, spacing),
    ]
    return [line for line in lines if line]


def _width(label: str, width: Width | None, spacing: Spacing | None) -> Line:
    if width is None:
        return {}
    source = "in pixels: the file does not say how large one is." if spacing is None else f"from {spacing.source}."
    return {
        "label": label,
        "value": length_text(width, spacing),
        "tip": f"Length of the line drawn with CT ratio, {source}",
    }


def _area(label: str, fraction: float, pixels: int, spacing: Spacing | None) -> Line:
    """An area as a share of the picture, and in cm² where a pixel's size in the patient is known."""
    value = f"{fraction:.1%} of the picture"
    tip = "Area inside the outline over the area of the picture."
    if spacing is not None and spacing.source == "PixelSpacing":
        square_centimetres = fraction * pixels * spacing.row_mm * spacing.column_mm / 100
        value = f"{square_centimetres:.0f} cm², {fraction:.1%} of the picture"
        tip += " cm² rest on PixelSpacing."
    return {"label": label, "value": value, "tip": tip}


def _made_by(reading: Reading) -> str:
    """Which models read and where, in one line that is always seen; empty when none did."""
    versions = " and ".join(stamp.version for stamp in reading.models.values())
    return f"Models {versions}, on {reading.device}." if versions else ""


def _made(reading: Reading) -> list[Line]:
    """Which models read, where, and how long it took."""
    lines = [
        {
            "label": f"{network.capitalize()} model",
            "value": f"{stamp.version} ({stamp.sha256[:8]})",
            "tip": f"{stamp.architecture}; sha256 of its weights {stamp.sha256}.",
        }
        for network, stamp in reading.models.items()
    ]
    if reading.averaged:
        tip = (
            "The radiograph, its mirror image, and both with the frame moved a little. The range is from the lowest to "
            "the highest of them. Calibration and operating points were fitted to single views."
        )
        lines.append({"label": "Probabilities", "value": f"mean of {reading.views} views", "tip": tip})
    if reading.device:
        lines.append({"label": "Device", "value": reading.device, "tip": "Where the networks ran."})
    if reading.milliseconds:
        stages = ", ".join(f"{stage} {value:.0f}" for stage, value in reading.milliseconds.items() if stage != "total")
        total = reading.milliseconds.get("total", 0.0)
        lines.append(
            {"label": "Time", "value": f"{total:.0f} ms ({stages})", "tip": "Time taken by each stage, in ms."}
        )
    return lines
