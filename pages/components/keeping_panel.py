"""Keeping the study that is shown, and the reader's verdict on it."""

from functools import partial

import streamlit as st

from lung_models.findings import BY_KEY
from lung_models.opened import OpenStudy
from lung_models.reading import FindingReading
from lung_models.records import verdicts, worklist
from lung_models.records.burned_in import WORDS
from lung_models.records.keeping import keep, names_patient, patients, reopened, suspected_text
from lung_models.records.verdicts import Says
from pages.components.opening import session_studies
from pages.components.serving import database
from pages.components.words import plain

ANEW = "A new patient"
AGREE: dict[str, dict[Says, str]] = {
    "present": {"present": "Agree", "absent": "Disagree", "cannot tell": "Cannot tell"},
    "absent": {"absent": "Agree", "present": "Disagree", "cannot tell": "Cannot tell"},
    "uncertain": {"present": "Present", "absent": "Absent", "cannot tell": "Cannot tell"},
}
"""What a reader may say of each call."""


def draw_keeping(study: OpenStudy, by: str) -> None:
    """Keep the study shown, or judge it when it is kept."""
    if study.reading is None:
        return
    if study.kept is None:
        with st.expander("Keep this study"):
            draw_choice(study, by)
        return
    entry = worklist.entry(database(), study.kept)
    st.caption(f"Kept without identity: {plain(entry.patient)}, reading {study.kept}.")
    if study.reading.accepted:
        with st.expander("Verdict", expanded=False):
            draw_verdict(study, by)


def draw_choice(study: OpenStudy, by: str) -> None:
    """What will be kept, a warning of burned-in text, whose it is, and the button."""
    if study.reading is None:
        return
    st.caption(
        "Nothing is kept until you choose it. The picture is kept on this server without the patient's identity "
        "(DICOM PS3.15 basic profile), the patient under a pseudonym; the study date is kept in the database."
    )
    st.caption(f"**{text_note(study)}**")
    if not names_patient(study.data):
        st.selectbox(
            "The file names no patient; it is of", [ANEW, *patients(database())], key=f"keep_patient_{study.number}"
        )
    if failed := st.session_state.pop(f"keep_failed_{study.number}", ""):
        st.error(f"Not kept; the study is still open. {plain(failed)}")
    st.button(
        "Keep",
        key=f"keep_{study.number}",
        type="primary",
        width="stretch",
        on_click=keep_study,
        args=(study.number, by),  # not the study: Streamlit would hold it when it is closed
    )


def keep_study(number: int, by: str) -> None:
    """Keep a study: the one whose button was pressed, even when the page has moved on to another."""
    study = next((one for one in session_studies().studies if one.number == number), None)
    if study is None or study.reading is None or study.kept is not None:
        return
    known = st.session_state.get(f"keep_patient_{study.number}", ANEW)
    patient = None if known == ANEW else known
    try:
        kept = keep(database(), study.data, study.reading, by, patient=patient, endpoint=study.endpoint)
    except (ValueError, OSError) as error:
        st.session_state[f"keep_failed_{study.number}"] = str(error)
        return
    study.kept = kept.reading
    study.restore = partial(reopened, database(), kept.reading)


def text_note(study: OpenStudy) -> str:
    """Whether text may be burned into the picture; looked for once for each study."""
    notes: dict[int, str] = st.session_state.setdefault("text_notes", {})
    if study.number not in notes and study.radiograph is not None:
        notes[study.number] = WORDS[suspected_text(study.data, study.radiograph)]
    return notes.get(study.number, "")


def draw_verdict(study: OpenStudy, by: str) -> None:
    """What this reader says of each finding, a note, and what others said."""
    if study.reading is None or study.kept is None:
        return
    given = verdicts.of_reading(database(), study.kept)
    mine = next((one for one in given if one.by == by), None)
    if st.button("Agree with every call", key=f"agree_{study.kept}", width="stretch"):
        for one in study.reading.findings:
            if one.call != "uncertain":
                st.session_state[says_key(study, one)] = one.call
    with st.form(f"verdict_{study.kept}", border=False):
        said = {one.key: draw_opinion(study, one, mine) for one in study.reading.findings}
        if study.correction is not None:
            own = "The corrected outlines are saved with it."
            st.caption(own if study.own_correction else "The outlines were corrected by another reader.")
        note = st.text_area("Note", mine.note if mine else "", max_chars=verdicts.NOTE_LENGTH, height=80)
        if st.form_submit_button("Save verdict", type="primary", width="stretch"):
            save(study, by, {key: one for key, one in said.items() if one is not None}, note)
    for verdict in given:
        differing = [BY_KEY[key].name for key, says in verdict.says.items() if contradicts(study, key, says)]
        words = f"not {', '.join(differing)}" if differing else "no disagreement"
        st.caption(plain(f"{verdict.by}, {verdict.at:%Y-%m-%d %H:%M} UTC: {words}. {verdict.note}"))


def draw_opinion(study: OpenStudy, one: FindingReading, mine: verdicts.Verdict | None) -> Says | None:
    """What this reader says of one finding."""
    words = AGREE[one.call]
    key = says_key(study, one)
    if key not in st.session_state and mine is not None:
        st.session_state[key] = mine.says.get(one.key)
    says: Says | None = st.segmented_control(
        f"{BY_KEY[one.key].name}: {one.call}", list(words), format_func=lambda says: words[says], key=key
    )
    return says


def says_key(study: OpenStudy, one: FindingReading) -> str:
    """Where the page remembers what is said of a finding."""
    return f"says_{study.kept}_{one.key}"


def contradicts(study: OpenStudy, key: str, says: str) -> bool:
    """Whether a reader contradicts the machine."""
    return study.reading is not None and verdicts.agrees(says, study.reading.finding(key).call) is False


def save(study: OpenStudy, by: str, said: dict[str, Says], note: str) -> None:
    """Save the verdict, or say in one line why not."""
    try:
        drawn = study.correction if study.own_correction else None
        verdicts.give(
            database(),
            study.kept or 0,
            by,
            said,
            note=note,
            correction=None if drawn is None else drawn.masks,
            corrected_ratio=None if drawn is None else drawn.anatomy.cardiothoracic_ratio,
        )
    except (ValueError, OSError) as error:
        st.error(f"Not saved. {plain(str(error))}")
        return
    st.rerun()
