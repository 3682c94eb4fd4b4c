"""Patients, studies, readings, verdicts."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0001"
branch_labels = None
depends_on = None

HASH = sa.String(64)
TABLES = ("verdict_opinions", "verdicts", "reading_findings", "readings", "studies", "patients")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "patients",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", HASH, unique=True),
        sa.Column("pseudonym", sa.String(32), nullable=False, unique=True),
    )
    _studies()
    _readings()
    _verdicts()


def _studies() -> None:
    op.create_table(
        "studies",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("patient_id", sa.Integer, sa.ForeignKey("patients.id"), nullable=False),
        sa.Column("original", HASH, nullable=False, unique=True),
        sa.Column("file", HASH, nullable=False),
        sa.Column("kept", sa.DateTime, nullable=False),
        sa.Column("study_date", sa.Date),
        sa.Column("view", sa.String(8)),
        sa.Column("burned_in", sa.String(16), nullable=False),
        sa.Column("thumbnail", sa.LargeBinary, nullable=False),
        sa.Column("endpoint", sa.String(64)),
        sa.Column("source_study_uid", sa.String(64)),
        sa.Column("source_uid", sa.String(64)),
    )
    for column in ("patient_id", "kept", "study_date"):
        op.create_index(f"ix_studies_{column}", "studies", [column])


def _readings() -> None:
    op.create_table(
        "readings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("study_id", sa.Integer, sa.ForeignKey("studies.id"), nullable=False),
        sa.Column("latest", sa.Boolean, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("by", sa.String(255), nullable=False),
        sa.Column("accepted", sa.Boolean, nullable=False),
        sa.Column("primary", sa.String(32)),
        sa.Column("cardiothoracic_ratio", sa.Float),
        sa.Column("findings_version", sa.String(128)),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("arrays", HASH),
    )
    op.create_index("ix_readings_study_id", "readings", ["study_id"])
    op.create_index("ix_readings_findings_version", "readings", ["findings_version"])
    op.create_index("latest_reading", "readings", ["latest", "study_id"])
    op.create_table(
        "reading_findings",
        sa.Column("reading_id", sa.Integer, sa.ForeignKey("readings.id"), primary_key=True),
        sa.Column("finding", sa.String(32), primary_key=True),
        sa.Column("probability", sa.Float, nullable=False),
        sa.Column("call", sa.String(16), nullable=False),
    )
    op.create_index("finding_by_probability", "reading_findings", ["finding", "probability"])


def _verdicts() -> None:
    op.create_table(
        "verdicts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("reading_id", sa.Integer, sa.ForeignKey("readings.id"), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("by", sa.String(255), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("correction", HASH),
        sa.Column("corrected_ratio", sa.Float),
    )
    op.create_index("ix_verdicts_reading_id", "verdicts", ["reading_id"])
    op.create_table(
        "verdict_opinions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("verdict_id", sa.Integer, sa.ForeignKey("verdicts.id"), nullable=False),
        sa.Column("finding", sa.String(32), nullable=False),
        sa.Column("says", sa.String(16), nullable=False),
        sa.Column("agrees", sa.Boolean),
        sa.UniqueConstraint("verdict_id", "finding"),
    )
    op.create_index("ix_verdict_opinions_verdict_id", "verdict_opinions", ["verdict_id"])


def downgrade() -> None:
    """Drop the tables."""
    for table in TABLES:
        op.drop_table(table)
