"""The session's open studies, and how kept ones are opened among them."""

import secrets
from functools import partial

import streamlit as st

from lung_models.correction import Correction
from lung_models.opened import OpenStudies, OpenStudy
from lung_models.radiograph import Refusal
from lung_models.records import audit
from lung_models.records.keeping import kept_file, reopened
from lung_models.records.verdicts import newest_correction
from pages.components.people import current_name
from pages.components.serving import database
from pages.components.words import plain


def session_studies() -> OpenStudies:
    """The session's studies; empty in a new session."""
    if "studies" not in st.session_state:
        st.session_state.studies = OpenStudies()
        st.session_state.uploads = 0
        st.session_state.session_name = secrets.token_hex(8)
    studies: OpenStudies = st.session_state.studies
    return studies


def open_kept(readings: list[int]) -> None:
    """Open kept readings on the Read page, as they were made; the first is shown."""
    studies = session_studies()
    try:
        opened = [opened_study(studies, number) for number in readings]
    except (Refusal, ValueError, OSError) as error:
        st.error(plain(str(error)))
        return
    studies.show(opened[0].number)
    from pages import read

    st.switch_page(st.Page(read.page, title="Read", default=True))


def on_record(number: int) -> None:
    """Record that this session looks at a kept reading; once, however often the page is drawn."""
    seen: set[int] = st.session_state.setdefault("looked_at", set())
    if number in seen:
        return
    with database().transaction() as session:
        audit.record(session, current_name(), "open", f"reading {number}")
    seen.add(number)


def opened_study(studies: OpenStudies, number: int) -> OpenStudy:
    """An open study that holds a kept reading: the one that is open already, or a new one."""
    known = next((study for study in studies.studies if study.kept == number), None)
    if known is not None:
        return known
    name, content = kept_file(database(), number)
    on_record(number)
    study = studies.add(name, content, kept=number, restore=partial(reopened, database(), number))
    if (drawn := newest_correction(database(), number)) is not None:
        by, masks = drawn
        study.correction = Correction.drawn(reopened(database(), number).radiograph, masks)
        study.own_correction = by == current_name()
    return study
