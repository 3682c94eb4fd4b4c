"""The DICOM object of the picture that a reading was made of: what segmentations and reports refer to."""

import hashlib
from copy import deepcopy

import highdicom
import numpy as np
from pydicom import Dataset
from pydicom.uid import UID, generate_uid

from lung_models.decode.geometry import upright
from lung_models.decode.grey import Remarks
from lung_models.radiograph import Radiograph, Refusal

MANUFACTURER = "Lungs"
WHITE = 65535
REQUIRED = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""Attributes of type 2 (PS3.3 C.7.1.1, C.7.2.1) that files lack and derived objects must have, be they empty."""


def as_dicom(radiograph: Radiograph, patient: str) -> Dataset:
    """A picture that came as PNG, JPEG or TIFF as a Secondary Capture: 16 bit, not compressed, with UIDs of its own.

    Args:
        radiograph: The picture; its pixels come back within 1/65535.
        patient: Pseudonym; nothing else is said of the patient.
    """
    pixels = np.rint(radiograph.pixels * WHITE).astype(np.uint16)
    made = highdicom.sc.SCImage(
        pixel_array=pixels,
        photometric_interpretation="MONOCHROME2",
        bits_allocated=16,
        coordinate_system="PATIENT",
        study_instance_uid=generate_uid(),
        series_instance_uid=generate_uid(),
        series_number=1,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer=MANUFACTURER,
        patient_id=patient,
        patient_name=f"{patient}^",
        patient_orientation=("L", "F"),
    )
    made.Modality, made.Laterality = "OT", ""
    made.WindowCenter, made.WindowWidth = "32768", "65536"  # LINEAR (PS3.3 C.11.2.1.2.1): 0 is black, 65535 white
    made.PatientIdentityRemoved = "YES"
    made.DeidentificationMethod = "Picture without DICOM header"
    dataset: Dataset = made
    return dataset


def usable(source: Dataset) -> Dataset:
    """A copy of a source in which nothing is missing that derived objects need.

    A pixel spacing of 0, as real files have, is taken away: it would make a segmentation unreadable.

    Raises:
        Refusal: when the source says not which object it is, for nothing could refer to it.
    """
    if not all(source.get(name) for name in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")):
        raise Refusal(
            "The file lacks the UIDs that DICOM objects refer to it by: export PDF, PNG, JSON or CSV instead."
        )
    copied = deepcopy(source)
    for name in REQUIRED:
        if name not in copied:
            setattr(copied, name, "")
    for name in ("PixelSpacing", "ImagerPixelSpacing"):
        if name in copied and not all(float(value) > 0 for value in copied.get(name) or [0]):
            del copied[name]
    return copied


def derived_uid(source: Dataset, *what: str | bytes) -> UID:
    """The UID of something derived from a source: the same for the same content, so that sending it twice is harmless.

    Args:
        source: The object it is derived from.
        what: What it is, and its content.
    """
    content = hashlib.sha256(b"\0".join(part.encode() if isinstance(part, str) else part for part in what)).hexdigest()
    return generate_uid(entropy_srcs=[str(source.SOPInstanceUID), content])


def as_stored(pictures: np.ndarray, source: Dataset) -> np.ndarray:
    """Pictures of the upright radiograph, as shown and read, in the rows and columns that the source stores.

    Args:
        pictures: (n, height, width) of the upright radiograph.
        source: The object that was read.

    Returns:
        (n, rows, columns) of the source.

    Raises:
        Refusal: when the source has several frames, or another size: then it is not what was read.
    """
    if int(source.get("NumberOfFrames") or 1) > 1:
        raise Refusal("The file has several frames: segmentations and reports are made of files with one only.")
    rows, columns = int(source.Rows), int(source.Columns)
    stored = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    where, _ = upright(stored, source, Remarks())
    if where.shape != pictures.shape[1:]:
        raise Refusal("The DICOM object is not the picture that was read: its size differs. Export from the original.")
    placed = np.empty((len(pictures), rows * columns), pictures.dtype)
    placed[:, where.ravel()] = pictures.reshape(len(pictures), -1)
    return placed.reshape(len(pictures), rows, columns)
