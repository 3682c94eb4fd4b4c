"""Opening the database: where it is, its migrations, and transactions that writers take in turn."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 30  # that a writer of SQLite waits for another


def data_folder() -> Path:
    """Where records and labelled sets are kept: ``LUNGS_DATA``, else ``lungs`` in the user's data folder."""
    default = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share")) / "lungs"
    folder = Path(os.environ.get("LUNGS_DATA", default))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def database_url() -> str:
    """``LUNGS_DATABASE_URL``, else an SQLite file in the data folder."""
    return os.environ.get("LUNGS_DATABASE_URL") or f"sqlite:///{data_folder() / 'lungs.db'}"


class Database:
    """A database with its tables as they are today.

    Args:
        url: As SQLAlchemy takes it; by default :func:`database_url`.
    """

    def __init__(self, url: str | None = None) -> None:
        self.url = url or database_url()
        self.engine = _engine(self.url)
        migrate(self.engine)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session whose changes are committed at the end, or none of them when something is raised."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the tables to a revision, up or down; nothing happens when they are there."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        if revision == "base":
            command.downgrade(config, revision)
        else:
            command.upgrade(config, revision)


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy begins transactions itself, see below
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # else two readers that both go on to write would deadlock

    return engine
