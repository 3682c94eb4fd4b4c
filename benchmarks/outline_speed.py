"""How long outlines take by input size and decoder, as ratios to the shipped ones in one run, with OpenVINO on the CPU.

    .venv/bin/python -m benchmarks.outline_speed

What a size or a decoder is worth in Dice stands in docs/models-in-depth.md beside these times.
"""

import statistics
import time

import numpy as np

from lung_models.networks import OrganNet
from lung_models.runtime import OpenVinoRuntime, Runtime
from lung_models.weights import WeightStore

SIDES = (128, 160, 224, 288, 352)
DECODERS = ((32, 24, 16, 12, 8), (128, 64, 48, 32, 16), (256, 128, 64, 32, 16))
RUNS = 30  # of each, taken in turn so that other load on the machine falls on all
WARM_UP = 3  # runs of each that are not counted


def main() -> None:
    card = WeightStore().card("organs")
    shipped = tuple(card.data["options"]["decoder_channels"])
    candidates = [(side, shipped) for side in SIDES] + [(card.input_size, decoder) for decoder in DECODERS]
    runtimes = {one: OpenVinoRuntime(OrganNet(one[1]).eval(), one[0]) for one in candidates}
    spent: dict[tuple[int, tuple[int, ...]], list[float]] = {one: [] for one in candidates}
    for number in range(WARM_UP + RUNS):
        for one, runtime in runtimes.items():
            milliseconds = run(runtime, one[0])
            if number >= WARM_UP:
                spent[one].append(milliseconds)
    base = statistics.median(spent[(card.input_size, shipped)])
    for (side, decoder), values in spent.items():
        median = statistics.median(values)
        print(f"{side} px, decoder {decoder}: median {median:.1f} ms, {median / base:.2f} of the shipped")


def run(runtime: Runtime, side: int) -> float:
    image = np.random.default_rng(0).random((1, 1, side, side), np.float32)
    began = time.perf_counter()
    runtime.run(image)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
