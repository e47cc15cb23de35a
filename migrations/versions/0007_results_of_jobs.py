"""results of jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.add_column("jobs", sa.Column("result_digest", sa.String(length=64), nullable=True))
    op.create_index("ix_jobs_result_digest", "jobs", ["result_digest"])


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_jobs_result_digest", table_name="jobs")
    op.drop_column("jobs", "result_digest")
