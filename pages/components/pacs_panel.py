"""The PACS at the side of the Read page: query, open, and store results back."""

import streamlit as st

from lung_models.opened import OpenStudies, OpenStudy
from lung_models.pacs import storing
from lung_models.pacs.dicomweb import MODALITIES, FoundStudy, Pacs
from lung_models.pacs.settings import PacsError, endpoint, endpoints
from lung_models.radiograph import Refusal
from pages.components.exports_panel import export_of
from pages.components.people import current_name
from pages.components.serving import database
from pages.components.words import plain

SHOWN = 20
"""Studies of a query that are listed; a narrower query shows the rest."""


def draw_pacs(studies: OpenStudies) -> None:
    """Ask a PACS for studies and open one; nothing where no PACS is configured."""
    try:
        names = sorted(endpoints())
    except PacsError as error:
        st.caption(plain(error.reason))
        return
    if not names:
        return
    with st.expander("From the PACS"):
        with st.form("pacs_query", border=False):
            name = st.selectbox("PACS", names, key="pacs_name") if len(names) > 1 else names[0]
            patient = st.text_input("Patient ID", key="pacs_patient", help="Exactly as the PACS has it; empty for all.")
            date = st.text_input("Study date", key="pacs_date", help="YYYY-MM-DD, or FROM..TO; empty for all.")
            modalities = st.pills("Modality", MODALITIES, selection_mode="multi", key="pacs_modality")
            asked = st.form_submit_button("Query", width="stretch")
        if asked:
            query(name, patient, date, list(modalities) or list(MODALITIES))
        draw_found(studies)


def query(name: str, patient: str, date: str, modalities: list[str]) -> None:
    """Ask, and remember what was found; when that fails, what was found before stays."""
    try:
        with st.spinner("Asking ..."):
            found = Pacs(endpoint(name)).query(patient, date, modalities)
    except (Refusal, ValueError) as error:
        st.error(plain(str(error)))
        return
    st.session_state.pacs_found = (name, found)


def draw_found(studies: OpenStudies) -> None:
    """The studies that were found, each with a button that opens it."""
    if "pacs_found" not in st.session_state:
        return
    name, found = st.session_state.pacs_found
    listed: list[FoundStudy] = found[:SHOWN]
    st.caption(f"{len(found)} found" + (f", the newest {SHOWN} shown" if len(found) > SHOWN else ""))
    for one in listed:
        words = " ".join(part for part in (one.date, one.modalities, one.patient_id, one.description) if part)
        if st.button(plain(words), key=f"pacs_{one.uid}", width="stretch", help="Open in the viewer."):
            retrieve(studies, name, one)


def retrieve(studies: OpenStudies, name: str, one: FoundStudy) -> None:
    """Open the radiographs of a study; those that came before something broke are opened too."""
    opened: list[OpenStudy] = []
    failed = ""
    progress = st.progress(0.0, "Retrieving ...")
    try:
        for content in Pacs(endpoint(name)).retrieve(one.uid):
            study = studies.add(f"{one.date or 'No date'} {len(opened) + 1}", content)
            study.endpoint = name
            opened.append(study)
            progress.progress(min(1.0, len(opened) / max(one.instances, len(opened))), f"{len(opened)} retrieved")
    except (Refusal, ValueError) as error:
        failed = plain(str(error))
    progress.empty()
    if failed:
        st.session_state.pacs_failed = failed
    if opened:
        studies.show(opened[0].number)
    st.rerun()


def draw_failed() -> None:
    """Why the last retrieval broke off, once."""
    if failed := st.session_state.pop("pacs_failed", ""):
        st.error(failed)


def draw_storing(study: OpenStudy) -> None:
    """Store results back, where the study came from a PACS and has a score."""
    if study.reading is None or not study.reading.accepted:
        return
    if study.endpoint is not None:
        source: storing.Source | None = storing.of_file(study.endpoint, study.data)
    else:
        source = None if study.kept is None else storing.of_reading(database(), study.kept)
    if source is None:
        return
    meaning = "SEG, SR and Secondary Capture, beside the radiograph and under the patient's identity there."
    label, key = f"Store results in {plain(source.endpoint)}", f"pacs_store_{study.number}"
    if st.button(label, key=key, width="stretch", help=meaning):
        try:
            with st.spinner("Storing ..."):
                count = storing.store_results(source, export_of(study), by=current_name(), database=database())
        except (Refusal, ValueError, OSError) as error:
            st.error(f"Not stored; the study is still there. {plain(str(error))}")
            return
        st.success(f"{count} objects stored in {plain(source.endpoint)}.")
