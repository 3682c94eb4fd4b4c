"""Outlines and measurements on organs drawn here, so that the right answer is known."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lung_models import anatomy
from lung_models.radiograph import Radiograph, View
from lung_models.reading import ORGANS, Anatomy

SIDE = 256


def drawn(
    right: tuple[int, int, int, int] = (70, 120, 35, 80),
    left: tuple[int, int, int, int] = (190, 120, 35, 80),
    heart: tuple[int, int, int, int] = (140, 160, 40, 35),
) -> np.ndarray:
    """Three ellipses (column, row, half width, half height) as organ probabilities."""
    canvas = np.zeros((3, SIDE, SIDE), np.float32)
    for channel, (column, row, half_width, half_height) in enumerate((right, left, heart)):
        cv2.ellipse(canvas[channel], (column, row), (half_width, half_height), 0, 0, 360, 1.0, -1)
    return canvas


def film(height: int = 1000, width: int = 800, view: View | None = None, grey: float = 1.0) -> Radiograph:
    ramp = np.linspace(0.0, grey, height * width, dtype=np.float32).reshape(height, width)
    return Radiograph(np.random.default_rng(0).permutation(ramp), "film", "raster", view=view)


def measure(organs: np.ndarray, radiograph: Radiograph | None = None) -> Anatomy:
    return anatomy.measure(organs, radiograph or film())


def test_cardiothoracic_ratio_and_its_lines() -> None:
    measured = measure(drawn())
    assert measured.heart_width is not None and measured.thorax_width is not None
    # 81 of 256 columns for the heart; the lungs reach from column 35 to column 225.
    assert measured.heart_width.pixels == pytest.approx(81 / 256 * 800, rel=0.02)
    assert measured.thorax_width.pixels == pytest.approx(191 / 256 * 800, rel=0.01)
    assert measured.cardiothoracic_ratio == pytest.approx(81 / 191, rel=0.02)
    assert measured.heart_width.start[1] == pytest.approx(160 / 256 * 1000, abs=8)


@given(st.integers(200, 1500), st.integers(200, 1500))
@settings(max_examples=15, deadline=None)
def test_ratio_and_fractions_do_not_depend_on_the_size_of_the_film(height: int, width: int) -> None:
    measured, reference = measure(drawn(), film(height, width)), measure(drawn())
    assert measured.cardiothoracic_ratio == pytest.approx(reference.cardiothoracic_ratio)
    assert measured.right_lung_fraction == pytest.approx(reference.right_lung_fraction)
    outline = measured.contours["left_lung"][0]
    assert outline[:, 0].mean() / width == pytest.approx(190 / 256, abs=0.02)
    assert outline[:, 1].mean() / height == pytest.approx(120 / 256, abs=0.02)


def test_area_is_that_of_the_ellipse() -> None:
    assert measure(drawn()).right_lung_fraction == pytest.approx(np.pi * 35 * 80 / SIDE**2, rel=0.03)


def test_stray_islands_and_holes_are_gone_at_every_size() -> None:
    organs = drawn()
    cv2.circle(organs[0], (240, 20), 10, 1.0, -1)
    cv2.circle(organs[0], (70, 120), 8, 0.0, -1)
    measured = measure(organs)
    assert len(measured.contours["right_lung"]) == 1
    for height, width in ((1000, 800), (100, 90)):
        count, _ = cv2.connectedComponents(measured.masks(height, width)[0].astype(np.uint8))
        assert count == 2
    assert measured.masks(SIDE, SIDE)[0][120, 70]


def test_label_map_is_drawn_in_order_heart_last() -> None:
    labels = measure(drawn(heart=(100, 160, 40, 35))).label_map(SIDE, SIDE)
    assert labels.dtype == np.uint8 and set(np.unique(labels)) == {0, 1, 2, 3}
    assert labels[120, 70] == 1 and labels[120, 190] == 2 and labels[160, 90] == 3


def test_nothing_outlined_measures_nothing() -> None:
    measured = measure(np.zeros((3, SIDE, SIDE), np.float32))
    assert measured.cardiothoracic_ratio is None and measured.heart_width is None
    assert measured.contours["heart"] == ()
    assert {"Right lung not found.", "Left lung not found.", "Heart not found."} <= set(measured.flags)
    assert np.isnan(anatomy.geometry(measured)[0])


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"right": (20, 120, 40, 80)}, "Right lung reaches the left-hand edge"),
        ({"left": (190, 120, 15, 50)}, "The left lung is outlined at less than half"),
        ({"heart": (100, 160, 40, 35)}, "patient's right"),
        ({"heart": (140, 160, 75, 35)}, "more than three quarters of the thorax"),
    ],
)
def test_quality_flags(changed: dict, words: str) -> None:
    assert not any(words in flag for flag in measure(drawn()).flags)
    assert any(words in flag for flag in measure(drawn(**changed)).flags)


def test_flags_of_exposure_and_projection() -> None:
    assert measure(drawn()).flags == ()
    assert any("Low contrast" in flag for flag in measure(drawn(), film(grey=0.05)).flags)
    assert any("AP projection" in flag for flag in measure(drawn(), film(view="AP")).flags)


def test_geometry_names_what_it_holds() -> None:
    values = dict(zip(anatomy.GEOMETRY, anatomy.geometry(measure(drawn())), strict=True))
    assert values["cardiothoracic ratio"] == pytest.approx(81 / 191, rel=0.02)
    assert values["log of right over left lung area"] == pytest.approx(0.0, abs=0.05)
    assert values["lung height"] == pytest.approx(161 / 256, rel=0.02)
    assert len(ORGANS) == 3
