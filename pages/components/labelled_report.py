"""What was found in a labelled set: how it was understood, counts, previews, and every problem with its file."""

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pandas as pd
import streamlit as st

from lung_models.findings import FINDINGS
from pages.components.picture import within_session
from pages.components.words import plain, shortened

if TYPE_CHECKING:
    from lung_models.intake.examine import Examined
    from lung_models.intake.frozen import FrozenSet

PREVIEWS = 8
PREVIEW_WIDTH = 120  # CSS pixels
PARTS = {"train": "to learn from", "validation": "to calibrate on", "held_out": "held out"}


def draw_report(examined: "Examined") -> None:
    """Everything that is known before the set is frozen."""
    st.subheader("What was found")
    st.write(f"{plain(examined.listing.layout)}. {len(examined.pictures)} radiographs can be used.")
    rows = [{"In the set": plain(one), "Understood as": plain(other)} for one, other in examined.listing.mapping]
    st.table(pd.DataFrame(rows), hide_index=True)
    if examined.listing.kind == "findings" and examined.pictures:
        labels = np.stack([one.entry.labels for one in examined.pictures if one.entry.labels is not None])
        draw_counts({"radiographs": labels})
    draw_previews(examined)
    if examined.problems:
        st.write(f"**{len(examined.problems)} files cannot be used**")
        problems = [{"File": plain(one.file), "Why": plain(one.problem)} for one in examined.problems]
        st.dataframe(pd.DataFrame(problems), hide_index=True, width="stretch")


def draw_previews(examined: "Examined") -> None:
    """A few of the radiographs, as they will be learnt from."""
    shown = examined.pictures[:: max(1, len(examined.pictures) // PREVIEWS)][:PREVIEWS]
    with st.container(horizontal=True):
        for one in shown:
            stored = cv2.imread(str(examined.folder / "images" / f"{one.digest}.png"), cv2.IMREAD_UNCHANGED)
            if stored is not None:
                small = cv2.resize(stored, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
                name = one.entry.file.rsplit("/", 1)[-1]
                st.image(
                    within_session((small // 257).astype(np.uint8)), plain(shortened(name, 18)), width=PREVIEW_WIDTH
                )


def draw_frozen(labelled: "FrozenSet") -> None:
    """A frozen set: counts in each part, and what too few means."""
    if labelled.kind == "findings":
        draw_counts({PARTS[part]: labelled.labels[labelled.rows(part)] for part in PARTS})
    else:
        st.write(", ".join(f"{count} {PARTS.get(part, 'left out')}" for part, count in labelled.counts().items()))
    st.caption(plain(labelled.about["split"]))
    for warning in labelled.about["warnings"]:
        st.warning(plain(warning))


def draw_counts(groups: dict[str, np.ndarray]) -> None:
    """Radiographs with, without and unknown, for each finding."""
    rows = []
    for column, finding in enumerate(FINDINGS):
        row = {"Finding": finding.name}
        for name, labels in groups.items():
            one = labels[:, column]
            counts = (int((one == 1).sum()), int((one == 0).sum()), int(np.isnan(one).sum()))
            row[f"With / without / unknown, {name}"] = " / ".join(map(str, counts))
        rows.append(row)
    st.table(pd.DataFrame(rows), hide_index=True)
