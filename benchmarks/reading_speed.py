"""How fast a radiograph is read, as a ratio between two ways in one run: OpenVINO against torch, on the CPU.

    .venv/bin/python -m benchmarks.reading_speed [FILE]

Prints the median of each way and their ratio; the sample radiograph of pydicom-data unless a file is given.
"""

import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from lung_models.decode import decode
from lung_models.radiograph import Radiograph
from lung_models.reader import Reader
from lung_models.runtime import TorchRuntime
from lung_models.samples import CHEST, sample_bytes
from lung_models.weights import WeightStore

READINGS = 30  # of each way, taken in turn so that other load on the machine falls on both
WARM_UP = 3  # readings of each way that are not counted


def main() -> None:
    data = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else sample_bytes(CHEST)
    began = time.perf_counter()
    radiograph = decode(data, "radiograph")
    print(f"decode {(time.perf_counter() - began) * 1000:.0f} ms ({radiograph.width} x {radiograph.height})")
    store, cpu = WeightStore(), torch.device("cpu")
    openvino = Reader.load(device="cpu")
    eager = replace(
        openvino,
        findings_net=TorchRuntime(store.load(openvino.findings_card), cpu, torch.float32),
        organ_net=TorchRuntime(store.load(openvino.organs_card), cpu, torch.float32),
    )
    spent: dict[str, list[float]] = {"OpenVINO": [], "torch": []}
    for number in range(WARM_UP + READINGS):
        for name, reader in (("OpenVINO", openvino), ("torch", eager)):
            milliseconds = read(reader, radiograph)
            if number >= WARM_UP:
                spent[name].append(milliseconds)
    for name, values in spent.items():
        print(f"{name}: median {statistics.median(values):.0f} ms a reading, {min(values):.0f} to {max(values):.0f}")
    print(f"torch / OpenVINO: {statistics.median(spent['torch']) / statistics.median(spent['OpenVINO']):.2f}")


def read(reader: Reader, radiograph: Radiograph) -> float:
    return reader.read(radiograph).milliseconds["total"]


if __name__ == "__main__":
    main()
