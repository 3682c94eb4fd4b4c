"""Training OrganNet: outlines of the lungs and the heart, with unknown organs left out of the loss."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchvision import tv_tensors

from lung_models import anatomy as organs
from lung_models.decode import decode
from lung_models.networks import OrganNet
from lung_models.preprocess import network_input
from lung_models.radiograph import Radiograph
from lung_models.reading import Anatomy
from lung_models.training import augment
from lung_models.training.labelled_set import OrgansSet, Progress, fingerprint, read_images, read_masks, silent
from lung_models.training.trainer import Callback, Settings, fit

DICE_SMOOTHING = 1.0  # pixels; keeps the Dice loss finite where an organ is out of the picture


class OrganImages(Dataset):
    """Standardised images with their masks, augmented at every access."""

    def __init__(self, labelled: OrgansSet, size: int, veils: bool = False, progress: Progress = silent) -> None:
        self.images = read_images(labelled.paths, size, progress)
        self.masks, self.known = read_masks(labelled.masks, size)
        self.transform = augment.for_organs(size, veils)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        image = tv_tensors.Image(torch.from_numpy(self.images[index]).float() / 255.0)
        masks = tv_tensors.Mask(torch.from_numpy(self.masks[index]))
        image, masks = self.transform(image, masks)
        return image.as_subclass(Tensor), masks.as_subclass(Tensor).float(), torch.from_numpy(self.known[index])


def organ_loss(network: nn.Module, batch: Any) -> Tensor:
    """Binary cross-entropy plus soft Dice, over the organs that are known in each image.

    Args:
        network: An OrganNet.
        batch: Images (n, 1, side, side), masks (n, 3, side, side), known (n, 3).
    """
    images, masks, known = batch
    logits, *_ = network(images.to(memory_format=torch.channels_last))
    logits = logits.float()
    cross_entropy = nn.functional.binary_cross_entropy_with_logits(logits, masks, reduction="none").mean(dim=(2, 3))
    probability = logits.sigmoid()
    overlap = (probability * masks).sum(dim=(2, 3))
    total = probability.sum(dim=(2, 3)) + masks.sum(dim=(2, 3))
    dice = 1.0 - (2.0 * overlap + DICE_SMOOTHING) / (total + DICE_SMOOTHING)
    return (cross_entropy + dice)[known].mean()


def train_organ_net(
    network: OrganNet,
    labelled: OrgansSet,
    size: int,
    settings: Settings,
    checkpoint: Path,
    *,
    veils: bool = False,
    progress: Progress = silent,
    callbacks: Sequence[Callback] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> nn.Module:
    """Train the outlines of an OrganNet, in place, on a labelled set; returns the averaged network."""
    data = OrganImages(labelled, size, veils, progress)
    task = f"{type(network).__name__} {size}{' veils' if veils else ''}"
    return fit(
        network,
        data,
        organ_loss,
        settings,
        checkpoint,
        fingerprint=f"{task} {fingerprint(labelled.paths, data.known)}",
        callbacks=callbacks,
        should_stop=should_stop,
    )


def outline(
    network: nn.Module, size: int, paths: Sequence[Path], progress: Progress = silent
) -> Iterator[tuple[Radiograph, Anatomy]]:
    """Decode radiographs and measure their organs as the reader does, one after the other."""
    for done, path in enumerate(paths, start=1):
        radiograph = decode(path.read_bytes(), path.name)
        yield radiograph, outline_one(network, size, radiograph)
        progress(done, len(paths), "radiographs outlined")


def outline_one(network: nn.Module, size: int, radiograph: Radiograph) -> Anatomy:
    """Measure the organs of a radiograph as the reader does."""
    image = np.rint(network_input(radiograph.pixels, size)[np.newaxis] * 255.0).astype(np.uint8)
    return organs.measure(organ_probabilities(network, image)[0].astype(np.float32), radiograph)


@torch.inference_mode()
def organ_probabilities(network: nn.Module, images: np.ndarray, batch_size: int = 16) -> np.ndarray:
    """Run an OrganNet on standardised images.

    Args:
        network: In evaluation mode.
        images: uint8 (n, 1, side, side).
        batch_size: Images in a step.

    Returns:
        float16 (n, 3, side, side), 0..1.
    """
    masks = []
    for start in range(0, len(images), batch_size):
        batch = torch.from_numpy(images[start : start + batch_size]).float() / 255.0
        masks.append(network(batch.to(memory_format=torch.channels_last))[0].sigmoid().half().numpy())
    return np.concatenate(masks)
