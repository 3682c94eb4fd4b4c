"""What the pixels of a PNG, JPEG or TIFF must come out as."""

import struct

import numpy as np
import pytest
from PIL import Image

from lung_models.decode import decode
from lung_models.radiograph import Refusal

from . import build

GREY = np.arange(240, dtype=np.uint8).reshape(12, 20)
DEEP = (np.arange(240, dtype=np.uint16) * 17 + 5).reshape(12, 20)  # 12 bit in a 16 bit file
STRETCHED = (DEEP - 5) / (239 * 17)
SMOOTH = np.linspace(20, 230, 64).astype(np.uint8)[np.newaxis].repeat(48, 0)


def photograph():
    """A made-up colour photograph: sky, meadow and something red, with texture."""
    random = np.random.default_rng(0)
    picture = np.empty((120, 160, 3))
    picture[:60] = (110, 160, 230)
    picture[60:] = (70, 140, 50)
    picture[40:90, 60:100] = (200, 40, 40)
    return (picture + random.normal(0, 12, picture.shape)).clip(0, 255).astype(np.uint8)


def close(data, expected, tolerance=1e-6):
    radiograph = decode(data, "x")
    np.testing.assert_allclose(radiograph.pixels, expected, atol=tolerance)
    assert radiograph.origin == "raster"
    assert radiograph.spacing is None
    assert radiograph.view is None
    return radiograph


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF", "JPEG2000"])
def test_8_bit_grey_is_taken_as_it_is(kind):
    radiograph = close(build.picture(GREY, kind), GREY / 255)
    assert radiograph.bits == 8
    assert radiograph.notes[0] == f"Stored as 8 bit {kind}."


def test_webp():
    close(build.picture(Image.fromarray(GREY).convert("RGB"), "WEBP", lossless=True), GREY / 255)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize(("pixels", "expected"), [(GREY, GREY / 255), (DEEP, STRETCHED)], ids=["8 bit", "16 bit"])
def test_tiff(pixels, expected, compression):
    close(build.picture(pixels, "TIFF", compression=compression), expected)


@pytest.mark.parametrize(("pixels", "expected"), [(GREY, 1 - GREY / 255), (DEEP, 1 - STRETCHED)])
def test_tiff_with_white_as_zero(pixels, expected):
    data = build.picture(pixels, "TIFF")
    tag = struct.pack("<HHLHH", 0x0106, 3, 1, 1, 0)  # PhotometricInterpretation: BlackIsZero
    assert data.count(tag) == 1
    close(data.replace(tag, struct.pack("<HHLHH", 0x0106, 3, 1, 0, 0)), expected)


def test_float_tiff_is_stretched():
    close(build.picture((DEEP / 100).astype(np.float32), "TIFF"), STRETCHED)


def test_16_bit_png_is_stretched():
    radiograph = close(build.picture(DEEP, "PNG"), STRETCHED)
    assert radiograph.bits == 16
    assert any("darkest" in note for note in radiograph.notes)


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (4, 2), (6, 4)], ids=["RGB", "grey+alpha", "RGBA"])
def test_16_bit_png_of_several_channels_keeps_its_bits(colour_type, channels):
    stored = np.repeat(DEEP[..., np.newaxis], channels, axis=2)
    if channels in (2, 4):
        stored[..., -1] = 65535
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in stored)
    radiograph = close(build.png(20, 12, 16, colour_type, rows), STRETCHED)
    assert radiograph.bits == 16


def test_1_bit():
    bits = GREY > 100
    assert close(build.picture(Image.fromarray(bits), "PNG"), bits).bits == 1


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_is_laid_on_black(mode):
    image = Image.fromarray(GREY).convert(mode)
    alpha = np.full(GREY.shape, 255, np.uint8)
    alpha[:, :5] = 0
    image.putalpha(Image.fromarray(alpha))
    close(build.picture(image, "PNG"), np.where(alpha, GREY, 0) / 255, 1 / 255)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_grey_in_colour_is_converted(mode):
    close(build.picture(Image.fromarray(GREY).convert(mode), "PNG"), GREY / 255)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg(mode):
    close(build.picture(Image.fromarray(SMOOTH).convert(mode), "JPEG", quality=95), SMOOTH / 255, 0.02)


def test_cmyk_jpeg_as_photoshop_writes_it():
    ink = np.zeros((*SMOOTH.shape, 4), np.uint8)
    ink[..., 3] = 255 - SMOOTH
    data = build.picture(Image.fromarray(ink, "CMYK"), "JPEG", quality=95)
    assert b"Adobe" in data[:64]  # and so stored inverted
    close(data, SMOOTH / 255, 0.03)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation, kind):
    upright = np.zeros((32, 48), np.uint8)
    upright[:16, :16], upright[:16, 16:], upright[16:, :16] = 250, 150, 60
    undo = {
        1: lambda p: p,
        2: np.fliplr,
        3: lambda p: np.rot90(p, 2),
        4: np.flipud,
        5: np.transpose,
        6: lambda p: np.rot90(p, 1),
        7: lambda p: np.rot90(p, 2).T,
        8: lambda p: np.rot90(p, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(undo[orientation](upright)))
    options = {"JPEG": {"quality": 100}, "WEBP": {"lossless": True}}.get(kind, {})
    radiograph = close(build.picture(stored, kind, exif=exif, **options), upright / 255, 0.03)
    assert any("EXIF" in note for note in radiograph.notes) == (orientation != 1)


@pytest.mark.parametrize("kind", ["TIFF", "GIF"])
def test_first_of_several_pages(kind):
    pages = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    radiograph = close(build.picture(pages[0], kind, save_all=True, append_images=pages[1:]), GREY / 255)
    assert "The first page of several is shown." in radiograph.notes


def test_resolution_is_no_spacing():
    assert decode(build.picture(GREY, "PNG", dpi=(300, 300)), "x").spacing is None


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_colour_photograph_is_refused(kind):
    with pytest.raises(Refusal, match="colour photograph, not a radiograph"):
        decode(build.picture(photograph(), kind), "x")


@pytest.fixture(scope="module")
def chest():
    """A real chest radiograph as 8 bit RGB, (height, width, 3)."""
    pixels = decode(build.real_file("RG1_UNCR.dcm"), "x").pixels[::4, ::4]
    return np.repeat((255 * pixels).astype(np.uint8)[..., np.newaxis], 3, axis=2)


def test_radiograph_with_a_blue_base_passes(chest):
    decode(build.picture((chest * np.array([0.8, 0.9, 1.0])).astype(np.uint8), "JPEG"), "x")


def test_radiograph_with_coloured_annotation_passes(chest):
    height, width = chest.shape[:2]
    chest = chest.copy()
    chest[: height // 8, : width // 6] = (255, 230, 0)
    decode(build.picture(chest, "PNG"), "x")


def test_radiograph_under_a_coloured_map_is_refused(chest):
    rows = np.linspace(0, 255, chest.shape[0])[:, np.newaxis]
    overlay = np.stack(np.broadcast_arrays(rows, 128 + 0 * chest[..., 0], 255 - rows), axis=2)
    with pytest.raises(Refusal, match="colour"):
        decode(build.picture(((chest + overlay) / 2).astype(np.uint8), "PNG"), "x")
