"""The full way to fine-tune: all layers of a classifier, or the decoder of an OrganNet, with augmentation.

A classifier learns through its parent's calibration, so that what is minimised is the error of the probabilities that
are shown; what a set does not say of a radiograph it learns from the parent (learning without forgetting, Li & Hoiem
2017). The encoder of an OrganNet stays as it is, for the gate rests on its features.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchvision import tv_tensors

from lung_models.calibration import Calibration, log_absence
from lung_models.findings import ABNORMAL, KEYS
from lung_models.networks import OrganNet
from lung_models.training import augment
from lung_models.training.head import FittedHead
from lung_models.training.organs import organ_loss
from lung_models.training.trainer import Callback, Settings, fit
from lung_models.training.tuning.quick import LEAST_SLOPE, enough

FINDINGS = Settings(epochs=12, batch_size=16, learning_rate=1e-4, averaging=0.9, patience=4)
ORGANS = Settings(epochs=12, batch_size=8, learning_rate=3e-4, averaging=0.9, patience=4)
PATIENCE = 8  # training ends when one in so many of all passes brought nothing better, but at least four
BATCH = 16  # radiographs in a step of a validation

Stop = Callable[[], bool]


def settings_for(usual: Settings, epochs: int | None, seed: int, precision: str) -> Settings:
    """The usual settings, for another number of passes, a seed and a precision."""
    settings = replace(usual, seed=seed, precision=precision)
    if epochs is None:
        return settings
    return replace(settings, epochs=epochs, patience=max(usual.patience, epochs // PATIENCE))


class LabelledImages(Dataset):
    """Standardised images, augmented, each with its soft targets, its offsets of the log-odds and the absence held."""

    def __init__(self, images: np.ndarray, *beside: np.ndarray) -> None:
        self.images, self.beside = images, beside
        self.transform = augment.for_findings(images.shape[-1])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        image = self.transform(torch.from_numpy(self.images[index]).float() / 255.0)
        return image, *(torch.from_numpy(one[index]) for one in self.beside)


def tune_classifier(
    network: nn.Module,
    parent: FittedHead,
    features: np.ndarray,
    images: np.ndarray,
    geometry: np.ndarray,
    labels: np.ndarray,
    said: np.ndarray,
    learnt: np.ndarray,
    judged: np.ndarray,
    settings: Settings,
    checkpoint: Path,
    *,
    callbacks: Sequence[Callback],
    should_stop: Stop,
) -> nn.Module:
    """Fine-tune a classifier in place; returns the averaged copy that was best on the rows ``judged``.

    Args:
        network: With the parent's weights, head and all.
        parent: Its head and calibration; what is returned goes with :func:`at_least_sloped` of it.
        features: float32 (n, channels), what the parent makes of the images.
        images: uint8 (n, 1, side, side).
        geometry: float32 (n, 6).
        labels: float32 (n, 6), 1, 0 or NaN.
        said: float64 (n, 6), the parent's probabilities: what is learnt where labels are unknown or too few.
        learnt: Rows to learn from.
        judged: Rows to stop on.
        settings: How.
        checkpoint: Folder of the state.
        callbacks: Told after every batch and every validation.
        should_stop: Asked at every batch.
    """
    calibration = at_least_sloped(parent.calibration)
    slopes = torch.tensor([calibration.findings[key].slope for key in KEYS])
    offsets = calibration.offsets(geometry).astype(np.float32)
    too_few = [not enough(labels[learnt, column]) for column in range(len(KEYS))]
    unknown = np.isnan(labels) | np.array(too_few)
    targets = np.where(unknown, said, labels).astype(np.float32)
    # No Finding is told what the others say now, but where it learns from the parent what the parent's others said.
    before = parent.calibration.alone(features @ parent.weight.T + parent.bias, geometry)
    held = np.where(unknown[:, -1:], log_absence(before)[:, np.newaxis], np.nan).astype(np.float32)

    def loss(tuned: nn.Module, batch: Any) -> Tensor:
        pictures, target, offset, held_absence = batch
        logits, _ = tuned(pictures.to(memory_format=torch.channels_last))
        alone = logits.float() * slopes.to(logits.device) + offset
        log_odds = together(calibration, alone, held_absence)
        return nn.functional.binary_cross_entropy_with_logits(log_odds, target)

    def validate(averaged: nn.Module) -> float:
        place = next(averaged.parameters()).device
        logits = np.concatenate([_logits(averaged, images[rows], place) for rows in _batches(judged)])
        alone = torch.from_numpy(logits) * slopes + torch.from_numpy(offsets[judged])
        log_odds = together(calibration, alone, torch.from_numpy(held[judged])).numpy()
        error = np.logaddexp(0.0, log_odds) - targets[judged] * log_odds
        return float(error.mean())

    return fit(
        network,
        LabelledImages(images[learnt], targets[learnt], offsets[learnt], held[learnt]),
        loss,
        replace(settings, batch_size=min(settings.batch_size, max(2, len(learnt) // 2))),
        checkpoint,
        validate=validate,
        fingerprint=f"full {type(network).__name__} {images.shape[-1]} {digest_of(images[learnt], targets[learnt])}",
        callbacks=callbacks,
        should_stop=should_stop,
    )


def together(calibration: Calibration, alone: Tensor, held: Tensor) -> Tensor:
    """:meth:`Calibration.together` on tensors; the five do not learn from what No Finding makes of them.

    Args:
        calibration: Of the classifier that learns.
        alone: (n, 6), log-odds of every finding alone.
        held: (n, 1), what No Finding is told of the others; NaN where that is what they say now.
    """
    now = -nn.functional.softplus(alone[:, : len(ABNORMAL)]).sum(dim=1, keepdim=True).detach()
    weights = torch.from_numpy(calibration.absence_weights).to(alone)
    return alone + torch.where(torch.isnan(held), now, held) * weights


def at_least_sloped(calibration: Calibration) -> Calibration:
    """The calibration with no slope below ``LEAST_SLOPE``, at which a network could hardly be heard."""
    sloped = {key: replace(one, slope=max(one.slope, LEAST_SLOPE)) for key, one in calibration.findings.items()}
    return replace(calibration, findings=sloped)


class FrozenEncoder(OrganNet):
    """An OrganNet of which only the decoder and the masks' head learn; the encoder's statistics stay too."""

    def train(self, mode: bool = True) -> "FrozenEncoder":
        """Training mode for what learns."""
        super().train(mode)
        self.unet.encoder.eval()
        for part in (self.unet.encoder, self.presentation):
            part.requires_grad_(False)
        return self


class OutlinedImages(Dataset):
    """Standardised images with their masks, augmented at every access."""

    def __init__(self, images: np.ndarray, masks: np.ndarray, known: np.ndarray) -> None:
        self.images, self.masks, self.known = images, masks, known
        self.transform = augment.for_organs(images.shape[-1], veils=True)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        image = tv_tensors.Image(torch.from_numpy(self.images[index]).float() / 255.0)
        image, masks = self.transform(image, tv_tensors.Mask(torch.from_numpy(self.masks[index])))
        return image.as_subclass(Tensor), masks.as_subclass(Tensor).float(), torch.from_numpy(self.known[index])


def tune_outlines(
    network: OrganNet,
    decoder_channels: Sequence[int],
    images: np.ndarray,
    masks: np.ndarray,
    known: np.ndarray,
    learnt: np.ndarray,
    judged: np.ndarray,
    settings: Settings,
    checkpoint: Path,
    *,
    callbacks: Sequence[Callback],
    should_stop: Stop,
) -> OrganNet:
    """Fine-tune the decoder of an OrganNet; returns a copy, the best on the rows ``judged``.

    Args:
        network: With the parent's weights.
        decoder_channels: Of its decoder.
        images: uint8 (n, 1, side, side).
        masks: uint8 (n, 3, side, side), 1 inside.
        known: bool (n, 3), which organs are drawn.
        learnt: Rows to learn from.
        judged: Rows to stop on.
        settings: How.
        checkpoint: Folder of the state.
        callbacks: Told after every batch and every validation.
        should_stop: Asked at every batch.
    """
    tuned = FrozenEncoder(decoder_channels)
    tuned.load_state_dict(network.state_dict())
    tuned.train()

    @torch.inference_mode()
    def validate(averaged: nn.Module) -> float:
        place = next(averaged.parameters()).device
        losses = []
        for rows in _batches(judged):
            batch = (torch.from_numpy(images[rows]).float() / 255.0, torch.from_numpy(masks[rows]).float())
            losses.append(
                float(organ_loss(averaged, (*(one.to(place) for one in batch), torch.from_numpy(known[rows]))))
            )
        return float(np.mean(losses))

    best = fit(
        tuned,
        OutlinedImages(images[learnt], masks[learnt], known[learnt]),
        organ_loss,
        replace(settings, batch_size=min(settings.batch_size, max(2, len(learnt) // 2))),
        checkpoint,
        validate=validate,
        fingerprint=f"full OrganNet {images.shape[-1]} {digest_of(images[learnt], masks[learnt])}",
        callbacks=callbacks,
        should_stop=should_stop,
    )
    network.load_state_dict(best.state_dict())
    return network.eval()


def _batches(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]


@torch.inference_mode()
def _logits(network: nn.Module, images: np.ndarray, place: torch.device) -> np.ndarray:
    logits: Tensor = network(torch.from_numpy(images).to(place).float() / 255.0)[0]
    return logits.float().cpu().numpy()


def digest_of(*arrays: np.ndarray) -> str:
    """A short hash of what is learnt from, by which a checkpoint is known."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
