"""The one path of intensities: what must not matter does not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lung_models.decode import decode
from lung_models.preprocess import VIEWS, WHOLE, Frame, network_input, standardise, views


@given(
    arrays.arrays(
        np.float32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.floats(0, 1, width=32)
    )
)
@settings(deadline=None)
def test_any_picture_becomes_a_square_within_range(pixels: np.ndarray) -> None:
    result = network_input(pixels, 32)
    assert result.shape == (1, 32, 32) and result.dtype == np.float32
    assert result.min() >= 0.0 and result.max() <= 1.0


@pytest.mark.parametrize("scale, offset", [(0.3, 0.1), (0.08, 0.6), (1.0, 0.0)])
def test_window_does_not_matter(scale: float, offset: float, chest_file) -> None:
    pixels = decode(chest_file.read_bytes(), chest_file.name).pixels
    same = network_input(pixels * np.float32(scale) + np.float32(offset), 128)
    np.testing.assert_allclose(same, network_input(pixels, 128), atol=2e-3)


@pytest.mark.parametrize("gamma", [0.7, 1.4])
def test_gamma_hardly_matters(gamma: float, chest_file) -> None:
    pixels = decode(chest_file.read_bytes(), chest_file.name).pixels
    changed, original = network_input(pixels**gamma, 128), network_input(pixels, 128)
    assert np.abs(changed - original).mean() < 0.02
    assert np.abs(changed - original).mean() < 0.5 * np.abs(pixels**gamma - pixels).mean()


def test_a_moved_frame_keeps_its_size_and_stays_in_the_picture() -> None:
    frame = Frame(0.2, 0.1, 0.6, 0.9)
    moved = frame.moved(0.5, -0.1)
    assert (moved.left, moved.top, moved.right, moved.bottom) == pytest.approx((0.4, 0.02, 0.8, 0.82))
    assert frame.moved(0.0, -0.25) == Frame(0.2, 0.0, 0.6, pytest.approx(0.7))
    assert WHOLE.moved(0.25, -0.125) == Frame(0.25, 0.0, 1.0, 0.875)
    assert WHOLE.moved(0.0, 0.0) == WHOLE


@pytest.mark.parametrize("frame", [WHOLE, Frame(0.1, 0.2, 0.9, 0.95)])
def test_views_are_the_input_moved_and_mirrored(frame: Frame, chest_file) -> None:
    pixels = decode(chest_file.read_bytes(), chest_file.name).pixels
    seen = views(pixels, 128, frame)
    assert seen.shape == (VIEWS, 1, 128, 128) and seen.dtype == np.float32
    np.testing.assert_array_equal(seen[0], network_input(pixels, 128, frame))
    np.testing.assert_array_equal(seen[VIEWS // 2 :], seen[: VIEWS // 2, ..., ::-1])
    assert len({one.tobytes() for one in seen}) == VIEWS


def test_views_of_a_picture_of_one_pixel() -> None:
    assert views(np.ones((1, 1), np.float32), 8).shape == (VIEWS, 1, 8, 8)


def test_a_constant_picture_is_black() -> None:
    assert standardise(np.full((8, 8), 0.7, np.float32)).max() == 0.0


def test_twelve_bits_and_eight_bits_of_the_same_film_agree(chest_file) -> None:
    pixels = decode(chest_file.read_bytes(), chest_file.name).pixels
    eight = np.rint(pixels * 255).astype(np.float32) / 255
    np.testing.assert_allclose(network_input(eight, 128), network_input(pixels, 128), atol=0.02)
