"""How often readers agree with a version, per finding and over time."""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from scipy.stats import binomtest

from lung_models.findings import BY_KEY
from lung_models.records.agreement import Agreement, agreement
from pages.components.before_after import CLEAR
from pages.components.comparison import COLOURS
from pages.components.serving import database


def draw_readers_agreement(version: str) -> None:
    """A table, and a line for each finding over the months; nothing where nobody judged yet."""
    found = agreement(database(), version)
    if not found:
        st.caption("No reader has judged a reading of this version yet: verdicts are given on the Read page.")
        return
    st.caption(
        "Share of verdicts that are the version's call, of those where neither the reader nor the version is unsure, "
        "with Wilson's 95 % interval. Readers saw the call before they judged: they agree more readily than they would "
        "have read."
    )
    overall = [one for one in found if not one.month]
    st.table(pd.DataFrame([row(one) for one in overall]), hide_index=True)
    months = sorted({one.month for one in found if one.month})
    if len(months) < 2:
        return
    figure = go.Figure()
    for one, colour in zip(overall, COLOURS, strict=False):
        monthly = [each for each in found if each.finding == one.finding and each.month and each.compared]
        figure.add_scatter(
            x=[each.month for each in monthly],
            y=[each.agreed / each.compared for each in monthly],
            text=[f"n = {each.compared}" for each in monthly],
            name=BY_KEY[one.finding].name,
            mode="lines+markers",
            line={"color": colour},
        )
    figure.update_layout(height=300, margin={"l": 50, "r": 10, "t": 10, "b": 40}, template="plotly_dark", **CLEAR)
    figure.update_yaxes(title="Agreement", range=[0, 1], tickformat=".0%")
    figure.update_xaxes(type="category")
    st.plotly_chart(figure, theme=None, key=f"agreement_{version}")


def row(one: Agreement) -> dict[str, str]:
    """One finding's agreement in words."""
    share = "none to compare"
    if one.compared:
        result = binomtest(one.agreed, one.compared)
        interval = result.proportion_ci(0.95, method="wilson")
        share = f"{result.statistic:.0%} [{interval.low:.0%}, {interval.high:.0%}]"
    return {"Finding": BY_KEY[one.finding].name, "Agreement": share, "n": str(one.compared), "Unsure": str(one.unsure)}
