"""A reading as a page to file: picture, findings, measurements, the reader's verdict, versions, notice."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime

from fpdf import FPDF
from fpdf.fonts import FontFace
from PIL import Image

from lung_models.exports.picture import FONT, NOTICE, overlaid
from lung_models.findings import BY_KEY
from lung_models.radiograph import Radiograph, Refusal
from lung_models.reading import Anatomy, Reading

MARGIN = 15.0  # mm
PICTURE_HEIGHT = 118.0  # mm, at most
PICTURE_SIDE = 1600  # pixels, long side of the picture in the file
BOLD = FONT.with_name("DejaVuSans-Bold.ttf")
LINE = 4.6  # mm from one line of small print to the next


def report(
    reading: Reading,
    label: str,
    *,
    corrected: bool = False,
    reader_lines: Sequence[str] = (),
    made: datetime | None = None,
) -> bytes:
    """One page, A4.

    Args:
        reading: An accepted one.
        label: What the study is called: a pseudonym; nothing else of the patient is on the page.
        corrected: Whether the outlines were corrected by hand.
        reader_lines: What a reader said of it, a line each.
        made: When the report was made, UTC; now, unless the same bytes are wanted again.

    Raises:
        Refusal: when there is no score.
    """
    if not reading.accepted or reading.anatomy is None:
        raise Refusal(f"There is no score to report: {reading.reason or 'the radiograph was not read.'}")
    page = FPDF(format="A4")
    page.set_creation_date(made or datetime.now(UTC))
    page.set_title("Chest radiograph reading")
    page.set_auto_page_break(True, MARGIN)
    page.set_margins(MARGIN, MARGIN, MARGIN)
    page.add_font("DejaVu", "", str(FONT))
    page.add_font("DejaVu", "B", str(BOLD))
    page.add_page()
    _head(page, reading.radiograph, label, made or datetime.now(UTC))
    _picture(page, reading)
    _findings(page, reading)
    _measurements(page, reading, reading.anatomy, corrected)
    _lines(page, "Reader's verdict", list(reader_lines) or ["None given."])
    _lines(page, "How this was made", _made(reading))
    return bytes(page.output())


def _head(page: FPDF, radiograph: Radiograph, label: str, made: datetime) -> None:
    page.set_font("DejaVu", "B", 14)
    page.cell(0, 8, "Chest radiograph reading", new_x="LMARGIN", new_y="NEXT")
    page.set_font("DejaVu", "", 9)
    view = radiograph.view or "view not stated"
    size = f"{radiograph.width} x {radiograph.height} pixels, {radiograph.bits} bit"
    page.cell(0, 5, f"{label}, {view}, {size}. Report of {made:%Y-%m-%d %H:%M} UTC.", new_x="LMARGIN", new_y="NEXT")
    page.set_fill_color(255, 244, 214)
    page.set_font("DejaVu", "B", 8.5)
    page.multi_cell(0, 5.5, NOTICE, fill=True, new_x="LMARGIN", new_y="NEXT", padding=1)
    page.ln(2)


def _picture(page: FPDF, reading: Reading) -> None:
    """The picture in the middle, as large as there is room for."""
    picture = Image.fromarray(overlaid(reading))
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=92)
    height = min(PICTURE_HEIGHT, page.epw * picture.height / picture.width)
    width = height * picture.width / picture.height
    page.image(stream, x=MARGIN + (page.epw - width) / 2, w=width, h=height)
    page.ln(2)


def _findings(page: FPDF, reading: Reading) -> None:
    """The six findings with operating point, band and call."""
    page.set_font("DejaVu", "", 8.5)
    page.set_fill_color(255, 255, 255)
    heading = FontFace(emphasis="BOLD", fill_color=(232, 236, 240))
    widths, alignment = (50, 28, 32, 38, 32), ("LEFT", "RIGHT", "RIGHT", "RIGHT", "LEFT")
    with page.table(col_widths=widths, text_align=alignment, headings_style=heading, line_height=5.2) as table:
        table.row(["Finding", "Probability", "Operating point", "Uncertain from, to", "Call"])
        for one in reading.findings:
            mark = " (most likely)" if one.key == reading.primary else ""
            band = f"{one.band[0]:.1%}, {one.band[1]:.1%}"
            table.row(
                [f"{BY_KEY[one.key].name}{mark}", f"{one.probability:.1%}", f"{one.threshold:.1%}", band, one.call],
                style=FontFace(emphasis="BOLD") if one.call == "present" else None,
            )
    page.ln(1.5)


def _measurements(page: FPDF, reading: Reading, anatomy: Anatomy, corrected: bool) -> None:
    ratio = anatomy.cardiothoracic_ratio
    lines = [
        f"Cardiothoracic ratio {'not measurable' if ratio is None else f'{ratio:.2f}'}"
        + (", from outlines corrected by hand." if corrected else ", from the machine's outlines."),
        "Areas: "
        + ", ".join(
            f"{name} {_area(fraction, reading.radiograph)}"
            for name, fraction in (
                ("right lung", anatomy.right_lung_fraction),
                ("left lung", anatomy.left_lung_fraction),
                ("heart", anatomy.heart_fraction),
            )
        )
        + ".",
        *anatomy.flags,
    ]
    _lines(page, "Measurements", lines)


def _area(fraction: float, radiograph: Radiograph) -> str:
    """An area as a share of the picture and, where the size of a pixel in the patient is known, in cm²."""
    spacing = radiograph.spacing
    if spacing is None or spacing.source != "PixelSpacing":
        return f"{fraction:.1%} of the picture"
    area = fraction * radiograph.width * radiograph.height * spacing.row_mm * spacing.column_mm / 100.0
    return f"{area:.0f} cm² (PixelSpacing)"


def _made(reading: Reading) -> list[str]:
    versions = [
        f"{network.capitalize()}: {stamp.version}, {stamp.architecture}, sha256 {stamp.sha256}."
        for network, stamp in reading.models.items()
    ]
    views = [f"Probabilities are means of {reading.views} views."] if reading.averaged else []
    return [*versions, *views, *reading.radiograph.notes, *reading.radiograph.warnings]


def _lines(page: FPDF, heading: str, lines: list[str]) -> None:
    page.set_font("DejaVu", "B", 9)
    page.cell(0, 5.5, heading, new_x="LMARGIN", new_y="NEXT")
    page.set_font("DejaVu", "", 7.8)
    for line in lines:
        page.multi_cell(0, LINE - 0.6, line, new_x="LMARGIN", new_y="NEXT")
    page.ln(1)
