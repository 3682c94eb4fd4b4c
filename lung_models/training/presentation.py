"""Teaching the gate: how chest radiographs look upright, turned, inverted and mirrored, and that other things differ.

A multinomial logistic regression and a covariance on OrganNet's pooled features; both end up in OrganNet's second
output. What is not a chest radiograph is drawn or cut from radiographs (:mod:`lung_models.training.other_pictures`),
never taken from the photographs and the DICOM files that the gate is tested on. What is upright is shown as other
hospitals would send it, too: cut closer or wider, a little turned, clipped, coarse.
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
from lung_models.training.other_pictures import draw_other, part_of

STRENGTH = 0.5  # inverse regularisation of the logistic regression, on standardised features
DISTANCE_QUANTILE = 0.998  # of upright radiographs that were not used to fit the covariance
DISTANCE_MARGIN = 1.15  # factor on that quantile: other hospitals lie further out
HELD_BACK = 4  # one in so many upright radiographs serves to place the limit, not to fit
PARTS, DRAWN = 2, 1  # of a radiograph, and of other pictures, for each radiograph
TILT = 8.0  # degrees that an upright radiograph may be turned
TRIM = 0.08  # of a side that may be cut off at either end and still leave a whole chest
MARGIN = 0.12  # of a side that may be added at either end
CLIP = 8.0  # per cent of the pixels that a narrow window may clip at either end
COARSEST = 64  # pixels; side of the coarsest files


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
    names, features, shown = [], [], []
    for number, image in enumerate(images):
        presented, pictures = zip(*presented_as(image[0].astype(np.float32) / 255.0, rng), strict=True)
        names += presented
        features.append(_pooled(network, np.stack(pictures)))
        shown += [number] * len(presented)
        progress(number + 1, len(images), "radiographs presented to the gate")
    pooled, name, of = np.concatenate(features), np.array(names), np.array(shown)
    weight, bias = fit_classes(pooled, name)
    network.presentation.weight.data = torch.from_numpy(weight).float()
    network.presentation.bias.data = torch.from_numpy(bias).float()
    standing = np.isin(name, ("upright", "mirrored"))
    typical, whitening, limit = fit_distance(pooled[standing], of[standing])
    network.typical.copy_(torch.from_numpy(typical))
    network.whitening.copy_(torch.from_numpy(whitening))
    return limit


def fit_classes(pooled: np.ndarray, name: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logistic regression of the presentations on pooled features: weight (7, channels) and bias (7,).

    Args:
        pooled: float32 (n, channels).
        name: str (n,), of ``PRESENTATIONS``.
    """
    classes = np.array([PRESENTATIONS.index(one) for one in name])
    mean, scale = pooled.mean(axis=0), pooled.std(axis=0) + 1e-6
    model = LogisticRegression(C=STRENGTH, max_iter=500).fit((pooled - mean) / scale, classes)
    weight = model.coef_ / scale
    return weight, model.intercept_ - weight @ mean


def fit_distance(pooled: np.ndarray, radiograph: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Centre (channels,) and whitening (channels, channels) of radiographs, and the distance that is too far.

    Args:
        pooled: float32 (n, channels), of radiographs that are to be read.
        radiograph: int (n,), which one each shows: those that place the limit fit nothing.
    """
    fitted = radiograph % HELD_BACK != 0
    covariance = LedoitWolf().fit(pooled[fitted])
    whitening = np.linalg.cholesky(covariance.precision_)
    distances = np.sqrt(np.square((pooled[~fitted] - covariance.location_) @ whitening).mean(axis=1))
    return covariance.location_, whitening, float(np.quantile(distances, DISTANCE_QUANTILE) * DISTANCE_MARGIN)


def presented_as(image: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """One upright radiograph, float32 (side, side), in every presentation, each standardised as the reader would."""
    side = image.shape[0]
    yield "upright", image
    yield "upright", as_elsewhere(image, rng)
    turns = {"turned_clockwise": -1, "turned_anticlockwise": 1, "upside_down": 2}
    for name, quarters in turns.items():
        yield name, np.rot90(_either(image, rng), quarters)
    yield "inverted", _standardised(1.0 - _either(image, rng), side)
    yield "mirrored", _either(image, rng)[:, ::-1]
    for _ in range(PARTS):
        yield "other", _standardised(part_of(image, rng), side)
    for _ in range(DRAWN):
        yield "other", _standardised(draw_other(side, rng), side)


def as_elsewhere(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same radiograph as another hospital might send it, still whole and upright: float32 (side, side).

    Tilted, trimmed or with a margin, its window clipped, as coarse as the coarsest files.
    """
    side = image.shape[0]
    tilt = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(-TILT, TILT), 1.0)
    border = cv2.BORDER_CONSTANT if rng.random() < 0.5 else cv2.BORDER_REPLICATE
    changed = cv2.warpAffine(image, tilt, (side, side), flags=cv2.INTER_LINEAR, borderMode=border)
    if rng.random() < 0.6:
        top, bottom, left, right = (int(side * share) for share in rng.uniform(0, TRIM, 4))
        changed = changed[top : side - bottom, left : side - right]
    else:
        grey = float(rng.choice([0.0, rng.random()]))
        top, bottom, left, right = (int(side * share) for share in rng.uniform(0, MARGIN, 4))
        changed = np.pad(changed, ((top, bottom), (left, right)), constant_values=grey)
    if rng.random() < 0.5:
        low, high = np.percentile(changed, (rng.uniform(0, CLIP), 100 - rng.uniform(0, CLIP)))
        changed = np.clip((changed - low) / max(high - low, 1e-3), 0.0, 1.0) ** np.exp(rng.uniform(-0.7, 0.7))
    if rng.random() < 0.4:
        coarse = int(rng.integers(COARSEST, max(COARSEST + 1, side)))
        changed = cv2.resize(changed, (coarse, coarse), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.3:
        changed = np.clip(changed + rng.normal(0, 0.03, changed.shape), 0.0, 1.0)
    return _standardised(changed, side)


def _either(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As it is or as another hospital might send it."""
    return image if rng.random() < 0.5 else as_elsewhere(image, rng)


def _standardised(picture: np.ndarray, side: int) -> np.ndarray:
    return network_input(np.ascontiguousarray(picture, np.float32), side)[0]


@torch.inference_mode()
def _pooled(network: OrganNet, pictures: np.ndarray) -> np.ndarray:
    """Pooled features of a few pictures, float32 (n, side, side): float32 (n, channels)."""
    batch = torch.from_numpy(np.ascontiguousarray(pictures[:, None])).float().to(memory_format=torch.channels_last)
    features: np.ndarray = network.pooled_features(batch).numpy()
    return features
