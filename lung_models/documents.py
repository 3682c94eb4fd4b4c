"""The tables in the documents, made from the cards: no figure there can be other than the one that was measured.

A document holds ``<!-- table NAME -->`` ... ``<!-- end -->``; ``make docs`` writes the table of that name in between.
"""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lung_models.findings import BY_KEY
from lung_models.weights import Card, WeightStore

BASELINE = "SevenLayerCNN"  # architecture of the version that stands beside the active one
_PLACE = re.compile(r"(<!-- table ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Row = Sequence[str]


def tables(store: WeightStore) -> dict[str, str]:
    """Every table by name, as Markdown, of the active versions and the baseline."""
    findings, organs = store.card("findings"), store.card("organs")
    baseline = [card for card in store.versions("findings") if card.data["architecture"] == BASELINE][-1]
    both = (findings, baseline)
    return {
        "discrimination": _side_by_side(both, ("AUROC", "Accuracy", "Balanced accuracy")),
        "operating-points": _operating_points(findings),
        "calibration": _side_by_side(
            both, ("Expected calibration error", "Expected calibration error, if calibration were perfect")
        ),
        "robustness": _by_group(findings, "Change of a probability", "Refused after a change"),
        "where-it-looked": _where_it_looked(findings.data.get("where_it_looked")),
        "outlines": _by_group(organs, "Dice"),
        "drawings": _by_group(organs, "Lungs less the drawn heart", "Films trained on"),
        "conditions": _by_group(organs, "Lungs Dice in a condition"),
        "cardiothoracic-ratio": _by_group(organs, "Cardiothoracic ratio"),
        "sides": _by_group(organs, "Right and left", "An organ in more"),
        "gate": _gate(organs),
        "versions": _versions(store),
    }


def refreshed(document: str, made: Mapping[str, str]) -> str:
    """A document with every table in it as it should be.

    Raises:
        KeyError: when the document asks for a table that there is not.
    """
    return _PLACE.sub(lambda found: f"{found[1]}\n{made[found[2]]}\n\n{found[3]}", document)


def _table(header: Row, rows: Iterable[Row]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _value(figure: Mapping[str, Any] | None, count: bool = True) -> str:
    """A figure with its interval and n."""
    if figure is None:
        return ""
    text = f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"
    return f"{text}, n = {figure['n']}" if count else text


def _figures(card: Card) -> dict[tuple[str, str], dict[str, Any]]:
    return {(figure["name"], figure["group"]): figure for figure in card.data["metrics"]}


def _side_by_side(cards: Sequence[Card], names: Sequence[str]) -> str:
    """The same figures of several versions."""
    measured = [_figures(card) for card in cards]
    rows = [
        [name, group, *(_value(one.get((name, group))) for one in measured)]
        for wanted in names
        for name, group in measured[0]
        if name == wanted
    ]
    return _table(["Figure", "Of", *(card.version for card in cards)], rows)


def _by_group(card: Card, *beginnings: str) -> str:
    """Figures whose names begin so, one row a group."""
    chosen = {key: figure for key, figure in _figures(card).items() if key[0].startswith(beginnings)}
    names, groups = list(dict.fromkeys(key[0] for key in chosen)), list(dict.fromkeys(key[1] for key in chosen))
    rows = [[group, *(_value(chosen.get((name, group))) for name in names)] for group in groups]
    return _table(["", *names], rows)


def _operating_points(card: Card) -> str:
    measured = _figures(card)
    rows = []
    for key, fitted in card.data["calibration"]["findings"].items():
        name = BY_KEY[key].name
        point = f"{fitted['threshold']:.1%} ({fitted['low']:.1%} to {fitted['high']:.1%})"
        rates = [_value(measured.get((rate, name))) for rate in ("Sensitivity", "Specificity")]
        rows.append([name, point, *rates])
    return _table(["Finding", "Operating point (uncertain band)", "Sensitivity", "Specificity"], rows)


def _where_it_looked(found: Mapping[str, Any] | None) -> str:
    if not found:
        return "Not measured."
    from lung_models.evaluate.heat import looks_table  # loads the training libraries, which reading does not need

    *lines, protocol = looks_table(dict(found))
    return "\n".join(["```", *(line.rstrip() for line in lines), "```", "", protocol])


def _gate(card: Card) -> str:
    """What the gate accepts, refuses and names."""
    rows = [
        [figure["name"], figure["group"], _value(figure)]
        for figure in card.data["metrics"]
        if figure["name"].startswith(("Accepted", "Refused", "Named", "Flagged", "Mirrored"))
    ]
    return _table(["", "Of", "Share"], rows)


def _versions(store: WeightStore) -> str:
    rows = []
    for network in ("findings", "organs"):
        for card in store.versions(network):
            active = "active" if card.version == store.active(network) else ""
            rows.append([network, f"`{card.version}`", active, card.data["summary"]])
    return _table(["Network", "Version", "", "What it is"], rows)


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(refreshed(path.read_text(encoding="utf-8"), tables(WeightStore())), encoding="utf-8")
