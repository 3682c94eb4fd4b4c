"""Batch: many files or a ZIP read one after the other, with results as they come."""

import io
import runpy
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from lung_models.access import on_this_machine
from lung_models.batch import Batch, flat
from lung_models.findings import BY_KEY, FINDINGS
from lung_models.inputs import Source
from lung_models.radiograph import Refusal
from lung_models.records.database import data_folder, sweep_uploads
from lung_models.records.keeping import keep
from pages.components.before_after import AFTER, CLEAR
from pages.components.download import download_button
from pages.components.people import current_name, current_person, may_name_paths
from pages.components.serving import database, shared_reader
from pages.components.words import plain

REFRESH = "1s"
PARQUET = "application/vnd.apache.parquet"
NAMES = {finding.key: finding.name for finding in FINDINGS}
BINS = 20  # of a histogram
FILES_HELP = "DICOM, PNG, JPEG, TIFF, and ZIPs of them; at most 256 MB an upload. Give more by its path."


def page() -> None:
    """Draw the page."""
    st.title("Batch")
    run: Batch | None = st.session_state.get("batch")
    if run is None:
        draw_start()
        return
    if run.state in ("running", "paused"):
        watch(run)
    else:
        draw_progress(run)
        draw_results(run)


def draw_start() -> None:
    """What is to be read, and the button."""
    st.write("Read many radiographs in one go. One that cannot be read never stops the rest.")
    files = st.file_uploader("Drop files or a ZIP", accept_multiple_files=True, key="batch_files", help=FILES_HELP)
    path = st.text_input("or a file, folder or ZIP on this machine", key="batch_path") if may_name_paths() else ""
    kept = st.checkbox(
        "Send each to the worklist",
        key="batch_keep",
        help="Kept without identity (DICOM PS3.15 basic profile). Text that is burned into a picture stays in it: look "
        "at a few first. It can be done afterwards too.",
    )
    if st.button("Read", type="primary", disabled=not (files or path.strip())):
        start(list(files or []), path.strip(), kept)


def start(files: list[Any], path: str, kept: bool) -> None:
    """Begin, or say in one line why not."""
    try:
        paths = uploaded(files) if files else [on_this_machine(current_person(), path)]
        if not all(one.exists() for one in paths):
            raise ValueError(f"{path} is not there: give the path of a file, a folder or a ZIP on this machine.")
        with st.spinner("Loading the models ..."):
            reader = shared_reader()
        st.session_state.batch = begin(paths, reader, kept)
    except (Refusal, OSError, ValueError) as error:
        st.error(plain(str(error)))
        return
    st.rerun()


def begin(paths: list[Path], reader: Any, kept: bool) -> Batch:
    """A batch under way; what it keeps, it keeps under this session's name."""
    keeper = partial(keep_one, by=current_name()) if kept else None
    return Batch(paths, reader, keep=keeper, name=label).start()


def keep_one(data: bytes, reading: Any, by: str) -> int:
    """Keep a reading; returns its number."""
    return keep(database(), data, reading, by).reading


def label(source: Source) -> str:
    """What a file is called in the table: not where it lay on the server."""
    parts = Path(source.path).parts
    place = next((i for i, part in enumerate(parts) if part.startswith("batch-")), None)
    return source.path if place is None else "/".join(parts[place + 1 :])


def uploaded(files: list[Any]) -> list[Path]:
    """Uploads as files of a folder that is removed with the batch."""
    sweep_uploads()
    folder = Path(tempfile.mkdtemp(prefix="batch-", dir=data_folder()))
    st.session_state.batch_folder = folder
    for number, file in enumerate(files):
        name = Path(file.name.replace("\\", "/")).name or f"file {number + 1}"
        target = folder / name
        if target.exists():
            target = folder / f"{number + 1}-{name}"
        target.write_bytes(file.getvalue())
    return sorted(folder.iterdir())


@st.fragment(run_every=REFRESH)
def watch(run: Batch) -> None:
    """The batch under way; the page is drawn again when it ends."""
    if run.state not in ("running", "paused"):
        st.rerun()
    draw_progress(run)
    with st.container(horizontal=True, gap="small"):
        if run.state == "running":
            st.button("Pause", on_click=run.pause)
        else:
            st.button("Go on", on_click=run.go_on, type="primary")
        st.button("Cancel", on_click=run.cancel)
    draw_table(run)


def draw_progress(run: Batch) -> None:
    """How far it is."""
    done = len(run.lines)
    refused = sum(not line["accepted"] for line in run.lines)
    words = {"running": "Reading", "paused": "Paused", "cancelled": "Cancelled", "finished": "Finished"}[run.state]
    st.progress(done / max(run.total, 1), f"{words}: {done:,} of {run.total:,}, {refused:,} without a score")


def draw_results(run: Batch) -> None:
    """Everything there is to do with the results."""
    frame = pd.DataFrame([flat(line) for line in run.lines])
    with st.container(horizontal=True, gap="small"):
        if st.button("New batch"):
            forget()
            st.rerun()
        if not frame.empty:
            download_button("CSV", "readings.csv", "text/csv", partial(comma_separated, frame), key="batch_csv")
            download_button("Parquet", "readings.parquet", PARQUET, partial(parquet, frame), key="batch_parquet")
        if not any("reading" in line for line in run.lines) and st.button(
            "Send to worklist", help="Reads them once more and keeps each without identity."
        ):
            send(run)
    if frame.empty:
        st.caption("Nothing was read.")
        return
    not_kept = [line["not_kept"] for line in run.lines if "not_kept" in line]
    if not_kept:
        st.error(f"{len(not_kept)} were read but not kept. {plain(not_kept[0])}")
    st.caption("File names may name patients: mind to whom the table goes.")
    draw_table(run)
    draw_histograms(run)


def send(run: Batch) -> None:
    """Read and keep every file of a batch, or say in one line why not."""
    try:
        st.session_state.batch = begin(run.paths, shared_reader(), True)
    except (Refusal, ValueError, OSError) as error:
        st.error(plain(str(error)))
        return
    st.rerun()


def comma_separated(frame: pd.DataFrame) -> bytes:
    """The table as CSV."""
    return bytes(frame.to_csv(index=False).encode())


def parquet(frame: pd.DataFrame) -> bytes:
    """The table as Parquet."""
    stream = io.BytesIO()
    frame.to_parquet(stream, index=False)
    return stream.getvalue()


def draw_table(run: Batch) -> None:
    """The results so far, the newest last."""
    rows = [row(line) for line in list(run.lines)]
    columns: dict[str, Any] = {
        finding.name: st.column_config.ProgressColumn(
            finding.name, format="%.0f %%", min_value=0.0, max_value=100.0, help=finding.meaning
        )
        for finding in FINDINGS
    }
    columns["Ratio"] = st.column_config.NumberColumn("Ratio", format="%.2f", help="Cardiothoracic ratio, no unit.")
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", height=420, column_config=columns, key="batch")


def row(line: dict[str, Any]) -> dict[str, Any]:
    """One line as the table shows it."""
    findings, anatomy = line["findings"] or {}, line["anatomy"] or {}
    present = [BY_KEY[key].name for key, one in findings.items() if one["call"] == "present"]
    return {
        "File": line["path"],
        "Called": (", ".join(present) or "None present") if line["accepted"] else f"No score: {line['reason']}",
        **{name: 100.0 * findings[key]["probability"] for key, name in NAMES.items() if key in findings},
        "Ratio": anatomy.get("cardiothoracic_ratio"),
        "Reading": str(line.get("reading", "not kept")),
    }


def draw_histograms(run: Batch) -> None:
    """How the probabilities of each finding are spread, with the operating point."""
    read = [line for line in run.lines if line["accepted"]]
    if not read:
        return
    st.subheader("Probabilities")
    for start_at in (0, 3):
        for finding, place in zip(FINDINGS[start_at : start_at + 3], st.columns(3), strict=True):
            values = [line["findings"][finding.key]["probability"] for line in read]
            figure = go.Figure(
                go.Histogram(x=values, xbins={"start": 0, "end": 1, "size": 1 / BINS}, marker={"color": AFTER})
            )
            figure.add_vline(x=read[0]["findings"][finding.key]["threshold"], line={"color": "#e0b34a", "dash": "dot"})
            figure.update_layout(
                height=210,
                margin={"l": 40, "r": 10, "t": 30, "b": 30},
                template="plotly_dark",
                title=finding.name,
                **CLEAR,
            )
            figure.update_xaxes(range=[0, 1], tickformat=".0%")
            place.plotly_chart(figure, theme=None, key=f"histogram_{finding.key}")
    st.caption(f"n = {len(read):,}. Dotted: the operating point.")


def forget() -> None:
    """Remove the batch and what was uploaded for it."""
    del st.session_state.batch
    folder: Path | None = st.session_state.pop("batch_folder", None)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":  # a fresh Streamlit server runs this file itself when its URL is the first one asked for
    runpy.run_path(str(Path(__file__).parents[1] / "app.py"))
