import json
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from lung_models.gate import MIRRORED
from lung_models.opened import without_score
from lung_models.radiograph import Radiograph, Spacing
from lung_models.reading import Reading, Width
from pages.components import viewer


def unpack(payload: bytes) -> tuple[dict, bytes]:
    length = int.from_bytes(payload[:4], "little")
    return json.loads(payload[4 : 4 + length]), payload[4 + length :]


def pack(reading: Reading) -> bytes:
    return viewer.viewer_payload(reading, study="study 1")


def test_every_value_of_twelve_bits_arrives(reading: Reading) -> None:
    header, body = unpack(pack(reading))
    pixels = np.frombuffer(body, "<u2", 64 * 64).reshape(64, 64)
    assert len(np.unique(pixels)) == 4096
    np.testing.assert_allclose(pixels / 65535, reading.radiograph.pixels, atol=1 / 65535)
    assert header["stored"] == {"width": 64, "height": 64} and not header["reduced"]


def test_heat_maps_travel_but_not_of_findings_called_absent(reading: Reading) -> None:
    header, body = unpack(pack(reading))
    entry = header["heats"]["pleural_effusion"]
    heat = np.frombuffer(body, "<u2", entry["width"] * entry["height"], entry["place"])
    assert heat.reshape(8, 6)[5, 2] == 65535 and heat.sum() == 65535
    assert header["heats"]["consolidation"]["place"] is None
    assert list(header["heats"]) == [one.key for one in reading.findings]
    present = [one for one in reading.findings if one.call != "absent"]
    masks = 0 if header["masks"] is None else 3 * header["masks"]["side"] ** 2 // 8
    assert len(body) == 2 * 64 * 64 + len(present) * 2 * 8 * 6 + masks


def test_the_same_reading_gives_the_same_bytes(reading: Reading) -> None:
    assert pack(reading) == pack(reading)
    other = replace(reading, radiograph=replace(reading.radiograph, pixels=1 - reading.radiograph.pixels))
    assert unpack(pack(reading))[0]["digest"] != unpack(pack(other))[0]["digest"]


def test_a_refused_reading_is_the_picture_alone(radiograph: Radiograph) -> None:
    header, body = unpack(pack(without_score(radiograph, "no")))
    assert (header["heats"], header["contours"], header["ratio"]) == ({}, {}, None)
    assert header["sides"] is None  # which side is which is only known of a chest seen from the front
    assert len(body) == 2 * 64 * 64


def test_sides_are_in_doubt_when_the_picture_looks_mirrored(reading: Reading) -> None:
    mirrored = replace(reading, anatomy=replace(reading.anatomy, flags=("Rotated.", MIRRORED)))
    assert unpack(pack(reading))[0]["sides"] == ["R", "L"]
    assert unpack(pack(mirrored))[0]["sides"] == ["R?", "L?"]


def test_the_unit_of_the_heat_is_the_readings_own(reading: Reading) -> None:
    assert unpack(pack(reading))[0]["heat_unit"] == reading.heat_unit != ""


def test_a_very_large_picture_is_reduced_and_says_so() -> None:
    large = Radiograph(np.full((100, 5000), 0.25, np.float32), "wide", "raster")
    header, body = unpack(pack(without_score(large, "no")))
    assert header["reduced"] and header["stored"] == {"width": 4096, "height": 82}
    assert (header["width"], header["height"]) == (5000, 100)
    assert set(np.frombuffer(body, "<u2")) == {round(0.25 * 65535)}


def test_ratio_is_drawn_between_pixel_centres_in_millimetres(reading: Reading) -> None:
    ratio = unpack(pack(reading))[0]["ratio"]
    width = reading.anatomy.heart_width
    assert ratio["heart"]["line"] == [place + 0.5 for place in (*width.start, *width.end)]
    assert ratio["heart"]["text"] == f"{width.pixels * 0.25:.0f} mm"


@pytest.mark.parametrize(
    ("spacing", "text"),
    [
        (None, "40 px"),
        (Spacing(1.0, 0.5, "PixelSpacing"), "20 mm"),
        (Spacing(1.0, 0.5, "ImagerPixelSpacing"), "20 mm at the detector"),
    ],
)
def test_a_length_says_what_it_rests_on(spacing: Spacing | None, text: str) -> None:
    assert viewer.length_text(Width((10.0, 5.0), (50.0, 5.0)), spacing) == text


def test_colour_map_is_inferno() -> None:
    script = Path(viewer.__file__).with_name("viewer_colours.js").read_text()
    digits = "".join(line.strip(' ",') for line in script.split("[")[1].split("]")[0].splitlines())
    colours = np.frombuffer(bytes.fromhex(digits), np.uint8).reshape(256, 3)
    np.testing.assert_array_equal(colours, np.rint(255 * matplotlib.colormaps["inferno"](range(256))[:, :3]))
