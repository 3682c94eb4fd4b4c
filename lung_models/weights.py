"""Versions of weights on disk: ``weights/<network>/<version>/`` holds ``model.safetensors`` and ``card.json``.

A version is never changed once written. ``weights/active.json`` names the one that reads, for each network
(:mod:`lung_models.promotion` changes it). Only
safetensors are loaded, and only when their hash is the one on the card.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file
from torch import nn

from lung_models.networks import ARCHITECTURES
from lung_models.radiograph import Refusal
from lung_models.reading import ModelStamp

NETWORKS = ("findings", "organs")
Model = TypeVar("Model", bound=nn.Module)
DEFAULT_ROOT = Path(os.environ.get("LUNGS_WEIGHTS", Path(__file__).resolve().parent.parent / "weights"))
"""Where the versions are: ``LUNGS_WEIGHTS``, else the folder that ships."""


class NoWeights(Refusal):
    """There is nothing to read with: no version, or one that fails its check. No weights, no score."""


@dataclass(frozen=True)
class Card:
    """What is known of a version; ``card.json`` as it is.

    Args:
        network: ``findings`` or ``organs``.
        version: Name of the version.
        data: All of ``card.json``.
    """

    network: str
    version: str
    data: dict[str, Any]

    @property
    def stamp(self) -> ModelStamp:
        """What a reading keeps of it."""
        return ModelStamp(self.version, self.data["sha256"], self.data["architecture"])

    @property
    def input_size(self) -> int:
        """Side of the square that the network takes, in pixels."""
        return int(self.data["input_size"])

    @property
    def looks_at_organs(self) -> bool:
        """Whether a classifier looks at the frame around the organs (:func:`lung_models.anatomy.frame`) only."""
        return self.data.get("framing", "whole") == "organs"

    @property
    def heat_checked(self) -> dict[str, bool | None]:
        """By finding, whether its heat maps beat a centred blob and a random order on val; None: too few cases to tell.

        Empty when they were not tested, see :mod:`lung_models.evaluate.heat`.
        """
        checked: dict[str, bool | None] = {}
        for one in self.data.get("where_it_looked", {}).get("findings", []):
            answers = (one["better_than_blob"], one["better_than_random"])
            checked[one["finding"]] = None if None in answers else all(answers)
        return checked

    @property
    def companions(self) -> dict[str, str]:
        """SHA-256 by name of networks that serve to score this one only: trained without a source, or another head."""
        return dict(self.data.get("companions", {}))


class WeightStore:
    """The versions below a folder.

    Args:
        root: Folder that holds ``findings/``, ``organs/`` and ``active.json``.
    """

    def __init__(self, root: Path = DEFAULT_ROOT) -> None:
        self.root = root

    def versions(self, network: str) -> list[Card]:
        """Cards of a network's versions, oldest first; folders without a card do not count."""
        cards = [self._read_card(network, path.parent.name) for path in (self.root / network).glob("*/card.json")]
        return sorted(cards, key=lambda card: (card.data["created"], card.version))

    def active(self, network: str) -> str | None:
        """Name of the version that reads; None when there is none."""
        pointer = self.root / "active.json"
        if not pointer.is_file():
            return None
        version = json.loads(pointer.read_text()).get(network)
        return None if version is None else str(version)

    def card(self, network: str, version: str | None = None) -> Card:
        """One version's card, by default the active one's.

        Raises:
            NoWeights: when there is no such version.
        """
        name = version or self.active(network)
        if name is None:
            raise NoWeights(f"No {network} model is active in {self.root}: train one or restore the weights folder.")
        if not (self.root / network / name / "card.json").is_file():
            known = ", ".join(card.version for card in self.versions(network)) or "none"
            raise NoWeights(f"There is no {network} model named {name}. Known: {known}.")
        return self._read_card(network, name)

    def load(self, card: Card, companion: str | None = None) -> nn.Module:
        """The network with a version's weights, float32, in evaluation mode.

        Args:
            card: The version's card.
            companion: Load this one of :attr:`Card.companions` instead.

        Raises:
            NoWeights: when the file is missing, is not the one the card describes, or does not fit the network.
        """
        path = self.root / card.network / card.version / f"{companion or 'model'}.safetensors"
        digest = card.data["sha256"] if companion is None else card.companions[companion]
        if not path.is_file():
            raise NoWeights(f"The weights of {card.version} are missing ({path}): restore the file or roll back.")
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise NoWeights(f"The weights of {card.version} are not the ones on its card: restore {path} or roll back.")
        try:
            network = ARCHITECTURES[card.data["architecture"]](**card.data.get("options", {}))
            network.load_state_dict({name: value.float() for name, value in load_tensors(content).items()})
        except (KeyError, TypeError, RuntimeError) as error:
            raise NoWeights(f"The weights of {card.version} do not fit a network of this version of Lungs.") from error
        return network.eval()

    def save(
        self,
        network: str,
        version: str,
        model: nn.Module,
        card: dict[str, Any],
        full: tuple[str, ...] = (),
        companions: Mapping[str, nn.Module] | None = None,
    ) -> Card:
        """Write a new version.

        Args:
            network: ``findings`` or ``organs``.
            version: Its name.
            model: The network; kept in half precision.
            card: All of the card but network, version, architecture and sha256.
            full: Prefixes of tensors kept in single precision.
            companions: Networks that serve to score this one only, by name, kept beside it.

        Raises:
            FileExistsError: when the version exists: versions are never changed.
        """
        self.check_free(network, version)
        card = {key: value for key, value in card.items() if key != "companions"}  # of another version
        folder = self.root / network / version
        folder.mkdir(parents=True, exist_ok=True)
        digests = {}
        for name, one in {"model": model, **(companions or {})}.items():
            path = folder / f"{name}.safetensors"
            save_file({tensor: _kept(tensor, value, full) for tensor, value in one.state_dict().items()}, path)
            digests[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        data = {
            "network": network,
            "version": version,
            "architecture": type(model).__name__,
            "sha256": digests.pop("model"),
            **({"companions": digests} if digests else {}),
            **card,
        }
        partial = folder / "card.tmp"
        partial.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        partial.replace(folder / "card.json")
        return Card(network, version, data)

    def check_free(self, network: str, version: str) -> None:
        """Raise FileExistsError when a version of that name exists: versions are never changed."""
        folder = self.root / network / version
        if (folder / "card.json").exists():
            raise FileExistsError(f"{folder} exists: versions are never changed, choose another name.")

    def activate(self, network: str, version: str) -> None:
        """Make a version the one that reads, without record or counterpart: a new store's first.

        In a store that reads already it is promoted, see :mod:`lung_models.promotion`.

        Raises:
            NoWeights: when there is no such version, or when its scores were never calibrated.
        """
        card = self.card(network, version)
        if network == "findings" and not card.data.get("calibration"):
            raise NoWeights(f"{version} was never calibrated, so it has no probabilities and cannot be made active.")
        pointer = self.root / "active.json"
        active = json.loads(pointer.read_text()) if pointer.is_file() else {}
        active[network] = card.version
        self.replace_pointer(active)

    def replace_pointer(self, active: dict[str, Any]) -> None:
        """Replace ``active.json`` as a whole: whatever happens, the old or the new one is there."""
        pointer = self.root / "active.json"
        partial = pointer.with_name(f"active-{os.getpid()}.tmp")
        with partial.open("w") as stream:
            stream.write(json.dumps(active, indent=2, ensure_ascii=False) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(pointer)

    def _read_card(self, network: str, version: str) -> Card:
        return Card(network, version, json.loads((self.root / network / version / "card.json").read_text()))


def as_kept(model: Model) -> Model:
    """The network with its weights rounded to half precision, as a version keeps them, in evaluation mode."""
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.copy_(value.half().float())
    return model.eval()


def _kept(name: str, value: torch.Tensor, full: tuple[str, ...]) -> torch.Tensor:
    """Half precision for what need not be full; contiguous, as safetensors wants it."""
    value = value.detach().cpu().contiguous()
    return value.half() if value.is_floating_point() and not name.startswith(full) else value
