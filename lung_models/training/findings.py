"""Training a classifier's features: text-mined labels, with what view, hospital and file size say taken out.

The labels are noisy and confounded (edema is mostly seen at the bedside), so that the network's own scores are only a
step: the head that is shipped is fitted afterwards to radiologists' labels, see :mod:`lung_models.training.head`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from lung_models.findings import ABNORMAL
from lung_models.preprocess import Frame
from lung_models.training import augment
from lung_models.training.labelled_set import FindingsSet, Progress, fingerprint, prior_log_odds, read_images, silent
from lung_models.training.trainer import Callback, Settings, fit

FINE_WIDTH = 300  # pixels; files at least this wide hold the detail that the finer stage is there to learn
FINE_OTHERS = 1200  # radiographs of 128 px without any of the five, added to the finer stage


class FindingsImages(Dataset):
    """Standardised images with targets and the prior log-odds of their stratum, augmented at every access."""

    def __init__(
        self, labelled: FindingsSet, size: int, progress: Progress = silent, frames: Sequence[Frame] | None = None
    ) -> None:
        self.images = read_images(labelled.paths, size, progress, frames)
        auxiliary = labelled.auxiliary if frames is None else np.hstack([labelled.auxiliary, labelled.reread])
        self.targets = np.concatenate([labelled.labels, auxiliary], axis=1)
        self.priors = prior_log_odds(self.targets, labelled.stratum).astype(np.float32)
        self.transform = augment.for_findings(size)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        image = torch.from_numpy(self.images[index]).float() / 255.0
        return self.transform(image), torch.from_numpy(self.targets[index]), torch.from_numpy(self.priors[index])


def findings_loss(network: nn.Module, batch: Any) -> Tensor:
    """Binary cross-entropy of logit plus prior log-odds, over the labels that are known.

    Args:
        network: A classifier.
        batch: Images (n, 1, side, side), targets (n, outputs) with NaN for unknown, prior log-odds (n, outputs).
    """
    images, targets, priors = batch
    logits, _ = network(images.to(memory_format=torch.channels_last))
    known = ~torch.isnan(targets)
    return nn.functional.binary_cross_entropy_with_logits((logits.float() + priors)[known], targets[known])


def train_features(
    network: nn.Module,
    labelled: FindingsSet,
    size: int,
    settings: Settings,
    checkpoint: Path,
    *,
    frames: Sequence[Frame] | None = None,
    progress: Progress = silent,
    callbacks: Sequence[Callback] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> nn.Module:
    """Train a classifier, in place, on a labelled set, whole pictures or frames; returns its averaged copy.

    With frames it also learns what the RSNA challenge's radiologists said of the same radiographs: its outputs are the
    findings, ``AUXILIARY_LABELS`` and ``REREAD_LABELS``.
    """
    data = FindingsImages(labelled, size, progress, frames)
    return fit(
        network,
        data,
        findings_loss,
        settings,
        checkpoint,
        fingerprint=f"{type(network).__name__} {size} {fingerprint(labelled.paths, data.targets)}",
        callbacks=callbacks,
        should_stop=should_stop,
    )


def finer_subset(labelled: FindingsSet, seed: int) -> FindingsSet:
    """What the finer stage trains on: every large file, every 128-px file with one of the five, and some others."""
    large = labelled.stored_width >= FINE_WIDTH
    medium = (labelled.stored_width >= 128) & ~large
    abnormal = np.nansum(labelled.labels[:, : len(ABNORMAL)], axis=1) > 0
    others = np.flatnonzero(medium & ~abnormal)
    chosen = large | (medium & abnormal)
    chosen[np.random.default_rng(seed).permutation(others)[:FINE_OTHERS]] = True
    return labelled.subset(chosen)


@torch.inference_mode()
def pooled_features(network: nn.Module, images: np.ndarray, batch_size: int = 16) -> np.ndarray:
    """Spatial mean of a classifier's last feature map.

    Args:
        network: A classifier in evaluation mode.
        images: uint8 (n, 1, side, side).
        batch_size: Images in a step.

    Returns:
        float32 (n, channels).
    """
    pooled = []
    for start in range(0, len(images), batch_size):
        batch = torch.from_numpy(images[start : start + batch_size]).float() / 255.0
        pooled.append(network(batch.to(memory_format=torch.channels_last))[1].mean(dim=(2, 3)).numpy())
    return np.concatenate(pooled)
