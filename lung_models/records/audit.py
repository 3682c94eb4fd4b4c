"""Who did what to which study or model: append-only, each row bound to the one before it by its hash.

The chain shows any row that was changed, removed, added or moved by somebody who cannot also write all that follows
anew. Somebody with full control of the database can; whoever must exclude that exports the audit regularly and keeps
the last hash elsewhere.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from lung_models.records.database import Database, now
from lung_models.records.tables import AuditHeadRow, AuditRow

FIRST = "0" * 64
"""In place of the hash before the first row."""
LOCK = 0x4C756E67  # PostgreSQL's number of the lock that writers of the chain take; SQLite's writers take turns anyway


BLOCK = 1000  # rows exported at a time


@dataclass(frozen=True)
class Verified:
    """What verifying came to.

    Args:
        rows: How many rows are intact, from the first.
        broken: What is wrong with the first row that is not; None when all are intact.
    """

    rows: int
    broken: str | None


def record(session: Session, by: str, action: str, subject: str, detail: str = "") -> None:
    """Add a row within a transaction: the act and its record are committed together, or neither is."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK})
    head = session.get(AuditHeadRow, 1)
    if head is None:
        head = AuditHeadRow(id=1, rows=0, hash=FIRST)
        session.add(head)
    else:
        session.refresh(head)
    row = AuditRow(
        id=head.rows + 1,
        at=now().isoformat(timespec="seconds"),
        by=by,
        action=action,
        subject=subject,
        detail=detail,
        before=head.hash,
    )
    row.hash = _hash(row)
    session.add(row)
    head.rows, head.hash = row.id, row.hash
    session.flush()


def verify(database: Database) -> Verified:
    """Check every row and the end of the chain."""
    before, rows = FIRST, 0
    with database.transaction() as session:
        head = session.get(AuditHeadRow, 1)
        for row in session.scalars(select(AuditRow).order_by(AuditRow.id).execution_options(yield_per=1000)):
            if row.id != rows + 1:
                return Verified(rows, f"Row {rows + 1} is missing: it was removed.")
            if row.before != before or row.hash != _hash(row):
                return Verified(rows, f"Row {row.id} is not what was written: it was changed, added or moved.")
            before, rows = row.hash, row.id
        if (0 if head is None else head.rows, FIRST if head is None else head.hash) != (rows, before):
            return Verified(rows, f"The chain ends at row {rows}, and should not: rows after it were removed or added.")
    return Verified(rows, None)


def export(database: Database) -> Iterator[dict[str, object]]:
    """All rows, the first one first; read in blocks, so that whoever takes them slowly keeps nobody from writing."""
    last = 0
    while True:
        with database.transaction() as session:
            block = select(AuditRow).where(AuditRow.id > last).order_by(AuditRow.id).limit(BLOCK)
            rows = session.scalars(block).all()
        for row in rows:
            yield {
                "number": row.id,
                "at": row.at,
                "by": row.by,
                "action": row.action,
                "subject": row.subject,
                "detail": row.detail,
                "before": row.before,
                "hash": row.hash,
            }
        if len(rows) < BLOCK:
            return
        last = rows[-1].id


def _hash(row: AuditRow) -> str:
    content = [row.id, row.at, row.by, row.action, row.subject, row.detail, row.before]
    return hashlib.sha256(json.dumps(content, ensure_ascii=True).encode()).hexdigest()
