"""The tensors in a file that ``torch.save`` wrote, without running anything that the file names.

A pickle may name any function and have it called as it is read. ``torch.load(weights_only=True)`` refuses that, but
also refuses whole networks in the format that torch wrote before 1.6 ("Only persistent_load of storage is allowed",
torch 2.14.1), whatever classes are declared safe; torchxrayvision's published weights are of that kind. Here every
class and function that a file names is replaced by an empty one, except the three that tensors are built with, so that
the network's class is not needed either ("Restricting Globals" in the documentation of Python's pickle).
"""

import io
import pickle
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from lung_models.radiograph import Refusal

ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
}
"""All that is called as a file is read, by module and name; storages are torch's own doing."""


class _Inert:
    """Stands for whatever else a file names: takes any arguments, keeps what was stored of it, does nothing."""

    dump_patches = False  # else torch would write a file when the source of a network's class has changed
    state: object = None

    def __init__(self, *arguments: object, **named: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        self.state = state


class _InertUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return ALLOWED.get((module, name), _Inert)


class _InertPickle:
    """What ``torch.load`` uses instead of the module ``pickle``."""

    Unpickler = _InertUnpickler

    @staticmethod
    def load(file: Any, **options: Any) -> Any:
        return _InertUnpickler(file, **options).load()


def stored_tensors(content: bytes) -> dict[str, Tensor]:
    """The tensors of a whole network or of a state dictionary, by the names that ``state_dict`` gives them.

    Args:
        content: Of the file, in any format that torch has written.

    Returns:
        On the CPU; empty when the file holds none.

    Raises:
        Refusal: when the file was not written by torch.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the source of an empty class is never that of the network
            loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=False, pickle_module=_InertPickle)
        return dict(_named(loaded, ""))
    except Exception as error:  # a damaged or hostile file may fail anywhere
        raise Refusal("The file does not hold a network that torch saved.") from error


def _named(stored: object, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """Tensors of a network or of a mapping, each with its full name."""
    if isinstance(stored, Mapping):
        yield from ((f"{prefix}{name}", value.detach()) for name, value in stored.items() if isinstance(value, Tensor))
    elif isinstance(stored, _Inert) and isinstance(stored.state, Mapping):
        for kind in ("_parameters", "_buffers"):
            yield from _named(stored.state.get(kind, {}), prefix)
        for name, child in stored.state.get("_modules", {}).items():
            yield from _named(child, f"{prefix}{name}.")
