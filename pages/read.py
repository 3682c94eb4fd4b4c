"""Read: open one or several radiographs and see what the models find in each. The home page."""

import runpy
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from lung_models.correction import Correction
from lung_models.decode import decode
from lung_models.opened import OpenStudies, OpenStudy, decode_study, read_study, without_score
from lung_models.preprocess import SHIFT, VIEWS
from lung_models.radiograph import Radiograph, Refusal
from lung_models.reading import Anatomy, Reading
from lung_models.samples import CHEST, LEG, Sample, sample_bytes
from pages.components.exports_panel import draw_exports
from pages.components.findings_panel import findings_panel, panel_content
from pages.components.keeping_panel import draw_keeping
from pages.components.opening import session_studies
from pages.components.pacs_panel import draw_failed, draw_pacs, draw_storing
from pages.components.people import current_name
from pages.components.picture import within_session
from pages.components.serving import reader_is_loaded, shared_reader
from pages.components.viewer import viewer, viewer_payload
from pages.components.words import plain, shortened

THUMBNAIL_WIDTH = 44
"""Of a study in the worklist, in CSS pixels."""
NO_PICTURE = np.zeros((8, 8), np.uint8)
"""In place of a thumbnail."""
NAME_LENGTH = 15
"""Characters of a file's name that the worklist shows."""
PANEL_WIDTH = 310
"""Of the findings panel, in CSS pixels; the picture takes the rest."""
AVERAGING = (
    f"Each probability becomes the mean of {VIEWS} views of the same radiograph: as it is, its mirror image, and both "
    f"with the frame moved by {SHIFT:.0%} in four directions. The panel shows the lowest and the highest of them: how "
    "much a probability depends on incidental framing. A narrow range does not make it right. Outlines, measurements "
    "and heat maps stay those of the radiograph as it is. Reading takes two to three times as long; open studies are "
    "read again."
)


def page() -> None:
    """Draw the page: the worklist at the side, the picture in the middle, the findings beside it."""
    studies = open_studies()
    study = studies.current
    forget_others(study)
    if study is not None:
        prepare(studies, study)
    with st.sidebar:
        draw_opening(studies)
        draw_pacs(studies)
        draw_failed()
        draw_averaging(studies)
        draw_worklist(studies)
    if study is None:
        st.info("No radiograph is open. Drop a file at the side, or open a sample.")
        return
    with st.container(horizontal=True, wrap=False, gap="small"):
        with st.container(width="stretch", key="picture"):
            draw_picture(study)
        with st.container(width=PANEL_WIDTH):
            draw_result(studies, study)
            draw_keeping(study, current_name())
            draw_exports(study)
            draw_storing(study)
            read_waiting(studies, study)


def open_studies() -> OpenStudies:
    """The session's studies; a new session starts on the sample."""
    new = "studies" not in st.session_state
    studies = session_studies()
    if new:
        open_sample(CHEST)
    return studies


def open_sample(sample: Sample) -> None:
    """Open a sample and show it; one that is open already is only shown."""
    studies: OpenStudies = st.session_state.studies
    known = next((study for study in studies.studies if study.sample and study.name == sample.name), None)
    try:
        study = known or studies.add(sample.name, sample_bytes(sample), sample=True)
    except Refusal as refusal:
        st.toast(plain(refusal.reason))
        return
    studies.show(study.number)


def draw_opening(studies: OpenStudies) -> None:
    """The region where files are opened."""
    st.file_uploader(
        "Open radiographs",
        accept_multiple_files=True,
        key=f"uploads_{st.session_state.uploads}",
        on_change=take_uploads,
        args=(st.session_state.uploads,),
        help="DICOM, PNG, JPEG or TIFF, one or several. The content decides, not the name. Files are held in memory "
        "for this session only and freed when you remove them.",
    )
    st.button("Open sample chest radiograph", on_click=open_sample, args=(CHEST,), width="stretch")
    st.button("Sample that is refused: a leg", on_click=open_sample, args=(LEG,), width="stretch")


def take_uploads(uploader: int) -> None:
    """Move uploaded files to the worklist and empty the uploader, so that the worklist alone holds them.

    An uploader is emptied once: one whose files were taken calls again when its page is drawn anew before the browser
    has seen that it is gone.
    """
    if uploader != st.session_state.uploads:
        return
    files = st.session_state[f"uploads_{uploader}"]
    added = [st.session_state.studies.add(file.name, file.getvalue()) for file in files]
    if added:
        st.session_state.studies.show(added[0].number)
    st.session_state.uploads += 1  # a new key is a new, empty uploader
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        for file in files:  # else Streamlit holds the bytes until the session ends
            context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)


def draw_averaging(studies: OpenStudies) -> None:
    """How studies are read: once, or averaged over small changes."""
    st.session_state.averaged = studies.averaged  # Streamlit forgets a switch while another page is shown
    st.toggle("Average over small changes", key="averaged", on_change=change_averaging, help=AVERAGING)


def change_averaging() -> None:
    """Have every study read the way that was just chosen: the one shown first."""
    st.session_state.studies.averaged = st.session_state.averaged


def draw_worklist(studies: OpenStudies) -> None:
    """The open studies to step through, each with its outcome."""
    if not studies.studies or studies.current is None:
        return
    place = studies.studies.index(studies.current)
    last = len(studies.studies) - 1
    st.markdown(f"**Worklist**, {place + 1} of {last + 1} (PgUp, PgDn)")
    with st.container(horizontal=True, wrap=False, gap="xsmall"):
        st.button(
            "Previous", on_click=studies.step, args=(-1,), shortcut="pageup", disabled=place == 0, width="stretch"
        )
        st.button(
            "Next", on_click=studies.step, args=(1,), shortcut="pagedown", disabled=place == last, width="stretch"
        )
    for study in studies.studies:
        draw_worklist_row(studies, study)


def draw_worklist_row(studies: OpenStudies, study: OpenStudy) -> None:
    """One study of the worklist: its thumbnail, its name to show it by, its outcome, and a button that closes it."""
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="xsmall"):
        st.image(
            within_session(NO_PICTURE if study.thumbnail is None else study.thumbnail), width=THUMBNAIL_WIDTH, alt=""
        )
        with st.container(gap=None, width="stretch"):
            st.button(
                plain(shortened(study.name, NAME_LENGTH)),
                key=f"show_{study.number}",
                type="primary" if study is studies.current else "secondary",
                on_click=studies.show,
                args=(study.number,),
                width="stretch",
            )
            st.caption(plain(outcome_line(study)))
        st.button(
            f"Remove {plain(study.name)}",  # the cross alone is drawn, see notice.css
            icon=":material/close:",
            key=f"remove_{study.number}",
            type="tertiary",
            on_click=studies.remove,
            args=(study.number,),
        )


def outcome_line(study: OpenStudy) -> str:
    """One short line for the worklist."""
    if study.state == "read":
        return study.outcome
    return {"waiting": "Waiting", "refused": "Refused", "unreadable": "Cannot be opened"}[study.state]


def draw_picture(study: OpenStudy) -> None:
    """The radiograph, with whatever is known of it so far."""
    radiograph = study.radiograph
    if radiograph is None:
        st.error(plain(study.outcome))
        return
    viewer(payload_of(study, radiograph), key="viewer", on_corrected=take_correction)


def take_correction(drawn: dict[str, Any]) -> None:
    """Keep what was drawn beside the reading of the study that is shown, or drop it."""
    study = open_studies().current
    if study is None or study.radiograph is None or drawn.get("study") != browser_name(study):
        return
    try:
        masks = drawn.get("masks")
        study.correction = None if masks is None else Correction.drawn(study.radiograph, b64decode(masks))
        study.own_correction = True
    except (ValueError, TypeError) as error:
        st.toast(plain(str(error)))


def as_shown(study: OpenStudy) -> Reading | None:
    """The reading with the outlines that are shown: corrected ones where the reader corrected them."""
    if study.reading is None or study.correction is None:
        return study.reading
    return replace(study.reading, anatomy=study.correction.anatomy)


def payload_of(study: OpenStudy, radiograph: Radiograph) -> bytes:
    """The viewer's bytes, made once for each study and result: a rerun sends the very same."""
    reading = study.reading
    made_from = (study.number, reading, study.correction)
    *known, payload = st.session_state.get("payload", (None, None, None, b""))
    if any(one is not other for one, other in zip(known, made_from, strict=True)):
        payload = viewer_payload(as_shown(study) or without_score(radiograph, ""), study=browser_name(study))
        st.session_state.payload = (*made_from, payload)
    return payload


def forget_others(study: OpenStudy | None) -> None:
    """Free the viewer's bytes of a study that is no longer shown, so that a removed one leaves nothing behind."""
    if "payload" in st.session_state and (study is None or st.session_state.payload[0] != study.number):
        del st.session_state.payload


def draw_result(studies: OpenStudies, study: OpenStudy) -> None:
    """What was found, or the one line that says why nothing is said."""
    reading = study.reading
    if reading is None:
        return
    if not reading.accepted:
        st.warning(f"Not read. {plain(reading.reason or '')}")
    if study.may_retry:
        st.button("Try again", on_click=studies.retry, help="Every open study that could not be read is tried again.")
    corrections = () if study.correction is None or reading.anatomy is None else (correction_note(reading.anatomy),)
    content = panel_content(as_shown(study) or reading, study=browser_name(study), corrections=corrections)
    findings_panel(content, key="findings")


def correction_note(machine: Anatomy) -> str:
    """What correcting the outlines changes and what not."""
    ratio = machine.cardiothoracic_ratio
    was = "not measurable" if ratio is None else f"{ratio:.2f}"
    return (
        f"Outlines; measurements follow them. The machine's ratio was {was}. Probabilities stay "
        "those of the machine's outlines."
    )


def browser_name(study: OpenStudy) -> str:
    """What the browser remembers a study by: of this session only, even when a page outlives a server."""
    return f"{st.session_state.session_name} {study.number}"


def prepare(studies: OpenStudies, study: OpenStudy) -> None:
    """Bring a study as far as can be done at once: decoded, and read too when the models are loaded."""
    decode_study(study, decode)
    if is_missing(studies, study) and reader_is_loaded():
        read_study(study, decode, read, studies.averaged)


def is_missing(studies: OpenStudies, study: OpenStudy) -> bool:
    """Whether a study that can be read has no reading to show, or one made the other way than is asked for."""
    return study.radiograph is not None and (study.reading is None or studies.is_due(study))


def read_waiting(studies: OpenStudies, shown: OpenStudy) -> None:
    """Load the models if need be and read the next waiting study, then draw again with what is new."""
    waiting = shown if is_missing(studies, shown) else studies.waiting()
    if waiting is None:
        return
    with st.spinner("Reading ..." if reader_is_loaded() else "Loading the models: once, a few seconds ..."):
        read_study(waiting, decode, read, studies.averaged)
    studies.release()
    st.rerun()


def read(radiograph: Radiograph, decode_milliseconds: float, averaged: bool) -> Reading:
    """Read with the shared reader; no weights is a refusal like any other."""
    return shared_reader().read(radiograph, decode_milliseconds, averaged=averaged)


if __name__ == "__main__":  # a fresh Streamlit server runs this file itself when its URL is the first one asked for
    runpy.run_path(str(Path(__file__).parents[1] / "app.py"))
