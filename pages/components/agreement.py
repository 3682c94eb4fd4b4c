"""Bland-Altman plot: how far the measured cardiothoracic ratio lies from the one drawn by hand."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from pages.components.words import plain

AGREEMENT = 1.96  # standard deviations either side of the bias (Bland & Altman, Lancet 1986)
HEIGHT = 420
"""In CSS pixels."""
COLOURS = ("#4cc2ff", "#f2b134", "#7bd389")
"""Of the sources, told apart also by their marks; at least 4.5 : 1 on the page's background."""
MARKS = ("circle", "diamond", "square")
INK, FAINT = "#e6e9ef", "#3a4150"

Pairs = Mapping[str, Sequence[Sequence[float]]]
"""By source: (ratio drawn by hand, ratio measured) of every radiograph."""


def draw_agreement(pairs: Pairs) -> None:
    """Draw the plot with its reading in words; nothing when there are no pairs."""
    if not any(pairs.values()):
        return
    st.subheader("Cardiothoracic ratio against the drawn organs")
    st.plotly_chart(agreement_plot(pairs), theme=None, width="stretch", config={"displayModeBar": False})
    bias, low, high = limits_of_agreement(pairs)
    st.caption(
        f"Each mark is one radiograph (Bland-Altman plot). On average the measured ratio is {abs(bias):.3f} "
        f"{'higher' if bias >= 0 else 'lower'} than the drawn one; 95 % of the differences are expected between "
        f"{low:+.3f} and {high:+.3f} (dashed)."
    )


def limits_of_agreement(pairs: Pairs) -> tuple[float, float, float]:
    """Bias and the lower and upper limit of agreement, over all sources together."""
    every = np.concatenate([np.array(one, float).reshape(-1, 2) for one in pairs.values()])
    difference = every[:, 1] - every[:, 0]
    bias, spread = float(difference.mean()), AGREEMENT * float(difference.std())
    return bias, bias - spread, bias + spread


def agreement_plot(pairs: Pairs) -> go.Figure:
    """Difference over mean, one mark a radiograph, with bias and limits of agreement."""
    figure = go.Figure()
    for index, (source, values) in enumerate(pairs.items()):
        drawn, measured = np.array(values, float).reshape(-1, 2).T
        figure.add_scatter(
            x=(drawn + measured) / 2,
            y=measured - drawn,
            mode="markers",
            name=f"{plain(source)} (n = {len(drawn)})",
            marker={
                "color": COLOURS[index % len(COLOURS)],
                "symbol": MARKS[index % len(MARKS)],
                "size": 7,
                "opacity": 0.8,
            },
            customdata=np.stack([drawn, measured], axis=1),
            hovertemplate="drawn %{customdata[0]:.3f}, measured %{customdata[1]:.3f}, difference %{y:+.3f}",
        )
    bias, low, high = limits_of_agreement(pairs)
    for value, dash in ((bias, "solid"), (low, "dash"), (high, "dash")):
        figure.add_hline(value, line={"color": INK, "width": 1, "dash": dash}, annotation_text=f"{value:+.3f}")
    axis = {"gridcolor": FAINT, "zerolinecolor": FAINT}
    return figure.update_layout(
        height=HEIGHT,
        margin={"l": 60, "r": 60, "t": 10, "b": 50},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": INK},
        legend={"orientation": "h", "y": 1.08},
        xaxis={**axis, "title": "Mean of the drawn and the measured ratio"},
        yaxis={**axis, "title": "Measured minus drawn ratio"},
    )
