"""What the database does when it cannot, and what is left lying beside it."""

import os
import sqlite3
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from lung_models.records import database as records
from lung_models.records.database import Database, RecordsUnavailable, sweep_uploads
from tests.conftest import free_port


def test_a_locked_database_is_one_line_and_works_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "BUSY_SECONDS", 0.05)
    database = Database(f"sqlite:///{tmp_path / 'lungs.db'}")
    other = sqlite3.connect(tmp_path / "lungs.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordsUnavailable, match="try again"), database.transaction() as session:
        session.execute(text("SELECT 1"))
    other.execute("ROLLBACK")
    other.close()
    with database.transaction() as session:
        assert session.execute(text("SELECT 1")).scalar() == 1


def test_uploads_left_lying_are_swept_away_and_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGS_DATA", str(tmp_path))
    for name in ("batch-old", "batch-new", "sets/draft-old", "sets/0123", "studies"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "batch-old" / "Doe^John.dcm").write_bytes(b"x")
    long_ago = time.time() - 3 * records.UPLOADS_STAY
    for name in ("batch-old", "sets/draft-old", "sets/0123", "studies"):
        os.utime(tmp_path / name, (long_ago, long_ago))
    sweep_uploads()
    assert sorted(path.name for path in [*tmp_path.iterdir(), *(tmp_path / "sets").iterdir()]) == [
        "0123",
        "batch-new",
        "sets",
        "studies",
    ]


def test_a_database_that_is_not_there_is_one_line() -> None:
    with pytest.raises(RecordsUnavailable, match="cannot be reached"):
        Database(f"postgresql+psycopg://lungs@127.0.0.1:{free_port()}/lungs")
