"""Whatever the bytes are: a Radiograph that keeps its promise, or a Refusal of one line, at a bounded cost."""

import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import Dataset
from pydicom.uid import MPEG2MPML, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from lung_models.decode import Limits, decode, dicom, dicom_file, raster
from lung_models.radiograph import Refusal

from . import build

MEGABYTE = 1024**2
PIXELS = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def refusal(data, limits=None):
    """The text of the refusal that decoding these bytes must end in."""
    with pytest.raises(Refusal) as caught:
        decode(data, "name of the file", *([limits] if limits else []))
    reason = caught.value.reason
    assert "\n" not in reason
    assert len(reason) < 160
    return reason


def survives(data):
    """Decode and hold the result to its promise."""
    try:
        radiograph = decode(data, "x", Limits(pixels=1_000_000))
    except Refusal as refused:
        assert "\n" not in refused.reason
        return
    assert radiograph.pixels.dtype == np.float32
    assert np.isfinite(radiograph.pixels).all()
    assert 0 <= radiograph.pixels.min() <= radiograph.pixels.max() <= 1


def samples():
    """A small file of every encoding, by name."""
    names = (
        *("MR_small_RLE.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_jp2klossless.dcm", "MR_small_bigendian.dcm"),
        *("MR_small_implicit.dcm", "JPEG-LL.dcm", "JPGExtended.dcm", "image_dfl.dcm", "SC_rgb_small_odd_jpeg.dcm"),
    )
    files = {name: build.written(build.real_dataset(name)) for name in names}
    files["no meta"] = files["MR_small_implicit.dcm"][132:]
    grey = (PIXELS // 16).astype(np.uint8)
    return files | {kind: build.picture(grey, kind) for kind in ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")}


SAMPLES = samples()
QUICK = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


@QUICK
@given(
    st.binary(max_size=2000),
    st.sampled_from([b"", b"\0" * 128 + b"DICM", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0"]),
)
def test_random_bytes(body, beginning):
    survives(beginning + body)


@QUICK
@given(st.sampled_from(sorted(SAMPLES)), st.floats(0, 1))
def test_truncation(name, share):
    data = SAMPLES[name]
    survives(data[: int(share * len(data))])


@QUICK
@given(
    st.sampled_from(sorted(SAMPLES)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=12),
    st.sampled_from([400, 2000, 10**9]),
)
def test_changed_bytes(name, changes, reach):
    data = bytearray(SAMPLES[name])
    for place, value in changes:
        data[int(place * min(reach, len(data)))] = value
    survives(bytes(data))


def test_empty():
    assert refusal(b"") == "The file is empty."


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"Findings: none.\nImpression: normal chest.\n" * 9, "The file is text, not an image."),
        ("Größe: über 10 µm\n".encode() * 300, "The file is text, not an image."),
        (b"%PDF-1.7\n%\xe2\xe3", "The file is a PDF document, not an image."),
        (b"PK\x03\x04" + b"\0" * 60, "The file is a ZIP archive, not an image."),
        (b"\0\1\2\3" * 50, "The file is not an image of a kind that can be read: DICOM, PNG, JPEG or TIFF."),
        (
            b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03\xa0",
            "The file is encrypted: decrypt it before it is read.",
        ),
    ],
)
def test_what_is_not_an_image(data, reason):
    assert refusal(data) == reason


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("test-SR.dcm", "Comprehensive SR"),
        ("rtplan.dcm", "RT Plan"),
        ("waveform_ecg.dcm", "12-lead ECG Waveform"),
        ("ExplVR_LitEndNoMeta.dcm", "RT Ion Plan"),
    ],
)
def test_dicom_without_pixels_is_named_by_its_kind(name, kind):
    assert refusal(build.real_file(name)) == f"The DICOM file has no pixel data: it is no image but of the kind {kind}."


def test_encapsulated_pdf():
    dataset = build.radiograph_dataset(PIXELS, bits=12, SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1")
    del dataset.PixelData, dataset.Rows
    dataset.EncapsulatedDocument = b"%PDF-1.7"
    assert "Encapsulated PDF" in refusal(build.written(dataset))


def test_dicomdir():
    assert "DICOMDIR" in refusal(build.real_file("DICOMDIR"))


def test_encrypted_attributes_without_pixels():
    dataset = build.radiograph_dataset(PIXELS, bits=12)
    del dataset.PixelData, dataset.Rows
    dataset.EncryptedAttributesSequence = [Dataset()]
    assert "encrypted" in refusal(build.written(dataset))


def test_pixels_beside_encrypted_attributes_are_read():
    envelope = Dataset()
    envelope.EncryptedContent = b"\x30\x80"
    data = build.radiograph_file(PIXELS, bits=12, EncryptedAttributesSequence=[envelope])
    assert any("encrypted" in warning for warning in decode(data, "x").warnings)


@pytest.mark.parametrize("name", ["RG1_UNCR.dcm", "RG1_J2KR.dcm"])
@pytest.mark.parametrize("share", [0.3, 0.999])
def test_truncated_dicom(name, share):
    data = build.real_file(name)
    assert "truncated" in refusal(data[: int(share * len(data))])


def test_truncated_in_the_header_and_in_deflation():
    assert "truncated" in refusal(build.real_file("RG1_UNCR.dcm")[:900])
    assert "truncated" in refusal(build.real_file("image_dfl.dcm")[:-500])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF", "JPEG2000"])
def test_truncated_picture(kind):
    data = build.picture(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8), kind)
    assert refusal(data[: len(data) * 2 // 3]) == f"The {kind} file is truncated. Send it again."


def test_unsupported_transfer_syntax():
    data = build.encapsulated_file(b"\0" * 64, MPEG2MPML, rows=8, columns=8)
    assert "transfer syntax (MPEG2 Main Profile / Main Level) is not supported" in refusal(data)


def test_private_transfer_syntax():
    data = build.encapsulated_file(b"\0" * 64, JPEG2000Lossless, rows=8, columns=8)
    private = data.replace(JPEG2000Lossless.encode(), b"1.2.3.4".ljust(len(JPEG2000Lossless), b"\0"))
    assert "transfer syntax (private) is not supported" in refusal(private)


@pytest.mark.parametrize("attributes", [{"Rows": 0}, {"Columns": 0}])
def test_no_rows_or_columns(attributes):
    assert refusal(build.radiograph_file(PIXELS, bits=12, **attributes)) == "The picture has no rows or no columns."


def test_refusals_do_not_quote_the_file():
    data = build.radiograph_file(PIXELS, bits=12, PatientName="Doe^Jane", PhotometricInterpretation="DOE JANE")
    assert "DOE" not in refusal(data)
    assert "name of the file" not in refusal(data)


@pytest.fixture
def decoders_closed(monkeypatch):
    """Any decoding of pixels is a failure."""

    def called(*args, **options):
        raise AssertionError("pixels were decoded")

    monkeypatch.setattr(dicom, "pixel_array", called)
    monkeypatch.setattr(raster, "_read", called)


@pytest.mark.usefixtures("decoders_closed")
@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"Rows": 60000, "Columns": 60000}, "The picture has 60000 x 60000 pixels, over the limit of 64 million: "),
        ({"NumberOfFrames": 5000}, "The file has 5000 frames, over the limit of 1000: "),
    ],
)
def test_dicom_over_a_limit_is_refused_by_its_header(attributes, reason):
    assert refusal(build.radiograph_file(PIXELS, bits=12, **attributes)).startswith(reason)


def test_bytes_over_the_limit():
    data = build.radiograph_file(PIXELS, bits=12)
    assert "size limit" in refusal(data, Limits(bytes=1000))
    assert decode(data, "x", Limits(bytes=len(data), pixels=4096, frames=1)).width == 64


def picture_bombs():
    """Small files that claim 50,000 pixels a side or so, by kind."""
    blank = Image.new("L", (255, 253))
    bombs = {
        kind: build.picture(blank, kind).replace(struct.pack(order, 255, 253), struct.pack(order, 60000, 60000))
        for kind, order in {"GIF": "<HH", "BMP": "<LL"}.items()
    }
    bombs["JPEG"] = build.picture(blank, "JPEG").replace(struct.pack(">HH", 253, 255), struct.pack(">HH", 60000, 60000))
    bombs["PNG"] = build.png(50000, 50000, 8, 0, b"\0" * MEGABYTE)
    bombs["PNG under Pillow's own limit"] = build.png(9000, 9000, 8, 0, b"\0" * MEGABYTE)
    tiff = build.picture(Image.new("L", (255, 253)), "TIFF", compression="tiff_adobe_deflate")
    for tag in (0x0100, 0x0101):
        for value in (255, 253):
            for kind in (3, 4):
                tiff = tiff.replace(struct.pack("<HHLL", tag, kind, 1, value), struct.pack("<HHLL", tag, 4, 1, 60000))
    return bombs | {"TIFF": tiff}


@pytest.mark.usefixtures("decoders_closed")
@pytest.mark.parametrize(("kind", "bomb"), list(picture_bombs().items()))
def test_picture_bomb_costs_nothing(kind, bomb):
    tracemalloc.start()
    try:
        reason = refusal(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "64 million" in reason
    assert peak < 2 * MEGABYTE


def test_deflated_bomb_is_inflated_no_further_than_the_limit():
    bomb = build.deflated_bomb(60 * MEGABYTE)
    assert len(bomb) < MEGABYTE
    tracemalloc.start()
    try:
        reason = refusal(bomb, Limits(bytes=4 * MEGABYTE))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "size limit" in reason
    assert peak < 12 * MEGABYTE


def with_empty_items(count, *, defined_length):
    """A radiograph whose VOILUTSequence has so many items with nothing in them."""
    data = build.radiograph_file(PIXELS, bits=12)
    items = struct.pack("<HHL", 0xFFFE, 0xE000, 0) * count
    end = b"" if defined_length else struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    size = len(items) if defined_length else 0xFFFFFFFF
    place = data.index(struct.pack("<HH", 0x7FE0, 0x0010))
    return data[:place] + struct.pack("<HH2sHL", 0x0028, 0x3010, b"SQ", 0, size) + items + end + data[place:]


def test_items_without_number_are_not_turned_into_objects(monkeypatch):
    data = with_empty_items(20_000, defined_length=False)
    assert decode(data, "x").width == 64
    monkeypatch.setattr(dicom_file, "READS_LIMIT", 5_000)
    assert refusal(data) == "The file is damaged: it cannot be decoded."


def test_sequence_of_too_many_items_is_left_alone():
    data = with_empty_items(1_000_000, defined_length=True)
    tracemalloc.start()
    try:
        decode(data, "x")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30 * MEGABYTE


def test_floating_point_pixels():
    dataset = build.radiograph_dataset(PIXELS, bits=12)
    del dataset.PixelData
    dataset.FloatPixelData = PIXELS.astype("<f4").tobytes()
    assert refusal(build.written(dataset)) == "Pixel data in floating point is not supported."


JPEG_BOMB = picture_bombs()["JPEG"]
JPEG_LS_BOMB = b"\xff\xd8\xff\xf7" + struct.pack(">HBHHB", 11, 8, 60000, 60000, 1) + b"\x01\x11\x00\xff\xda"
JPEG_2000_BOMB = b"\xff\x4f\xff\x51" + struct.pack(">HH4L", 41, 0, 60000, 60000, 0, 0) + b"\0" * 40
RLE_BOMB = struct.pack("<16L", 1, 64, *[0] * 14) + b"\x81\x00" * 20_000


@pytest.mark.usefixtures("decoders_closed")
@pytest.mark.parametrize(
    ("frame", "syntax"),
    [
        (JPEG_BOMB, JPEGBaseline8Bit),
        (JPEG_LS_BOMB, JPEGLSLossless),
        (JPEG_2000_BOMB, JPEG2000Lossless),
        (RLE_BOMB, RLELossless),
        (b"no codestream at all", JPEGBaseline8Bit),
    ],
    ids=["JPEG", "JPEG-LS", "JPEG 2000", "RLE", "none"],
)
def test_frame_larger_than_its_header_says_is_not_decoded(frame, syntax):
    reason = refusal(build.encapsulated_file(frame, syntax, rows=8, columns=8))
    assert reason == "The DICOM file is damaged: its compressed picture is not of the size its header gives."


def test_an_error_of_a_decoder_becomes_a_refusal(monkeypatch):
    def fails(*arguments, **options):
        raise MemoryError("a value of the file")

    monkeypatch.setattr(dicom, "display_grey", fails)
    reason = refusal(build.radiograph_file(PIXELS, bits=12))
    assert reason == "The file is damaged: it cannot be decoded."
