"""Whose turn is it? A worker that wakes up takes the job that the rows choose, not the one that its message names (docs/decisions/0001).

    owner      with the fewest jobs running; of equals, the one that was served longest ago
    then       of this owner's waiting jobs, the one with the lowest priority number, then the oldest

So a queue of 500 jobs of one owner does not hold up another's first. Messages are interchangeable: there is one for each waiting job, and
each starts one job. Priorities order an owner's own jobs: nobody gets ahead of others by a number.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.store.database import utc_now
from app.store.leases import Claim, claim
from app.store.tables import AttemptRow, JobRow


def claim_next(db: Session, announced: str, *, worker: str, lease_seconds: float) -> Claim | None:
    """Take the job whose turn it is in the queue of the announced one; None where there is none to be had.

    Args:
        db: a writing transaction.
        announced: the job that the message named; it alone may be taken with an expired lease.
        worker: who takes it.
        lease_seconds: how long, from now.
    """
    queue = db.scalar(sa.select(JobRow.queue).where(JobRow.id == announced))
    while queue is not None and (chosen := _choose(db, queue)) is not None:
        taken = claim(db, chosen, worker=worker, lease_seconds=lease_seconds)
        if taken is not None:
            return taken
    return claim(db, announced, worker=worker, lease_seconds=lease_seconds)


def _choose(db: Session, queue: str) -> str | None:
    owners = _owners_in_turn(db, queue)
    # Jobs that somebody else is just taking are passed over, so that workers do not wait for each other.
    for owner in owners:
        if (chosen := db.scalar(_first_of(owner, queue).with_for_update(skip_locked=True))) is not None:
            return chosen
    # A row may be locked by whoever has announced it and notes that: such a job is waited for, as no other message may follow.
    return next((chosen for owner in owners if (chosen := db.scalar(_first_of(owner, queue))) is not None), None)


def _owners_in_turn(db: Session, queue: str) -> list[str]:
    """Owners with jobs that wait, the one whose turn it is first."""
    waiting = sa.select(JobRow.owner_id).where(_waits(queue)).distinct().subquery()
    runs = sa.and_(JobRow.status.in_(("running", "cancelling", "pausing")), JobRow.lease_until >= utc_now())
    running = sa.select(sa.func.count()).select_from(JobRow).where(JobRow.owner_id == waiting.c.owner_id, runs).scalar_subquery()
    served_at = sa.select(sa.func.max(AttemptRow.started_at)).where(AttemptRow.owner_id == waiting.c.owner_id).scalar_subquery()
    query = sa.select(waiting.c.owner_id).order_by(running, served_at.asc().nulls_first(), waiting.c.owner_id)
    return list(db.scalars(query))


def _first_of(owner: str, queue: str) -> sa.Select[str]:
    return sa.select(JobRow.id).where(_waits(queue), JobRow.owner_id == owner).order_by(JobRow.priority, JobRow.id).limit(1)


def _waits(queue: str) -> sa.ColumnElement[bool]:
    return sa.and_(JobRow.status == "queued", JobRow.queue == queue, JobRow.attempt < JobRow.max_attempts)
