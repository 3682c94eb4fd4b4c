"""``models``: the versions on disk, their cards, which one reads, and adding one that does not ship."""

import argparse
import json
import re
from pathlib import Path

from lung_models import promotion
from lung_models.access import local_person
from lung_models.commands import report
from lung_models.radiograph import Refusal
from lung_models.records.database import Database
from lung_models.weights import DEFAULT_ROOT, NETWORKS, Card, WeightStore


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", shared: argparse.ArgumentParser) -> None:
    """Add ``models`` and its actions to the command line.

    Args:
        commands: Of the command line.
        shared: Options of every command.
    """
    models = commands.add_parser("models", help="versions and their cards")
    models.set_defaults(run=_list, weights=DEFAULT_ROOT)
    actions = models.add_subparsers(metavar="list|show|promote|rollback|add", dest="action")

    listing = actions.add_parser("list", parents=[shared], help="all versions; * marks the active one")
    listing.set_defaults(run=_list)

    show = actions.add_parser("show", parents=[shared], help="one version's card")
    show.add_argument("version")
    show.set_defaults(run=_show)

    promote = actions.add_parser("promote", parents=[shared], help="make a version the one that reads")
    promote.add_argument("version")
    promote.add_argument("--reason", required=True, metavar="TEXT", help="why; kept in the history")
    promote.set_defaults(run=_promote)

    rollback = actions.add_parser("rollback", parents=[shared], help="undo the last promotion")
    rollback.set_defaults(run=_rollback)

    add = actions.add_parser("add", parents=[shared], help="add a model that does not ship, calibrated on your data")
    add.add_argument("model", choices=("xrv",), help="xrv: the DenseNet-121 of torchxrayvision")
    add.add_argument("--data", type=Path, required=True, metavar="DIR", help="labelled radiographs; val is used")
    add.add_argument("--file", type=Path, metavar="FILE", help="the weights, already downloaded; else they are fetched")
    add.add_argument("--sha256", type=_hash, metavar="HASH", help="of a file other than the published one")
    add.set_defaults(run=_add)


def _list(options: argparse.Namespace) -> int:
    store = WeightStore(options.weights)
    for network in NETWORKS:
        active = store.active(network)
        for card in store.versions(network):
            mark = "*" if card.version == active else " "
            print(f"{mark} {network:<9} {card.version:<28} {_headline(card)}")
    return 0


def _headline(card: Card) -> str:
    """The first figure of a card."""
    if not card.data["metrics"]:
        return "no figures"
    first = card.data["metrics"][0]
    interval = f"[{first['low']:.3f}, {first['high']:.3f}]"
    return f"{first['name']}, {first['group']}: {first['value']:.3f} {interval} n={first['n']}"


def _show(options: argparse.Namespace) -> int:
    card = _found(WeightStore(options.weights), options.version)
    print(json.dumps(card.data, indent=2, ensure_ascii=False))
    return 0


def _promote(options: argparse.Namespace) -> int:
    store = WeightStore(options.weights)
    card = _found(store, options.version)
    _tell(promotion.promote(store, card.network, card.version, options.reason, by=local_person(), database=Database()))
    return 0


def _rollback(options: argparse.Namespace) -> int:
    _tell(promotion.rollback(WeightStore(options.weights), by=local_person(), database=Database()))
    return 0


def _tell(change: promotion.Change) -> None:
    for network, version in change.after.items():
        if (before := change.before.get(network)) != version:
            print(f"{version} reads the {network} now; before: {before or 'none'}")


def _add(options: argparse.Namespace) -> int:
    # Training libraries are loaded only by the commands that need them.
    from lung_models.training import xrv

    store = WeightStore(options.weights)
    card = xrv.add(options.data, store, options.file, options.sha256, report)
    print(f"{card.version} written to {store.root / card.network / card.version}: {_headline(card)}")
    print(
        "It does not read yet: compare its card with the active one's, then "
        f"`models promote {card.version} --reason TEXT`."
    )
    return 0


def _found(store: WeightStore, version: str) -> Card:
    """The card of a version of whichever network."""
    for network in NETWORKS:
        for card in store.versions(network):
            if card.version == version:
                return card
    raise Refusal(f"There is no version {version}: `models list` names them.")


def _hash(text: str) -> str:
    """A SHA-256 as people write it, in small letters."""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise argparse.ArgumentTypeError("a SHA-256 has 64 hexadecimal digits")
    return text.lower()
