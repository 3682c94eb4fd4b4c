"""Results back to the PACS that a study came from, under the original study's identity."""

from dataclasses import dataclass, replace
from io import BytesIO

from pydicom import dcmread

from lung_models.exports.export import Export
from lung_models.pacs.dicomweb import Pacs
from lung_models.pacs.settings import PacsError, endpoint
from lung_models.records import audit
from lung_models.records.database import Database
from lung_models.records.study_tables import ReadingRow, StudyRow

KINDS = ("seg", "sr", "sc")
"""What is stored: the segmentation, the report that refers to it, and a picture for viewers that show neither."""


@dataclass(frozen=True)
class Source:
    """Where a study came from.

    Args:
        endpoint: Name of the PACS in the settings.
        study_uid: Its Study Instance UID there.
        uid: SOP Instance UID of the radiograph there.
    """

    endpoint: str
    study_uid: str
    uid: str


def of_file(name: str, data: bytes) -> Source:
    """The source of a file as it was retrieved from a PACS."""
    header = dcmread(BytesIO(data), stop_before_pixels=True)
    return Source(name, str(header.StudyInstanceUID), str(header.SOPInstanceUID))


def of_reading(database: Database, number: int) -> Source | None:
    """The source of a kept reading; None when it did not come from a PACS."""
    with database.transaction() as session:
        reading = session.get(ReadingRow, number)
        study = None if reading is None else session.get(StudyRow, reading.study_id)
        if study is None or not (study.endpoint and study.source_study_uid and study.source_uid):
            return None
        return Source(study.endpoint, study.source_study_uid, study.source_uid)


def store_results(source: Source, export: Export, *, by: str, database: Database) -> int:
    """Store SEG, SR and Secondary Capture beside the radiograph they were made of.

    The radiograph is retrieved anew for its identity, which is not kept here.

    Returns:
        How many objects were stored.

    Raises:
        Refusal: when the PACS does not answer, no longer holds the radiograph, or there is no score.
    """
    pacs = Pacs(endpoint(source.endpoint))
    original = pacs.retrieve_one(source.study_uid, source.uid)
    identified = replace(export, source=original)
    objects = [identified.dicom(kind) for kind in KINDS]
    outcome = "begun, and not known how it ended"
    try:
        pacs.store(objects)
        outcome = "all stored"
    except PacsError:
        outcome = "not all stored"
        raise
    finally:
        with database.transaction() as session:
            audit.record(session, by, "store", f"{export.label} in {source.endpoint}", f"{', '.join(KINDS)}: {outcome}")
    return len(KINDS)
