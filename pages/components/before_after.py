"""Two versions on the same held-out radiographs: figures with paired differences, and the curves behind them."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from lung_models.findings import BY_KEY, FINDINGS, KEYS
from lung_models.reading import ORGANS
from pages.components.words import plain

NAMES = {
    "auroc": "AUROC",
    "accuracy": "Accuracy of the most likely of the six",
    "balanced_accuracy": "Balanced accuracy of it",
    "sensitivity": "Sensitivity at the operating point",
    "specificity": "Specificity at the operating point",
    "calibration_error": "Expected calibration error",
    "dice": "Dice",
    "cardiothoracic_ratio_error": "Cardiothoracic ratio, mean absolute error",
}
LOWER_IS_BETTER = ("calibration_error", "cardiothoracic_ratio_error")
BEFORE, AFTER = "#e69f00", "#56b4e9"  # Okabe and Ito's orange and sky blue: told apart with any colour vision
FIRST = ("auroc_mean", "accuracy", "balanced_accuracy", "calibration_error_mean")
FORGOTTEN = {"auroc_mean": "mean AUROC", "dice_lungs": "Dice of the lungs", "dice_heart": "Dice of the heart"}
"""Figures on the reference that a drop of is shown in red."""
BINS = 5
CLEAR = {"paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)"}  # the page's own dark behind a figure


def draw_figures(compared: dict[str, Any], forgotten: dict[str, Any] | None) -> None:
    """The table of figures, and what was forgotten of the reference."""
    st.caption("On the held-out part, never learnt from. The difference is paired: both versions on the same patients.")
    st.table(table(compared), hide_index=True)
    if forgotten is None:
        st.caption("Forgetting was not checked: the radiographs of the shipped figures are not on this machine.")
        return
    found = {name: words for name, words in FORGOTTEN.items() if name in forgotten["difference"]}
    if found:
        changes = [f"{words} by {spread(forgotten['difference'][name])}" for name, words in found.items()]
        worse = any(
            judged(name, one := forgotten["difference"][name]) == "worse" and round(one["value"], 3) != 0
            for name in found
        )
        on = f"On {forgotten['n']} radiographs of the shipped figures"
        (st.error if worse else st.info)(f"Forgetting. {on}, changed: {', '.join(changes)}.")


def table(compared: dict[str, Any]) -> pd.DataFrame:
    """One row a figure, the summaries first."""
    names = sorted(compared["before"], key=lambda name: (name not in FIRST, FIRST.index(name) if name in FIRST else 0))
    return pd.DataFrame(
        {
            "Figure": title(name),
            "Before": with_interval(compared["before"][name]),
            "After": with_interval(compared["after"][name]),
            "Difference": spread(compared["difference"][name]),
            "": judged(name, compared["difference"][name]),
            "n": str(compared["before"][name]["n"]),
        }
        for name in names
    )


def title(name: str) -> str:
    """A figure's name in words."""
    start = next(one for one in sorted(NAMES, key=len, reverse=True) if name.startswith(one))
    of_what = name.removeprefix(start).lstrip("_")
    if not of_what:
        return NAMES[start]
    group = BY_KEY[of_what].name if of_what in BY_KEY else of_what.replace("_", " ")
    return f"{NAMES[start]}, {'mean of the findings that can be told' if of_what == 'mean' else group}"


def with_interval(one: dict[str, Any]) -> str:
    """A figure with its 95 % interval."""
    return f"{one['value']:.3f} [{one['ci95'][0]:.3f}, {one['ci95'][1]:.3f}]"


def spread(one: dict[str, Any]) -> str:
    """A difference with its 95 % interval."""
    return f"{one['value']:+.3f} [{one['ci95'][0]:+.3f}, {one['ci95'][1]:+.3f}]"


def judged(name: str, difference: dict[str, Any]) -> str:
    """What a difference shows."""
    low, high = difference["ci95"]
    if name.startswith(LOWER_IS_BETTER):
        low, high = -high, -low
    return "better" if low > 0 else "worse" if high < 0 else "no difference shown"


def in_one_line(compared: dict[str, Any]) -> str:
    """Whether it became better, said plainly."""
    said = {name: judged(name, one) for name, one in compared["difference"].items() if name in FIRST or "dice" in name}
    better = [title(name) for name, one in said.items() if one == "better"]
    worse = [title(name) for name, one in said.items() if one == "worse"]
    lines = [f"Better: {', '.join(better)}."] if better else []
    lines += [f"Worse: {', '.join(worse)}."] if worse else []
    return " ".join(lines) or "Not shown to be better: on the held-out part no summary differs beyond chance."


def draw_curves(predictions: dict[str, np.ndarray], key: str) -> None:
    """ROC and reliability of a finding, and the confusion of the most likely of the six."""
    labels = predictions["labels"]
    told = [f for c, f in enumerate(FINDINGS) if {0.0, 1.0} <= set(labels[~np.isnan(labels[:, c]), c].tolist())]
    if not told:
        return
    finding = st.selectbox("Curves of", told, format_func=lambda one: one.name, key=f"curves_of_{key}")
    column = KEYS.index(finding.key)
    known = ~np.isnan(labels[:, column])
    truth = labels[known, column]
    left, right = st.columns(2)
    roc, reliability = go.Figure(), go.Figure()
    for name, colour in (("before", BEFORE), ("after", AFTER)):
        score = predictions[name][known, column]
        x, y = roc_points(truth, score)
        roc.add_scatter(x=x, y=y, name=name, line={"color": colour, "shape": "hv"})
        x, y, counts = reliability_points(truth, score)
        reliability.add_scatter(x=x, y=y, name=name, text=counts, mode="lines+markers", line={"color": colour})
    for figure, across, up in (
        (roc, "1 - specificity", "Sensitivity"),
        (reliability, "Probability", "Share that has it"),
    ):
        figure.add_scatter(x=[0, 1], y=[0, 1], line={"color": "#667079", "dash": "dot"}, showlegend=False)
        figure.update_layout(height=320, margin={"l": 50, "r": 10, "t": 10, "b": 40}, template="plotly_dark", **CLEAR)
        figure.update_xaxes(title=across, range=[0, 1])
        figure.update_yaxes(title=up, range=[0, 1])
    left.plotly_chart(roc, theme=None, key=f"roc_{key}")
    right.plotly_chart(reliability, theme=None, key=f"reliability_{key}")
    draw_confusion(predictions)


def draw_confusion(predictions: dict[str, np.ndarray]) -> None:
    """How often each label was called which of the six, on radiographs with one label."""
    labels = predictions["labels"]
    single = np.nansum(labels == 1, axis=1) == 1
    truth = np.argmax(np.nan_to_num(labels[single]), axis=1)
    met = np.unique(truth)
    if len(met) < 2:
        return
    names = [finding.name for finding in FINDINGS]
    for name, place in zip(("before", "after"), st.columns(2), strict=True):
        likely = np.argmax(predictions[name][single], axis=1)
        counts = np.zeros((len(KEYS), len(KEYS)), int)
        np.add.at(counts, (truth, likely), 1)
        frame = pd.DataFrame(counts[met].astype(str), columns=names)
        frame.insert(0, f"Label ({name}: most likely)", [names[one] for one in met])
        place.table(frame, hide_index=True)


def roc_points(truth: np.ndarray, score: np.ndarray) -> tuple[list[float], list[float]]:
    """1 - specificity and sensitivity at every threshold."""
    from sklearn.metrics import roc_curve

    false_positive, true_positive, _ = roc_curve(truth, score)
    return false_positive.tolist(), true_positive.tolist()


def reliability_points(truth: np.ndarray, score: np.ndarray) -> tuple[list[float], list[float], list[str]]:
    """Mean probability, share of positives and count in bins of equal width that are not empty."""
    bins = np.minimum((score * BINS).astype(int), BINS - 1)
    used = np.unique(bins)
    across = [float(score[bins == one].mean()) for one in used]
    return across, [float(truth[bins == one].mean()) for one in used], [f"n = {(bins == one).sum()}" for one in used]


def most_disagreed(predictions: dict[str, np.ndarray], count: int) -> list[tuple[int, str]]:
    """Rows of the held-out radiographs where the versions differ most, each with one line that says how."""
    change = np.abs(predictions["after"] - predictions["before"])
    order = np.argsort(-change.max(axis=1))[:count]
    lines = []
    for place in order:
        column = int(np.argmax(change[place]))
        label = predictions["labels"][place, column]
        truth = "unknown" if np.isnan(label) else "present" if label == 1 else "absent"
        before, after = predictions["before"][place, column], predictions["after"][place, column]
        lines.append((int(place), plain(f"{FINDINGS[column].name} {before:.0%} to {after:.0%}; label: {truth}")))
    return lines


def most_changed_outlines(scores: dict[str, np.ndarray], count: int) -> list[tuple[int, str]]:
    """Rows of the held-out radiographs where an outline became most better or worse, each with one line."""
    change = np.nan_to_num(scores["after"] - scores["before"])
    lines = []
    for place in np.argsort(-np.abs(change).max(axis=1))[:count]:
        organ = int(np.argmax(np.abs(change[place])))
        before, after = scores["before"][place, organ], scores["after"][place, organ]
        name = ORGANS[organ].replace("_", " ").capitalize()
        lines.append((int(place), f"{name}: Dice {before:.3f} to {after:.3f}"))
    return lines
