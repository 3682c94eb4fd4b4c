"""A database, a folder of kept files and readings to keep."""

from pathlib import Path

import pytest

from lung_models.decode import decode
from lung_models.reader import Reader
from lung_models.reading import Reading
from lung_models.records.database import Database


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder."""
    monkeypatch.setenv("LUNGS_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def database(data_folder: Path) -> Database:
    return Database()


@pytest.fixture(scope="session")
def chest_reading(reader: Reader, chest_file: Path) -> Reading:
    return reader.read(decode(chest_file.read_bytes(), chest_file.name))
