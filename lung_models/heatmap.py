"""Grad-CAM: where the network looked, for every finding from one forward pass.

With global average pooling and a linear head the gradient of a logit with respect to the last feature map is the
head's weight, the same at every place, so that Grad-CAM (Selvaraju et al. 2017) is the weighted sum of the channels
with the negative part cut off, up to a positive factor: no backward pass is needed.
"""

from typing import TYPE_CHECKING

import cv2
import numpy as np

from lung_models.preprocess import WHOLE, Frame

if TYPE_CHECKING:
    from torch import Tensor, nn

PLACED_SIDE = 128  # cells; grid over the whole picture on which the heat of a frame is placed


def closed_form(features: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Grad-CAM of every output of a pooled linear head.

    The spatial mean of ``weight @ features`` is the logit without its bias, so that a value is what that place would
    contribute to the logit if the whole picture looked like it. Only what speaks for the finding is kept.

    Args:
        features: float32 (channels, h, w), the last feature map of one image.
        weight: float32 (outputs, channels), the head's.

    Returns:
        float32 (outputs, h, w), at least 0, in units of the logit.
    """
    return np.maximum(np.einsum("ok,khw->ohw", weight, features), 0.0).astype(np.float32)


def on_fixed_scale(heat: np.ndarray, full_scale: float) -> np.ndarray:
    """Divide by the version's full scale and clip: 0..1, the same scale for all findings and studies.

    Args:
        heat: Grad-CAM in units of the logit.
        full_scale: The value shown as 1, chosen once for a version and kept on its card.
    """
    return np.clip(heat / full_scale, 0.0, 1.0).astype(np.float32)


def placed(heat: np.ndarray, frame: Frame) -> np.ndarray:
    """Put the heat of a frame back into the whole picture, bilinear inside the frame and none outside it.

    Args:
        heat: float32 (h, w), on the network's grid over the frame.
        frame: What the network looked at.

    Returns:
        float32, over the whole picture: as given when the frame is the whole, else ``PLACED_SIDE`` squared.
    """
    if frame == WHOLE:
        return heat
    left, top, right, bottom = (round(PLACED_SIDE * at) for at in (frame.left, frame.top, frame.right, frame.bottom))
    whole = np.zeros((PLACED_SIDE, PLACED_SIDE), np.float32)
    whole[top:bottom, left:right] = cv2.resize(heat, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    return whole


def share_inside(heat: np.ndarray, mask: np.ndarray) -> float | None:
    """Share of the heat inside a mask.

    Args:
        heat: float32 (h, w), at least 0.
        mask: bool or 0..1, (h, w).

    Returns:
        0..1, or None where there is no heat.
    """
    total = float(heat.sum())
    return float((heat * mask).sum()) / total if total > 1e-6 else None


def by_gradient(network: "nn.Module", layer: "nn.Module", images: "Tensor", output: int) -> np.ndarray:
    """Grad-CAM through the pytorch-grad-cam library, for a network without a pooled linear head.

    Args:
        network: Maps (1, 1, side, side) to logits (1, outputs).
        layer: The layer whose output is explained.
        images: float32 (1, 1, side, side).
        output: Which logit.

    Returns:
        float32 (side, side), normalised to 0..1 by the library: not on the fixed scale.
    """
    # The library pulls in matplotlib, which reading does not need.
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    with GradCAM(model=network, target_layers=[layer]) as explain:
        return np.asarray(explain(input_tensor=images, targets=[ClassifierOutputTarget(output)])[0], np.float32)
