"""What is no whole chest radiograph, for teaching the gate: parts of radiographs, and pictures drawn with OpenCV."""

from collections.abc import Callable

import cv2
import numpy as np

SMALLEST_PART, LARGEST_PART = 0.08, 0.36  # of a radiograph's area: from this downwards it is a part and not the whole


def part_of(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A window on a radiograph, float32 (side, side): from its middle, a strip of it, or from anywhere."""
    side = image.shape[0]
    share, kind = rng.uniform(SMALLEST_PART, LARGEST_PART), rng.random()
    height = (
        np.sqrt(share) * np.exp(rng.uniform(-0.45, 0.45)) if kind < 0.75 else rng.choice([rng.uniform(0.8, 1), share])
    )
    height = min(1.0, max(height, share))
    rows, columns = max(8, int(side * height)), max(8, int(side * min(1.0, share / height)))
    middle = rng.uniform(0.35, 0.65, 2) if kind < 0.3 else rng.random(2)
    top, left = int(middle[0] * (side - rows)), int(middle[1] * (side - columns))
    return image[top : top + rows, left : left + columns]


def draw_other(side: int, rng: np.random.Generator) -> np.ndarray:
    """A picture of something that is not a radiograph: float32 (side, side), 0..1, some of them mixed or blurred."""
    picture = _draw(side, rng)
    if rng.random() < 0.25:
        picture = picture * rng.uniform(0.3, 0.7) + _draw(side, rng) * rng.uniform(0.3, 0.7)
    blur = side / 25 if rng.random() < 0.3 else 1.0
    return np.clip(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 0.3 + blur)), 0.0, 1.0).astype(np.float32)


def _draw(side: int, rng: np.random.Generator) -> np.ndarray:
    """One of the kinds below, float32."""
    kinds: tuple[Callable[[int, np.random.Generator], np.ndarray], ...] = (
        _noise,
        _cloud,
        _waves,
        _light,
        _grid,
        _text,
        _text,
        _bodies,
        _lines,
        _landscape,
    )
    return kinds[int(rng.integers(len(kinds)))](side, rng).astype(np.float32)


def _noise(side: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform noise, fine to coarse."""
    coarse = max(2, int(side ** rng.uniform(0.15, 1.0)))
    values = rng.random((coarse, coarse))
    values = np.round(values) if rng.random() < 0.3 else values
    return cv2.resize(
        values.astype(np.float32), (side, side), interpolation=int(rng.choice([cv2.INTER_NEAREST, cv2.INTER_LINEAR]))
    )


def _cloud(side: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of many scales, as photographs have."""
    fall = rng.uniform(0.3, 1.2)
    values = np.zeros((side, side), np.float32)
    for octave in range(1, 8):
        cells = min(side, 2**octave)
        values += cv2.resize(
            rng.random((cells, cells)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC
        ) * 2 ** (-fall * octave)
    return (values - values.min()) / float(np.ptp(values))


def _waves(side: int, rng: np.random.Generator) -> np.ndarray:
    """One or two gratings."""
    values = np.zeros((side, side))
    for _ in range(int(rng.integers(1, 3))):
        angle = rng.uniform(0, 2 * np.pi)
        across = np.cos(angle) * np.arange(side)[:, None] + np.sin(angle) * np.arange(side)[None, :]
        values += 0.5 + 0.5 * np.sin(across * rng.uniform(0.01, 0.8))
    return values / values.max()


def _light(side: int, rng: np.random.Generator) -> np.ndarray:
    """A slope of light with some soft spots, bright and dark."""
    row, column = np.mgrid[0 : 1 : side * 1j, 0 : 1 : side * 1j]
    values = rng.uniform(-1, 1) * row + rng.uniform(-1, 1) * column
    for _ in range(int(rng.integers(0, 4))):
        spread = rng.uniform(0.01, 0.4, 2)
        values += rng.uniform(-1.5, 1.5) * np.exp(
            -((row - rng.random()) ** 2 / spread[0] + (column - rng.random()) ** 2 / spread[1])
        )
    return (values - values.min()) / (float(np.ptp(values)) + 1e-6)


def _grid(side: int, rng: np.random.Generator) -> np.ndarray:
    """Tiles of two or many greys, straight or turned."""
    tiles = int(rng.integers(2, 24))
    values = (
        rng.random((tiles, tiles))
        if rng.random() < 0.5
        else np.indices((tiles, tiles)).sum(axis=0) % 2 * rng.uniform(0.2, 1.0)
    )
    picture = cv2.resize(values.astype(np.float32), (side, side), interpolation=cv2.INTER_NEAREST)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(0, 90), rng.uniform(1, 2))
    return cv2.warpAffine(picture, turn, (side, side)) if rng.random() < 0.4 else picture


def _text(side: int, rng: np.random.Generator) -> np.ndarray:
    """Words at random, or a page of lines."""
    dark = rng.random() < 0.5
    canvas = np.full((side, side), rng.integers(0, 60) if dark else rng.integers(190, 256), np.uint8)
    ink = int(rng.integers(170, 256) if dark else rng.integers(0, 90))
    fonts = (
        cv2.FONT_HERSHEY_SIMPLEX,
        cv2.FONT_HERSHEY_COMPLEX,
        cv2.FONT_HERSHEY_TRIPLEX,
        cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
    )
    font, scale, page = int(rng.choice(fonts)), np.exp(rng.uniform(-1.5, 1.2)) * side / 256, rng.random() < 0.6
    line = max(6, int(scale * 34))
    for index in range(side // line + 1 if page else int(rng.integers(1, 8))):
        words = "".join(
            chr(code) for code in rng.choice([*range(48, 58), *range(65, 91), *range(97, 123), 32, 32, 32, 32], 80)
        )
        place = (int(rng.integers(-side // 4, side // 2)), line * (index + 1) if page else int(rng.integers(0, side)))
        cv2.putText(canvas, words[: 80 if page else 9], place, font, scale, ink, int(rng.integers(1, 4)), cv2.LINE_AA)
    return canvas / 255.0


def _bodies(side: int, rng: np.random.Generator) -> np.ndarray:
    """Filled and hollow ellipses, boxes and polygons."""
    canvas = np.full((side, side), rng.integers(256), np.uint8)
    for _ in range(int(rng.integers(1, 25))):
        place = tuple(int(value) for value in rng.integers(0, side, 2))
        grey, size = int(rng.integers(256)), int(rng.integers(side // 20 + 2, side // 2))
        thickness = -1 if rng.random() < 0.7 else int(rng.integers(1, 12))
        kind = rng.integers(3)
        if kind == 0:
            axes = (size, max(2, int(size * rng.uniform(0.2, 1))))
            cv2.ellipse(canvas, place, axes, rng.uniform(0, 180), 0, 360, grey, thickness)
        elif kind == 1:
            cv2.rectangle(canvas, place, (place[0] + size, place[1] + size // 2), grey, thickness)
        else:
            corners = np.array(place) + rng.integers(-size, size, (int(rng.integers(3, 8)), 2))
            cv2.fillPoly(canvas, [corners.astype(np.int32)], grey)
    return canvas / 255.0


def _lines(side: int, rng: np.random.Generator) -> np.ndarray:
    """Curves, rulers and dots on plain ground, as in drawings and plots."""
    light = rng.random() < 0.7
    canvas = np.full((side, side), 255 if light else 0, np.uint8)
    for _ in range(int(rng.integers(1, 7))):
        ink = int(rng.integers(0, 150) if light else rng.integers(100, 256))
        steps = rng.normal(0, side / 25, (60, 2)).cumsum(axis=0) + rng.integers(0, side, 2)
        if rng.random() < 0.5:
            steps[:, 0] = np.linspace(0, side, 60)
        if rng.random() < 0.5:
            cv2.polylines(canvas, [steps.astype(np.int32)], False, ink, int(rng.integers(1, 6)), cv2.LINE_AA)
        else:
            for x, y in rng.integers(0, side, (30, 2)):
                cv2.circle(canvas, (int(x), int(y)), int(rng.integers(1, max(2, side // 25))), ink, -1, cv2.LINE_AA)
    if rng.random() < 0.5:
        cv2.rectangle(canvas, (side // 8, side // 8), (side - side // 8, side - side // 8), 0 if light else 255, 1)
    return canvas / 255.0


def _landscape(side: int, rng: np.random.Generator) -> np.ndarray:
    """Textured bodies before a textured ground: as near to a photograph as drawing comes."""
    picture = _cloud(side, rng) * rng.uniform(0.2, 1.0)
    for _ in range(int(rng.integers(1, 8))):
        body = cv2.GaussianBlur((_bodies(side, rng) > 0.5).astype(np.float32), (0, 0), rng.uniform(0.4, 4))
        surface = np.clip(
            (_cloud(side, rng) if rng.random() < 0.5 else _light(side, rng)) * rng.uniform(0.2, 1)
            + rng.uniform(0, 0.5),
            0,
            1,
        )
        picture = picture * (1 - body) + surface * body
    return picture
