"""Where it looked: how a version's heat maps did on validation, as its card has it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from lung_models.findings import BY_KEY
from pages.components.words import plain

TOO_FEW = "too few cases to tell"
ORDERS = {"": "the heat map", "_random": "chance", "_blob": "a blob in the middle"}
"""By ending of the card's fields: in what order pixels are taken away."""


def draw_where_it_looked(found: Mapping[str, Any] | None) -> None:
    """Draw both tables with the protocol behind them; nothing when the maps were not tested.

    Args:
        found: A card's ``where_it_looked``.
    """
    if not found:
        return
    st.subheader("Where it looked")
    st.table(places(found).map(plain), hide_index=True)
    st.table(orders(found).map(plain), hide_index=True)
    st.caption(
        f"{found['radiographs']} radiographs, {found['refused']} of them refused; in brackets 95 % intervals. "
        f"{plain(found['protocol'])}"
    )


def places(found: Mapping[str, Any]) -> pd.DataFrame:
    """Where the heat lies, and whether to rely on it."""
    return pd.DataFrame(
        {
            "Finding": BY_KEY[one["finding"]].name,
            "Called present": f"{one['n']} in {one['patients']} patients",
            "Must lie in": one["region"],
            "Heat inside": figure(one["heat_inside"]),
            "Area of it": figure(one["chance"]),
            "Hottest place inside": figure(one["pointing"]),
            "The same of a blob": figure(one["pointing_blob"]),
            "In the app": verdict(one),
        }
        for one in found["findings"]
    )


def orders(found: Mapping[str, Any]) -> pd.DataFrame:
    """What becomes of the probability when pixels go, or come back, in three orders."""
    return pd.DataFrame(
        {
            "Finding": BY_KEY[one["finding"]].name,
            "Order of": order,
            "Deletion (lower is better)": figure(one[f"deletion{ending}"]),
            "Insertion (higher is better)": figure(one[f"insertion{ending}"]),
            "Lead of the map over it": figure(one[f"lead{ending}"]) if ending else "",
            "The map is": answer(one[f"better_than{ending}"]) if ending else "",
        }
        for one in found["findings"]
        for ending, order in ORDERS.items()
    )


def verdict(one: Mapping[str, Any]) -> str:
    """What the findings panel makes of it."""
    answers = (one["better_than_blob"], one["better_than_random"])
    if None in answers:
        return f"labelled: {TOO_FEW}"
    return "shown without a label" if all(answers) else "labelled: do not rely on it"


def answer(better: bool | None) -> str:
    """Whether the map did better, in words."""
    return {True: "better", False: "no better", None: TOO_FEW}[better]


def figure(one: Mapping[str, float] | None) -> str:
    """A figure with its interval; a dash where there was nothing to measure."""
    return "-" if one is None else f"{one['value']:.3f} ({one['low']:.3f} to {one['high']:.3f})"
