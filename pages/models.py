"""Models: the card of every version on disk, with its figures, and which one reads."""

import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from lung_models.findings import BY_KEY
from pages.components.words import plain

if TYPE_CHECKING:
    from lung_models.weights import Card

TITLES = {"findings": "Findings", "organs": "Organs"}
PAGE_WIDTH = 1200
"""In CSS pixels: tables wider than this are hard to follow along a row."""


def page() -> None:
    """Draw the page."""
    with st.container(width=PAGE_WIDTH):
        draw_versions()


def draw_versions() -> None:
    """For each network its versions, the newest first, the active one open."""
    st.title("Models")
    st.write(
        "A version is never changed once it is written. The active one of each network reads; its name and the first "
        "eight digits of its sha256 stand with every result."
    )
    with st.spinner("Reading the cards ..."):
        from lung_models.weights import NETWORKS, WeightStore  # imports torch: seconds, so only once the page is drawn

    store = WeightStore()
    for network in NETWORKS:
        st.header(TITLES.get(network, network))
        cards = store.versions(network)
        if not cards:
            st.warning("There is no version on disk, so nothing can be read.")
        for card in reversed(cards):
            draw_card(card, active=card.version == store.active(network))


def draw_card(card: "Card", active: bool) -> None:
    """One version."""
    data = card.data
    title = f"{plain(card.version)}{' **(active)**' if active else ''}"
    with st.expander(title, expanded=active):
        st.write(plain(data.get("summary", "")))
        draw_identity(data)
        draw_metrics(data.get("metrics", []))
        draw_calibration(data.get("calibration", {}))
        draw_training_data(data)
        draw_use(data)


def draw_identity(data: dict[str, Any]) -> None:
    """What it is and how it was made."""
    recipe = data.get("recipe", {})
    side, scale = data.get("input_size"), data.get("heat_scale")
    lines = {
        "Architecture": data.get("architecture"),
        "Input": None if side is None else f"{side} x {side} pixels, grey",
        "Created": data.get("created"),
        "Recipe": recipe.get("name"),
        "Seed": recipe.get("seed"),
        "Git commit": data.get("git_commit"),
        "Heat of 1.0": None if scale is None else f"a contribution of {scale:.2f} to a finding's log-odds",
    }
    draw_table(pd.DataFrame([{"": name, "Value": str(value)} for name, value in lines.items() if value is not None]))
    st.markdown(f"sha256 of the weights: `{data.get('sha256', 'not given')}`")


def draw_metrics(metrics: list[dict[str, Any]]) -> None:
    """Figures with their 95 % intervals and the number of cases they rest on."""
    if not metrics:
        return
    st.subheader("Figures")
    draw_table(
        pd.DataFrame(
            {
                "Measured on": one.get("group", ""),
                "Figure": one["name"],
                "Value": with_unit(one["value"], one.get("unit")),
                "95 % interval": interval(one),
                "n": str(one.get("n", "")),
                "Protocol": one.get("protocol", ""),
            }
            for one in metrics
        )
    )


def draw_calibration(calibration: dict[str, Any]) -> None:
    """Operating points, uncertain bands and the fitted calibration of each finding."""
    findings = calibration.get("findings", calibration)
    rows = [(BY_KEY[key].name, one) for key, one in findings.items() if key in BY_KEY]
    if not rows:
        return
    st.subheader("Operating points and calibration")
    draw_table(
        pd.DataFrame(
            {
                "Finding": name,
                "Operating point": f"{one['threshold']:.1%}",
                "Uncertain band": f"{one['low']:.1%} to {one['high']:.1%}",
                "Slope": f"{one['slope']:.3f}",
                "Intercept": f"{one['intercept']:.3f}",
                "Chosen by": one.get("rule", calibration.get("rule", "")),
            }
            for name, one in rows
        )
    )
    st.caption(
        "Slope and intercept turn the network's score into log-odds, together with the measured organs if they count."
    )


def draw_training_data(data: dict[str, Any]) -> None:
    """What it was trained on and under which terms."""
    sets = data.get("training_data", [])
    if sets:
        st.subheader("Training data")
        columns = {"name": "Set", "images": "Images", "terms": "Terms", "citation": "Citation"}
        draw_table(pd.DataFrame({title: str(one.get(key, "")) for key, title in columns.items()} for one in sets))
    if data.get("terms"):
        st.write(f"**Terms of these weights.** {plain(data['terms'])}")


def draw_use(data: dict[str, Any]) -> None:
    """What it is for and where it fails."""
    if data.get("intended_use"):
        st.write(f"**Intended use.** {plain(data['intended_use'])}")
    if data.get("limits"):
        st.write("**Limits**")
        st.markdown("\n".join(f"- {plain(limit)}" for limit in data["limits"]))


def draw_table(table: pd.DataFrame) -> None:
    """A table of text; every cell is escaped, for tables read Markdown."""
    st.table(table.map(plain), hide_index=True)


def with_unit(value: float, unit: str | None) -> str:
    """A figure to three decimals and its unit."""
    return f"{value:.3f} {unit or ''}".strip()


def interval(one: dict[str, Any]) -> str:
    """The interval of a figure, or that there is none."""
    if one.get("low") is None or one.get("high") is None:
        return "not given"
    return f"{one['low']:.3f} to {one['high']:.3f}"


if __name__ == "__main__":  # a fresh Streamlit server runs this file itself when its URL is the first one asked for
    runpy.run_path(str(Path(__file__).parents[1] / "app.py"))
