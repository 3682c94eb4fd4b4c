"""The training loop: it learns, resumes to the same result, stops when asked, and reports."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from lung_models.training.trainer import Settings, Step, Stopped, fit

SETTINGS = Settings(epochs=3, batch_size=8, learning_rate=0.02, averaging=0.5, seed=3)


def problem() -> tuple[nn.Module, TensorDataset]:
    """A straight line with some noise, and a network with dropout so that random numbers matter."""
    torch.manual_seed(0)
    inputs = torch.randn(64, 4)
    targets = inputs @ torch.tensor([[1.0], [-2.0], [0.5], [3.0]])
    network = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.Dropout(0.1), nn.Linear(16, 1))
    return network, TensorDataset(inputs, targets)


def squared(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return (network(batch[0]) - batch[1]).square().mean()


def test_it_learns_and_reports_every_batch(tmp_path: Path) -> None:
    network, data = problem()
    steps: list[Step] = []
    before = squared(network.eval(), data.tensors).item()
    trained = fit(network.train(), data, squared, SETTINGS, tmp_path, callbacks=[steps.append])
    assert squared(trained, data.tensors).item() < 0.5 * before
    assert [(step.epoch, step.step) for step in steps] == [(epoch, step) for epoch in range(3) for step in range(1, 9)]
    assert steps[-1].loss < steps[0].loss and steps[-1].images_per_second > 0


def test_a_stopped_run_resumes_to_the_same_result(tmp_path: Path) -> None:
    network, data = problem()
    whole = fit(network, data, squared, SETTINGS, tmp_path / "whole")
    batches = 0

    def stop_in_the_third_epoch() -> bool:
        nonlocal batches
        batches += 1
        return batches > 19

    network, data = problem()
    with pytest.raises(Stopped, match="epoch 3 of 3"):
        fit(network, data, squared, SETTINGS, tmp_path / "parts", should_stop=stop_in_the_third_epoch)
    network, data = problem()
    again: list[Step] = []
    resumed = fit(network, data, squared, SETTINGS, tmp_path / "parts", callbacks=[again.append])
    assert {step.epoch for step in again} == {2}, "only the interrupted epoch is done again"
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)


def test_a_checkpoint_of_other_settings_is_not_resumed(tmp_path: Path) -> None:
    network, data = problem()
    fit(network, data, squared, SETTINGS, tmp_path)
    steps: list[Step] = []
    network, data = problem()
    fit(network, data, squared, Settings(epochs=1, batch_size=8), tmp_path, callbacks=[steps.append])
    assert steps[0].epoch == 0


def test_a_checkpoint_of_other_data_is_not_resumed(tmp_path: Path) -> None:
    network, data = problem()
    fit(network, data, squared, SETTINGS, tmp_path, fingerprint="one set")
    steps: list[Step] = []
    network, data = problem()
    fit(network, data, squared, SETTINGS, tmp_path, fingerprint="another set", callbacks=[steps.append])
    assert steps[0].epoch == 0


def test_less_than_a_batch_is_refused(tmp_path: Path) -> None:
    network, _ = problem()
    with pytest.raises(ValueError, match="Too few images"):
        fit(network, TensorDataset(torch.zeros(3, 4), torch.zeros(3, 1)), squared, SETTINGS, tmp_path)


def test_only_the_last_checkpoint_is_kept(tmp_path: Path) -> None:
    network, data = problem()
    fit(network, data, squared, SETTINGS, tmp_path)
    assert [path.name for path in tmp_path.glob("epoch-*")] == ["epoch-3"]


def test_the_best_by_validation_is_kept_and_training_ends_early(tmp_path: Path) -> None:
    network, data = problem()
    values = iter([0.5, 0.2, 0.4, 0.3, 0.1])
    judged: list[dict[str, Tensor]] = []

    def validate(averaged: nn.Module) -> float:
        judged.append({name: value.clone() for name, value in averaged.state_dict().items()})
        return next(values)

    steps: list[Step] = []
    settings = replace(SETTINGS, epochs=5, patience=2)
    best = fit(network, data, squared, settings, tmp_path, validate=validate, callbacks=[steps.append])
    assert [step.validation for step in steps if step.validation is not None] == [0.5, 0.2, 0.4, 0.3]
    for name, value in best.state_dict().items():
        torch.testing.assert_close(value, judged[1][name])


def test_the_best_survives_an_interruption(tmp_path: Path) -> None:
    def run(folder: str, values: Iterator[float], stop_after: int | None = None) -> nn.Module:
        network, data = problem()
        count = 0

        def should_stop() -> bool:
            nonlocal count
            count += 1
            return stop_after is not None and count > stop_after

        return fit(
            network,
            data,
            squared,
            SETTINGS,
            tmp_path / folder,
            validate=lambda averaged: next(values),
            should_stop=should_stop,
        )

    whole = run("whole", iter([0.1, 0.5, 0.4]))
    parts = iter([0.1, 0.5, 0.4])
    with pytest.raises(Stopped):
        run("parts", parts, stop_after=12)
    resumed = run("parts", parts)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)
