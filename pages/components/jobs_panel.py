"""The jobs, as every session sees them: progress, curves, cancel and resume, and what came out."""

from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import cv2
import numpy as np
import plotly.graph_objects as go
import streamlit as st

from lung_models.records.database import Database
from lung_models.training import jobs
from lung_models.training.jobs import MAY_RESUME, Job
from pages.components.before_after import (
    AFTER,
    BEFORE,
    CLEAR,
    draw_curves,
    draw_figures,
    in_one_line,
    most_changed_outlines,
    most_disagreed,
)
from pages.components.people import current_person
from pages.components.picture import within_session
from pages.components.promoting import draw_promotion
from pages.components.words import plain

if TYPE_CHECKING:
    from lung_models.intake.frozen import FrozenSet

REFRESH = "1s"
GALLERY = 6
GALLERY_WIDTH = 170  # CSS pixels


def draw_jobs(database: Database) -> None:
    """All jobs, the newest first; redrawn every second while one waits or runs."""
    st.header("3. Jobs")
    every = jobs.every(database)
    if not every:
        st.caption("None yet.")
        return
    active = [job for job in every if job.state in ("queued", "running")]
    if active:
        watch(database, tuple(job.number for job in active))
    for job in every:
        if job.state not in ("queued", "running"):
            draw_ended(database, job)


@st.fragment(run_every=REFRESH)
def watch(database: Database, numbers: tuple[int, ...]) -> None:
    """The jobs under way; the page is drawn again when one of them ends or another comes."""
    every = jobs.every(database)
    active = [job for job in every if job.state in ("queued", "running")]
    if tuple(job.number for job in active) != numbers:
        st.rerun()
    if not any(job.state == "running" for job in active):
        look_after_queue()
    for job in reversed(active):
        with st.container(border=True):
            draw_active(database, job)


def look_after_queue() -> None:
    """See to it that a worker is there, once for each session and queue; it ends by itself when nothing waits."""
    if not st.session_state.get("worker_asked"):
        st.session_state.worker_asked = True
        jobs.ensure_worker()


def draw_active(database: Database, job: Job) -> None:
    """One job that waits or runs."""
    st.write(f"**{heading(job)}**")
    progress = job.progress
    if job.state == "queued":
        st.caption("Waiting for its turn.")
    elif progress:
        st.progress(min(1.0, progress["done"] / max(progress["of"], 1)), plain(progress_line(database, job)))
    else:
        st.caption("Starting ...")
    draw_loss(database, job)
    label = "Cancelling at the next batch ..." if job.cancelling else "Cancel"
    if st.button(label, key=f"cancel_{job.number}", disabled=job.cancelling or not current_person().may("trainer")):
        jobs.cancel(database, job.number, by=current_person())
        st.rerun(scope="fragment")


def progress_line(database: Database, job: Job) -> str:
    """How far it is, how fast, how long still, and how much memory it takes."""
    progress, line = job.progress, f"{job.progress['done']} of {job.progress['of']} {job.progress['what']}"
    points = jobs.curve(database, job.number)
    if "epoch" not in progress or not points:
        return line
    epochs = job.request.epochs or 12
    done = progress["epoch"] - 1 + progress["done"] / max(progress["of"], 1)
    if job.started is not None and done > 0 and job.ended is None:
        spent = (jobs.now() - job.started).total_seconds()
        line += f", at most {spent / done * (epochs - done):.0f} s left"
    return f"{line}, {points[-1].images_per_second:.0f} images/s, {points[-1].memory_megabytes:.0f} MB of memory"


def draw_loss(database: Database, job: Job) -> None:
    """Loss and validation over the epochs."""
    points = jobs.curve(database, job.number)
    if not points:
        return
    figure = go.Figure()
    for name, colour in (("loss", BEFORE), ("validation", AFTER)):
        shown = [(point.epoch, getattr(point, name)) for point in points if getattr(point, name) is not None]
        x, y = [one for one, _ in shown], [one for _, one in shown]
        figure.add_scatter(x=x, y=y, name=name, mode="lines+markers", line={"color": colour})
    figure.update_layout(height=240, margin={"l": 50, "r": 10, "t": 10, "b": 40}, template="plotly_dark", **CLEAR)
    figure.update_xaxes(title="Epochs")
    st.plotly_chart(figure, theme=None, key=f"loss_{job.number}")


def draw_ended(database: Database, job: Job) -> None:
    """One job that ended, and what came of it."""
    with st.expander(heading(job), expanded=job.number == max(one.number for one in jobs.every(database))):
        if job.message:
            st.warning(plain(job.message))
        draw_loss(database, job)
        may_not = not current_person().may("trainer")
        if job.state in MAY_RESUME and st.button("Resume", key=f"resume_{job.number}", disabled=may_not):
            jobs.resume(database, job.number, by=current_person())
            jobs.ensure_worker()
            st.rerun()
        if job.result is not None:
            draw_result(job)


def draw_result(job: Job) -> None:
    """Before and after, the cases in dispute, and the promotion."""
    from lung_models.weights import WeightStore

    result = job.result or {}
    st.write(f"**{plain(result['version'])}**, from {plain(result['parent'])}, in {result['seconds']:.0f} s.")
    st.info(plain(in_one_line(result)))
    draw_figures(result, result["forgetting"])
    if predictions := stored(job.workspace / "predictions.npz"):
        draw_curves(predictions, key=str(job.number))
        draw_gallery(job, predictions["rows"], most_disagreed(predictions, GALLERY))
    if scores := stored(job.workspace / "outlines.npz"):
        draw_gallery(job, scores["rows"], most_changed_outlines(scores, GALLERY))
    store = WeightStore(job.store)
    if store.active(job.request.network) == result["version"]:
        st.success("It reads now.")
    else:
        draw_promotion(store, job.request.network, result["version"])


def stored(path: Path) -> dict[str, np.ndarray]:
    """What a job kept of the held-out radiographs; empty when it kept nothing there."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, BadZipFile):  # not there, or cut off
        return {}


def draw_gallery(job: Job, rows: np.ndarray, disagreed: list[tuple[int, str]]) -> None:
    """The held-out radiographs where old and new disagree most; each opens in the viewer.

    Args:
        job: Whose result it is.
        rows: Of the held-out radiographs in the set.
        disagreed: Places in ``rows``, each with one line.
    """
    from lung_models.intake.frozen import load

    try:
        labelled = load(job.labelled_set)
    except ValueError:
        st.caption("The labelled set is no longer on this machine, so its radiographs cannot be shown.")
        return
    st.write("**Where old and new disagree most**")
    with st.container(horizontal=True):
        for place, line in disagreed:
            row = int(rows[place])
            with st.container(width=GALLERY_WIDTH):
                picture = cv2.imread(str(labelled.picture(row)), cv2.IMREAD_REDUCED_GRAYSCALE_4)
                if picture is not None:
                    st.image(within_session(picture), width=GALLERY_WIDTH)
                st.caption(line)
                if st.button("Open in the viewer", key=f"open_{job.number}_{row}"):
                    open_in_viewer(labelled, row)


def open_in_viewer(labelled: "FrozenSet", row: int) -> None:
    """Show a kept radiograph on the Read page."""
    from pages import read

    studies = read.open_studies()
    study = studies.add(f"Radiograph {row + 1} of the set", labelled.picture(row).read_bytes())
    studies.show(study.number)
    st.switch_page(st.Page(read.page, title="Read", default=True))


def heading(job: Job) -> str:
    """What a job is, in one line."""
    request = job.request
    parent = plain(request.base or "the active version")
    return f"Job {job.number}: {request.network}, {request.recipe}, from {parent}: {job.state}{when(job)}"


def when(job: Job) -> str:
    """When it ended, as people say it."""
    return "" if job.ended is None else f", {job.ended:%Y-%m-%d %H:%M} UTC"
