"""origins of jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.add_column("jobs", sa.Column("origin_id", sa.String(length=40), nullable=True))
    op.add_column("jobs", sa.Column("origin_digest", sa.String(length=64), nullable=True))
    op.create_index("ix_jobs_origin_id", "jobs", ["origin_id"])


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_jobs_origin_id", table_name="jobs")
    op.drop_column("jobs", "origin_digest")
    op.drop_column("jobs", "origin_id")
