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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DataLoaderConfiguration
from accelerate.utils import broadcast, set_seed
from safetensors.torch import load_file, save_file
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
        batch_size: Images in a step, of all processes together; rounded down to a multiple of their number.
        learning_rate: Greatest learning rate of the one-cycle schedule.
        weight_decay: Of AdamW.
        warm_up: Share of all steps in which the learning rate rises.
        averaging: Decay a step of the exponential moving average of the weights, which is what is kept.
        seed: Of every random number.
        precision: ``no``, ``bf16`` or ``fp16``, as Accelerate names it.
        patience: With a validation, epochs without a better value after which training ends early.
    """

    epochs: int
    batch_size: int = 16
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    warm_up: float = 0.1
    averaging: float = 0.995
    seed: int = 0
    precision: str = "no"
    patience: int = 3


@dataclass(frozen=True)
class Step:
    """What a callback is told after every batch.

    Args:
        epoch: From 0.
        step: Steps done in this epoch, from 1.
        steps: Steps in an epoch.
        loss: Mean loss of this epoch so far.
        images_per_second: Since the epoch began, of all processes together.
        validation: Of the averaged network at the end of an epoch, where there is a validation; lower is better.
    """

    epoch: int
    step: int
    steps: int
    loss: float
    images_per_second: float
    validation: float | None = None


Callback = Callable[[Step], None]
Validate = Callable[[nn.Module], float]
"""Maps the averaged network, in evaluation mode, to a number that is lower the better it is."""


class Stopped(Exception):
    """Training was asked to stop; the last checkpoint is on disk."""


def fit(
    network: nn.Module,
    data: Dataset,
    loss: Loss,
    settings: Settings,
    checkpoint: Path,
    *,
    validate: Validate | None = None,
    fingerprint: str = "",
    callbacks: Sequence[Callback] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> nn.Module:
    """Train, resuming from ``checkpoint`` if it holds an interrupted run of the same settings on the same data.

    Args:
        network: Trained in place; parameters that need no gradient are left alone.
        data: Items that the default collation turns into batches for ``loss``.
        loss: Maps the network and a batch to a scalar.
        settings: How to train.
        checkpoint: Folder for the state, written after every epoch.
        validate: Judges the averaged network after every epoch; the best is kept, and training ends early when it
            stays the best for ``patience`` epochs.
        fingerprint: Identifies data and task; a checkpoint of another one is not resumed.
        callbacks: Called after every batch on the main process, and once more after a validation.
        should_stop: Asked at every batch.

    Returns:
        The averaged network, in evaluation mode, on the CPU: the best one where there is a validation, else the last.

    Raises:
        Stopped: when ``should_stop`` said so.
        ValueError: when there is not one full batch to learn from.
    """
    started_from = _digest(network)
    set_seed(settings.seed)
    accelerator = Accelerator(
        mixed_precision=settings.precision,
        dataloader_config=DataLoaderConfiguration(use_seedable_sampler=True, split_batches=True),
    )
    network = network.to(memory_format=torch.channels_last)
    processes = accelerator.num_processes
    batch_size = max(settings.batch_size // processes, 1) * processes  # a whole number of images for each
    loader = DataLoader(data, batch_size=batch_size, shuffle=True, drop_last=True)
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learnt, settings.learning_rate, weight_decay=settings.weight_decay)
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
    best = Best(checkpoint / "best.safetensors")
    first = _resume(accelerator, checkpoint, identity, best)
    for epoch in range(first, settings.epochs):
        if best.since >= settings.patience:
            break
        loader.set_epoch(epoch)
        network.train()
        began, sum_of_losses = time.perf_counter(), 0.0
        for step, batch in enumerate(loader, start=1):
            if _agreed(accelerator, should_stop()):
                raise Stopped(f"stopped in epoch {epoch + 1} of {settings.epochs}")
            value = loss(network, batch)
            accelerator.backward(value)
            accelerator.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            schedule.step()
            average.update_parameters(accelerator.unwrap_model(network))
            sum_of_losses += float(value.detach())
            speed = step * batch_size / (time.perf_counter() - began)
            report = Step(epoch, step, len(loader), sum_of_losses / step, speed)
            _tell(accelerator, callbacks, report)
        if validate is not None:
            judged = _from_main(accelerator, validate(average.module.eval()))
            best.consider(judged, average.module, write=accelerator.is_main_process)
            _tell(accelerator, callbacks, replace(report, validation=judged))
        _save(accelerator, checkpoint, identity, epoch + 1, best)
    averaged: nn.Module = average.module
    if validate is not None:
        best.load_into(averaged)
    return averaged.cpu().eval()


@dataclass
class Best:
    """The best averaged weights so far, by a validation.

    Args:
        path: File that holds them.
        value: What the validation said of them.
        since: Epochs without a better one.
    """

    path: Path
    value: float = math.inf
    since: int = 0

    def consider(self, value: float, network: nn.Module, *, write: bool) -> None:
        """Keep a network's weights if it is better; ``write`` on one process only."""
        if value < self.value:
            self.value, self.since = value, 0
            if write:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                partial = self.path.with_suffix(".tmp")
                save_file(
                    {name: one.detach().cpu().contiguous() for name, one in network.state_dict().items()}, partial
                )
                partial.replace(self.path)
        else:
            self.since += 1

    def load_into(self, network: nn.Module) -> None:
        """Put the best weights into a network."""
        network.load_state_dict(load_file(self.path))


def _tell(accelerator: Accelerator, callbacks: Sequence[Callback], report: Step) -> None:
    if accelerator.is_main_process:
        for callback in callbacks:
            callback(report)


def _agreed(accelerator: Accelerator, stop: bool) -> bool:
    """Whether any process was asked to stop: all have to, or the others wait for it for ever."""
    if accelerator.num_processes == 1:
        return stop
    flag = torch.tensor(float(stop), device=accelerator.device)
    return bool(accelerator.reduce(flag, reduction="sum") > 0)


def _from_main(accelerator: Accelerator, value: float) -> float:
    """The main process's value, for all to decide alike."""
    if accelerator.num_processes == 1:
        return value
    return float(broadcast(torch.tensor(value, dtype=torch.float64, device=accelerator.device)))


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


def _save(accelerator: Accelerator, checkpoint: Path, identity: str, epochs_done: int, best: Best) -> None:
    """Write the state, then the note that makes it count, so that a crash between leaves the older one valid."""
    folder = checkpoint / f"epoch-{epochs_done}"
    accelerator.save_state(str(folder))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        state = {"epochs_done": epochs_done, "identity": identity, "best": best.value, "since": best.since}
        note = checkpoint / "progress.json"
        note.with_suffix(".tmp").write_text(json.dumps(state))
        note.with_suffix(".tmp").replace(note)
        shutil.rmtree(checkpoint / f"epoch-{epochs_done - 1}", ignore_errors=True)


def _resume(accelerator: Accelerator, checkpoint: Path, identity: str, best: Best) -> int:
    """Load the last state that belongs to the same run; returns the epochs already done."""
    note = checkpoint / "progress.json"
    if not note.is_file():
        return 0
    progress = json.loads(note.read_text())
    if progress["identity"] != identity:
        return 0
    epochs_done = int(progress["epochs_done"])
    accelerator.load_state(str(checkpoint / f"epoch-{epochs_done}"))
    best.value, best.since = float(progress.get("best", math.inf)), int(progress.get("since", 0))
    return epochs_done
