"""How often readers agree with a version, finding by finding and month by month."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import func, select

from lung_models.findings import KEYS
from lung_models.records.database import Database
from lung_models.records.study_tables import OpinionRow, ReadingRow, VerdictRow


@dataclass(frozen=True)
class Agreement:
    """Readers and a version on one finding.

    Args:
        finding: Key of the finding.
        month: ``YYYY-MM`` in which the verdicts were given; empty for all of them together.
        agreed: Opinions that are the version's call.
        differed: Opinions that are not.
        unsure: Opinions where the reader cannot tell or the version calls it uncertain; in no share.
    """

    finding: str
    month: str
    agreed: int
    differed: int
    unsure: int

    @property
    def compared(self) -> int:
        """Opinions that could be compared."""
        return self.agreed + self.differed


def agreement(database: Database, version: str) -> list[Agreement]:
    """Agreement with a findings version, each finding together and by month; findings without opinions are left out.

    Of every reader only the newest verdict on a reading counts.
    """
    newest = select(func.max(VerdictRow.id)).group_by(VerdictRow.reading_id, VerdictRow.by)
    chosen = (
        select(OpinionRow.finding, OpinionRow.agrees, VerdictRow.at)
        .join(VerdictRow, VerdictRow.id == OpinionRow.verdict_id)
        .join(ReadingRow, ReadingRow.id == VerdictRow.reading_id)
        .where(VerdictRow.id.in_(newest), ReadingRow.findings_version == version)
    )
    with database.transaction() as session:
        opinions = [(finding, f"{at:%Y-%m}", agrees) for finding, agrees, at in session.execute(chosen)]
    counted = []
    for key in KEYS:
        of_finding = [(month, agrees) for finding, month, agrees in opinions if finding == key]
        if of_finding:
            counted.append(_counted(key, "", (agrees for _, agrees in of_finding)))
        for month in sorted({month for month, _ in of_finding}):
            counted.append(_counted(key, month, (agrees for when, agrees in of_finding if when == month)))
    return counted


def _counted(finding: str, month: str, opinions: Iterable[bool | None]) -> Agreement:
    found = list(opinions)
    return Agreement(finding, month, found.count(True), found.count(False), found.count(None))
