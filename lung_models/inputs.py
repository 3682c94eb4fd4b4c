"""Files, folders and ZIP archives -> one (path, bytes) at a time, with bounds on what is unpacked."""

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from lung_models.decode.limits import Limits
from lung_models.radiograph import Refusal

MOST_ARCHIVE_ENTRIES = 100_000  # entries of a ZIP that are read
ARCHIVE_STARTS = (b"PK\x03\x04", b"PK\x05\x06")  # of a ZIP with and without entries (PKWARE APPNOTE 4.3.7, 4.3.16)
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # zipfile can't bound what one step of the others inflates to


@dataclass(frozen=True)
class Source:
    """One input, not yet read.

    Args:
        path: What the user calls it: its path, or the archive's path and the entry's name.
        name: Its own name, with extension.
    """

    path: str
    name: str
    _content: Callable[[Limits], bytes] = field(repr=False)

    def read(self, limits: Limits) -> bytes:
        """Its bytes; those of an archive's entry only until the next source is asked for.

        Raises:
            Refusal: when it can't be opened or is larger than the limit; nothing is unpacked then.
        """
        try:
            return self._content(limits)
        except OSError as error:
            raise _unopened(error) from error


def sources(paths: list[Path]) -> Iterator[Source]:
    """All inputs in the order given; folders and archives in the order of their entries' names.

    Hidden files of a folder are left out. A path that is not there is one input, refused when read, and so are an
    archive that can't be listed and whatever an archive holds beyond :data:`MOST_ARCHIVE_ENTRIES`.
    """
    for path in paths:
        try:
            is_folder, is_archive = path.is_dir(), _is_archive(path)
        except OSError as error:
            yield _refused(path, _unopened(error))
            continue
        if is_folder:
            files = (file for file in sorted(path.rglob("*")) if file.is_file())
            visible = (f for f in files if not any(part.startswith(".") for part in f.relative_to(path).parts))
            yield from (_file(file) for file in visible)
        elif is_archive:
            yield from _entries(path)
        else:
            yield _file(path)


def _is_archive(path: Path) -> bool:
    """Whether a file begins as a ZIP. Its end is not looked at: a picture's last bytes may look like a ZIP's."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(4) in ARCHIVE_STARTS


def _file(path: Path) -> Source:
    def content(limits: Limits) -> bytes:
        _check(path.stat().st_size, limits)
        return path.read_bytes()

    return Source(str(path), path.name, content)


def _refused(path: Path, refusal: Refusal) -> Source:
    def content(limits: Limits) -> bytes:
        raise refusal

    return Source(str(path), path.name, content)


def _entries(path: Path) -> Iterator[Source]:
    """The archive's visible files; it stays open while they are iterated."""
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        yield _refused(path, _unopened(error))
        return
    except Exception:  # a damaged list of files reaches any line of zipfile
        yield _refused(path, Refusal("The ZIP archive is damaged: its list of files cannot be read. Send it again."))
        return
    with archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir() and _is_visible(entry.filename)]
        for entry in sorted(entries[:MOST_ARCHIVE_ENTRIES], key=lambda one: one.filename):
            name = PurePosixPath(entry.filename).name
            yield Source(f"{path}/{entry.filename}", name, partial(_unpacked, archive, entry))
    if (excess := len(entries) - MOST_ARCHIVE_ENTRIES) > 0:
        most = f"over the limit of {MOST_ARCHIVE_ENTRIES:,}: its last {excess:,} were not read. Split it."
        yield _refused(path, Refusal(f"The ZIP archive has {len(entries):,} files, {most}"))


def _is_visible(entry: str) -> bool:
    name = PurePosixPath(entry).name
    return bool(name) and not name.startswith(".") and not entry.startswith("__MACOSX/")


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limits: Limits) -> bytes:
    if entry.flag_bits & 1:
        raise Refusal("The archive's entry is protected by a password: unpack it and read the files.")
    if entry.compress_type not in PACKINGS:
        raise Refusal("The archive's entry is packed in an unsupported way: pack it by deflate, or unpack it first.")
    _check(entry.file_size, limits)
    try:
        with archive.open(entry) as stream:
            # One byte more than was declared: an entry that lies about its size is not unpacked further.
            return stream.read(entry.file_size + 1)
    except MemoryError:
        raise
    except Exception as error:  # a damaged entry reaches any line of zipfile and zlib
        raise Refusal("The archive's entry is damaged: it cannot be unpacked.") from error


def _unopened(error: OSError) -> Refusal:
    return Refusal(f"The file cannot be opened: {error.strerror or 'input/output error'}.")


def _check(size: int, limits: Limits) -> None:
    if size > limits.bytes:
        raise Refusal(f"The file is {size / 1e6:.0f} MB; the limit is {limits.bytes / 1e6:.0f} MB.")
