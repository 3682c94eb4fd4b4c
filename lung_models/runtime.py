"""Where a network runs: CUDA through torch, the CPU through OpenVINO; one interface."""

import hashlib
import os
import sys
import threading
import warnings
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from torch import nn

# OpenVINO reports its import and every conversion to Google Analytics through this package unless it can't be
# imported, in which case it falls back on a stub of its own. Nothing leaves the machine: it can't be imported here.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
import openvino  # noqa: E402

ACCELERATOR = "cuda"  # torch's name of the device used where there is one
ACCELERATOR_PRECISION = torch.float16  # of its arithmetic
CONVERSION = 1  # to be raised when a network's outputs change, so that older conversions are not used

Device = Literal["auto", "cpu", "cuda"]


class Runtime(Protocol):
    """A network ready to run.

    ``device`` names where, for people. ``run`` maps float32 (n, 1, side, side) to the network's outputs, float32.
    """

    device: str

    def run(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run the network; safe to call from several threads."""


class TorchRuntime:
    """Runs a network in torch: channels_last, under autocast when half precision is asked for.

    Args:
        network: In evaluation mode.
        device: Any torch device.
        precision: Type of the arithmetic; weights stay in float32.
    """

    def __init__(self, network: nn.Module, device: torch.device, precision: torch.dtype) -> None:
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.place = device
        self.precision = precision
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
        self.device = f"{name} (torch, {str(precision).removeprefix('torch.')})"

    @torch.inference_mode()
    def run(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run the network; torch modules in evaluation mode are safe to call from several threads."""
        batch = torch.from_numpy(images).to(self.place, memory_format=torch.channels_last)
        half = self.precision != torch.float32
        with torch.autocast(self.place.type, dtype=self.precision if half else None, enabled=half):
            outputs = self.network(batch)
        return tuple(output.float().cpu().numpy() for output in outputs)


class OpenVinoRuntime:
    """Runs a network in OpenVINO on the CPU, in single precision.

    Args:
        network: In evaluation mode.
        side: Side of the square it takes, in pixels.
        cache: File for the converted network, so that it is converted once; None to keep nothing.
    """

    device = "CPU (OpenVINO, float32)"

    def __init__(self, network: nn.Module, side: int, cache: Path | None = None) -> None:
        core = openvino.Core()
        converted = None if cache is None else _read(core, cache)
        if converted is None:
            example = torch.zeros(1, 1, side, side)
            with warnings.catch_warnings():
                # OpenVINO traces through an interface of torch that warns of its own age.
                warnings.simplefilter("ignore", FutureWarning)
                converted = openvino.convert_model(network, example_input=example, input=[-1, 1, side, side])
            if cache is not None:
                _save(converted, cache)
        # Without the hint the CPU plugin rounds to bfloat16 where the processor has it, and the logits move.
        self.compiled = core.compile_model(converted, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        self.requests = threading.local()

    def run(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run the network: one request a thread, and outputs copied, for the next inference reuses their memory."""
        if not hasattr(self.requests, "one"):
            self.requests.one = self.compiled.create_infer_request()
        request = self.requests.one
        request.set_input_tensor(openvino.Tensor(np.ascontiguousarray(images)))
        request.infer()
        return tuple(request.get_output_tensor(i).data.copy() for i in range(len(self.compiled.outputs)))


def start(network: nn.Module, side: int, sha256: str, device: Device = "auto") -> Runtime:
    """Make a network ready to run.

    Args:
        network: In evaluation mode.
        side: Side of the square it takes, in pixels.
        sha256: Hash of its weights, under which its conversion is kept.
        device: ``auto`` takes CUDA where there is one.

    Raises:
        ValueError: when CUDA is asked for and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("There is no CUDA device on this machine: use --device auto or cpu.")
    if device != "cpu" and torch.cuda.is_available():
        return TorchRuntime(network, torch.device(ACCELERATOR), ACCELERATOR_PRECISION)
    kind = f"{type(network).__name__}-{CONVERSION}-{sha256[:16]}-{side}"
    name = f"{kind}-openvino-{openvino.__version__.split('-')[0]}.xml"
    return OpenVinoRuntime(network, side, cache_folder() / name)


def cache_folder() -> Path:
    """Where converted networks are kept: ``LUNGS_CACHE``, else ``lungs`` in the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "lungs"
    return Path(os.environ.get("LUNGS_CACHE", default))


def _read(core: openvino.Core, path: Path) -> openvino.Model | None:
    """A kept conversion; None when there is none, or when it is not byte for byte what was written."""
    try:
        if path.with_suffix(".sha256").read_text() == _digest(path):
            return core.read_model(path)
    except (OSError, RuntimeError):
        return None
    return None


def _save(converted: openvino.Model, path: Path) -> None:
    """Keep a conversion; the digest is written last and makes it count. Without a place to write, do without."""
    partial = path.with_name(f"{path.stem}-{os.getpid()}.xml")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".sha256").unlink(missing_ok=True)
        openvino.save_model(converted, partial, compress_to_fp16=False)
        partial.with_suffix(".bin").replace(path.with_suffix(".bin"))
        partial.replace(path)
        path.with_suffix(".sha256").write_text(_digest(path))
    except (OSError, RuntimeError):
        return


def _digest(path: Path) -> str:
    """SHA-256 of a conversion's two files."""
    return hashlib.sha256(path.read_bytes() + path.with_suffix(".bin").read_bytes()).hexdigest()
