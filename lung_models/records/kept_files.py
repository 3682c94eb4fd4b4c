"""Kept files, named by their content below the data folder, and the key of this installation."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from lung_models.records.database import data_folder

KEY_BYTES = 32


class KeptFiles:
    """Files named by the SHA-256 of their content; writing is atomic, and the same content is written once.

    Args:
        root: Folder; by default ``studies`` in the data folder.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or data_folder() / "studies"

    def put(self, content: bytes) -> str:
        """Keep some bytes for good; returns their name. They are on disk when this returns."""
        name = hashlib.sha256(content).hexdigest()
        path = self._path(name)
        if path.is_file():
            return name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            with draft.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        return name

    def get(self, name: str) -> bytes:
        """The bytes of a name.

        Raises:
            ValueError: when they are gone or were changed.
        """
        try:
            content = self._path(name).read_bytes()
        except OSError as error:
            raise ValueError("A kept file is missing from the data folder: restore it from a backup.") from error
        if hashlib.sha256(content).hexdigest() != name:
            raise ValueError("A kept file was changed on disk: restore it from a backup.")
        return content

    def _path(self, name: str) -> Path:
        return self.root / name[:2] / name


def installation_key() -> bytes:
    """The key of this installation, made at first use: with it pseudonyms and UIDs are derived.

    It lies in the data folder, readable by its owner only. Whoever has it can test whether a patient is among the
    kept ones.
    """
    path = data_folder() / "key"
    if not path.exists():
        draft = path.with_name(f".key.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(secrets.token_bytes(KEY_BYTES))
        try:
            os.link(draft, path)  # fails when another process was faster, unlike a rename
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()


def keyed_hash(key: bytes, *parts: str | bytes) -> str:
    """HMAC-SHA-256 in hexadecimal: the same parts always give the same, and it cannot be undone without the key."""
    digest = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()
