"""Exports of the study that is shown: each is made when its button is pressed."""

from functools import partial

import streamlit as st

from lung_models.exports.export import KINDS, Export, as_shown, of_kept, of_open, render_on_record
from lung_models.opened import OpenStudy
from lung_models.radiograph import Refusal
from pages.components.download import download_button
from pages.components.people import current_name
from pages.components.serving import database

BUTTONS = {
    "pdf": ("PDF report", "One page: picture with outlines, findings, measurements, verdicts, versions."),
    "png": ("PNG picture", "The picture with outlines, calls and notice drawn in."),
    "json": ("JSON", "The reading as the command line prints it."),
    "csv": ("CSV", "The reading as one row of a table."),
    "seg": ("DICOM SEG", "Right lung, left lung and heart as a DICOM Segmentation."),
    "sr": (
        "DICOM SR",
        "Probabilities, calls, ratio and areas as a Structured Report (TID 1500), referring to the SEG.",
    ),
    "sc": ("DICOM SC", "The picture with everything drawn in, for viewers that show neither SEG nor SR."),
}


def draw_exports(study: OpenStudy) -> None:
    """One button for each kind; nothing where there is no score."""
    if study.reading is None or not study.reading.accepted:
        return
    with st.expander("Export"):
        st.caption("Without the patient's identity. Text that is burned into the picture stays in PDF, PNG and SC.")
        with st.container(horizontal=True, gap="small"):
            for kind, (label, meaning) in BUTTONS.items():
                name, media = KINDS[kind]
                make = partial(rendered, study, kind)
                download_button(label, name, media, make, key=f"export_{study.number}_{kind}", help=meaning)


def rendered(study: OpenStudy, kind: str) -> bytes:
    """The bytes of one kind."""
    return render_on_record(database(), export_of(study), kind, current_name(), study.kept)


def export_of(study: OpenStudy) -> Export:
    """What there is to export of an open study, kept or not."""
    if study.reading is None:
        raise Refusal("The study is not read yet: wait until it is.")
    outlines = None if study.correction is None else study.correction.anatomy
    if study.kept is not None:
        return as_shown(of_kept(database(), study.kept), study.reading, outlines)
    return of_open(study.data, study.reading, outlines)
