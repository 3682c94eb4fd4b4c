"""How far a probability moves when the same radiograph comes in another way: size, compression, gamma, rotation.

The whole pipeline is run on every variant: organs, frame, network, calibration. What the gate refuses is counted apart.
"""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from lung_models.decode import decode
from lung_models.figures import Figure, of_values
from lung_models.radiograph import Radiograph
from lung_models.reader import Reader
from lung_models.training.labelled_set import FindingsSet, Progress, silent
from lung_models.weights import Card, WeightStore

RADIOGRAPHS = 120  # drawn from val; every one is read in every variant
SEED = 20
PROTOCOL = "the same radiograph read again after a change, as shipped"


def _resized(side: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(pixels: np.ndarray) -> np.ndarray:
        scale = side / max(pixels.shape)
        size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
        return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)

    return change


def _compressed(pixels: np.ndarray) -> np.ndarray:
    eight = np.rint(pixels * 255.0).astype(np.uint8)
    _, encoded = cv2.imencode(".jpg", eight, [cv2.IMWRITE_JPEG_QUALITY, 50])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.float32) / 255.0


def _turned(degrees: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(pixels: np.ndarray) -> np.ndarray:
        height, width = pixels.shape
        matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), degrees, 1.0)
        return cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_CONSTANT, borderValue=0.0)

    return change


VARIANTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "1024 pixels": _resized(1024),
    "512 pixels": _resized(512),
    "256 pixels": _resized(256),
    "JPEG of quality 50": _compressed,
    "gamma 0.7": lambda pixels: pixels**0.7,
    "gamma 1.4": lambda pixels: pixels**1.4,
    "5 degrees clockwise": _turned(-5.0),
    "5 degrees anticlockwise": _turned(5.0),
}


def robustness_figures(
    store: WeightStore, card: Card, labelled: FindingsSet, progress: Progress = silent
) -> list[Figure]:
    """Median and 95th percentile of the change of a probability, for every variant, over all six findings.

    Args:
        store: Holds the version and the organ model it was calibrated with.
        card: The version's.
        labelled: Radiographs to draw from; their labels do not matter.
        progress: Told of the radiographs done.
    """
    organs_version = card.data["geometry"]["organs_version"]
    reader = Reader.load(store.root, findings_version=card.version, organs_version=organs_version)
    chosen = np.random.default_rng(SEED).permutation(len(labelled))[:RADIOGRAPHS]
    changes: dict[str, list[np.ndarray]] = {name: [] for name in VARIANTS}
    refused: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for done, index in enumerate(chosen, start=1):
        path = labelled.paths[index]
        radiograph = decode(path.read_bytes(), path.name)
        original = _probabilities(reader, radiograph)
        if original is not None:
            for name, change in VARIANTS.items():
                pixels = np.clip(change(radiograph.pixels), 0.0, 1.0).astype(np.float32)
                varied = _probabilities(reader, replace(radiograph, pixels=pixels))
                refused[name].append(float(varied is None))
                if varied is not None:
                    changes[name].append(np.abs(varied - original))
        progress(done, len(chosen), "radiographs read in every variant")
    figures = []
    for name in VARIANTS:
        if changes[name]:
            figures += _of_variant(name, np.stack(changes[name]))
            figures.append(of_values("Refused after a change, share", name, np.array(refused[name]), _mean, PROTOCOL))
    return figures


def _of_variant(name: str, moved: np.ndarray) -> list[Figure]:
    """Of the change (n, 6): the largest over the findings of each statistic, so that the worst finding counts."""

    def worst(quantile: float) -> Figure:
        label = "median" if quantile == 0.5 else "95th percentile"
        return of_values(
            f"Change of a probability, {label}, worst finding",
            name,
            moved,
            lambda drawn: float(np.quantile(drawn, quantile, axis=0).max()),
            PROTOCOL,
        )

    return [worst(0.5), worst(0.95)]


def _mean(drawn: np.ndarray) -> float:
    return float(drawn.mean())


def _probabilities(reader: Reader, radiograph: Radiograph) -> np.ndarray | None:
    reading = reader.read(radiograph)
    return np.array([one.probability for one in reading.findings]) if reading.accepted else None
