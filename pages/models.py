"""Models: the card of every version on disk, with its figures, and which one reads."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from lung_models.findings import BY_KEY
from pages.components.agreement import draw_agreement
from pages.components.before_after import draw_figures
from pages.components.promoting import draw_promotion, draw_rollback
from pages.components.readers_agreement import draw_readers_agreement
from pages.components.where_it_looked import draw_where_it_looked
from pages.components.words import plain

if TYPE_CHECKING:
    from lung_models.weights import Card, WeightStore

TITLES = {"findings": "Findings", "organs": "Organs"}
PAGE_WIDTH = 1200
"""In CSS pixels: tables wider than this are hard to follow along a row."""
MALFORMED = (OSError, ValueError, LookupError, TypeError, AttributeError)
"""What a damaged file raises when it is read, or when a field that must be there is used."""


def page() -> None:
    """Draw the page."""
    with st.container(width=PAGE_WIDTH):
        draw_versions()


def draw_versions() -> None:
    """For each network its versions: the active one first and open, then the newest."""
    st.title("Models")
    st.write(
        "A version is never changed once it is written. The active one of each network reads; its name and the first "
        "eight digits of its sha256 stand with every result."
    )
    with st.spinner("Reading the cards ..."):
        from lung_models.weights import NETWORKS, WeightStore  # imports torch: seconds, so only once the page is drawn

    store = WeightStore()
    draw_rollback(store)
    for network in NETWORKS:
        st.header(TITLES.get(network, network))
        cards, unreadable = cards_on_disk(store, network)
        if not cards and not unreadable:
            st.warning("There is no version on disk, so nothing can be read.")
        active = active_version(store, network)
        for version in unreadable:
            st.error(damage_line(version, active=version == active))
        for card in sorted(cards, key=lambda card: card.version != active):
            draw_card(card, active=card.version == active)
        if network == "findings" and active is not None:
            with st.expander("Readers' agreement with the active version"):
                draw_readers_agreement(active)
        others = [card.version for card in cards if card.version != active]
        if others:
            with st.popover(f"Promote another {network} version"):
                version = st.selectbox("Version", others, key=f"other_{network}")
                draw_promotion(store, network, version)


def cards_on_disk(store: "WeightStore", network: str) -> tuple[list["Card"], list[str]]:
    """A network's cards, the newest first, and the names of versions whose card cannot be read."""
    cards, unreadable = [], []
    for path in sorted((store.root / network).glob("*/card.json")):
        version = path.parent.name
        try:
            card = store.card(network, version)
            cards.append((str(card.data["created"]), version, card))
        except MALFORMED:
            unreadable.append(version)
    return [card for _, _, card in sorted(cards, key=lambda one: one[:2], reverse=True)], unreadable


def active_version(store: "WeightStore", network: str) -> str | None:
    """Name of the version that reads; an error on the page when that cannot be told."""
    try:
        return store.active(network)
    except MALFORMED:
        st.error("Which version is active cannot be told: active.json is unreadable. Restore it or promote a version.")
        return None


def heading(version: str, active: bool) -> str:
    """A version's name, marked when it is the one that reads."""
    return f"{plain(version)}{' **(active)**' if active else ''}"


def damage_line(version: str, active: bool) -> str:
    """What stands in place of a card."""
    return (
        f"{heading(version, active)}: its card.json is damaged or incomplete, so it is not shown. Restore the file, or "
        "use another version."
    )


def draw_card(card: "Card", active: bool) -> None:
    """One version; a card that turns out incomplete halfway is replaced by one line."""
    place = st.empty()
    try:
        with place.expander(heading(card.version, active), expanded=active):
            draw_content(card.data)
    except MALFORMED:
        place.error(damage_line(card.version, active))


def draw_content(data: dict[str, Any]) -> None:
    """All that a card says; first what a reader must know, the rest in tabs of its own."""
    st.write(plain(data.get("summary", "")))
    shown = {title: draw for title, (field, draw) in TABS.items() if field is None or data.get(field)}
    for tab, draw in zip(st.tabs(list(shown)), shown.values(), strict=True):
        with tab:
            draw(data)


def draw_in_short(data: dict[str, Any]) -> None:
    """What it is for, where it fails, and the few figures that a reader wants first."""
    draw_use(data)
    draw_metrics([figure for figure in data.get("metrics", []) if is_headline(figure)])


def draw_operating_points(data: dict[str, Any]) -> None:
    """How a score becomes a probability and a call."""
    draw_calibration(data["calibration"])
    draw_geometry(data["calibration"], data.get("geometry", {}))


def draw_making(data: dict[str, Any]) -> None:
    """What it is, from what and how it was made."""
    draw_identity(data)
    draw_training_data(data)
    draw_recipe(data.get("recipe", {}))


def is_headline(figure: dict[str, Any]) -> bool:
    """Whether a figure is among the few that a reader wants first."""
    if figure["name"] in ("Dice", "Cardiothoracic ratio, mean absolute error", "Refused"):
        return str(figure.get("group", "")).endswith("all sources")
    return figure["name"] in ("AUROC", "Accuracy", "Sensitivity", "Specificity")


def draw_identity(data: dict[str, Any]) -> None:
    """What it is and how it was made."""
    recipe, geometry, gate = data.get("recipe", {}), data.get("geometry", {}), data.get("gate", {})
    side, scale, limit = data.get("input_size"), data.get("heat_scale"), gate.get("distance_limit")
    lines = {
        "Architecture": data["architecture"],
        "Input": None if side is None else f"{side} x {side} pixels, grey",
        "Created": data["created"],
        "Parent": data.get("parent"),
        "Line of versions": data.get("family"),
        "Labelled set": in_words(data.get("labelled_set")),
        "Networks kept only to score this one": in_words(data.get("companions")),
        "Recipe": recipe.get("name"),
        "Seed": recipe.get("seed"),
        "Git commit": data.get("git_commit"),
        "Head fitted on": in_words(data.get("head_fitted_on")),
        "Organs measured by": geometry.get("organs_version"),
        "sha256 of those organs": geometry.get("organs_sha256"),
        "Heat of 1.0": None if scale is None else f"a contribution of {scale:.2f} to a finding's log-odds",
        "Gate": None if limit is None else f"refuses beyond a distance of {limit:.2f}; a typical radiograph is at 1",
    }
    draw_table(pd.DataFrame([{"": name, "Value": str(value)} for name, value in lines.items() if value is not None]))
    st.markdown(f"sha256 of the weights: `{data['sha256']}`")


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
    rows = [(BY_KEY[key].name, one) for key, one in calibration["findings"].items()]
    st.subheader("Operating points and calibration")
    draw_table(
        pd.DataFrame(
            {
                "Finding": name,
                "Operating point": f"{one['threshold']:.1%}",
                "Uncertain band": f"{one['low']:.1%} to {one['high']:.1%}",
                "Slope": f"{one['slope']:.3f}",
                "Intercept": f"{one['intercept']:.3f}",
                "None of the five": f"{one['absence']:.3f}" if one.get("absence") else "",
            }
            for name, one in rows
        )
    )
    st.caption(plain(calibration["rule"]))
    st.caption(
        "Log-odds are slope times the network's score, plus the weighted measurements below, plus intercept. "
        "No Finding: plus its weight times the log-probability that none of the five is there, were they independent."
    )


def draw_geometry(calibration: dict[str, Any], geometry: dict[str, Any]) -> None:
    """How much each measurement of the organs counts for each finding."""
    quantities = geometry.get("quantities", [])
    if not quantities:
        return
    rows = {BY_KEY[key].name: one["geometry"] for key, one in calibration["findings"].items()}
    rows["Mean where fitted"] = calibration["geometry_mean"]
    rows["Standard deviation there"] = calibration["geometry_scale"]
    st.subheader("Weights of the measured organs")
    draw_table(
        pd.DataFrame(
            {"": name, **{title: f"{one:.3f}" for title, one in zip(quantities, values, strict=True)}}
            for name, values in rows.items()
        )
    )
    st.caption("Log-odds for each standard deviation above the mean; what could not be measured counts as average.")


def draw_training_data(data: dict[str, Any]) -> None:
    """What it was trained on and under which terms."""
    sets = data.get("training_data", [])
    if sets:
        st.subheader("Training data")
        columns = {"name": "Set", "images": "Images", "use": "Used for", "terms": "Terms", "citation": "Citation"}
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


def draw_recipe(recipe: dict[str, Any]) -> None:
    """The settings that it was trained with, as the card has them."""
    rest = {key: value for key, value in recipe.items() if key not in ("name", "seed")}
    if rest:
        st.write("**Recipe in full**")
        st.code(json.dumps(rest), language="json", wrap_lines=True)


def draw_table(table: pd.DataFrame) -> None:
    """A table of text; every cell is escaped, for tables read Markdown."""
    st.table(table.map(plain), hide_index=True)


def in_words(value: Any) -> str | None:
    """A text as it is, an object as its fields one after the other; None when there is nothing."""
    if isinstance(value, dict):
        return "; ".join(f"{key}: {one}" for key, one in value.items())
    return None if value is None else str(value)


def with_unit(value: float, unit: str | None) -> str:
    """A figure to three decimals and its unit."""
    return f"{value:.3f} {unit or ''}".strip()


def interval(one: dict[str, Any]) -> str:
    """The interval of a figure, or that there is none."""
    if one.get("low") is None or one.get("high") is None:
        return "not given"
    return f"{one['low']:.3f} to {one['high']:.3f}"


TABS: dict[str, tuple[str | None, Callable[[dict[str, Any]], None]]] = {
    "In short": (None, draw_in_short),
    "Where it looked": ("where_it_looked", lambda data: draw_where_it_looked(data["where_it_looked"])),
    "Cardiothoracic ratio": ("cardiothoracic_ratios", lambda data: draw_agreement(data["cardiothoracic_ratios"])),
    "Operating points": ("calibration", draw_operating_points),
    "Before and after": ("comparison", lambda data: draw_figures(data["comparison"], data.get("forgetting"))),
    "All figures": ("metrics", lambda data: draw_metrics(data["metrics"])),
    "How it was made": (None, draw_making),
}
"""What a card is shown in: the field that must be there, None where nothing must, and what draws it."""


if __name__ == "__main__":  # a fresh Streamlit server runs this file itself when its URL is the first one asked for
    runpy.run_path(str(Path(__file__).parents[1] / "app.py"))
