"""From a folder or an archive to a frozen set, in one call or in two with the user's consent between them."""

import secrets
import shutil
from pathlib import Path

from lung_models.access import Person, require
from lung_models.gate import Gate
from lung_models.intake.archive import SetFiles
from lung_models.intake.examine import Examined, Progress, examine
from lung_models.intake.frozen import FrozenSet, freeze
from lung_models.intake.layouts import recognise
from lung_models.intake.listing import Kind


def look(
    path: Path,
    kind: Kind,
    gate: Gate,
    organs_sha256: str,
    root: Path,
    progress: Progress,
    *,
    by: Person,
    folders_complete: bool = False,
) -> Examined:
    """Everything that is to be known of a set before it is used.

    Args:
        path: A folder or a ZIP archive.
        kind: What it is to teach.
        gate: Judges its radiographs as it does when reading.
        organs_sha256: Of the gate's organ model.
        root: Folder of sets; usable pictures are kept in a new folder in it, to be frozen or removed.
        progress: Told of the files done.
        by: Who brings it in: a trainer.
        folders_complete: Whether a class folder names all there is to see.

    Raises:
        Forbidden: when they may not.
        ValueError: when nothing in it is understood.
    """
    require(by, "trainer")
    files = SetFiles(path)
    listing = recognise(files.names, files.text, kind, folders_complete=folders_complete)
    folder = root / f"draft-{secrets.token_hex(8)}"
    folder.mkdir(parents=True, mode=0o700)
    try:
        return examine(files, listing, gate, organs_sha256, folder, progress)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def bring_in(
    path: Path,
    kind: Kind,
    gate: Gate,
    organs_sha256: str,
    root: Path,
    progress: Progress,
    *,
    by: Person,
    folders_complete: bool = False,
) -> FrozenSet:
    """Look and freeze, leaving out what cannot be used; the arguments are those of :func:`look` and :func:`freeze`."""
    examined = look(path, kind, gate, organs_sha256, root, progress, by=by, folders_complete=folders_complete)
    try:
        return freeze(examined, root, by=by)
    finally:
        shutil.rmtree(examined.folder, ignore_errors=True)
