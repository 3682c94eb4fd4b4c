"""Random changes to a radiograph while training: what differs between hospitals and must not matter."""

from typing import Any

import torch
from torch import Tensor, nn
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

GAMMA_RANGE = (0.7, 1.4)  # power applied to a standardised grey scale, log-uniform
RESOLUTION_RANGE = (0.25, 1.0)  # share of the network's resolution that the picture is reduced to and blown up from
VEIL_RADIUS = (0.1, 0.35)  # of an ellipse, in sides of the picture
VEIL_STRENGTH = (0.2, 0.9)  # share of the way to white in its middle
NOISE_SIGMA = 0.02  # standard deviation of added noise, grey levels 0..1


class RandomGamma(nn.Module):
    """Raise the grey scale to a random power within ``GAMMA_RANGE``; masks are left alone."""

    def forward(self, *inputs: Tensor) -> Any:
        """Change the first input, a float image 0..1; return all."""
        image, *masks = inputs
        low, high = torch.tensor(GAMMA_RANGE).log()
        power = torch.exp(low + (high - low) * torch.rand(()))
        return _as_given(tv_tensors.wrap(image.clamp(0.0, 1.0).pow(power), like=image), masks)


class RandomResolution(nn.Module):
    """Reduce the picture and blow it up again, as a low-resolution file would have been; masks are left alone."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, *inputs: Tensor) -> Any:
        """Change the first input, a float image (1, side, side); return all."""
        image, *masks = inputs
        if torch.rand(()) >= self.probability:
            return _as_given(image, masks)
        low, high = RESOLUTION_RANGE
        side = image.shape[-1]
        reduced = max(8, round(side * float(low + (high - low) * torch.rand(()))))
        small = functional.resize(image, [reduced, reduced], antialias=True)
        return _as_given(tv_tensors.wrap(functional.resize(small, [side, side], antialias=True), like=image), masks)


class RandomVeil(nn.Module):
    """Lay a bright soft ellipse over the picture, as an effusion, a collapse or a large mass would; masks stay."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, *inputs: Tensor) -> Any:
        """Change the first input, a float image (1, side, side), 0..1; return all."""
        image, *masks = inputs
        if torch.rand(()) >= self.probability:
            return _as_given(image, masks)
        line = (torch.arange(image.shape[-1]) + 0.5) / image.shape[-1]
        middle, radius = torch.rand(2), VEIL_RADIUS[0] + (VEIL_RADIUS[1] - VEIL_RADIUS[0]) * torch.rand(2)
        strength = VEIL_STRENGTH[0] + (VEIL_STRENGTH[1] - VEIL_STRENGTH[0]) * torch.rand(())
        across, down = (line - middle[0]) / radius[0], (line - middle[1]) / radius[1]
        distance = (across[None, :].square() + down[:, None].square()).sqrt()
        veil = strength * torch.sigmoid((1.0 - distance) * (2.0 + 8.0 * torch.rand(())))
        return _as_given(tv_tensors.wrap(image + veil * (1.0 - image), like=image), masks)


def _as_given(image: Tensor, masks: list[Tensor]) -> Any:
    """One input comes back as itself, several as a tuple: the convention of torchvision's transforms."""
    return (image, *masks) if masks else image


def for_findings(size: int) -> v2.Transform:
    """Augmentation of a classifier's input: position, size, side, grey scale, sharpness."""
    return v2.Compose(
        [
            v2.RandomAffine(degrees=8, translate=(0.05, 0.05), shear=4),
            v2.RandomResizedCrop(size, scale=(0.75, 1.0), ratio=(0.85, 1.18), antialias=True),
            v2.RandomHorizontalFlip(0.5),
            RandomResolution(0.5),
            v2.ColorJitter(brightness=0.15, contrast=0.2),
            RandomGamma(),
            v2.GaussianNoise(sigma=NOISE_SIGMA),
        ]
    )


def for_organs(size: int, veils: bool = False) -> v2.Transform:
    """Augmentation of the organ network's input and masks together; never flipped, for sides have names.

    Args:
        size: Side of the network's input, in pixels.
        veils: Lay opacities over some pictures.
    """
    return v2.Compose(
        [
            *([RandomVeil(0.3)] if veils else []),
            v2.RandomAffine(degrees=15, translate=(0.08, 0.08), scale=(0.75, 1.15), shear=8),
            v2.RandomApply([v2.RandomResizedCrop(size, scale=(0.55, 1.0), ratio=(0.75, 1.33), antialias=True)], 0.5),
            RandomResolution(0.3),
            v2.ColorJitter(brightness=0.25, contrast=0.35),
            RandomGamma(),
            v2.GaussianNoise(sigma=NOISE_SIGMA),
        ]
    )
