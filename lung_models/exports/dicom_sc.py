"""A reading as a Secondary Capture (PS3.3 A.8): the picture with its overlays, for viewers that show nothing else."""

import highdicom
from pydicom import Dataset

from lung_models.exports.picture import with_strip
from lung_models.exports.source import MANUFACTURER, derived_uid, usable
from lung_models.reading import Reading

SERIES = 992  # number of the series; high, so that it follows the hospital's own


def secondary_capture(reading: Reading, source: Dataset, *, corrected: bool = False) -> Dataset:
    """The picture as :func:`lung_models.exports.picture.png` draws it, in the source's study.

    Args:
        reading: An accepted one.
        source: The DICOM object that was read; its patient and study are carried over.
        corrected: Whether its outlines were corrected by hand.

    Raises:
        Refusal: when there is no score.
    """
    image, picture = usable(source), with_strip(reading, corrected=corrected)
    made = highdicom.sc.SCImage.from_ref_dataset(
        ref_dataset=image,
        pixel_array=picture,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        series_instance_uid=derived_uid(image, "capture series", picture.tobytes()),
        series_number=SERIES,
        sop_instance_uid=derived_uid(image, "capture", picture.tobytes()),
        instance_number=1,
        manufacturer=MANUFACTURER,
        patient_orientation=("L", "F"),
    )
    made.Modality, made.Laterality = "OT", ""
    made.BurnedInAnnotation = "YES"
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.SeriesDescription = "Chest radiograph with outlines (research use only)"
    dataset: Dataset = made
    return dataset
