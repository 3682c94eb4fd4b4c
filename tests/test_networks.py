"""Every network, on tiny random tensors: one base test, and what is each one's own."""

import pytest
import torch
from torch import nn

from lung_models.findings import KEYS
from lung_models.networks import (
    ARCHITECTURES,
    PRESENTATIONS,
    FindingsNet,
    OrganNet,
    SevenLayerCNN,
    XrvDenseNet,
    load_imagenet,
)

SIDE = 64


@pytest.fixture(params=sorted(ARCHITECTURES))
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return ARCHITECTURES[request.param]().eval()


def test_a_batch_is_read_like_its_images_one_by_one(network: nn.Module) -> None:
    images = torch.rand(3, 1, SIDE, SIDE)
    with torch.inference_mode():
        together, apart = network(images), [network(image[None]) for image in images]
    for index, output in enumerate(together):
        rounding = 1e-5 * max(1.0, float(output.abs().max()))  # of sums of numbers of that size
        torch.testing.assert_close(output, torch.cat([one[index] for one in apart]), rtol=1e-4, atol=rounding)


def test_every_parameter_that_can_learn_gets_a_gradient(network: nn.Module) -> None:
    first, second, *_ = network.train()(torch.rand(2, 1, SIDE, SIDE))
    (first.square().mean() + second.square().mean()).backward()
    # The encoder's last layer is ImageNet's classifier's; a U-Net does not use it.
    unused = ("unet.encoder.conv_head", "unet.encoder.bn2")
    learning = {name: parameter for name, parameter in network.named_parameters() if not name.startswith(unused)}
    without = [name for name, parameter in learning.items() if parameter.grad is None]
    assert without == []


@pytest.mark.parametrize("classifier", [FindingsNet, SevenLayerCNN, XrvDenseNet])
def test_logits_are_the_head_on_the_mean_of_the_features(classifier: type[nn.Module]) -> None:
    network = classifier().eval()
    logits, features = network(torch.rand(2, 1, SIDE, SIDE))
    assert logits.shape == (2, len(KEYS))
    torch.testing.assert_close(logits, network.get_submodule("head")(features.mean(dim=(2, 3))))


def test_seven_layers_of_weights() -> None:
    layers = [one for one in SevenLayerCNN().modules() if isinstance(one, nn.Conv2d | nn.Linear)]
    assert len(layers) == 7


def test_organ_net_outputs() -> None:
    masks, presentation, distance = OrganNet().eval()(torch.rand(2, 1, SIDE, SIDE))
    assert masks.shape == (2, 3, SIDE, SIDE)
    assert presentation.shape == (2, len(PRESENTATIONS))
    assert distance.shape == (2,) and bool((distance >= 0).all())


@pytest.mark.parametrize("network_type", [FindingsNet, OrganNet])
def test_imagenet_weights_replace_every_tensor_of_the_encoder(network_type: type[FindingsNet | OrganNet]) -> None:
    torch.manual_seed(0)
    network = network_type()
    encoder = network.unet.encoder if isinstance(network, OrganNet) else network.backbone
    before = {name: value.clone() for name, value in encoder.named_parameters()}
    load_imagenet(network)
    same = [name for name, value in encoder.named_parameters() if torch.equal(value, before[name])]
    assert same == []
