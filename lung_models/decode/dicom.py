"""A DICOM file -> :class:`~lung_models.radiograph.Radiograph`."""

import numpy as np
from pydicom import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import apply_color_lut, get_decoder, pixel_array
from pydicom.pixels.utils import get_expected_length
from pydicom.uid import UID, RLELossless

from lung_models.decode.attributes import first_item, number, of_first_frame, stated, whole, word
from lung_models.decode.codestream import frame_size, run_length_exceeds
from lung_models.decode.colour import grey_from_colour
from lung_models.decode.dicom_file import TRUNCATED, DicomFile
from lung_models.decode.geometry import stated_spacing, stated_view, upright
from lung_models.decode.grey import Remarks, display_grey
from lung_models.decode.limits import Limits
from lung_models.radiograph import Radiograph, Refusal

GREY = ("MONOCHROME1", "MONOCHROME2")
PALETTE = "PALETTE COLOR"
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")

OTHER_MODALITIES = {
    "BMD": "a bone densitometry",
    "CT": "a CT",
    "ECG": "an electrocardiogram",
    "ES": "an endoscopy",
    "GM": "a microscopy",
    "IO": "an intra-oral radiograph",
    "IVOCT": "an intravascular tomography",
    "IVUS": "an intravascular ultrasound",
    "KO": "a key object selection",
    "MG": "a mammogram",
    "MR": "an MR",
    "NM": "a scintigram",
    "OCT": "an optical tomography",
    "OP": "an ophthalmic photograph",
    "OPT": "an ophthalmic tomography",
    "PR": "a presentation state",
    "PT": "a PET",
    "PX": "a panoramic radiograph of the jaw",
    "RTDOSE": "a radiotherapy dose",
    "RTIMAGE": "a radiotherapy image",
    "RTPLAN": "a radiotherapy plan",
    "RTSTRUCT": "a radiotherapy structure set",
    "SEG": "a segmentation",
    "SM": "a slide microscopy",
    "SR": "a structured report",
    "US": "an ultrasound",
    "XA": "an angiogram",
    "XC": "a photograph",
}
"""Modalities (PS3.3 C.7.3.1.1.1) that no plain chest radiograph has, as the refusal names them.

CR, DX and RG are what radiographs have; RF is let pass because fluoroscopy rooms also take plain films, OT because
secondary captures and digitised films carry it. XA is refused although it is a projection: angiograms are contrast
runs, which nothing here was trained on. A code that isn't listed, or none, is left to the gate: it judges the pixels.
"""

BODY_PARTS = (
    *(
        "ABDOMEN",
        "ANKLE",
        "ARM",
        "BREAST",
        "CSPINE",
        "ELBOW",
        "EXTREMITY",
        "FOOT",
        "HAND",
        "HEAD",
        "HIP",
        "JAW",
        "KNEE",
    ),
    *("LEG", "LSPINE", "NECK", "PELVIS", "SHOULDER", "SKULL", "SPINE", "TSPINE", "WRIST"),
)
"""Terms of BodyPartExamined (PS3.16 annex L) that a warning repeats; free text in it is never quoted."""
CHEST_TERMS = ("CHEST", "THORA", "LUNG")


def decode_dicom(data: bytes, name: str, limits: Limits) -> Radiograph:
    """Decode the first frame of a DICOM image.

    Args:
        data: The whole file.
        name: Label for the user.
        limits: Bounds on bytes once inflated, pixels and frames, checked before decoding.

    Returns:
        The radiograph with view and spacing as far as the file states them.

    Raises:
        Refusal: It is no radiograph, or it can't be decoded; the text says which.
    """
    file = DicomFile(data, limits)
    _refuse_unsuitable(file, limits)
    header = of_first_frame(file.header)
    remarks = Remarks()
    photometric = word(header, "PhotometricInterpretation")
    bits = whole(header, "BitsStored") or whole(header, "BitsAllocated")
    remarks.notes.append(f"Stored as {bits} bit {photometric}, {_syntax_name(file.stated_syntax)}.")
    if (frames := whole(header, "NumberOfFrames", 1)) > 1:
        remarks.notes.append(f"The first of {frames} frames is shown.")
    stored = _first_frame(file, limits)
    if photometric in GREY and stored.ndim == 2:
        pixels = display_grey(stored, header, remarks)
    else:
        pixels = _grey_of_capture(stored, header, bits, remarks)
    pixels, turned = upright(pixels, header, remarks)
    _warn(header, remarks)
    return Radiograph(
        pixels=pixels,
        name=name,
        origin="dicom",
        bits=bits,
        view=stated_view(header, remarks),
        spacing=stated_spacing(header, turned, remarks),
        notes=tuple(remarks.notes),
        warnings=tuple(remarks.warnings),
    )


def _refuse_unsuitable(file: DicomFile, limits: Limits) -> None:
    """Everything that the header alone decides."""
    header = file.header
    if not file.reaches_pixels or "Rows" not in header:
        raise Refusal(_why_without_pixels(header))
    modality = word(header, "Modality")
    if modality in OTHER_MODALITIES:
        raise Refusal(f"The file is {OTHER_MODALITIES[modality]} (modality {modality}), not a chest radiograph.")
    rows, columns = whole(header, "Rows"), whole(header, "Columns")
    if rows <= 0 or columns <= 0:
        raise Refusal("The picture has no rows or no columns.")
    excess = limits.excess_pixels(rows, columns) or limits.excess_frames(whole(header, "NumberOfFrames", 1))
    if excess:
        raise Refusal(excess)
    if word(header, "PhotometricInterpretation") not in (*GREY, PALETTE, *COLOUR):
        raise Refusal("The file's photometric interpretation is missing or not supported.")
    try:
        decodable = get_decoder(file.transfer_syntax).is_available
    except NotImplementedError:
        decodable = False
    if not decodable:
        syntax = _syntax_name(file.transfer_syntax)
        raise Refusal(f"The transfer syntax ({syntax}) is not supported: send it uncompressed or as JPEG 2000.")


def _syntax_name(syntax: UID) -> str:
    """Name of a transfer syntax as the standard has it; a private one is not quoted."""
    return (
        syntax.name.split(",")[0].split(" (")[0] if syntax.is_transfer_syntax and syntax.name != syntax else "private"
    )


def _why_without_pixels(header: Dataset) -> str:
    """The reason, where a file has no picture: the kind is named by its SOP class (PS3.6 annex A)."""
    if "EncryptedAttributesSequence" in header:
        return "The DICOM file's content is encrypted: decrypt it before it is read."
    sop_class = UID(str(stated(header, "SOPClassUID") or ""))
    kind = sop_class.name.removesuffix(" Storage")
    if "DirectoryRecordSequence" in header:
        return "The file is a DICOMDIR, an index without pixel data: send the files that it lists."
    if not sop_class or kind == sop_class:
        return "The DICOM file has no pixel data: it is truncated or holds no image."
    if "Image" in kind:
        return f"The DICOM file ({kind}) ends before its pixel data: it is truncated or a header only. Send it again."
    return f"The DICOM file has no pixel data: it is no image but of the kind {kind}."


def _first_frame(file: DicomFile, limits: Limits) -> np.ndarray:
    """Decode the first frame; its size is known to be within the limits whatever the codestream says.

    Returns:
        Integers, shape (height, width) or (height, width, 3); luma and chroma are already converted to RGB.

    Raises:
        Refusal: It is truncated or damaged, or its codestream is not of the size that the header gives.
    """
    dataset = file.with_pixels()
    rows, columns = whole(dataset, "Rows"), whole(dataset, "Columns")
    if not file.transfer_syntax.is_encapsulated:
        if len(dataset.PixelData) < get_expected_length(dataset):
            raise Refusal(TRUNCATED)
    else:
        frame = get_frame(dataset.PixelData, 0, number_of_frames=whole(dataset, "NumberOfFrames", 1))
        if file.transfer_syntax == RLELossless:
            honest = not run_length_exceeds(frame, rows * columns)
        else:
            honest = frame_size(frame) == (rows, columns)
        if not honest:
            raise Refusal("The DICOM file is damaged: its compressed picture is not of the size its header gives.")
    try:
        return pixel_array(dataset, index=0)
    except Exception:
        raise Refusal("The DICOM file's pixel data is damaged: it cannot be decoded.") from None


def _grey_of_capture(stored: np.ndarray, header: Dataset, bits: int, remarks: Remarks) -> np.ndarray:
    """Grey of a secondary capture in RGB or palette colours: float32 (height, width), 0..1."""
    if word(header, "PhotometricInterpretation") == PALETTE:
        stored = apply_color_lut(stored, header)
        bits = 8 * stored.dtype.itemsize
    elif stored.dtype.itemsize > 2:
        raise Refusal("Colour of more than 16 bit a channel is not supported.")
    colour = np.ascontiguousarray(stored[..., :3]).astype(stored.dtype.newbyteorder("="))
    remarks.notes.append("Stored in colour, grey in truth: converted to luminance.")
    return grey_from_colour(colour, white=2**bits - 1)


def _warn(header: Dataset, remarks: Remarks) -> None:
    """What the reader should know: burned-in text, another body part, raw detector data, lossy compression."""
    if word(header, "BurnedInAnnotation") == "YES":
        remarks.warnings.append("The file says that text is burned into the picture: it may identify the patient.")
    part = word(header, "BodyPartExamined")
    if part and not any(term in part for term in CHEST_TERMS):
        named = part if part in BODY_PARTS else "another body part"
        remarks.warnings.append(f"The file says that it shows {named}, not the chest.")
    if word(header, "PresentationIntentType") == "FOR PROCESSING":
        remarks.warnings.append("The file is raw detector data for processing, not meant for reading.")
    if word(header, "LossyImageCompression") == "01":
        ratio = number(header, "LossyImageCompressionRatio")
        remarks.warnings.append("The picture was compressed with loss" + (f", {ratio:.3g} : 1." if ratio else "."))
    if first_item(header, "EncryptedAttributesSequence") is not None:
        remarks.warnings.append("Part of the file's header is encrypted and was not read.")
