"""The files of a set, wherever they lie: a folder, a ZIP archive, or files dropped one by one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lung_models.decode.limits import Limits
from lung_models.inputs import Source, sources
from lung_models.radiograph import Refusal

MOST_FILES = 50_000
MOST_BYTES = 50 * 1024**3  # of all files of a set together, unpacked
TABLE_BYTES = 64 * 1024**2


@dataclass
class SetFiles:
    """The files below a folder or in an archive.

    Args:
        root: The folder or the archive.

    Raises:
        ValueError: when there is nothing there, or too much.
    """

    root: Path

    def __post_init__(self) -> None:
        """Find what is there."""
        if not self.root.exists():
            raise ValueError(f"{self.root} is not there: give a folder or a ZIP archive.")
        names = [self._name(source) for source in sources([self.root])]
        if len(names) > MOST_FILES:
            raise ValueError(f"The set has {len(names):,} files; the limit is {MOST_FILES:,}: split it.")
        if not names:
            raise ValueError("The set is empty: no file was found in it.")
        tops = {name.split("/", 1)[0] for name in names}
        self.prefix = f"{tops.pop()}/" if len(tops) == 1 and all("/" in name for name in names) else ""
        # One folder around everything is the archive's own and says nothing, unless it is the only class there is.
        if self.prefix and not any("/" in name[len(self.prefix) :] or name.lower().endswith(".csv") for name in names):
            self.prefix = ""
        self.names = [name[len(self.prefix) :] for name in names]

    def read(self, wanted: set[str]) -> Iterator[tuple[str, bytes | Refusal]]:
        """The wanted files' contents, or why one cannot be read, in the order of their names."""
        total = 0
        for source in sources([self.root]):
            name = self._name(source)[len(self.prefix) :]
            if name not in wanted:
                continue
            try:
                content = source.read(Limits())
                total += len(content)
                if total > MOST_BYTES:
                    raise Refusal(f"The set is over the limit of {MOST_BYTES / 1024**3:.0f} GB: the rest is not read.")
                yield name, content
            except Refusal as refusal:
                yield name, refusal

    def text(self, name: str) -> str:
        """A table's text.

        Raises:
            ValueError: when it cannot be read.
        """
        for _, content in self.read({name}):
            if isinstance(content, Refusal):
                raise ValueError(f"{name} cannot be read: {content.reason}")
            if len(content) > TABLE_BYTES:
                raise ValueError(f"{name} is over the limit of {TABLE_BYTES // 1024**2} MB for a table.")
            return content.decode("utf-8", "replace")
        raise ValueError(f"{name} is not in the set.")

    def _name(self, source: Source) -> str:
        """Its path within the set; steps upwards mean nothing here, and nothing is ever written by that name."""
        inside = source.path.removeprefix(str(self.root)).replace("\\", "/")
        return "/".join(part for part in inside.split("/") if part not in ("", ".", "..")) or source.name
