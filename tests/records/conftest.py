"""A database, a folder of kept files and readings to keep."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from lung_models.decode import decode
from lung_models.reader import Reader
from lung_models.reading import Reading
from lung_models.records.database import Database
from tests.postgres import running_postgres


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder."""
    monkeypatch.setenv("LUNGS_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_postgres(tmp_path_factory.mktemp("postgres") / "server") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(data_folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """An empty database, once of each kind; commands and processes of the test use it too."""
    if request.param == "sqlite":
        yield Database()
        return
    server = request.getfixturevalue("postgres")
    name = f"test_{uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    monkeypatch.setenv("LUNGS_DATABASE_URL", f"{server}/{name}")
    database = Database()
    yield database
    database.engine.dispose()


@pytest.fixture(scope="session")
def chest_reading(reader: Reader, chest_file: Path) -> Reading:
    return reader.read(decode(chest_file.read_bytes(), chest_file.name))
