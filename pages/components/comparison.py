"""Two studies beside each other with linked zoom and window, what changed, and the trend over all of a patient's."""

from datetime import datetime

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from lung_models.findings import BY_KEY, FINDINGS
from lung_models.reading import Reading
from lung_models.records import worklist
from lung_models.records.keeping import reopened
from lung_models.records.worklist import Entry
from pages.components.opening import on_record
from pages.components.serving import database
from pages.components.viewer import viewer, viewer_payload
from pages.components.words import plain

COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#cc79a7", "#d55e00")  # Okabe and Ito, by finding


def draw_comparison(chosen: list[Entry]) -> None:
    """Two chosen studies side by side; the trend of the patient when one or two of the same are chosen."""
    if len(chosen) == 2:
        earlier, later = sorted(chosen, key=taken)
        draw_side_by_side(earlier, later)
        draw_differences(earlier, later)
    elif len(chosen) > 2:
        st.caption("Choose two rows to compare them.")
    if len({entry.patient for entry in chosen}) == 1:
        draw_trend(worklist.priors(database(), chosen[0].patient))


def taken(entry: Entry) -> datetime:
    """When a study was taken or, where that is not known, kept."""
    if entry.study_date is None:
        return entry.kept
    return datetime(entry.study_date.year, entry.study_date.month, entry.study_date.day)


def when(entry: Entry) -> str:
    """The same in words."""
    return f"{entry.study_date:%Y-%m-%d}" if entry.study_date else f"kept {entry.kept:%Y-%m-%d %H:%M}"


def draw_side_by_side(earlier: Entry, later: Entry) -> None:
    """Both pictures; zoom, pan and window of one follow the other."""
    if earlier.patient != later.patient:
        st.warning("These two studies are of different patients, as far as their files say.")
    for entry, place, side in zip((earlier, later), st.columns(2), ("earlier", "later"), strict=True):
        with place:
            st.markdown(f"**{side.capitalize()}**: {plain(entry.patient)}, {plain(when(entry))}")
            try:
                reading = kept_reading(entry.reading)
                on_record(entry.reading)
            except (ValueError, OSError) as error:
                st.error(plain(str(error)))
                continue
            payload = viewer_payload(
                reading, study=f"kept {entry.reading}", channel=f"compare {side}", linked="compare", correctable=False
            )
            viewer(payload, key=f"viewer_{side}")


@st.cache_data(show_spinner="Opening ...", max_entries=4)
def kept_reading(number: int) -> Reading:
    """A kept reading; kept ones never change."""
    return reopened(database(), number)


def draw_differences(earlier: Entry, later: Entry) -> None:
    """Probabilities and the cardiothoracic ratio of both, and what changed."""
    rows = []
    for finding in FINDINGS:
        before, after = (entry.probabilities.get(finding.key) for entry in (earlier, later))
        calls = (entry.calls.get(finding.key, "") for entry in (earlier, later))
        change = "" if before is None or after is None else f"{100 * (after - before):+.1f} points"
        words = [
            "" if value is None else f"{value:.1%} {call}" for value, call in zip((before, after), calls, strict=True)
        ]
        rows.append({"": finding.name, "Earlier": words[0], "Later": words[1], "Change": change})
    ratios = (earlier.cardiothoracic_ratio, later.cardiothoracic_ratio)
    texts = ["not measured" if ratio is None else f"{ratio:.2f}" for ratio in ratios]
    change = "" if None in ratios else f"{ratios[1] - ratios[0]:+.2f}"  # type: ignore[operator]
    rows.append({"": "Cardiothoracic ratio", "Earlier": texts[0], "Later": texts[1], "Change": change})
    st.table(pd.DataFrame(rows), hide_index=True)
    if earlier.version != later.version:
        st.caption(
            f"They were read by different versions, {plain(earlier.version or 'none')} and "
            f"{plain(later.version or 'none')}: a change may be the model's."
        )
    if {earlier.view, later.view} == {"PA", "AP"}:
        st.caption("One is AP, the other PA: the heart looks larger on AP films, and the ratio with it.")


def draw_trend(entries: list[Entry]) -> None:
    """Probabilities and the ratio over all studies of a patient."""
    read = [entry for entry in entries if entry.accepted]
    if len(read) < 2:
        return
    st.markdown(f"**{plain(entries[0].patient)}**, {len(read)} studies")
    across = [taken(entry) for entry in read]
    figure = go.Figure()
    for finding, colour in zip(FINDINGS, COLOURS, strict=True):
        up = [entry.probabilities.get(finding.key) for entry in read]
        figure.add_scatter(
            x=across,
            y=up,
            name=finding.name,
            mode="lines+markers",
            line={"color": colour},
            hovertemplate=f"{BY_KEY[finding.key].name} %{{y:.1%}}<extra></extra>",
        )
    figure.add_scatter(
        x=across,
        y=[entry.cardiothoracic_ratio for entry in read],
        name="Cardiothoracic ratio",
        mode="lines+markers",
        line={"color": "#e8ecef", "dash": "dot"},
        hovertemplate="Cardiothoracic ratio %{y:.2f}<extra></extra>",
    )
    figure.update_layout(
        height=320,
        margin={"l": 50, "r": 10, "t": 10, "b": 40},
        template="plotly_dark",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    figure.update_yaxes(title="Probability; ratio", range=[0, 1])
    st.plotly_chart(figure, theme=None, key="trend")
