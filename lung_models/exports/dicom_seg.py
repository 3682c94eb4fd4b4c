"""The outlined organs as a DICOM Segmentation (PS3.3 A.51): right lung, left lung, heart."""

import highdicom
import numpy as np
from highdicom.seg import Segmentation, SegmentDescription
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from lung_models.exports.source import MANUFACTURER, as_stored, derived_uid, usable
from lung_models.radiograph import Refusal
from lung_models.reading import ORGANS, ModelStamp, Reading

SERIES = 990  # number of the series; high, so that it follows the hospital's own
ORGAN_CODES: dict[str, Code] = {"right_lung": codes.SCT.Lung, "left_lung": codes.SCT.Lung, "heart": codes.SCT.Heart}
"""SNOMED CT 39607008 and 80891009, from DICOM PS3.16 CID 7167; which lung is told by a modifier of laterality."""
SIDES: dict[str, Code] = {"right_lung": codes.SCT.Right, "left_lung": codes.SCT.Left}
"""PS3.16 CID 244."""
LABELS = {"right_lung": "Right lung", "left_lung": "Left lung", "heart": "Heart"}
COLOURS = {"right_lung": (0x5C, 0xC8, 0xFF), "left_lung": (0x8B, 0xE2, 0x8B), "heart": (0xFF, 0x9D, 0xB5)}
"""The viewer's, red, green, blue."""


def segmentation(reading: Reading, source: Dataset, *, corrected: bool = False) -> Dataset:
    """The organs' masks at the picture's own size, one segment each.

    Args:
        reading: An accepted one.
        source: The DICOM object that was read; the segmentation refers to it and carries its patient and study.
        corrected: Whether a reader corrected the masks by hand; they then count as semi-automatic.

    Raises:
        Refusal: when there are no masks, or the object is another picture than the one read.
    """
    if reading.anatomy is None:
        raise Refusal(f"There are no outlines to export: {reading.reason or 'the radiograph was not read.'}")
    image = usable(source)
    height, width = reading.radiograph.height, reading.radiograph.width
    masks = as_stored(reading.anatomy.masks(height, width), image)
    stamped = (reading.models["organs"].sha256, np.packbits(masks).tobytes())
    described = [_described(number, organ, reading, corrected) for number, organ in enumerate(ORGANS, start=1)]
    made = Segmentation(
        source_images=[image],
        pixel_array=np.moveaxis(masks, 0, -1)[np.newaxis].astype(np.uint8),
        segmentation_type="BINARY",
        segment_descriptions=described,
        series_instance_uid=derived_uid(image, "segmentation series", *stamped),
        series_number=SERIES,
        sop_instance_uid=derived_uid(image, "segmentation", *stamped),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        software_versions=reading.models["organs"].version[:64],
        device_serial_number="1",
        content_label="ORGANS",
        content_description="Lungs and heart, research use only",
        series_description="Lungs and heart (research use only)",
        omit_empty_frames=False,
    )
    if "PatientOrientation" in image:  # else dciodvfy misses an attribute of type 2C
        made.PatientOrientation = image.PatientOrientation
    dataset: Dataset = made
    return dataset


def _described(number: int, organ: str, reading: Reading, corrected: bool) -> SegmentDescription:
    """One segment: what it is, which side, and what drew it."""
    described = SegmentDescription(
        segment_number=number,
        segment_label=LABELS[organ],
        segmented_property_category=codes.SCT.Organ,
        segmented_property_type=ORGAN_CODES[organ],
        algorithm_type="SEMIAUTOMATIC" if corrected else "AUTOMATIC",
        algorithm_identification=algorithm(reading.models["organs"]),
        tracking_uid=generate_uid(),
        tracking_id=LABELS[organ],
        display_color=highdicom.color.CIELabColor.from_rgb(*COLOURS[organ]),
    )
    if organ in SIDES:
        modifier = highdicom.sr.CodedConcept.from_code(SIDES[organ])
        described.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [modifier]
    return described


def algorithm(stamp: ModelStamp) -> highdicom.AlgorithmIdentificationSequence:
    """What made it: architecture, version and the hash of its weights."""
    return highdicom.AlgorithmIdentificationSequence(
        name=stamp.architecture,
        family=codes.DCM.ArtificialIntelligence,
        version=stamp.version,
        source=MANUFACTURER,
        parameters={"sha256": stamp.sha256},
    )
