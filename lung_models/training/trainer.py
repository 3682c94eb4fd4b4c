"""The training loop: Hugging Face Accelerate, one optimiser, one schedule, checkpoints, callbacks and a stop flag.

It knows nothing of a user interface or a database: progress leaves through callbacks, and a caller that wants it to
stop says so through ``should_stop``, which is asked at every batch. The same code runs on one CPU, one GPU, several
processes (``python -m torch.distributed.run``) or several nodes (``accelerate launch``).
"""

import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DataLoaderConfiguration
from accelerate.utils import set_seed
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

Loss = Callable[[nn.Module, Any], Tensor]
"""Maps the network and a batch to a scalar."""


@dataclass(frozen=True)
class Settings:
    """How to train.

    Args:
        epochs: Passes over the data.
        batch_size: Images in a step, on each process.
        learning_rate: Greatest learning rate of the one-cycle schedule.
        weight_decay: Of AdamW.
        warm_up: Share of all steps in which the learning rate rises.
        averaging: Decay a step of the exponential moving average of the weights, which is what is kept.
        seed: Of every random number.
        precision: ``no``, ``bf16`` or ``fp16``, as Accelerate names it.
    """

    epochs: int
    batch_size: int = 16
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    warm_up: float = 0.1
    averaging: float = 0.995
    seed: int = 0
    precision: str = "no"


@dataclass(frozen=True)
class Step:
    """What a callback is told after every batch.

    Args:
        epoch: From 0.
        step: Steps done in this epoch, from 1.
        steps: Steps in an epoch.
        loss: Mean loss of this epoch so far.
        images_per_second: Since the epoch began.
    """

    epoch: int
    step: int
    steps: int
    loss: float
    images_per_second: float


Callback = Callable[[Step], None]


class Stopped(Exception):
    """Training was asked to stop; the last checkpoint is on disk."""


def fit(
    network: nn.Module,
    data: Dataset,
    loss: Loss,
    settings: Settings,
    checkpoint: Path,
    *,
    fingerprint: str = "",
    callbacks: Sequence[Callback] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> nn.Module:
    """Train, resuming from ``checkpoint`` if it holds an interrupted run of the same settings on the same data.

    Args:
        network: Trained in place.
        data: Items that the default collation turns into batches for ``loss``.
        loss: Maps the network and a batch to a scalar.
        settings: How to train.
        checkpoint: Folder for the state, written after every epoch.
        fingerprint: Identifies data and task; a checkpoint of another one is not resumed.
        callbacks: Called after every batch on the main process.
        should_stop: Asked at every batch.

    Returns:
        The averaged network, in evaluation mode, on the CPU.

    Raises:
        Stopped: when ``should_stop`` said so.
        ValueError: when there is not one full batch to learn from.
    """
    started_from = _digest(network)
    set_seed(settings.seed)
    accelerator = Accelerator(
        mixed_precision=settings.precision,
        dataloader_config=DataLoaderConfiguration(use_seedable_sampler=True),
    )
    network = network.to(memory_format=torch.channels_last)
    loader = DataLoader(data, batch_size=settings.batch_size, shuffle=True, drop_last=True)
    optimiser = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    network, optimiser, loader = accelerator.prepare(network, optimiser, loader)
    if not len(loader):
        raise ValueError(f"Too few images to train on: at least one batch of {settings.batch_size} is needed.")
    total = len(loader) * settings.epochs
    identity = f"{settings!r} {fingerprint} {started_from}"
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _one_cycle(step / total, settings.warm_up))
    average = AveragedModel(
        accelerator.unwrap_model(network), multi_avg_fn=get_ema_multi_avg_fn(settings.averaging), use_buffers=True
    )
    accelerator.register_for_checkpointing(schedule, average)
    first = _resume(accelerator, checkpoint, identity)
    for epoch in range(first, settings.epochs):
        loader.set_epoch(epoch)
        network.train()
        began, sum_of_losses = time.perf_counter(), 0.0
        for step, batch in enumerate(loader, start=1):
            if should_stop():
                raise Stopped(f"stopped in epoch {epoch + 1} of {settings.epochs}")
            value = loss(network, batch)
            accelerator.backward(value)
            accelerator.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            schedule.step()
            average.update_parameters(accelerator.unwrap_model(network))
            sum_of_losses += float(value.detach())
            if accelerator.is_main_process:
                images = step * settings.batch_size * accelerator.num_processes
                speed = images / (time.perf_counter() - began)
                report = Step(epoch, step, len(loader), sum_of_losses / step, speed)
                for callback in callbacks:
                    callback(report)
        _save(accelerator, checkpoint, identity, epoch + 1)
    averaged: nn.Module = average.module
    return averaged.cpu().eval()


def _one_cycle(progress: float, warm_up: float) -> float:
    """Learning rate as a share of its greatest: a linear rise, then a half cosine to zero (Smith & Topin 2019)."""
    if progress < warm_up:
        return max(progress, 1e-3) / warm_up
    return 0.5 * (1.0 + math.cos(math.pi * (progress - warm_up) / (1.0 - warm_up)))


def _digest(network: nn.Module) -> str:
    """A short hash of the weights that training starts from."""
    digest = hashlib.sha256()
    for value in network.state_dict().values():
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _save(accelerator: Accelerator, checkpoint: Path, identity: str, epochs_done: int) -> None:
    """Write the state, then the note that makes it count, so that a crash between leaves the older one valid."""
    folder = checkpoint / f"epoch-{epochs_done}"
    accelerator.save_state(str(folder))
    if accelerator.is_main_process:
        note = checkpoint / "progress.json"
        note.with_suffix(".tmp").write_text(json.dumps({"epochs_done": epochs_done, "identity": identity}))
        note.with_suffix(".tmp").replace(note)
        shutil.rmtree(checkpoint / f"epoch-{epochs_done - 1}", ignore_errors=True)


def _resume(accelerator: Accelerator, checkpoint: Path, identity: str) -> int:
    """Load the last state that belongs to the same run; returns the epochs already done."""
    note = checkpoint / "progress.json"
    if not note.is_file():
        return 0
    progress = json.loads(note.read_text())
    if progress["identity"] != identity:
        return 0
    epochs_done = int(progress["epochs_done"])
    accelerator.load_state(str(checkpoint / f"epoch-{epochs_done}"))
    return epochs_done
