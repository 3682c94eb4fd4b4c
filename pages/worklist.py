"""Worklist: the kept studies to search, filter and sort; each opens in the viewer as it was read."""

import base64
import runpy
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from lung_models.findings import BY_KEY, FINDINGS, KEYS
from lung_models.records import worklist
from lung_models.records.worklist import PAGE, Entry, Said, Wanted
from pages.components.comparison import draw_comparison
from pages.components.opening import open_kept
from pages.components.serving import database
from pages.components.words import plain

ORDERS = {"kept": "Newest kept", "date": "Study date", "ratio": "Cardiothoracic ratio"}
SAID: dict[Said, str] = {
    "any": "Any verdict",
    "none yet": "No verdict yet",
    "agree": "Readers agree",
    "disagree": "A reader disagrees",
    "cannot tell": "A reader cannot tell",
}
ROW_HEIGHT = 56  # CSS pixels; a thumbnail fits
COMPARING_HEIGHT = 210  # CSS pixels of the table while two studies are compared: the pictures take the rest
CALLS = ("present", "uncertain", "absent")


def page() -> None:
    """Draw the page."""
    st.title("Worklist")
    wanted = draw_filters()
    number = draw_pager(wanted)
    entries = worklist.page(database(), wanted, number)
    if not entries:
        st.info(
            "No study is kept that fits. Keep one on the Read page, under the findings, or send a batch here; keeping "
            "is off until you choose it."
        )
        return
    chosen = draw_table(entries)
    draw_actions(chosen)


def draw_filters() -> Wanted:
    """What is wanted, from one row of controls."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        search = st.text_input("Search", key="list_search", placeholder="Patient or model version", width=220)
        called = st.selectbox(
            "Finding",
            [None, *KEYS],
            format_func=lambda key: "Any" if key is None else BY_KEY[key].name,
            key="list_found",
        )
        call = st.selectbox("called", CALLS, key="list_call", disabled=called is None)
        said = st.selectbox("Verdict", list(SAID), format_func=lambda one: SAID[one], key="list_said")
        view = st.selectbox("View", [None, "PA", "AP"], format_func=lambda one: one or "Any", key="list_view")
        days: Any = st.date_input("Study date", value=[], key="list_days", help="First and last day.")
        order = st.selectbox("Sort by", [*ORDERS, *KEYS], format_func=order_words, key="list_order")
        ascending = st.toggle("Smallest first", key="list_ascending")
    since, until = days if isinstance(days, tuple) and len(days) == 2 else (None, None)
    return Wanted(
        search=search,
        called=called,
        call=call,
        view=view,
        said=said,
        since=since,
        until=until,
        patient=st.session_state.get("list_patient"),
        order=order,
        descending=not ascending,
    )


def order_words(order: str) -> str:
    """What a sort order is called."""
    return ORDERS.get(order) or f"{BY_KEY[order].name}, probability"


def draw_pager(wanted: Wanted) -> int:
    """How many studies fit, and which page of them is shown, from 0."""
    found = worklist.count(database(), wanted)
    pages = max(1, -(-found // PAGE))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        of_patient = f" of {wanted.patient}" if wanted.patient else ""
        st.markdown(f"**{found:,} {'study' if found == 1 else 'studies'}**{plain(of_patient)}")
        if wanted.patient and st.button("All patients"):
            del st.session_state.list_patient
            st.rerun()
        if pages == 1:
            return 0
        return int(st.number_input(f"Page of {pages:,}", 1, pages, key="list_page", width=160)) - 1


def draw_table(entries: list[Entry]) -> list[Entry]:
    """The table, lower while two of its rows are compared; returns the rows that are chosen."""
    before: Any = st.session_state.get("list_table")
    compared = before is not None and len(before["selection"]["rows"]) == 2
    event: Any = st.dataframe(
        pd.DataFrame([row(entry) for entry in entries]),
        hide_index=True,
        width="stretch",
        height=COMPARING_HEIGHT if compared else "auto",
        row_height=ROW_HEIGHT,
        on_select="rerun",
        selection_mode="multi-row",
        key="list_table",
        column_config={
            "": st.column_config.ImageColumn("", width=60, help="The radiograph, small."),
            "Ratio": st.column_config.NumberColumn("Ratio", format="%.2f", help="Cardiothoracic ratio, no unit."),
            **{
                finding.name: st.column_config.ProgressColumn(
                    finding.name,
                    format="%.0f %%",
                    min_value=0.0,
                    max_value=100.0,
                    help=f"Calibrated probability. {finding.meaning}",
                )
                for finding in FINDINGS
            },
        },
    )
    return [entries[place] for place in event["selection"]["rows"] if place < len(entries)]


def row(entry: Entry) -> dict[str, Any]:
    """One study as the table shows it."""
    return {
        "": "data:image/png;base64," + base64.b64encode(entry.thumbnail).decode(),
        "Patient": entry.patient,
        "Study date": f"{entry.study_date:%Y-%m-%d}" if entry.study_date else "not stated",
        "View": entry.view or "not stated",
        "Called": called(entry),
        **{finding.name: in_percent(entry.probabilities.get(finding.key)) for finding in FINDINGS},
        "Most likely": BY_KEY[entry.primary].name if entry.primary else "",
        "Ratio": entry.cardiothoracic_ratio,
        "Verdicts": verdicts(entry),
        "Model": entry.version or "",
        "Kept (UTC)": f"{entry.kept:%Y-%m-%d %H:%M}",
    }


def in_percent(probability: float | None) -> float | None:
    """A probability as the table shows it; None where there is no score."""
    return None if probability is None else 100.0 * probability


def called(entry: Entry) -> str:
    """What is called present, or why there is no score."""
    if not entry.accepted:
        return f"Refused: {entry.reason}"
    present = [BY_KEY[key].name for key in KEYS if entry.calls.get(key) == "present"]
    return ", ".join(present) or "None present"


def verdicts(entry: Entry) -> str:
    """What readers said, in short."""
    readers = sorted({reader for reader, _, _ in entry.opinions} | {reader for reader, _ in entry.notes})
    differ = [BY_KEY[key].name for _, key, says in entry.opinions if differs(says, entry.calls.get(key))]
    if not readers:
        return ""
    return f"{len(readers)} reader{'s' if len(readers) > 1 else ''}" + (f", not {', '.join(differ)}" if differ else "")


def differs(says: str, call: str | None) -> bool:
    """Whether a reader contradicts a call."""
    return {says, call} == {"present", "absent"}


def draw_actions(chosen: list[Entry]) -> None:
    """What can be done with the chosen rows."""
    if not chosen:
        st.caption("Choose a row at its left edge to open it; choose two to compare them.")
        return
    with st.container(horizontal=True, gap="small"):
        if st.button("Open in the viewer", type="primary"):
            open_kept([entry.reading for entry in chosen])
        if len({entry.patient for entry in chosen}) == 1 and st.button("All studies of this patient"):
            st.session_state.list_patient = chosen[0].patient
            st.session_state.pop("list_page", None)
            st.rerun()
    draw_comparison(chosen)


if __name__ == "__main__":  # a fresh Streamlit server runs this file itself when its URL is the first one asked for
    runpy.run_path(str(Path(__file__).parents[1] / "app.py"))
