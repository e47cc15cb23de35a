"""Which jobs were left behind? The reconciler's queries; each is one guarded step, safe to take in many workers at once."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.store.database import utc_in, utc_now
from app.store.jobs import end_helpers
from app.store.progress import append_event
from app.store.tables import AttemptRow, JobRow

LONGEST_WAIT_DOUBLINGS = 6
"""A job that waits long is announced again after 1, 2, 4, ... times the interval, up to 64 times: a long queue must not double itself."""


class Waiting(NamedTuple):
    """A queued job that no worker may know of."""

    job_id: str
    queue: str
    priority: int
    dispatches: int
    """How often it was announced since it was queued."""


def requeue_expired(db: Session) -> list[str]:
    """Queue the jobs whose worker was not heard of for a lease, where attempts are left; their ids."""
    lost = sa.and_(JobRow.status == "running", JobRow.lease_until < utc_now(), JobRow.attempt < JobRow.max_attempts)
    found = _move(db, lost, status="queued", lease_until=None, dispatched_at=None, dispatches=0)
    for job_id in found:
        append_event(db, job_id, "state", {"status": "queued", "reason": "its worker was lost"})
    return found


def fail_exhausted(db: Session) -> list[str]:
    """End the jobs whose worker was lost at every attempt; their ids."""
    sentence = (
        "the worker was lost at every attempt; the network may need more memory than a worker has: use fewer units, or a smaller batch"
    )
    error = {"code": "worker_lost", "message": sentence, "pointer": None, "retryable": True}
    lost = sa.and_(JobRow.status == "running", JobRow.lease_until < utc_now(), JobRow.attempt >= JobRow.max_attempts)
    found = _move(db, lost, status="failed", lease_until=None, finished_at=utc_now(), error=error)
    for job_id in found:
        append_event(db, job_id, "state", {"status": "failed", "error": error})
        end_helpers(db, job_id)
    return found


def finish_cancelled(db: Session) -> list[str]:
    """End the jobs that are to be cancelled and that nobody runs any more; their ids."""
    left = sa.and_(JobRow.status == "cancelling", sa.or_(JobRow.lease_until.is_(None), JobRow.lease_until < utc_now()))
    found = _move(db, left, status="cancelled", lease_until=None, finished_at=utc_now())
    for job_id in found:
        append_event(db, job_id, "state", {"status": "cancelled"})
    return found


def finish_paused(db: Session) -> list[str]:
    """Let the jobs wait that are to be paused and that nobody runs any more; their ids."""
    left = sa.and_(JobRow.status == "pausing", sa.or_(JobRow.lease_until.is_(None), JobRow.lease_until < utc_now()))
    found = _move(db, left, status="paused", lease_until=None)
    for job_id in found:
        append_event(db, job_id, "state", {"status": "paused"})
    return found


def undispatched(db: Session, redispatch_seconds: float, limit: int = 100) -> list[Waiting]:
    """Queued jobs that the queue was not told of, or so long ago that it may have forgotten; oldest first."""
    waits = [
        sa.and_(JobRow.dispatches - 1 == n, JobRow.dispatched_at < utc_in(-redispatch_seconds * 2**n))
        for n in range(LONGEST_WAIT_DOUBLINGS)
    ]
    longest = JobRow.dispatched_at < utc_in(-redispatch_seconds * 2**LONGEST_WAIT_DOUBLINGS)
    due = sa.or_(JobRow.dispatched_at.is_(None), longest, *waits)
    query = (
        sa.select(JobRow.id, JobRow.queue, JobRow.priority, JobRow.dispatches)
        .where(JobRow.status == "queued", due)
        .order_by(JobRow.id)
        .limit(limit)
    )
    return [Waiting(*row) for row in db.execute(query)]


def _move(db: Session, which: sa.ColumnElement[bool], **values: object) -> list[str]:
    query = sa.update(JobRow).where(which).values(**values).returning(JobRow.id)
    found = list(db.scalars(query.execution_options(synchronize_session=False)))
    lost = sa.and_(AttemptRow.job_id.in_(found), AttemptRow.ended_at.is_(None))
    if found:
        db.execute(
            sa.update(AttemptRow).where(lost).values(ended_at=utc_now(), outcome="lost").execution_options(synchronize_session=False)
        )
    return found
