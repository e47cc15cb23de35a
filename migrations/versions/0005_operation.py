"""whose turn it is, which workers there are, what they have measured."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.add_column("jobs", sa.Column("queued_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("jobs", sa.Column("trace_parent", sa.String(length=64), nullable=True))
    op.execute("UPDATE jobs SET queued_at = created_at WHERE status = 'queued'")
    op.create_index("ix_jobs_turn", "jobs", ["status", "queue", "owner_id", "priority", "id"])
    op.create_index("ix_attempts_owner_id_started_at", "attempts", ["owner_id", "started_at"])
    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("host", sa.String(length=128), nullable=False),
        sa.Column("queues", sa.JSON(), nullable=False),
        sa.Column("device", sa.String(length=16), nullable=False),
        sa.Column("processes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_table(
        "measures",
        sa.Column("source", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("labels", sa.String(length=128), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("source", "name", "labels", name=op.f("pk_measures")),
    )


def downgrade() -> None:
    """Back."""
    op.drop_table("measures")
    op.drop_table("workers")
    op.drop_index("ix_attempts_owner_id_started_at", table_name="attempts")
    op.drop_index("ix_jobs_turn", table_name="jobs")
    op.drop_column("jobs", "trace_parent")
    op.drop_column("jobs", "queued_at")
