"""Torch and OpenVINO give the same answers, from any thread, and nothing is reported to anyone."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lung_models import runtime
from lung_models.decode import decode
from lung_models.reader import Reader
from lung_models.reading import Reading
from lung_models.runtime import OpenVinoRuntime, TorchRuntime
from lung_models.weights import WeightStore

FULL_PRECISION_TOLERANCE = 1e-3
HALF_PRECISION_TOLERANCE = 5e-3
"""Of a probability; float16 has 11 bits of mantissa, float32 has 24."""


def assert_same(one: Reading, other: Reading, tolerance: float) -> None:
    assert one.accepted and other.accepted and one.device != other.device
    for first, second in zip(one.findings, other.findings, strict=True):
        assert first.probability == pytest.approx(second.probability, abs=tolerance)


def test_torch_and_openvino_give_the_same_probabilities(reader: Reader, chest_file: Path) -> None:
    store, cpu = WeightStore(), torch.device("cpu")
    in_torch = replace(
        reader,
        findings_net=TorchRuntime(store.load(reader.findings_card), cpu, torch.float32),
        organ_net=TorchRuntime(store.load(reader.organs_card), cpu, torch.float32),
    )
    radiograph = decode(chest_file.read_bytes(), chest_file.name)
    assert_same(reader.read(radiograph), in_torch.read(radiograph), FULL_PRECISION_TOLERANCE)


def test_many_threads_read_as_one(reader: Reader) -> None:
    side = reader.findings_card.input_size
    images = [np.random.default_rng(seed).random((1, 1, side, side), np.float32) for seed in range(12)]
    alone = [reader.findings_net.run(image)[0] for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda image: reader.findings_net.run(image)[0], images))
    np.testing.assert_array_equal(np.concatenate(alone), np.concatenate(together))


def test_an_answer_is_not_overwritten_by_the_next(reader: Reader) -> None:
    side = reader.organs_card.input_size
    first = reader.organ_net.run(np.zeros((1, 1, side, side), np.float32))[0]
    kept = first.copy()
    reader.organ_net.run(np.ones((1, 1, side, side), np.float32))
    np.testing.assert_array_equal(first, kept)


def test_conversion_is_kept_and_gives_the_same(tmp_path: Path) -> None:
    store = WeightStore()
    card = store.card("findings")
    cache = tmp_path / "kept" / "network.xml"
    image = np.random.default_rng(0).random((1, 1, card.input_size, card.input_size), np.float32)
    fresh = OpenVinoRuntime(store.load(card), card.input_size, cache).run(image)
    assert cache.is_file()
    kept = OpenVinoRuntime(store.load(card), card.input_size, cache).run(image)
    np.testing.assert_array_equal(fresh[0], kept[0])


@pytest.mark.parametrize("suffix", [".xml", ".bin", ".sha256"])
def test_a_damaged_conversion_is_made_anew(tmp_path: Path, suffix: str) -> None:
    store = WeightStore()
    card = store.card("findings")
    cache = tmp_path / "network.xml"
    image = np.random.default_rng(0).random((1, 1, card.input_size, card.input_size), np.float32)
    fresh = OpenVinoRuntime(store.load(card), card.input_size, cache).run(image)
    content = bytearray(cache.with_suffix(suffix).read_bytes())
    content[len(content) // 2] ^= 1
    cache.with_suffix(suffix).write_bytes(content)
    np.testing.assert_array_equal(OpenVinoRuntime(store.load(card), card.input_size, cache).run(image)[0], fresh[0])


def test_a_place_that_cannot_be_written_does_not_stop_reading(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    store = WeightStore()
    card = store.card("findings")
    image = np.zeros((1, 1, card.input_size, card.input_size), np.float32)
    assert OpenVinoRuntime(store.load(card), card.input_size, tmp_path / "file" / "network.xml").run(image)


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_the_way_of_a_gpu_on_the_cpu(
    reader: Reader, chest_file: Path, monkeypatch: pytest.MonkeyPatch, device: runtime.Device
) -> None:
    """Every line that a GPU would run, in its half precision, with the CPU's name for the device."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(runtime, "ACCELERATOR", "cpu")
    radiograph = decode(chest_file.read_bytes(), chest_file.name)
    half = Reader.load(device=device)
    assert half.device == "CPU (torch, float16)"
    assert_same(reader.read(radiograph), half.read(radiograph), HALF_PRECISION_TOLERANCE)


def test_asking_for_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="no CUDA device"):
        runtime.start(torch.nn.Identity(), 64, "0" * 64, "cuda")


def test_openvino_cannot_report_usage() -> None:
    code = (
        "import lung_models.runtime, openvino.tools.ovc.telemetry_utils as used;"
        "print(used.tm.__name__, used.tm.__file__)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "telemetry_stub" in output
