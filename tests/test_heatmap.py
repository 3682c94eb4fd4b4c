"""Closed-form Grad-CAM against the library that everyone uses, and what is shown of it."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from lung_models import heatmap
from lung_models.decode import decode
from lung_models.findings import KEYS
from lung_models.networks import FindingsNet, SevenLayerCNN
from lung_models.preprocess import network_input
from lung_models.weights import WeightStore


class LogitsOnly(nn.Module):
    """The library expects a network that returns logits and nothing else."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(images)[0]
        return logits


def as_the_library_scales(heat: np.ndarray, side: int) -> np.ndarray:
    """grad-cam 1.5.7 normalises, resizes with cv2, and normalises again."""

    def normalise(values: np.ndarray) -> np.ndarray:
        values = values - values.min()
        return values / (1e-7 + values.max())

    return normalise(cv2.resize(normalise(heat), (side, side)))


@pytest.mark.parametrize("finding", range(len(KEYS)))
def test_agrees_with_the_grad_cam_library_on_the_shipped_network(finding: int, chest_file) -> None:
    store = WeightStore()
    card = store.card("findings")
    network = store.load(card)
    pixels = decode(chest_file.read_bytes(), chest_file.name).pixels
    images = torch.from_numpy(network_input(pixels, card.input_size)[None])
    assert isinstance(network, FindingsNet)
    with GradCAM(model=LogitsOnly(network), target_layers=[network.backbone.bn2]) as explain:
        expected = explain(input_tensor=images, targets=[ClassifierOutputTarget(finding)])[0]
    with torch.inference_mode():
        _, features = network(images)
    heat = heatmap.closed_form(features[0].numpy(), network.head.weight.detach().numpy())[finding]
    np.testing.assert_allclose(as_the_library_scales(heat, card.input_size), expected, atol=1e-4)


def test_a_network_without_a_pooled_head_is_served_by_the_library() -> None:
    torch.manual_seed(0)
    network = SevenLayerCNN().eval()
    images = torch.rand(1, 1, 64, 64)
    heat = heatmap.by_gradient(LogitsOnly(network), network.layers[-1], images, 0)
    closed = heatmap.closed_form(network(images)[1][0].detach().numpy(), network.head.weight.detach().numpy())[0]
    np.testing.assert_allclose(heat, as_the_library_scales(closed, 64), atol=1e-4)


@given(st.integers(0, 2**32 - 1))
def test_mean_of_the_unclipped_map_is_the_logit_without_its_bias(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, weight = rng.random((5, 3, 4), np.float32), rng.standard_normal((6, 5)).astype(np.float32)
    positive = heatmap.closed_form(features, weight)
    negative = heatmap.closed_form(features, -weight)
    np.testing.assert_allclose((positive - negative).mean(axis=(1, 2)), weight @ features.mean(axis=(1, 2)), atol=1e-5)


def test_the_scale_is_fixed_not_the_picture_s_own() -> None:
    weak = heatmap.on_fixed_scale(np.full((2, 2), 0.5, np.float32), 5.0)
    strong = heatmap.on_fixed_scale(np.full((2, 2), 50.0, np.float32), 5.0)
    assert weak.max() == pytest.approx(0.1) and strong.max() == 1.0


def test_share_inside_a_mask() -> None:
    heat = np.array([[1.0, 3.0], [0.0, 0.0]], np.float32)
    assert heatmap.share_inside(heat, np.array([[False, True], [True, True]])) == pytest.approx(0.75)
    assert heatmap.share_inside(np.zeros((2, 2), np.float32), np.ones((2, 2), bool)) is None
