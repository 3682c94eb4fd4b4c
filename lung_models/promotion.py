"""Which version reads: promoted with a reason, rolled back, and never a classifier without its organ model.

``active.json`` names the versions that read and holds the history of how they came to. It is replaced as a whole, so
that a crash leaves the old or the new one and never neither.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from lung_models.access import Person, require
from lung_models.records import audit
from lung_models.records.database import Database
from lung_models.weights import NETWORKS, Card, NoWeights, WeightStore


@dataclass(frozen=True)
class Change:
    """One change of the versions that read.

    Args:
        at: When, ISO 8601 in UTC.
        reason: Why, in the user's words.
        before: Versions that read before it, by network.
        after: Versions that read after it.
        by: Who.
        undone: Whether it was rolled back.
        is_rollback: Whether it is itself a rollback.
    """

    at: str
    reason: str
    before: dict[str, str]
    after: dict[str, str]
    by: str = ""
    undone: bool = False
    is_rollback: bool = False


def promote(store: WeightStore, network: str, version: str, reason: str, *, by: Person, database: Database) -> Change:
    """Make a version the one that reads, together with what it needs.

    A classifier brings the organ model it was calibrated with, an organ model the newest classifier calibrated with it.

    Args:
        store: The versions.
        network: ``findings`` or ``organs``.
        version: Its name.
        reason: Why; kept in the history.
        by: Who; an admin.
        database: Where the act is recorded.

    Raises:
        Forbidden: when they may not.
        ValueError: without a reason.
        NoWeights: when the version, or what it needs, is not there, fails its check, or was never calibrated.
    """
    require(by, "admin")
    if not reason.strip():
        raise ValueError("Give a reason: it is kept beside the versions, for whoever asks later why this one reads.")
    chosen = together(store, store.card(network, version))
    for name, one in chosen.items():
        store.load(store.card(name, one))  # weights that fail their check are never made active
    reason = " ".join(reason.split())
    with database.transaction() as session:  # recorded only if it is done; a crash in between may lose the record
        audit.record(session, by.name, "promote", ", ".join(chosen.values()), reason)
        return _write(store, chosen, reason, history(store), by.name, is_rollback=False)


def together(store: WeightStore, card: Card) -> dict[str, str]:
    """The versions that read together with one, by network.

    Raises:
        NoWeights: when it was never calibrated, or its counterpart is not there.
    """
    if card.network == "findings":
        if not card.data.get("calibration"):
            raise NoWeights(
                f"{card.version} was never calibrated, so it has no probabilities and cannot be made active."
            )
        geometry = card.data.get("geometry", {})
        organs = store.card("organs", geometry.get("organs_version"))
        if geometry and organs.stamp.sha256 != geometry["organs_sha256"]:
            raise NoWeights(f"{card.version} was calibrated with other weights than those of {organs.version} here.")
        return {"findings": card.version, "organs": organs.version}
    bound = [
        one
        for one in store.versions("findings")
        if one.data.get("geometry", {}).get("organs_sha256") == card.stamp.sha256 and one.data.get("calibration")
    ]
    if not bound:
        raise NoWeights(f"No classifier here was calibrated with {card.version}: train the findings with it first.")
    active = store.active("findings")
    best = next((one for one in bound if one.version == active), bound[-1])
    return {"findings": best.version, "organs": card.version}


def rollback(store: WeightStore, *, by: Person, database: Database) -> Change:
    """Undo the last promotion that is not undone yet: what read before it reads again.

    Raises:
        Forbidden: when they may not.
        ValueError: when there is none.
        NoWeights: when what read before is no longer there.
    """
    require(by, "admin")
    changes = history(store)
    place = next((i for i in reversed(range(len(changes))) if _can_be_undone(changes[i])), None)
    if place is None:
        raise ValueError("There is nothing to roll back: no promotion was recorded.")
    undone = changes[place]
    for network, version in undone.before.items():
        store.load(store.card(network, version))
    changes[place] = Change(**{**asdict(undone), "undone": True})
    with database.transaction() as session:
        audit.record(session, by.name, "roll back", ", ".join(undone.before.values()), undone.reason)
        return _write(store, undone.before, f"Rolled back: {undone.reason}", changes, by.name, is_rollback=True)


def can_roll_back(store: WeightStore) -> Change | None:
    """The promotion that a rollback would undo; None when there is none."""
    return next((change for change in reversed(history(store)) if _can_be_undone(change)), None)


def history(store: WeightStore) -> list[Change]:
    """All changes, oldest first."""
    return [Change(**change) for change in _pointer(store).get("history", [])]


def _can_be_undone(change: Change) -> bool:
    return not change.undone and not change.is_rollback and bool(change.before)


def _write(
    store: WeightStore, chosen: dict[str, str], reason: str, changes: list[Change], by: str, *, is_rollback: bool
) -> Change:
    pointer = _pointer(store)
    before = {network: str(pointer[network]) for network in NETWORKS if pointer.get(network)}
    after = {**before, **chosen}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    change = Change(now, reason, before, after, by, is_rollback=is_rollback)
    store.replace_pointer({**pointer, **after, "history": [asdict(one) for one in [*changes, change]]})
    return change


def _pointer(store: WeightStore) -> dict[str, Any]:
    path = store.root / "active.json"
    return dict(json.loads(path.read_text())) if path.is_file() else {}
