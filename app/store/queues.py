"""How long are the queues, and what does an owner take up?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.store.database import utc_now
from app.store.tables import LIVE_STATES, CheckpointRow, DatasetRow, DatasetVersionRow, JobRow, ModelRow


@dataclass(frozen=True)
class Depth:
    """The jobs of one priority in one queue, of all owners.

    Attributes:
        queue: `cpu` or `gpu`.
        priority: 0 goes first.
        waiting: jobs that no worker has taken.
        running: jobs that a worker has.
        oldest_wait_seconds: of the job that waits longest, since it was queued; None where none waits.
    """

    queue: str
    priority: int
    waiting: int
    running: int
    oldest_wait_seconds: float | None


@dataclass(frozen=True)
class Usage:
    """What an owner has.

    Attributes:
        datasets: how many.
        dataset_bytes: of all their versions.
        models: how many.
        model_bytes: of their artifacts.
        checkpoint_bytes: of jobs that can go on.
        jobs: how many there are in each state that is not an end.
    """

    datasets: int
    dataset_bytes: int
    models: int
    model_bytes: int
    checkpoint_bytes: int
    jobs: dict[str, int]


def depths(db: Session) -> Sequence[Depth]:
    """Every queue and priority that has jobs, in the order in which they go."""
    waits, live = JobRow.status == "queued", sa.and_(JobRow.status.in_(LIVE_STATES), JobRow.status != "paused")
    oldest = sa.func.min(sa.case((waits, JobRow.queued_at)), type_=JobRow.queued_at.type)
    counts = (sa.func.count(sa.case((waits, 1))), sa.func.count(sa.case((sa.not_(waits), 1))))
    query = sa.select(JobRow.queue, JobRow.priority, *counts, oldest, utc_now().label("now")).where(live)
    rows = db.execute(query.group_by(JobRow.queue, JobRow.priority).order_by(JobRow.queue, JobRow.priority))
    return [Depth(queue, priority, waiting, running, _seconds(since, now)) for queue, priority, waiting, running, since, now in rows]


def _seconds(since: datetime | None, now: datetime) -> float | None:
    return None if since is None else max(0.0, (now - since).total_seconds())


def job_states(db: Session) -> dict[tuple[str, str], int]:
    """How many jobs there are in each queue and state."""
    query = sa.select(JobRow.queue, JobRow.status, sa.func.count()).group_by(JobRow.queue, JobRow.status)
    return {(queue, status): count for queue, status, count in db.execute(query)}


def usage_of(db: Session, owner: str) -> Usage:
    """What an owner has; bytes that two of them share count twice."""
    datasets = db.scalar(sa.select(sa.func.count()).select_from(DatasetRow).where(DatasetRow.owner_id == owner))
    models = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(ModelRow.size_bytes), 0)).where(ModelRow.owner_id == owner)
    model_count, model_bytes = db.execute(models).one()
    live = sa.select(JobRow.status, sa.func.count()).where(JobRow.owner_id == owner, JobRow.status.in_(LIVE_STATES)).group_by(JobRow.status)
    return Usage(
        datasets=datasets or 0,
        dataset_bytes=_bytes(db, DatasetVersionRow, owner),
        models=model_count,
        model_bytes=int(model_bytes),
        checkpoint_bytes=_bytes(db, CheckpointRow, owner),
        jobs=dict(db.execute(live).all()),
    )


def _bytes(db: Session, table: type[DatasetVersionRow | CheckpointRow], owner: str) -> int:
    return int(db.scalar(sa.select(sa.func.coalesce(sa.func.sum(table.size_bytes), 0)).where(table.owner_id == owner)) or 0)
