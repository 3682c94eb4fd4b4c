"""Opening the database: where it is, its migrations, and transactions that writers take in turn."""

import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

MIGRATIONS = Path(__file__).parent / "migrations"
UPLOADS_STAY = 24 * 3600.0  # seconds that uploads of a batch or a set may lie before they are swept away
MIGRATION_LOCK = 0x4C756E66  # PostgreSQL's number of the lock that processes take to migrate one after the other
BUSY_SECONDS = 30  # that a writer of SQLite waits for another

_migrating = threading.Lock()  # Alembic works through globals of its modules


def data_folder() -> Path:
    """Where records and labelled sets are kept: ``LUNGS_DATA``, else ``lungs`` in the user's data folder."""
    default = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share")) / "lungs"
    folder = Path(os.environ.get("LUNGS_DATA", default))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def sweep_uploads(older_than: float = UPLOADS_STAY) -> None:
    """Remove what was uploaded for a batch or a labelled set and left lying, for instance by a tab that was closed.

    Args:
        older_than: Seconds since it was last written to.
    """
    folder = data_folder()
    for pattern in ("batch-*", "upload-*", "sets/draft-*"):
        for left in folder.glob(pattern):
            if left.is_dir() and time.time() - left.stat().st_mtime > older_than:
                shutil.rmtree(left, ignore_errors=True)


def database_url() -> str:
    """``LUNGS_DATABASE_URL``, else an SQLite file in the data folder; PostgreSQL is reached by psycopg 3."""
    url = os.environ.get("LUNGS_DATABASE_URL") or f"sqlite:///{data_folder() / 'lungs.db'}"
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)


def now() -> datetime:
    """Now, UTC, as the database keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)


class RecordsUnavailable(OSError):
    """The database does not do what it is asked for a cause outside of what it holds; nothing was changed."""


class Database:
    """A database with its tables as they are today.

    Args:
        url: As SQLAlchemy takes it; by default :func:`database_url`.

    Raises:
        RecordsUnavailable: when it cannot be reached.
    """

    def __init__(self, url: str | None = None) -> None:
        self.url = url or database_url()
        self.engine = _engine(self.url)
        with _outages_named():
            migrate(self.engine)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session whose changes are committed at the end, or none of them when something is raised.

        Raises:
            RecordsUnavailable: when the database does not answer, is locked or is full.
        """
        with _outages_named(), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session


@contextmanager
def _outages_named() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise RecordsUnavailable("The records cannot be reached, or are full: try again.") from error


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the tables to a revision, up or down; nothing happens when they are there."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with _migrating, engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # writers of SQLite take turns anyway
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": MIGRATION_LOCK})
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
