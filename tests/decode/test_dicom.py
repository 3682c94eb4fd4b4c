"""What a DICOM file's pixels must come out as, worked out from PS3.3 and not from pydicom."""

import subprocess
import sys
from io import BytesIO
from itertools import product

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from lung_models.decode import decode
from lung_models.radiograph import Refusal, Spacing

from . import build

DEPTHS = [(8, np.uint8), (8, np.int8), *product((10, 12, 14, 15, 16), (np.uint16, np.int16))]
WINDOWS = ["LINEAR", "LINEAR_EXACT", "SIGMOID"]


def ramp(bits, dtype):
    """Values from the lowest to the highest that the bits hold, shape (8, 16)."""
    low = -(2 ** (bits - 1)) if np.issubdtype(dtype, np.signedinteger) else 0
    return np.linspace(low, low + 2**bits - 1, 128).round().astype(dtype).reshape(8, 16)


def windowed(x, centre, width, function):
    """PS3.3 C.11.2.1.2.1, C.11.2.1.3.2 and C.11.2.1.3.1 with an output range of 0..1."""
    x = x.astype(np.float64)
    if function == "SIGMOID":
        return 1 / (1 + np.exp(-4 * (x - centre) / width))
    if function == "LINEAR_EXACT":
        low, high, line = centre - width / 2, centre + width / 2, (x - centre) / width
    else:
        low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
        line = (x - (centre - 0.5)) / (width - 1)
    return np.where(x <= low, 0.0, np.where(x > high, 1.0, line + 0.5))


def stretched(x):
    """Darkest to brightest."""
    x = x.astype(np.float64)
    return (x - x.min()) / (x.max() - x.min())


def close(radiograph, expected):
    np.testing.assert_allclose(radiograph.pixels, expected, atol=2e-6)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("voi", [*WINDOWS, "LUT", "none"])
@pytest.mark.parametrize(("bits", "dtype"), DEPTHS)
def test_pixel_values(bits, dtype, voi, photometric):
    stored = ramp(bits, dtype)
    middle, width = float(stored.astype(float).mean()) + 3, 0.4 * 2**bits
    if voi == "none":
        attributes, expected = {}, stretched(stored)
    elif voi == "LUT":
        first = int(stored.min()) + 5
        entries = [min(4095, 7 * i) for i in range(200)]
        attributes = {"VOILUTSequence": [build.lookup_table(entries, first=first, depth=12)]}
        expected = np.array(entries)[np.clip(stored.astype(int) - first, 0, 199)] / 4095
    else:
        attributes = {"WindowCenter": middle, "WindowWidth": width, "VOILUTFunction": voi}
        expected = windowed(stored, middle, width, voi)
    radiograph = decode(build.radiograph_file(stored, bits=bits, photometric=photometric, **attributes), "x")
    close(radiograph, 1 - expected if photometric == "MONOCHROME1" else expected)
    assert radiograph.bits == bits
    assert radiograph.origin == "dicom"
    assert any("inverted" in note for note in radiograph.notes) == (photometric == "MONOCHROME1")


@pytest.mark.parametrize("slope", [2.5, -1.0])
@pytest.mark.parametrize("function", WINDOWS)
def test_rescale_comes_before_the_window(slope, function):
    stored = ramp(12, np.uint16)
    attributes = {"RescaleSlope": slope, "RescaleIntercept": -300, "VOILUTFunction": function}
    data = build.radiograph_file(stored, bits=12, WindowCenter=900, WindowWidth=1500, **attributes)
    close(decode(data, "x"), windowed(stored * slope - 300, 900, 1500, function))


def test_modality_table_comes_before_the_window():
    stored = ramp(8, np.uint8)
    table = build.lookup_table([4095 - 16 * i for i in range(256)], first=0, depth=12)
    data = build.radiograph_file(stored, bits=8, ModalityLUTSequence=[table], WindowCenter=2000, WindowWidth=1000)
    close(decode(data, "x"), windowed(4095 - 16 * stored.astype(int), 2000, 1000, "LINEAR"))


def test_voi_table_of_8_bit_with_more_than_256_entries_does_not_fold_over():
    stored = ramp(12, np.uint16)
    entries = [i // 16 for i in range(4096)]
    data = build.radiograph_file(stored, bits=12, VOILUTSequence=[build.lookup_table(entries, first=0, depth=8)])
    close(decode(data, "x"), (stored // 16) / 255)


def test_voi_table_with_a_negative_first_value():
    stored = ramp(16, np.int16)
    table = build.lookup_table(list(range(1024)), first=-512, depth=10)
    data = build.radiograph_file(stored, bits=16, VOILUTSequence=[table])
    close(decode(data, "x"), np.clip(stored.astype(int) + 512, 0, 1023) / 1023)


def test_voi_table_is_preferred_to_a_window():
    table = build.lookup_table(list(range(256)), first=0, depth=8)
    stored = ramp(8, np.uint8)
    data = build.radiograph_file(stored, bits=8, VOILUTSequence=[table], WindowCenter=10, WindowWidth=5)
    close(decode(data, "x"), stored / 255)


def test_malformed_table_falls_back_to_the_window_and_says_so():
    table = build.lookup_table([1, 2, 3], first=0, depth=16)
    table.LUTDescriptor = [9, 0]
    stored = ramp(8, np.uint8)
    data = build.radiograph_file(stored, bits=8, VOILUTSequence=[table], WindowCenter=128, WindowWidth=100)
    radiograph = decode(data, "x")
    close(radiograph, windowed(stored, 128, 100, "LINEAR"))
    assert "The file's VOI look-up table is malformed and was left out." in radiograph.warnings


def test_first_of_several_windows_is_used():
    stored = ramp(12, np.uint16)
    data = build.radiograph_file(stored, bits=12, WindowCenter=[1000, 3000], WindowWidth=[500, 100])
    radiograph = decode(data, "x")
    close(radiograph, windowed(stored, 1000, 500, "LINEAR"))
    assert "The first of 2 stored windows is used." in radiograph.notes
    assert "Window 1000 / 500 (LINEAR) applied." in radiograph.notes


@pytest.mark.parametrize("width", [0, -4, 0.5])
def test_unusable_window_is_left_out(width):
    stored = ramp(10, np.uint16)
    radiograph = decode(build.radiograph_file(stored, bits=10, WindowCenter=500, WindowWidth=width), "x")
    close(radiograph, stretched(stored))
    assert any("window width" in warning for warning in radiograph.warnings)


def test_monochrome1_with_inverse_presentation_is_inverted_once():
    stored = ramp(12, np.uint16)
    data = build.radiograph_file(stored, bits=12, photometric="MONOCHROME1", PresentationLUTShape="INVERSE")
    close(decode(data, "x"), 1 - stretched(stored))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_left_out_of_the_range(photometric):
    stored = np.array([[4000, 1000, 2000, 3990]], np.uint16)
    padding = {"PixelPaddingValue": 4000, "PixelPaddingRangeLimit": 3990}
    radiograph = decode(build.radiograph_file(stored, bits=12, photometric=photometric, **padding), "x")
    close(radiograph, [[0, 0, 1, 0]] if photometric == "MONOCHROME2" else [[0, 1, 0, 0]])


def test_bits_above_those_stored_are_ignored():
    stored = ramp(12, np.uint16)
    close(decode(build.radiograph_file(stored | 0xF000, bits=12), "x"), stretched(stored))


def test_32_bit():
    stored = np.array([[0, 2**31, 2**32 - 1]], np.uint32)
    close(decode(build.radiograph_file(stored, bits=32), "x"), [[0, 0.5, 1]])


def test_constant_picture_is_left_to_the_gate():
    assert not decode(build.radiograph_file(np.full((4, 4), 77, np.uint8), bits=8), "x").pixels.any()


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
)
@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_native_transfer_syntaxes(syntax, dtype):
    stored = ramp(14, dtype)
    radiograph = decode(build.radiograph_file(stored, bits=14, syntax=syntax), "x")
    close(radiograph, stretched(stored))
    assert syntax.name in radiograph.notes[0]


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_without_preamble_and_meta_information(syntax):
    stored = ramp(12, np.uint16)
    data = build.radiograph_file(stored, bits=12, syntax=syntax)
    start = data.index(b"\x00\x08\x00\x16" if syntax == ExplicitVRBigEndian else b"\x08\x00\x16\x00")
    close(decode(data[start:], "x"), stretched(stored))


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("MR_small_RLE.dcm", "MR_small.dcm"),
        ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"),
        ("MR_small_jp2klossless.dcm", "MR_small.dcm"),
        ("MR_small_bigendian.dcm", "MR_small.dcm"),
        ("MR_small_implicit.dcm", "MR_small.dcm"),
        ("emri_small_RLE.dcm", "emri_small.dcm"),
        ("emri_small_jpeg_ls_lossless.dcm", "emri_small.dcm"),
        ("emri_small_jpeg_2k_lossless.dcm", "emri_small.dcm"),
        ("emri_small_big_endian.dcm", "emri_small.dcm"),
        ("JPEG2000.dcm", "JPEG2000_UNC.dcm"),
        ("RG1_J2KR.dcm", "RG1_UNCR.dcm"),
        ("RG3_J2KR.dcm", "RG3_UNCR.dcm"),
    ],
)
def test_lossless_encodings_of_real_files_agree(name, reference):
    one, other = (decode(build.written(build.real_dataset(file)), "x") for file in (name, reference))
    np.testing.assert_array_equal(one.pixels, other.pixels)


@pytest.mark.parametrize(("name", "reference"), [("JPGExtended.dcm", "JPEG-LL.dcm"), ("RG1_J2KI.dcm", "RG1_UNCR.dcm")])
def test_lossy_encodings_of_real_files_are_near(name, reference):
    one, other = (decode(build.written(build.real_dataset(file)), "x") for file in (name, reference))
    assert np.abs(one.pixels - other.pixels).mean() < 0.02


def test_lossless_jpeg_agrees_with_another_decoder():
    dataset = build.real_dataset("JPGLosslessP14SV1_1s_1f_8b.dcm")
    with Image.open(BytesIO(get_frame(dataset.PixelData, 0, number_of_frames=1))) as image:
        stored = np.asarray(image)
    close(decode(build.written(dataset), "x"), windowed(stored, 127, 254, "LINEAR"))


@pytest.mark.parametrize("name", ["JPEGLSNearLossless_08.dcm", "JPEGLSNearLossless_16.dcm", "image_dfl.dcm"])
def test_other_real_encodings_decode(name):
    dataset = build.real_dataset(name)
    assert decode(build.written(dataset), "x").pixels.shape == (dataset.Rows, dataset.Columns)


def test_baseline_jpeg_inside_dicom():
    smooth = np.linspace(0, 255, 64).astype(np.uint8)[np.newaxis].repeat(48, 0)
    frame = build.picture(smooth, "JPEG", quality=95)
    radiograph = decode(build.encapsulated_file(frame, JPEGBaseline8Bit, rows=48, columns=64), "x")
    np.testing.assert_allclose(radiograph.pixels, smooth / 255, atol=0.03)


def test_rle_of_a_ramp():
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)
    dataset = build.radiograph_dataset(stored, bits=8)
    dataset.compress(RLELossless)
    close(decode(build.written(dataset), "x"), stored / 255)


def test_real_chest_radiograph():
    radiograph = decode(build.real_file("RG1_UNCR.dcm"), "RG1_UNCR.dcm")
    dataset = build.real_dataset("RG1_UNCR.dcm")
    stored = np.frombuffer(dataset.PixelData, "<u2", 1955 * 1841).reshape(1955, 1841)
    close(radiograph, 1 - windowed(stored, 15000, 30000, "LINEAR"))
    assert (radiograph.view, radiograph.bits, radiograph.spacing) == ("PA", 15, None)
    assert radiograph.notes == (
        "Stored as 15 bit MONOCHROME1, Explicit VR Little Endian.",
        "Window 15000 / 30000 (LINEAR) applied.",
        "MONOCHROME1: inverted for display.",
    )


def test_first_frame_of_several():
    stored = np.stack([ramp(8, np.uint8), np.zeros((8, 16), np.uint8)])
    radiograph = decode(build.radiograph_file(stored, bits=8), "x")
    close(radiograph, stored[0] / 255)
    assert "The first of 2 frames is shown." in radiograph.notes


def test_functional_groups_of_the_first_frame():
    stored = np.stack([ramp(12, np.uint16)] * 2)
    frames = []
    for centre in (1000, 3000):
        group, window = Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = centre, 800
        group.FrameVOILUTSequence = [window]
        frames.append(group)
    shared, rescale, measures = Dataset(), Dataset(), Dataset()
    rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = 2, 10, "US"
    measures.PixelSpacing = [0.2, 0.2]
    shared.PixelValueTransformationSequence, shared.PixelMeasuresSequence = [rescale], [measures]
    groups = {"SharedFunctionalGroupsSequence": [shared], "PerFrameFunctionalGroupsSequence": frames}
    radiograph = decode(build.radiograph_file(stored, bits=12, **groups), "x")
    close(radiograph, windowed(2.0 * stored[0] + 10, 1000, 800, "LINEAR"))
    assert radiograph.spacing == Spacing(0.2, 0.2, "PixelSpacing")


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_grey_secondary_capture_in_colour(photometric):
    grey = ramp(8, np.uint8)
    channels = [grey] * 3 if photometric == "RGB" else [grey, np.full_like(grey, 128), np.full_like(grey, 128)]
    data = build.radiograph_file(np.stack(channels, axis=-1), bits=8, photometric=photometric, Modality="OT")
    radiograph = decode(data, "x")
    np.testing.assert_allclose(radiograph.pixels, grey / 255, atol=1.5 / 255)
    assert any("luminance" in note for note in radiograph.notes)


@pytest.mark.parametrize("coloured", [False, True])
def test_palette(coloured):
    stored = ramp(8, np.uint8)
    entries = np.arange(256, dtype="<u2")[::-1] * 257
    palette = {}
    for channel in ("Red", "Green", "Blue"):
        palette[f"{channel}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        flat = coloured and channel == "Red"
        palette[f"{channel}PaletteColorLookupTableData"] = (entries * 0 if flat else entries).tobytes()
    data = build.radiograph_file(stored, bits=8, photometric="PALETTE COLOR", **palette)
    if coloured:
        with pytest.raises(Refusal, match="colour photograph"):
            decode(data, "x")
    else:
        close(decode(data, "x"), 1 - stored / 255)


@pytest.mark.parametrize(
    ("attributes", "view"),
    [
        ({"ViewPosition": "PA"}, "PA"),
        ({"ViewPosition": "ap "}, "AP"),
        ({"ViewPosition": "LL"}, "lateral"),
        ({"ViewPosition": "RL"}, "lateral"),
        ({"ViewPosition": "LATERAL"}, "lateral"),
        ({"ViewPosition": "LLD"}, None),
        ({}, None),
        ({"code": ("272479007", "SCT")}, "PA"),
        ({"code": ("R-10206", "SRT")}, "AP"),
        ({"code": ("399173006", "SCT")}, "lateral"),
        ({"ViewPosition": "AP", "code": ("272479007", "SCT")}, "AP"),
        ({"ViewPosition": "UNK", "code": ("272479007", "SCT")}, "PA"),
        ({"PatientOrientation": ["A", "F"]}, "lateral"),
        ({"PatientOrientation": ["P", "F"]}, "lateral"),
        ({"PatientOrientation": ["F", "P"]}, "lateral"),
        ({"PatientOrientation": ["A", "F"], "ViewPosition": "PA"}, "PA"),
        ({"PatientOrientation": ["A", "F"], "ViewPosition": "LAO"}, None),
        ({"PatientOrientation": ["AL", "F"]}, None),
        ({"PatientOrientation": ["L", "F"]}, None),
        ({"PatientOrientation": ["A", "L"]}, None),
        ({"PatientOrientation": ["A"]}, None),
        ({"PatientOrientation": ["A", "F", "L"]}, None),
    ],
)
def test_view(attributes, view):
    attributes = dict(attributes)
    if "code" in attributes:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator = attributes.pop("code")
        attributes["ViewCodeSequence"] = [item]
    assert decode(build.radiograph_file(ramp(8, np.uint8), bits=8, **attributes), "x").view == view


@pytest.mark.parametrize(
    ("position", "code", "named"),
    [
        ("LLD", None, "left lateral decubitus"),
        ("RLD", None, "right lateral decubitus"),
        ("AP LLD", None, "left lateral decubitus"),
        ("LLO", None, "left lateral oblique"),
        ("RAO", None, "right anterior oblique"),
        ("", ("399135007", "SCT"), "left anterior oblique"),
        ("", ("R-40985", "SRT"), "right anterior oblique"),
    ],
)
def test_a_decubitus_or_oblique_view_is_warned_of(position, code, named):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code or ("", "")
    data = build.radiograph_file(ramp(8, np.uint8), bits=8, ViewPosition=position, ViewCodeSequence=[item])
    radiograph = decode(data, "x")
    assert radiograph.view is None
    assert radiograph.warnings == (f"The file states the projection {named}, which is not a frontal PA or AP view.",)


@pytest.mark.parametrize("position", ["PA", "AP", "LL", "FRONTAL", "DOE JANE", ""])
def test_other_words_of_a_view_are_neither_warned_of_nor_quoted(position):
    assert decode(build.radiograph_file(ramp(8, np.uint8), bits=8, ViewPosition=position), "x").warnings == ()


@pytest.mark.parametrize(
    ("attributes", "distorted"),
    [
        ({"PixelAspectRatio": [2, 1]}, True),
        ({"PixelAspectRatio": [1, 2]}, True),
        ({"PixelAspectRatio": [1, 1]}, False),
        ({"PixelAspectRatio": [0, 0]}, False),
        ({"PixelAspectRatio": [2, 1], "PixelSpacing": [0.1, 0.1]}, False),
    ],
)
def test_an_aspect_ratio_stands_in_for_the_size_of_a_pixel(attributes, distorted):
    radiograph = decode(build.radiograph_file(ramp(8, np.uint8), bits=8, **attributes), "x")
    assert any("not square" in warning for warning in radiograph.warnings) == distorted


def lying(displayed, along_rows, along_columns):
    """How a picture that is displayed rows to L, columns to F would be stored under another PatientOrientation."""
    if along_rows in "HF":
        return lying(displayed, along_columns, along_rows).T
    stored = displayed[:, ::-1] if along_rows == "R" else displayed
    return stored[::-1] if along_columns == "H" else stored


@pytest.mark.parametrize(
    "orientation", [(a, b) for a, b in product("LRHF", repeat=2) if (a in "LR") != (b in "LR")], ids=str
)
def test_patient_orientation_is_put_upright(orientation):
    displayed = ramp(8, np.uint8)
    data = build.radiograph_file(
        np.ascontiguousarray(lying(displayed, *orientation)),
        bits=8,
        PatientOrientation=list(orientation),
        PixelSpacing=[0.1, 0.3],
    )
    radiograph = decode(data, "x")
    close(radiograph, displayed / 255)
    assert any("orientation" in note for note in radiograph.notes) == (orientation != ("L", "F"))
    turned = orientation[0] in "HF"
    assert radiograph.spacing == (Spacing(0.3, 0.1, "PixelSpacing") if turned else Spacing(0.1, 0.3, "PixelSpacing"))


@pytest.mark.parametrize("orientation", [["A", "F"], ["P", "F"], ["L", "R"], ["L"], ["", ""]])
def test_orientations_that_change_nothing(orientation):
    data = build.radiograph_file(ramp(8, np.uint8), bits=8, PatientOrientation=orientation)
    close(decode(data, "x"), ramp(8, np.uint8) / 255)


def test_lateral_upside_down_is_put_upright():
    displayed = ramp(8, np.uint8)
    data = build.radiograph_file(displayed[::-1], bits=8, PatientOrientation=["A", "H"])
    close(decode(data, "x"), displayed / 255)


@pytest.mark.parametrize(
    ("attributes", "spacing"),
    [
        ({"PixelSpacing": [0.14, 0.14]}, Spacing(0.14, 0.14, "PixelSpacing")),
        ({"ImagerPixelSpacing": [0.2, 0.2]}, Spacing(0.2, 0.2, "ImagerPixelSpacing")),
        ({"PixelSpacing": [0.1, 0.1], "ImagerPixelSpacing": [0.2, 0.2]}, Spacing(0.1, 0.1, "PixelSpacing")),
        ({"PixelSpacing": [0.2, 0.2], "ImagerPixelSpacing": [0.2, 0.2]}, Spacing(0.2, 0.2, "ImagerPixelSpacing")),
        (
            {"PixelSpacing": [0.2, 0.2], "ImagerPixelSpacing": [0.2, 0.2], "PixelSpacingCalibrationType": "FIDUCIAL"},
            Spacing(0.2, 0.2, "PixelSpacing"),
        ),
        ({"PixelSpacing": [0, 0]}, None),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.2, 0.2]}, Spacing(0.2, 0.2, "ImagerPixelSpacing")),
        ({"PixelSpacing": [-1, 0.1]}, None),
        ({"NominalScannedPixelSpacing": [0.1, 0.1]}, None),
        ({}, None),
    ],
)
def test_spacing(attributes, spacing):
    assert decode(build.radiograph_file(ramp(8, np.uint8), bits=8, **attributes), "x").spacing == spacing


@pytest.mark.parametrize(
    ("attributes", "fragment"),
    [
        ({"BurnedInAnnotation": "YES"}, "burned into"),
        ({"BodyPartExamined": "KNEE"}, "KNEE"),
        ({"BodyPartExamined": "DOE JANE"}, "another body part"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "raw detector data"),
        ({"LossyImageCompression": "01", "LossyImageCompressionRatio": 12}, "12 : 1"),
        ({"PresentationLUTShape": "INVERSE"}, "MONOCHROME2"),
        ({"PixelSpacing": [0.1, 0.2]}, "not square"),
        ({"RescaleSlope": 0, "RescaleIntercept": 5}, "slope"),
        ({"VOILUTFunction": "BENT", "WindowCenter": 9, "WindowWidth": 9}, "VOI function"),
    ],
)
def test_warnings(attributes, fragment):
    warnings = decode(build.radiograph_file(ramp(8, np.uint8), bits=8, **attributes), "x").warnings
    assert len(warnings) == 1
    assert fragment in warnings[0]


def test_chest_without_remarks_has_no_warning():
    data = build.radiograph_file(ramp(8, np.uint8), bits=8, BodyPartExamined="CHEST", BurnedInAnnotation="NO")
    assert decode(data, "x").warnings == ()


@pytest.mark.parametrize("modality", ["CR", "DX", "RG", "RF", "OT", ""])
def test_modalities_that_are_read(modality):
    assert decode(build.radiograph_file(ramp(8, np.uint8), bits=8, Modality=modality), "x").pixels.size == 128


@pytest.mark.parametrize(
    ("modality", "kind"), [("CT", "a CT"), ("MR", "an MR"), ("US", "an ultrasound"), ("XA", "an angiogram")]
)
def test_modalities_that_are_refused(modality, kind):
    with pytest.raises(Refusal, match=f"^The file is {kind} "):
        decode(build.radiograph_file(ramp(8, np.uint8), bits=8, Modality=modality), "x")


def test_pixels_are_read_only_and_the_name_is_passed_on():
    radiograph = decode(build.radiograph_file(ramp(8, np.uint8), bits=8), "one.dcm")
    assert radiograph.name == "one.dcm"
    assert not radiograph.pixels.flags.writeable


def test_nothing_that_the_file_says_of_the_patient_is_printed_or_quoted(tmp_path):
    dataset = build.radiograph_dataset(ramp(8, np.uint8), bits=8, PatientName="Doe^Jane")
    dataset.SpecificCharacterSet = "ISO_IR 6"
    data = build.written(dataset).replace(b"ISO_IR 6", b"Doe^Jane")  # pydicom warns of such a set and quotes it
    path = tmp_path / "one.dcm"
    path.write_bytes(data)
    program = (
        "import sys; from lung_models.decode import decode; print(decode(open(sys.argv[1],'rb').read(),'x').notes)"
    )
    result = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert "Doe" not in result.stdout + result.stderr
    assert result.stderr == ""


def test_jpeg_2000_in_fragments_is_one_frame():
    dataset = build.real_dataset("MR_small_jp2klossless.dcm")
    whole = decode(build.written(dataset), "x").pixels
    dataset.PixelData = encapsulate([get_frame(dataset.PixelData, 0, number_of_frames=1)], fragments_per_frame=3)
    assert dataset.file_meta.TransferSyntaxUID == JPEG2000Lossless
    np.testing.assert_array_equal(decode(build.written(dataset), "x").pixels, whole)
