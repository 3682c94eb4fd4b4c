"""Pictures that the gate is tested on and was not taught: what is no whole chest radiograph.

Photographs and test files that packages ship, and pictures drawn here with other means than those that taught the gate
(:mod:`lung_models.training.presentation`): PIL and matplotlib instead of OpenCV, other kinds, other seeds. All are grey
and 0..1, so that the network has to refuse them; a colour photograph never gets that far.
"""

import hashlib
import logging
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
import pydicom
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Plot
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from pydicom.errors import InvalidDicomError
from scipy import ndimage

from lung_models.samples import CHEST

DRAWN = 120  # pictures of each drawn kind
SIDES = (96, 640)  # pixels; of drawn pictures
WORDS = (
    "Patient name:|Radiology report|IMPRESSION|no acute findings|1234567890|Discharge letter|L|R|AP|PA|kV 80|mAs 2.5"
)
log = logging.getLogger(__name__)


def photographs() -> list[np.ndarray]:
    """What scikit-image and scikit-learn ship, as grey pictures, each whole and in four quarters.

    Empty, with a line in the log, without scikit-image, which the tests need and the app does not.
    """
    kinds = (".png", ".jpg", ".gif")
    files = _shipped("skimage", "data", kinds)
    if not files:
        log.warning("scikit-image is not installed: the gate is not scored on photographs.")
        return []
    files += _shipped("sklearn", "datasets/images", kinds)
    whole = [np.asarray(Image.open(path).convert("RGB").convert("L"), np.float32) / 255.0 for path in files]
    return [part for picture in whole for part in (picture, *_quarters(picture))]


def dicom_files() -> list[Path]:
    """Every DICOM file that pydicom and pydicom-data ship, but the chest radiograph."""
    files = _shipped("pydicom", "data/test_files", (".dcm",)) + _shipped("data_store", "data", (".dcm",))
    return [path for path in files if not path.name.startswith(CHEST.file.split("_")[0])]


def dicom_pictures() -> list[np.ndarray]:
    """The pictures in those files without their words (a modality alone is refused): one frame each, none twice."""
    seen: dict[str, np.ndarray] = {}
    for path in dicom_files():
        try:
            pixels = np.asarray(pydicom.dcmread(path).pixel_array, np.float32)
        except (AttributeError, InvalidDicomError, NotImplementedError, RuntimeError, TypeError, ValueError):
            continue
        while pixels.ndim > 2:
            pixels = pixels.mean(axis=-1) if pixels.shape[-1] in (3, 4) else pixels[len(pixels) // 2]
        span = float(np.ptp(pixels))
        seen.setdefault(hashlib.sha256(pixels.tobytes()).hexdigest(), (pixels - pixels.min()) / (span or 1.0))
    return list(seen.values())


def noise(seed: int) -> Iterator[np.ndarray]:
    """Normal, salt-and-pepper, 1/f and cellular noise."""
    rng = np.random.default_rng(seed)
    for index in range(DRAWN):
        height, width = _size(rng)
        values = rng.normal(0.5, 0.2, (height, width))
        if index % 4 == 1:
            values = (rng.random((height, width)) < rng.uniform(0.05, 0.95)).astype(float)
        elif index % 4 == 2:  # amplitude falls with a power of the frequency, as in clouds
            frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :]) + 1.0 / width
            values = np.fft.ifft2(np.fft.fft2(values - 0.5) / frequency ** rng.uniform(0.5, 2.0)).real
        elif index % 4 == 3:  # distance to the nearest of some points
            points = np.ones((height, width), bool)
            points[rng.integers(0, height, 40), rng.integers(0, width, 40)] = False
            values = ndimage.distance_transform_edt(points)
        low, high = np.percentile(values, (0.5, 99.5))
        yield np.clip((values - low) / (high - low + 1e-9), 0.0, 1.0).astype(np.float32)


def texts(seed: int) -> Iterator[np.ndarray]:
    """Lines of print, dark on light and light on dark, in three typefaces, some turned or blurred like a scan."""
    rng = np.random.default_rng(seed)
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    faces = [str(folder / name) for name in ("DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf")]
    words = WORDS.split("|")
    for _ in range(DRAWN):
        height, width = _size(rng)
        paper, ink = (255, 0) if rng.random() < 0.6 else (0, 255)
        page = Image.new("L", (width, height), paper)
        size = int(rng.integers(8, max(10, height // 3)))
        pen, font = ImageDraw.Draw(page), ImageFont.truetype(str(rng.choice(faces)), size)
        for top in range(0, height, int(size * 1.4)):
            pen.text((int(rng.integers(0, width // 3)), top), " ".join(rng.choice(words, 6)), ink, font)
        page = page.rotate(rng.uniform(-5, 5), fillcolor=paper).filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.5)))
        yield np.asarray(page, np.float32) / 255.0


def shapes(seed: int) -> Iterator[np.ndarray]:
    """Checkerboards, gradients, polygons, rings, scatter plots and curves."""
    rng = np.random.default_rng(seed)
    makers = (_checkerboard, _gradient, _polygons, _rings, partial(_plot, lines=False), partial(_plot, lines=True))
    for index in range(DRAWN):
        picture = makers[index % len(makers)](rng, *_size(rng))
        yield picture.astype(np.float32)


def thirds(pixels: np.ndarray, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """A third of a radiograph in every way one may cut it, each with its name."""
    rng = np.random.default_rng(seed)
    side, stretch = 3**-0.5, float(np.exp(rng.uniform(-0.4, 0.4)))
    yield "the central third of the area", _window(pixels, side, side, 0.5, 0.5)
    yield "any third of the area", _window(pixels, side * stretch, side / stretch, *rng.random(2))
    yield "a third of either side", _window(pixels, 1 / 3, 1 / 3, *rng.random(2))
    yield "an upright strip", _window(pixels, 1.0, 1 / 3, 0.5, rng.random())
    yield "a lying strip", _window(pixels, 1 / 3, 1.0, rng.random(), 0.5)


def _shipped(package: str, folder: str, kinds: tuple[str, ...]) -> list[Path]:
    """Files of some kinds that lie in an installed package; pydicom's own listing would download more."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return []
    return sorted(path for path in (Path(spec.origin).parent / folder).rglob("*") if path.suffix in kinds)


def _window(pixels: np.ndarray, tall: float, wide: float, down: float, across: float) -> np.ndarray:
    """A window of given shares of height and width; 0 is at the top or the left, 1 at the bottom or the right."""
    height, width = round(tall * pixels.shape[0]), round(wide * pixels.shape[1])
    top, left = round(down * (pixels.shape[0] - height)), round(across * (pixels.shape[1] - width))
    return pixels[top : top + height, left : left + width]


def _quarters(picture: np.ndarray) -> list[np.ndarray]:
    rows, columns = picture.shape[0] // 2, picture.shape[1] // 2
    return [part for half in (picture[:rows], picture[rows:]) for part in (half[:, :columns], half[:, columns:])]


def _size(rng: np.random.Generator) -> tuple[int, int]:
    """Height and width of a picture that is not too narrow to be looked at."""
    side = rng.integers(*SIDES)
    return int(side), int(side * rng.uniform(0.7, 1.4))


def _checkerboard(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    cells = np.indices((height, width)) // int(rng.integers(4, height // 2))
    low, high = np.sort(rng.random(2))
    return np.where(cells.sum(axis=0) % 2 == 0, low, high + 0.1).clip(0, 1)


def _gradient(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Straight or round, alone or with a bright or a dark middle."""
    row, column = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    straight = rng.uniform(-1, 1) * row + rng.uniform(-1, 1) * column
    blob = np.exp(-((row - rng.random()) ** 2 + (column - rng.random()) ** 2) / rng.uniform(0.02, 0.5))
    values = straight + rng.uniform(-2, 2) * blob
    return (values - values.min()) / (np.ptp(values) + 1e-9)


def _polygons(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    canvas = Image.new("L", (width, height), int(rng.integers(256)))
    pen = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(1, 12))):
        corners = rng.random((int(rng.integers(3, 8)), 2)) * (width, height)
        pen.polygon([tuple(corner) for corner in corners], fill=int(rng.integers(256)))
    return np.asarray(canvas) / 255.0


def _rings(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    canvas = Image.new("L", (width, height), int(rng.integers(256)))
    pen = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(1, 9))):
        left, top, radius = rng.integers(0, width), rng.integers(0, height), rng.integers(5, height // 2)
        box = [int(left - radius), int(top - radius), int(left + radius), int(top + radius)]
        pen.ellipse(box, outline=int(rng.integers(256)), width=int(rng.integers(1, 12)))
    return np.asarray(canvas) / 255.0


def _plot(rng: np.random.Generator, height: int, width: int, lines: bool) -> np.ndarray:
    plot = Plot(figsize=(width / 100, height / 100), dpi=100)
    canvas, axes = FigureCanvasAgg(plot), plot.add_subplot()
    if lines:
        axes.plot(rng.normal(size=(60, int(rng.integers(1, 5)))).cumsum(axis=0), linewidth=rng.uniform(0.5, 4))
    else:
        axes.scatter(rng.random(80), rng.random(80), rng.uniform(4, 200), rng.random(80), cmap="gray")
    stored = BytesIO()
    canvas.print_png(stored)
    return np.asarray(Image.open(stored).convert("L")) / 255.0
