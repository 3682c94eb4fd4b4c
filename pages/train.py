"""Train: bring a labelled set in, fine-tune a version on it, see whether it became better, promote it."""

import os
import runpy
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from lung_models.access import on_this_machine
from lung_models.radiograph import Refusal
from lung_models.records.database import data_folder
from lung_models.training import jobs
from lung_models.training.tuning.request import EPOCHS, RECIPES, Request, estimated_seconds
from pages.components.jobs_panel import draw_jobs
from pages.components.labelled_report import draw_frozen, draw_report
from pages.components.people import current_person, may_name_paths
from pages.components.promoting import draw_rollback
from pages.components.serving import database, shared_reader
from pages.components.words import plain

if TYPE_CHECKING:
    from lung_models.intake.frozen import FrozenSet

PAGE_WIDTH = 1200
KINDS = {"findings": "Findings of radiographs", "organs": "Outlines of organs"}
VERDICTS = "Verdicts of the worklist"
UPLOADS = {"Files": "Drop a ZIP or many files", "Directory": "Drop a directory"}
ACCEPTED: dict[str, Any] = {"Files": True, "Directory": "directory"}  # of Streamlit's uploader
RECIPE_WORDS = {
    "quick": "Quick: the features stay, the head is fitted anew",
    "full": "Full: the layers are trained too, with augmentation and early stopping",
}
SET_HELP = (
    "Findings: one folder for each class (Cardiomegaly, Effusion, Normal ...), or images with a labels.csv; NIH's "
    "Finding Labels and CheXpert's columns are understood; blank is unknown. Organs: images/ with masks/right_lung, "
    "left_lung, heart, or with labels/ (1 right lung, 2 left lung, 3 heart). DICOM, PNG, JPEG, TIFF. At most "
    "50,000 files, 50 GB unpacked, 256 MB an upload: give a larger set by its path."
)


def page() -> None:
    """Draw the page."""
    with st.container(width=PAGE_WIDTH):
        st.title("Train")
        st.write(
            "A version is fine-tuned on labelled radiographs of your own and judged on patients that it never saw, "
            "beside its parent. It reads only when you promote it. Nothing leaves this machine; radiographs are kept "
            "without tags, patients as numbers."
        )
        from lung_models.weights import WeightStore  # imports torch: seconds, so only once the page is drawn

        draw_rollback(WeightStore())
        draw_bringing_in()
        draw_training()
        draw_jobs(database())


def sets_folder() -> Path:
    """Where labelled sets are kept."""
    return data_folder() / "sets"


def draw_bringing_in() -> None:
    """Where a set comes in, and the report on it."""
    st.header("1. Labelled set")
    kind = st.radio("It is labelled with", list(KINDS), format_func=KINDS.get, horizontal=True, key="set_kind")
    comes_as = st.radio("It comes as", [*UPLOADS, VERDICTS], horizontal=True, key="set_upload")
    if comes_as == VERDICTS:
        st.caption(
            "What readers said of kept studies: present and absent are labels; what a reader cannot tell, or two "
            "readers say differently, is left unknown. For outlines: the masks that readers corrected."
        )
        if st.button("Look at the set"):
            look_at(kind, lambda folder: verdict_set(kind, folder))
    else:
        draw_upload(kind, comes_as)
    if "examined" in st.session_state:
        draw_report(st.session_state.examined)
        draw_consent()


def draw_upload(kind: str, comes_as: str) -> None:
    """A set from files, a directory, or a path on the server."""
    files = st.file_uploader(
        UPLOADS[comes_as], accept_multiple_files=ACCEPTED[comes_as], key=f"set_{comes_as}", help=SET_HELP
    )
    path = st.text_input("or a folder or ZIP on this machine", key="set_path").strip() if may_name_paths() else ""
    complete = kind == "findings" and st.checkbox(
        "A class folder names all there is to see",
        key="set_complete",
        help="Then the other findings count as absent in its radiographs; else they are unknown there.",
    )
    if st.button("Look at the set", disabled=not (files or path)):
        look_at(
            kind,
            lambda folder: uploaded(list(files), folder) if files else on_this_machine(current_person(), path),
            complete,
        )


def verdict_set(kind: str, folder: Path) -> Path:
    """The readers' verdicts as a labelled set in a folder."""
    from lung_models.records.verdicts import write_labelled_set

    if not write_labelled_set(database(), folder / "verdicts", kind):  # type: ignore[arg-type]
        raise ValueError("No verdict is saved that this could be made of: judge kept studies on the Read page first.")
    return folder / "verdicts"


def look_at(kind: str, place: Callable[[Path], Path], complete: bool = False) -> None:
    """Examine a set with a progress bar; what cannot be understood is one line.

    Args:
        kind: What it is to teach.
        place: Puts the set into a folder that is removed afterwards, or gives where it lies.
        complete: Whether a class folder names all there is to see.
    """
    from lung_models.intake.bring_in import look

    forget_examined()
    bar = st.progress(0.0, "Examining ...")

    def told(done: int, of: int, what: str) -> None:
        bar.progress(done / max(of, 1), f"{done} of {of} {what}")

    try:
        reader = shared_reader()
        with tempfile.TemporaryDirectory(prefix="upload-", dir=data_folder()) as folder:
            st.session_state.examined = look(
                place(Path(folder)),
                kind,  # type: ignore[arg-type]
                reader.gate,
                reader.organs_card.stamp.sha256,
                sets_folder(),
                told,
                by=current_person(),
                folders_complete=complete,
            )
    except (Refusal, ValueError, OSError) as error:
        st.error(plain(str(error)))
    bar.empty()


def uploaded(files: list[Any], folder: Path) -> Path:
    """Uploads as files below a folder; one ZIP alone is that file. Names are never steps upwards."""
    paths = []
    for file in files:
        parts = [part for part in file.name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
        target = folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.getvalue())
        paths.append(target)
    return paths[0] if len(paths) == 1 and paths[0].suffix.lower() == ".zip" else folder


def draw_consent() -> None:
    """Freeze what can be used, with consent to leave the rest out."""
    from lung_models.intake.frozen import freeze

    examined = st.session_state.examined
    consent = True
    if examined.problems:
        consent = st.checkbox(f"Leave the {len(examined.problems)} files above out", key="set_consent")
    may_freeze = consent and bool(examined.pictures) and current_person().may("trainer")
    if st.button("Freeze the set", type="primary", disabled=not may_freeze):
        try:
            labelled = freeze(examined, sets_folder(), by=current_person())
        except (Refusal, ValueError, OSError) as error:
            st.error(plain(str(error)))
            return
        forget_examined()
        st.session_state.chosen_set = labelled.folder.name
        st.rerun()


def forget_examined() -> None:
    """Remove a draft that was not frozen."""
    if "examined" in st.session_state:
        shutil.rmtree(st.session_state.pop("examined").folder, ignore_errors=True)


def frozen_sets() -> dict[str, "FrozenSet"]:
    """The sets on disk, the newest first; damaged ones do not count."""
    from lung_models.intake.frozen import load

    found = {}
    paths = sorted(sets_folder().glob("*/set.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in paths:
        try:
            found[path.parent.name] = load(path.parent)
        except ValueError:
            continue
    return found


def draw_training() -> None:
    """Which set, which parent, which way, how long; and the button."""
    st.header("2. Fine-tune")
    sets = frozen_sets()
    if not sets:
        st.caption("Bring a labelled set in first.")
        return
    names = list(sets)
    chosen = st.session_state.get("chosen_set")
    name = st.selectbox(
        "Set",
        names,
        index=names.index(chosen) if chosen in names else 0,
        format_func=lambda one: (
            f"{sets[one].kind}, {len(sets[one])} radiographs, frozen {sets[one].about['frozen'][:10]}, {one[:6]}"
        ),
    )
    labelled = sets[name]
    draw_frozen(labelled)
    from lung_models.weights import WeightStore

    store = WeightStore()
    versions = [card.version for card in store.versions(labelled.kind)]
    active = store.active(labelled.kind)
    base = st.selectbox("Start from", versions, index=versions.index(active) if active in versions else 0)
    recipe = st.radio("How", RECIPES, format_func=RECIPE_WORDS.get, key="recipe")
    epochs = None
    if recipe == "full":
        epochs = int(st.number_input("At most so many passes", 1, 100, EPOCHS["full"], key="epochs"))
    request = Request(labelled.kind, recipe, base, epochs=epochs)
    counts = labelled.counts()
    learnt, others = counts["train"], counts["validation"] + counts["held_out"]
    reference = bool(os.environ.get("LUNGS_REFERENCE"))
    seconds = estimated_seconds(request, learnt, others, jobs.speed(database(), request), reference=reference)
    st.caption(f"About {duration(seconds)} on this machine, when nothing else runs.")
    may_train = current_person().may("trainer")
    if not may_train:
        st.caption("Only a trainer or an admin may train.")
    if st.button("Train", type="primary", disabled=not may_train):
        jobs.submit(database(), request, labelled.folder, store.root, by=current_person())
        jobs.ensure_worker()
        st.rerun()


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )


if __name__ == "__main__":  # a fresh Streamlit server runs this file itself when its URL is the first one asked for
    runpy.run_path(str(Path(__file__).parents[1] / "app.py"))
