"""Everything that a reading can be exported as, from one place: for the command line and the pages."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO

from pydicom import Dataset, dcmread

from lung_models.correction import Correction
from lung_models.decode.sniff import is_dicom
from lung_models.exports import pdf, picture, table
from lung_models.exports.dicom_sc import secondary_capture
from lung_models.exports.dicom_seg import segmentation
from lung_models.exports.dicom_sr import structured_report
from lung_models.exports.source import as_dicom
from lung_models.findings import BY_KEY
from lung_models.reading import Anatomy, Reading
from lung_models.records import audit, verdicts
from lung_models.records.database import Database
from lung_models.records.deidentify import deidentified
from lung_models.records.keeping import kept_file, reopened
from lung_models.records.kept_files import KeptFiles, installation_key

KINDS: dict[str, tuple[str, str]] = {
    "pdf": ("report.pdf", "application/pdf"),
    "png": ("picture.png", "image/png"),
    "json": ("reading.json", "application/json"),
    "csv": ("reading.csv", "text/csv"),
    "seg": ("segmentation.dcm", "application/dicom"),
    "sr": ("structured-report.dcm", "application/dicom"),
    "sc": ("secondary-capture.dcm", "application/dicom"),
}
"""File name and media type of each kind of export."""
UNKEPT = "Study"
UNKEPT_SUBJECT = "a study that is not kept"


@dataclass(frozen=True)
class Export:
    """One reading, ready to be written in any kind.

    Args:
        reading: What is exported; its anatomy is the corrected one where a reader corrected it.
        source: The DICOM object it was made of, which DICOM exports refer to: de-identified unless it goes back to the
            PACS it came from.
        label: What the study is called, a pseudonym.
        corrected: Whether the outlines were corrected by hand.
        reader_lines: What readers said, a line each.
    """

    reading: Reading
    source: Dataset
    label: str
    corrected: bool = False
    reader_lines: tuple[str, ...] = ()

    @cached_property
    def segmented(self) -> Dataset:
        """The DICOM Segmentation."""
        return segmentation(self.reading, self.source, corrected=self.corrected)

    def dicom(self, kind: str) -> Dataset:
        """A DICOM export: ``seg``, ``sr`` or ``sc``."""
        if kind == "seg":
            return self.segmented
        if kind == "sr":
            return structured_report(self.reading, self.source, self.segmented, corrected=self.corrected)
        return secondary_capture(self.reading, self.source, corrected=self.corrected)

    def render(self, kind: str) -> bytes:
        """The bytes of a kind of :data:`KINDS`.

        Raises:
            Refusal: when there is no score to export.
        """
        writers: dict[str, Callable[[], bytes]] = {
            "pdf": lambda: pdf.report(
                self.reading, self.label, corrected=self.corrected, reader_lines=self.reader_lines
            ),
            "png": lambda: picture.png(self.reading, corrected=self.corrected),
            "json": lambda: table.as_json(self.reading, self.label, corrected=self.corrected).encode(),
            "csv": lambda: table.as_csv([(self.label, self.reading)], corrected=self.corrected).encode(),
        }
        return writers[kind]() if kind in writers else as_file(self.dicom(kind))


def of_kept(database: Database, number: int, files: KeptFiles | None = None) -> Export:
    """A kept reading, with the newest correction of its outlines and everything that readers said.

    Raises:
        ValueError: when there is no such reading, or its files are damaged.
    """
    files = files or KeptFiles()
    reading = reopened(database, number, files)
    label, content = kept_file(database, number, files)
    given = verdicts.of_reading(database, number)
    drawn = verdicts.newest_correction(database, number, files)
    anatomy = None if drawn is None else Correction.drawn(reading.radiograph, drawn[1]).anatomy
    lines = tuple(said(verdict, reading) for verdict in given)
    return Export(with_anatomy(reading, anatomy), dcmread(BytesIO(content)), label, anatomy is not None, lines)


def as_shown(saved: Export, machine: Reading, anatomy: Anatomy | None) -> Export:
    """An export with the outlines that a reader looks at, saved or not, instead of those saved last.

    Args:
        saved: From :func:`of_kept`.
        machine: The reading as it was made.
        anatomy: Of the correction that is shown; None where the machine's outlines are.
    """
    return replace(saved, reading=with_anatomy(machine, anatomy), corrected=anatomy is not None)


def of_open(data: bytes, reading: Reading, correction: Anatomy | None = None) -> Export:
    """A reading that is not kept; DICOM exports refer to a de-identified copy of its file."""
    source: Dataset
    if is_dicom(data):
        source = dcmread(BytesIO(deidentified(data, installation_key(), UNKEPT)))
    else:
        source = as_dicom(reading.radiograph, UNKEPT)
    return Export(with_anatomy(reading, correction), source, UNKEPT, correction is not None)


def render_on_record(database: Database, export: Export, kind: str, by: str, kept: int | None) -> bytes:
    """The bytes of a kind, with the export on record in the audit.

    Args:
        database: Where the audit is.
        export: What is exported.
        kind: One of :data:`KINDS`.
        by: Who exports it.
        kept: Number of its reading, if it is kept.
    """
    content = export.render(kind)
    with database.transaction() as session:
        audit.record(session, by, "export", UNKEPT_SUBJECT if kept is None else f"reading {kept}", kind)
    return content


def with_anatomy(reading: Reading, anatomy: Anatomy | None) -> Reading:
    """The reading with other outlines; its probabilities stay those of the machine's."""
    return reading if anatomy is None else replace(reading, anatomy=anatomy)


def said(verdict: verdicts.Verdict, reading: Reading) -> str:
    """A verdict in one line."""
    words = []
    for key, says in verdict.says.items():
        agrees = verdicts.agrees(says, reading.finding(key).call)
        lead = {True: "agrees: ", False: "disagrees: ", None: ""}[agrees]
        words.append(f"{lead}{BY_KEY[key].name} {says}")
    outlines = [f"outlines corrected, ratio {verdict.corrected_ratio:.2f}"] if verdict.corrected_ratio else []
    note = [f"note: {verdict.note}"] if verdict.note else []
    return f"{verdict.by}, {verdict.at:%Y-%m-%d %H:%M} UTC: {'; '.join([*words, *outlines, *note])}."


def as_file(dataset: Dataset) -> bytes:
    """A DICOM object as a file (PS3.10)."""
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
