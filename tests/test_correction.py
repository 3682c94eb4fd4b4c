"""Outlines corrected by hand, and how they travel."""

import zlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lung_models.correction import SHAPE, corrected, packed, unpacked
from lung_models.decode import decode
from lung_models.radiograph import Radiograph
from lung_models.reader import Reader
from lung_models.reading import Anatomy


@pytest.fixture(scope="module")
def outlined(reader: Reader, chest_file) -> tuple[Radiograph, Anatomy]:  # type: ignore[no-untyped-def]
    radiograph = decode(chest_file.read_bytes(), "x")
    anatomy = reader.read(radiograph).anatomy
    assert anatomy is not None
    return radiograph, anatomy


def test_untouched_masks_measure_the_same(outlined: tuple[Radiograph, Anatomy]) -> None:
    radiograph, anatomy = outlined
    again = corrected(radiograph, anatomy.organ_probability >= 0.5)
    assert again.cardiothoracic_ratio == anatomy.cardiothoracic_ratio
    assert again.heart_width == anatomy.heart_width and again.heart_fraction == anatomy.heart_fraction


def test_ratio_and_width_follow_what_is_drawn(outlined: tuple[Radiograph, Anatomy]) -> None:
    radiograph, anatomy = outlined
    masks = anatomy.organ_probability >= 0.5
    last = np.flatnonzero(masks[2].any(axis=0))[-1]
    masks[2, :, last - 19 : last + 1] = False
    narrower = corrected(radiograph, masks)
    assert narrower.heart_width is not None and anatomy.heart_width is not None
    one_column = radiograph.width / SHAPE[2]
    assert anatomy.heart_width.pixels - narrower.heart_width.pixels == pytest.approx(20 * one_column)
    assert narrower.thorax_width == anatomy.thorax_width
    assert anatomy.cardiothoracic_ratio is not None and narrower.cardiothoracic_ratio is not None
    assert narrower.cardiothoracic_ratio < anatomy.cardiothoracic_ratio


def test_a_small_thing_that_was_drawn_stays(outlined: tuple[Radiograph, Anatomy]) -> None:
    masks = outlined[1].organ_probability >= 0.5
    masks[0, 5:8, 5:8] = True
    assert len(corrected(outlined[0], masks).contours["right_lung"]) == len(outlined[1].contours["right_lung"]) + 1


def test_masks_come_back() -> None:
    masks = np.random.default_rng(0).random(SHAPE) > 0.5
    assert np.array_equal(unpacked(packed(masks)), masks)


@given(content=st.binary(max_size=200))
@example(content=zlib.compress(b"\0" * 98304))
@example(content=zlib.compress(b"\0" * 98303))
@example(content=zlib.compress(b"\0" * 10_000_000))
@example(content=zlib.compress(b"\0" * 98304) + b"more")
def test_anything_else_from_a_browser_is_refused_in_one_line(content: bytes) -> None:
    if content == zlib.compress(b"\0" * 98304):
        assert not unpacked(content).any()
        return
    with pytest.raises(ValueError, match="draw them again"):
        unpacked(content)
