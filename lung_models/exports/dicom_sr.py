"""A reading as a DICOM Structured Report: TID 1500 Measurement Report in a Comprehensive SR (PS3.3 A.35.3).

One group for each finding (probability and operating point in percent, and the call), one for the cardiothoracic
ratio, and one for the area of each organ, which refers to its segment.
"""

import warnings

from highdicom import sr
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from lung_models.exports.dicom_seg import LABELS, ORGAN_CODES, SIDES
from lung_models.exports.source import MANUFACTURER, derived_uid, usable
from lung_models.findings import BY_KEY
from lung_models.radiograph import Refusal
from lung_models.reading import ORGANS, FindingReading, ModelStamp, Reading

SERIES = 991  # number of the series; high, so that it follows the hospital's own
PRIVATE = "99LUNGS"  # coding scheme of what no standard code is known for (PS3.16 8.2: such begin with 99)
CALL = Code("call", PRIVATE, "Call at the operating point")
CALLS = {
    "present": Code("52101004", "SCT", "Present"),
    "absent": Code("2667000", "SCT", "Absent"),
    "uncertain": Code("82334004", "SCT", "Indeterminate"),
}
RATIO = Code("cardiothoracic-ratio", PRIVATE, "Cardiothoracic ratio, greatest widths")
FRACTION = Code("area-fraction", PRIVATE, "Share of the area of the picture")
CHEST_RADIOGRAPHY = Code("399208008", "SCT", "Plain radiography of chest")


def structured_report(reading: Reading, source: Dataset, segmented: Dataset, *, corrected: bool = False) -> Dataset:
    """Probabilities, calls, cardiothoracic ratio and areas.

    Args:
        reading: An accepted one.
        source: The DICOM object that was read.
        segmented: Its :func:`lung_models.exports.dicom_seg.segmentation`.
        corrected: Whether the outlines, and so ratio and areas, were corrected by hand.

    Raises:
        Refusal: when there is no score.
    """
    if reading.anatomy is None or not reading.findings:
        raise Refusal(f"There is no score to export: {reading.reason or 'the radiograph was not read.'}")
    image = usable(source)
    groups = [_finding(one, reading.models["findings"], image) for one in reading.findings]
    if reading.anatomy.cardiothoracic_ratio is not None:
        groups.append(_ratio(reading.anatomy.cardiothoracic_ratio, reading.models["organs"], image, corrected))
    regions = [_organ(number, organ, reading, segmented) for number, organ in enumerate(ORGANS, start=1)]
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=_observer()),
        procedure_reported=CHEST_RADIOGRAPHY,
        imaging_measurements=[*groups, *regions],
        title=codes.DCM.ImagingMeasurementReport,
    )
    probabilities = ", ".join(f"{one.probability:.6f} {one.threshold:.6f}" for one in reading.findings)
    stamped = (reading.models["findings"].sha256, str(segmented.SOPInstanceUID), probabilities)
    made = sr.ComprehensiveSR(
        evidence=[image, segmented],
        content=report[0],
        series_instance_uid=derived_uid(image, "report series", *stamped),
        series_number=SERIES,
        sop_instance_uid=derived_uid(image, "report", *stamped),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description="Chest radiograph findings (research use only)",
    )
    dataset: Dataset = made
    return dataset


def _observer() -> sr.ObserverContext:
    return sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=generate_uid(), name=MANUFACTURER, manufacturer_name=MANUFACTURER
        ),
    )


def _algorithm(stamp: ModelStamp, corrected: bool = False) -> sr.AlgorithmIdentification:
    parameters = [f"sha256 {stamp.sha256}", *(["outlines corrected by hand"] if corrected else [])]
    return sr.AlgorithmIdentification(name=stamp.architecture, version=stamp.version, parameters=parameters)


def _finding(one: FindingReading, stamp: ModelStamp, image: Dataset) -> sr.MeasurementsAndQualitativeEvaluations:
    """A finding's probability and operating point, in percent, and its call."""
    finding = BY_KEY[one.key]
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=generate_uid(), identifier=finding.name),
        finding_type=Code(finding.snomed, "SCT", finding.name),
        algorithm_id=_algorithm(stamp),
        measurements=[
            _measured(codes.DCM.Probability, 100.0 * one.probability, codes.UCUM.Percent),
            _measured(codes.DCM.CADOperatingPoint, 100.0 * one.threshold, codes.UCUM.Percent),
        ],
        qualitative_evaluations=[sr.QualitativeEvaluation(name=CALL, value=CALLS[one.call])],
        source_images=[sr.SourceImageForMeasurementGroup.from_source_image(image)],
    )


def _ratio(
    ratio: float, stamp: ModelStamp, image: Dataset, corrected: bool
) -> sr.MeasurementsAndQualitativeEvaluations:
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=generate_uid(), identifier="Cardiothoracic ratio"),
        finding_type=codes.SCT.Heart,
        algorithm_id=_algorithm(stamp, corrected),
        measurements=[_measured(RATIO, ratio, codes.UCUM.NoUnits)],
        source_images=[sr.SourceImageForMeasurementGroup.from_source_image(image)],
    )


def _organ(
    number: int, organ: str, reading: Reading, segmented: Dataset
) -> sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    """An organ's area: its share of the picture and, where the size of a pixel in the patient is known, in mm2."""
    radiograph, spacing = reading.radiograph, reading.radiograph.spacing
    fraction = float(getattr(reading.anatomy, f"{organ}_fraction"))
    measured = [_measured(FRACTION, 100.0 * fraction, codes.UCUM.Percent)]
    if spacing is not None and spacing.source == "PixelSpacing":
        area = fraction * radiograph.height * radiograph.width * spacing.row_mm * spacing.column_mm
        measured.append(_measured(codes.SCT.Area, area, codes.UCUM.SquareMillimeter))
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=generate_uid(), identifier=LABELS[organ]),
        referenced_segment=sr.ReferencedSegment.from_segmentation(segmented, segment_number=number),
        finding_type=codes.SCT.Organ,
        finding_sites=[sr.FindingSite(anatomic_location=ORGAN_CODES[organ], laterality=SIDES.get(organ))],
        measurements=measured,
    )


def _measured(name: Code, value: float, unit: Code) -> sr.Measurement:
    """A number as DICOM keeps it: a decimal string of at most 16 characters (PS3.5 6.2, DS)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sr.Measurement(name=name, value=round(value, 6), unit=unit)
