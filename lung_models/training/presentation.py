"""Teaching the gate: how chest radiographs look upright, turned, inverted and mirrored, and that other things differ.

A multinomial logistic regression and a covariance on OrganNet's pooled features; both end up in OrganNet's second
output. What is not a chest radiograph is drawn here (noise, shapes, text, gradients) or cut from radiographs (a third
of one), never taken from the photographs and the DICOM files that the gate is tested on.
"""

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression

from lung_models.networks import PRESENTATIONS, OrganNet
from lung_models.preprocess import network_input
from lung_models.training.labelled_set import Progress, silent

STRENGTH = 0.1  # inverse regularisation of the logistic regression, on standardised features
DISTANCE_QUANTILE = 0.998  # of upright radiographs that were not used to fit the covariance
DISTANCE_MARGIN = 1.15  # factor on that quantile: other hospitals lie further out
HELD_BACK = 4  # one in so many upright radiographs serves to place the limit, not to fit
OTHERS_PER_RADIOGRAPH = 1  # drawn or cut pictures for each radiograph


def fit_presentation(network: OrganNet, images: np.ndarray, seed: int, progress: Progress = silent) -> float:
    """Fit the second output of an OrganNet, in place.

    Args:
        network: In evaluation mode; its masks are not touched.
        images: uint8 (n, 1, side, side), upright chest radiographs, standardised.
        seed: For what is drawn at random.
        progress: Told of the radiographs done.

    Returns:
        The distance beyond which a picture is refused.
    """
    rng = np.random.default_rng(seed)
    features: dict[str, list[np.ndarray]] = {name: [] for name in PRESENTATIONS}
    for done, image in enumerate(images, start=1):
        for name, presented in presented_as(image[0].astype(np.float32) / 255.0, rng):
            features[name].append(presented)
        progress(done, len(images), "radiographs presented")
    pooled = {name: _pooled(network, np.stack(pictures)) for name, pictures in features.items()}
    inputs = np.concatenate(list(pooled.values()))
    classes = np.repeat(np.arange(len(PRESENTATIONS)), [len(pooled[name]) for name in PRESENTATIONS])
    mean, scale = inputs.mean(axis=0), inputs.std(axis=0) + 1e-6
    model = LogisticRegression(C=STRENGTH, max_iter=500).fit((inputs - mean) / scale, classes)
    weight = model.coef_ / scale
    network.presentation.weight.data = torch.from_numpy(weight).float()
    network.presentation.bias.data = torch.from_numpy(model.intercept_ - weight @ mean).float()
    upright = pooled["upright"]
    fitted = np.arange(len(upright)) % HELD_BACK != 0
    covariance = LedoitWolf().fit(upright[fitted])
    network.typical.copy_(torch.from_numpy(covariance.location_))
    network.whitening.copy_(torch.from_numpy(np.linalg.cholesky(covariance.precision_)))
    whitened = (upright[~fitted] - covariance.location_) @ np.linalg.cholesky(covariance.precision_)
    distances = np.sqrt(np.square(whitened).mean(axis=1))
    return float(np.quantile(distances, DISTANCE_QUANTILE) * DISTANCE_MARGIN)


def presented_as(image: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """One upright radiograph, float32 (side, side), in every presentation, each standardised as the reader would."""
    side = image.shape[0]
    yield "upright", image
    yield "turned_clockwise", np.rot90(image, -1)
    yield "turned_anticlockwise", np.rot90(image, 1)
    yield "upside_down", np.rot90(image, 2)
    yield "inverted", network_input(np.ascontiguousarray(1.0 - image), side)[0]
    yield "mirrored", image[:, ::-1]
    for _ in range(OTHERS_PER_RADIOGRAPH):
        picture = _third(image, rng) if rng.random() < 0.4 else draw_other(side, rng)
        yield "other", network_input(np.ascontiguousarray(picture, np.float32), side)[0]


def draw_other(side: int, rng: np.random.Generator) -> np.ndarray:
    """A picture of something that is not a radiograph: float32 (side, side), 0..1."""
    kind = rng.integers(4)
    if kind == 0:
        coarse = max(2, int(side * rng.uniform(0.01, 1.0)))
        return cv2.resize(rng.random((coarse, coarse)).astype(np.float32), (side, side))
    if kind == 1:
        angle = rng.uniform(0, 2 * np.pi)
        across = np.cos(angle) * np.arange(side)[:, None] + np.sin(angle) * np.arange(side)[None, :]
        return (0.5 + 0.5 * np.sin(across * rng.uniform(0.01, 0.5))).astype(np.float32)
    canvas = np.full((side, side), rng.integers(256), np.uint8)
    for _ in range(int(rng.integers(2, 25))):
        place = tuple(int(value) for value in rng.integers(0, side, 2))
        grey, size = int(rng.integers(256)), int(rng.integers(side // 20 + 2, side // 2))
        if kind == 2:
            text = "".join(chr(code) for code in rng.integers(48, 122, 12))
            cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, size / 60, grey, int(rng.integers(1, 4)))
        elif rng.random() < 0.5:
            axes = (size, max(2, int(size * rng.uniform(0.2, 1))))
            cv2.ellipse(canvas, place, axes, rng.uniform(0, 180), 0, 360, grey, -1)
        else:
            cv2.rectangle(canvas, place, (place[0] + size, place[1] + size // 2), grey, -1)
    return cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.3, side / 40)).astype(np.float32) / 255.0


def _third(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A window of a third of a radiograph's area or less, anywhere in it."""
    side = image.shape[0]
    share = rng.uniform(0.15, 1 / 3)
    height = int(side * min(1.0, np.sqrt(share) * rng.uniform(0.7, 1.4)))
    width = max(8, min(side, int(share * side * side / height)))
    top, left = rng.integers(0, side - height + 1), rng.integers(0, side - width + 1)
    return image[top : top + height, left : left + width]


@torch.inference_mode()
def _pooled(network: OrganNet, pictures: np.ndarray, batch_size: int = 16) -> np.ndarray:
    """Pooled features of pictures, float32 (n, side, side): float32 (n, channels)."""
    batches = [pictures[start : start + batch_size, None] for start in range(0, len(pictures), batch_size)]
    tensors = [
        torch.from_numpy(np.ascontiguousarray(batch)).float().to(memory_format=torch.channels_last) for batch in batches
    ]
    return np.concatenate([network.pooled_features(tensor).numpy() for tensor in tensors])
