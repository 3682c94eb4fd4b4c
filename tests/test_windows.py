import numpy as np

from lung_models.radiograph import Radiograph
from lung_models.reading import Anatomy
from lung_models.windows import DARK, DEFAULT, window_presets


def picture() -> Radiograph:
    pixels = np.full((512, 512), 0.8, np.float32)
    pixels[:, :256] = np.linspace(0.1, 0.3, 256, dtype=np.float32)
    return Radiograph(pixels, "picture", "raster")


def test_default_comes_first_and_names_are_unique() -> None:
    presets = window_presets(picture(), None)
    assert presets[0] == DEFAULT and DARK in presets
    assert len({window.name for window in presets}) == len(presets)


def test_lung_window_spans_the_values_inside_the_lungs() -> None:
    organs = np.zeros((3, 64, 64), np.float32)
    organs[0, :, :32] = 1  # the darker half
    anatomy = Anatomy(organs, {}, None, None, None, 0.5, 0.0, 0.0, ())
    lung = next(window for window in window_presets(picture(), anatomy) if window.name == "Lung")
    assert abs(lung.centre - 20) < 1 and abs(lung.width - 20) < 1.5


def test_an_empty_lung_mask_falls_back_to_the_fixed_window() -> None:
    anatomy = Anatomy(np.zeros((3, 64, 64), np.float32), {}, None, None, None, 0.0, 0.0, 0.0, ())
    assert DARK in window_presets(picture(), anatomy)
