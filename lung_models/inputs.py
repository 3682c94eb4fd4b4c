"""Files, folders and ZIP archives -> one (path, bytes) at a time, with bounds on what is unpacked."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lung_models.decode.limits import Limits
from lung_models.radiograph import Refusal

MOST_ARCHIVE_ENTRIES = 100_000  # entries of a ZIP that are listed at all


@dataclass(frozen=True)
class Source:
    """One input, not yet read.

    Args:
        path: What the user calls it: its path, or the archive's path and the entry's name.
        name: Its own name, with extension.
    """

    path: str
    name: str
    _file: Path
    _entry: str | None

    def read(self, limits: Limits) -> bytes:
        """Its bytes.

        Raises:
            Refusal: when it can't be opened or is larger than the limit; nothing is unpacked then.
        """
        try:
            if self._entry is None:
                _check(self._file.stat().st_size, limits)
                return self._file.read_bytes()
            with zipfile.ZipFile(self._file) as archive:
                entry = archive.getinfo(self._entry)
                if entry.flag_bits & 1:
                    raise Refusal("The archive's entry is protected by a password: unpack it and read the files.")
                _check(entry.file_size, limits)
                with archive.open(entry) as stream:
                    # One byte more than was declared: an entry that lies about its size is not unpacked further.
                    content = stream.read(entry.file_size + 1)
        except OSError as error:
            raise Refusal(f"The file cannot be opened: {error.strerror or 'input/output error'}.") from error
        except (zipfile.BadZipFile, NotImplementedError, EOFError, KeyError) as error:
            raise Refusal("The archive's entry is damaged or packed in an unsupported way.") from error
        return content


def sources(paths: list[Path]) -> Iterator[Source]:
    """All inputs in the order given; folders and archives in the order of their entries' names.

    Hidden files of a folder are left out. A path that is not there is one input, refused when read.
    """
    for path in paths:
        if path.is_dir():
            files = (file for file in sorted(path.rglob("*")) if file.is_file())
            visible = (f for f in files if not any(part.startswith(".") for part in f.relative_to(path).parts))
            yield from (Source(str(file), file.name, file, None) for file in visible)
        elif path.is_file() and zipfile.is_zipfile(path):
            yield from _entries(path)
        else:
            yield Source(str(path), path.name, path, None)


def _entries(path: Path) -> Iterator[Source]:
    with zipfile.ZipFile(path) as archive:
        entries = sorted(entry.filename for entry in archive.infolist()[:MOST_ARCHIVE_ENTRIES] if not entry.is_dir())
    for entry in entries:
        name = Path(entry).name
        if name and not name.startswith(".") and not entry.startswith("__MACOSX/"):
            yield Source(f"{path}/{entry}", name, path, entry)


def _check(size: int, limits: Limits) -> None:
    if size > limits.bytes:
        raise Refusal(f"The file is {size / 1e6:.0f} MB; the limit is {limits.bytes / 1e6:.0f} MB.")
