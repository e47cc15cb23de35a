"""Which jobs are there, and what may their owner do to them? What workers do is in `leases.py`, `progress.py` and `sweep.py`.

queued -> running -> succeeded | failed        queued/running -> cancelling -> cancelled
running -> queued (lease lost)                  failed/cancelled -> queued (retry)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import ConflictError, NotFoundError
from app.store.database import utc_now
from app.store.ids import new_id
from app.store.pages import Page, page_of
from app.store.progress import append_event
from app.store.tables import LIVE_STATES, AttemptRow, JobRow

HELPER = "trials"
"""The kind of a job that helps a search."""

LONGEST_HELPED = 100
"""Characters of a search's name in its helpers' names."""


@dataclass(frozen=True)
class NewJob:
    """What a job is made of; `spec` is complete and proven, `request` is as it was sent, and completed for a search.

    The origin is the model that it starts from, the parent is the search that it helps; of its own it has so many helpers.
    """

    kind: str
    name: str
    request: dict[str, Any]
    spec: dict[str, Any]
    dataset_id: str
    dataset_version: int
    queue: str = "cpu"
    priority: int = 3
    max_attempts: int = 3
    max_runtime_seconds: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    origin_id: str | None = None
    origin_digest: str | None = None
    parent_id: str | None = None
    helpers: int = 0


def insert_job(db: Session, owner: str, new: NewJob) -> JobRow:
    """A queued job with its first event; the queue is told after the commit."""
    row = JobRow(
        id=new_id("job"), owner_id=owner, kind=new.kind, name=new.name, request=new.request, spec=new.spec, dataset_id=new.dataset_id,
        dataset_version=new.dataset_version, queue=new.queue, priority=new.priority, max_attempts=new.max_attempts,
        max_runtime_seconds=new.max_runtime_seconds, metadata_=new.metadata, progress={}, metrics={}, origin_id=new.origin_id,
        origin_digest=new.origin_digest, parent_id=new.parent_id,
    )  # fmt: skip
    db.add(row)
    db.flush()
    append_event(db, row.id, "state", {"status": "queued"})
    _insert_helpers(db, owner, new, row.id)
    db.refresh(row)
    return row


def _insert_helpers(db: Session, owner: str, new: NewJob, parent_id: str) -> None:
    """Jobs that take trials of a search; a worker's reconciler announces them."""
    for number in range(1, new.helpers + 1):
        request = {**new.request, "search": parent_id}
        name = f"{new.name[:LONGEST_HELPED]} (helper {number})"
        own: dict[str, Any] = {"kind": HELPER, "max_runtime_seconds": None, "metadata": {}, "helpers": 0}
        insert_job(db, owner, replace(new, name=name, request=request, parent_id=parent_id, **own))


def get_job(db: Session, owner: str, job_id: str) -> JobRow:
    """The owner's job.

    Raises:
        NotFoundError: the owner has no such job.
    """
    row = db.scalar(sa.select(JobRow).where(JobRow.id == job_id, JobRow.owner_id == owner))
    if row is None:
        raise NotFoundError(f"{job_id} is not a job of yours; GET /v1/jobs lists them")
    return row


def list_jobs(
    db: Session,
    owner: str,
    *,
    status: str | None = None,
    dataset: str | None = None,
    kind: str | None = None,
    limit: int = 50,
    after: str | None = None,
) -> Page[JobRow]:
    """The owner's jobs, newest first."""
    query = sa.select(JobRow).where(JobRow.owner_id == owner)
    for column, value in ((JobRow.status, status), (JobRow.dataset_id, dataset), (JobRow.kind, kind)):
        if value is not None:
            query = query.where(column == value)
    return page_of(db, query, JobRow.id, limit, after)


def list_attempts(db: Session, owner: str, job_id: str) -> list[AttemptRow]:
    """All claims of a job, oldest first."""
    query = sa.select(AttemptRow).where(AttemptRow.job_id == job_id, AttemptRow.owner_id == owner)
    return list(db.scalars(query.order_by(AttemptRow.attempt)))


def mark_dispatched(db: Session, job_id: str) -> None:
    """The queue was told of the job."""
    db.execute(sa.update(JobRow).where(JobRow.id == job_id).values(dispatched_at=utc_now(), dispatches=JobRow.dispatches + 1))


def cancel_job(db: Session, owner: str, job_id: str) -> JobRow:
    """Ask for the end of a job: at once where nobody runs it, else the worker's heartbeat hears of it. A finished job stays as it is.

    Raises:
        NotFoundError: the owner has no such job.
    """
    mine = sa.and_(JobRow.id == job_id, JobRow.owner_id == owner)
    for before, after in ((("queued", "paused"), "cancelled"), (("running", "pausing"), "cancelling")):
        ends = {"finished_at": utc_now()} if after == "cancelled" else {}
        query = sa.update(JobRow).where(mine, JobRow.status.in_(before)).values(status=after, **ends)
        if db.execute(query.returning(JobRow.id)).one_or_none() is not None:
            append_event(db, job_id, "state", {"status": after})
    row = get_job(db, owner, job_id)
    db.refresh(row)
    _cancel_helpers(db, row)
    return row


def _cancel_helpers(db: Session, row: JobRow) -> None:
    """What helps a job that is to end is to end too."""
    if row.status in {"cancelling", "cancelled"}:
        for helper in db.scalars(sa.select(JobRow.id).where(JobRow.parent_id == row.id, JobRow.status.in_(LIVE_STATES))).all():
            cancel_job(db, row.owner_id, helper)


def retry_job(db: Session, owner: str, job_id: str) -> JobRow:
    """Queue a failed or cancelled job again; it goes on from its last checkpoint with fresh attempts.

    Raises:
        NotFoundError: the owner has no such job.
        ConflictError: it has not ended, or it succeeded.
    """
    mine = sa.and_(JobRow.id == job_id, JobRow.owner_id == owner, JobRow.status.in_(("failed", "cancelled")))
    fresh = {"status": "queued", "error": None, "finished_at": None, "dispatched_at": None, "dispatches": 0}
    query = sa.update(JobRow).where(mine).values(max_attempts=JobRow.attempt + 3, **fresh)
    if db.execute(query.returning(JobRow.id)).one_or_none() is None:
        status = get_job(db, owner, job_id).status
        raise ConflictError(f"{job_id} is {status}; only a failed or cancelled job can be retried")
    append_event(db, job_id, "state", {"status": "queued"})
    row = get_job(db, owner, job_id)
    db.refresh(row)
    return row
