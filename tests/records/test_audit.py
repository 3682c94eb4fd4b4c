"""The audit: what is done is in it, and whoever changes it is found out."""

import threading

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from lung_models.__main__ import main
from lung_models.records import audit
from lung_models.records.database import Database, migrate


@pytest.fixture
def filled(database: Database) -> Database:
    for number in range(1, 5):
        with database.transaction() as session:
            audit.record(session, "ada", "keep", f"study {number}", "über")
    return database


def tamper(database: Database, *statements: str) -> None:
    """As somebody with the database's own tools would, who takes the triggers away first."""
    with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("DROP TRIGGER audit_refuses ON audit"))
        else:
            for change in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER audit_refuses_{change}"))
        for statement in statements:
            connection.execute(text(statement))


def test_an_untouched_chain_is_intact(filled: Database) -> None:
    assert audit.verify(filled) == audit.Verified(4, None)
    rows = list(audit.export(filled))
    assert [row["number"] for row in rows] == [1, 2, 3, 4]
    assert [row["before"] for row in rows[1:]] == [row["hash"] for row in rows[:-1]]


@pytest.mark.parametrize("statement", ["UPDATE audit SET by = 'eve'", "DELETE FROM audit"])
def test_the_database_itself_refuses_changes(filled: Database, statement: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), filled.transaction() as session:
        session.execute(text(statement))
    assert audit.verify(filled).broken is None


@pytest.mark.parametrize(
    ("statements", "intact", "line"),
    [
        (["UPDATE audit SET by = 'eve' WHERE id = 2"], 1, "Row 2 is not what was written"),
        (["UPDATE audit SET detail = '' WHERE id = 4"], 3, "Row 4 is not what was written"),
        (["DELETE FROM audit WHERE id = 2"], 1, "Row 2 is missing"),
        (["DELETE FROM audit WHERE id = 4"], 3, "The chain ends at row 3"),
        (["DELETE FROM audit"], 0, "The chain ends at row 0"),
        (
            [f"UPDATE audit SET id = {to} WHERE id = {of}" for of, to in ((2, 9), (3, 2), (9, 3))],
            1,
            "Row 2 is not what was written",
        ),
        (
            ["INSERT INTO audit SELECT 5, at, by, action, subject, detail, before, hash FROM audit WHERE id = 4"],
            4,
            "Row 5 is not what was written",
        ),
    ],
)
def test_tampering_is_found_and_named(filled: Database, statements: list[str], intact: int, line: str) -> None:
    tamper(filled, *statements)
    verified = audit.verify(filled)
    assert verified.rows == intact and verified.broken is not None and line in verified.broken


def test_an_act_that_fails_leaves_no_record(filled: Database) -> None:
    with pytest.raises(RuntimeError), filled.transaction() as session:
        audit.record(session, "ada", "promote", "x")
        raise RuntimeError
    assert audit.verify(filled) == audit.Verified(4, None)


def test_writers_at_once_never_fork_the_chain(database: Database) -> None:
    def write(name: str) -> None:
        own = Database(database.url)
        for number in range(10):
            with own.transaction() as session:
                audit.record(session, name, "keep", str(number))

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert audit.verify(database) == audit.Verified(40, None)


def test_migrations_go_down_and_up_again(filled: Database) -> None:
    migrate(filled.engine, "base")
    migrate(filled.engine)
    assert audit.verify(filled) == audit.Verified(0, None)


def test_the_command_line(
    filled: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("LUNGS_DATABASE_URL", filled.url)
    assert main(["audit", "verify"]) == 0
    assert capsys.readouterr().out == "Intact: 4 rows.\n"
    assert main(["audit", "export", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    tamper(filled, "UPDATE audit SET subject = 'study 9' WHERE id = 3")
    assert main(["audit", "verify"]) == 1
    assert "Row 3 is not what was written" in caplog.text


def test_an_export_that_is_taken_slowly_keeps_nobody_from_writing(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "BLOCK", 2)
    rows = audit.export(filled)
    first = next(rows)
    with filled.transaction() as session:
        audit.record(session, "eve", "keep", "study 5")
    assert [first["number"], *(row["number"] for row in rows)] == [1, 2, 3, 4, 5]
