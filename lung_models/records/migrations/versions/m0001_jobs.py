"""Jobs and their curves."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("device", sa.String(32), nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("labelled_set", sa.Text, nullable=False),
        sa.Column("store", sa.Text, nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("queued", sa.DateTime, nullable=False),
        sa.Column("started", sa.DateTime),
        sa.Column("ended", sa.DateTime),
        sa.Column("heartbeat", sa.DateTime),
        sa.Column("host", sa.String(255)),
        sa.Column("pid", sa.Integer),
        sa.Column("pid_started", sa.Float),
        sa.Column("cancel", sa.Boolean, nullable=False),
        sa.Column("progress", sa.JSON, nullable=False),
        sa.Column("message", sa.Text),
        sa.Column("result", sa.JSON),
    )
    op.create_index("ix_jobs_state", "jobs", ["state"])
    running = sa.text("state = 'running'")
    op.create_index(
        "one_running_job_a_device", "jobs", ["device"], unique=True, sqlite_where=running, postgresql_where=running
    )
    op.create_table(
        "job_steps",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("job_id", sa.Integer, sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("epoch", sa.Float, nullable=False),
        sa.Column("loss", sa.Float),
        sa.Column("validation", sa.Float),
        sa.Column("images_per_second", sa.Float, nullable=False),
        sa.Column("memory_megabytes", sa.Float, nullable=False),
    )
    op.create_index("ix_job_steps_job_id", "job_steps", ["job_id"])


def downgrade() -> None:
    """Remove them."""
    op.drop_table("job_steps")
    op.drop_table("jobs")
