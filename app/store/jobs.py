"""Which jobs are there, and what may their owner do to them? What workers do is in `leases.py`, `progress.py` and `sweep.py`.

queued -> running -> succeeded | failed        queued/running -> cancelling -> cancelled
running -> queued (lease lost)                  failed/cancelled -> queued (retry)
queued/running -> pausing -> paused             pausing/paused -> queued (resume)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import ConflictError, NotFoundError
from app.store.database import utc_now
from app.store.ids import new_id
from app.store.pages import Page, page_of
from app.store.progress import append_event
from app.store.tables import LIVE_STATES, AttemptRow, CheckpointRow, EventRow, JobRow

HELPER = "trials"
"""The kind of a job that helps a search."""

STAGE = "stage"
"""The kind of a job that does one stage of a training."""

LONGEST_NAMED = 100
"""Characters of a job's name in the names of those that help it."""

ATTEMPTS = 3
"""Workers that a job may lose, from its beginning and again from each retry."""

NOT_ANNOUNCED: Mapping[str, Any] = MappingProxyType({"dispatched_at": None, "dispatches": 0})
"""Of a job that nobody has told the queue of."""


@dataclass(frozen=True)
class NewJob:
    """What a job is made of; `spec` is complete and proven, `request` is as it was sent, and completed for a search.

    The origin is the model that it starts from, the parent is the search that it helps, or the training that it is a stage of; of its own
    it has so many helpers.
    """

    kind: str
    name: str
    request: dict[str, Any]
    spec: dict[str, Any]
    dataset_id: str
    dataset_version: int
    queue: str = "cpu"
    priority: int = 3
    max_attempts: int = ATTEMPTS
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
        name = f"{new.name[:LONGEST_NAMED]} (helper {number})"
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


def forget_result(db: Session, owner: str, job_id: str) -> list[str]:
    """Forget what a job has made, as far as it is an artifact of its own; the digests that no job points at any more.

    Raises:
        NotFoundError: the owner has no such job, or it has no result.
    """
    digest = result_of(get_job(db, owner, job_id))
    db.execute(sa.update(JobRow).where(JobRow.id == job_id).values(result_digest=None))
    append_event(db, job_id, "result", {"deleted": True})
    return [] if db.scalar(sa.select(JobRow.id).where(JobRow.result_digest == digest).limit(1)) else [digest]


def result_of(row: JobRow) -> str:
    """The digest of what a job has made.

    Raises:
        NotFoundError: there is nothing.
    """
    if row.result_digest is None:
        why = f"{row.id} is {row.status}" if row.kind == "forecast" else f"{row.id} is of the kind {row.kind!r}"
        raise NotFoundError(f"{why} and has no result; a job of the kind 'forecast' that has succeeded has one until it is deleted")
    return row.result_digest


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


def list_checkpoints(db: Session, owner: str, job_id: str) -> list[CheckpointRow]:
    """Where a job can go on from, newest first."""
    query = sa.select(CheckpointRow).where(CheckpointRow.job_id == job_id, CheckpointRow.owner_id == owner)
    return list(db.scalars(query.order_by(CheckpointRow.step.desc(), CheckpointRow.id.desc())))


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
    row = _told(db, owner, job_id)
    if row.status in {"cancelling", "cancelled"}:
        for helper in _helpers_of(db, row, LIVE_STATES):
            cancel_job(db, owner, helper)
    return row


def end_helpers(db: Session, parent_id: str) -> None:
    """End the jobs that help another one and that are not over."""
    helpers = sa.select(JobRow.owner_id, JobRow.id).where(JobRow.parent_id == parent_id, JobRow.status.in_(LIVE_STATES))
    for owner, job_id in db.execute(helpers.order_by(JobRow.id)).all():
        cancel_job(db, owner, job_id)


def refuse_stage(db: Session, owner: str, job_id: str) -> None:
    """A stage goes the way of its training.

    Raises:
        NotFoundError: the owner has no such job.
        ConflictError: it is a stage of a training.
    """
    row = get_job(db, owner, job_id)
    if row.kind == STAGE:
        raise ConflictError(f"{job_id} is a stage of {row.parent_id}, and goes its way; ask that of {row.parent_id}")


def _helpers_of(db: Session, row: JobRow, states: Sequence[str]) -> Sequence[str]:
    """Jobs that help this one, by their status: what is asked of it is asked of them too."""
    query = sa.select(JobRow.id).where(JobRow.parent_id == row.id, JobRow.owner_id == row.owner_id, JobRow.status.in_(states))
    return db.scalars(query.order_by(JobRow.id)).all()


def pause_job(db: Session, owner: str, job_id: str) -> JobRow:
    """Ask a job to wait: at once where nobody runs it, else its worker writes a checkpoint first. A job that waits already stays as it is.

    Raises:
        NotFoundError: the owner has no such job.
        ConflictError: it has ended, or is to end.
    """
    mine = sa.and_(JobRow.id == job_id, JobRow.owner_id == owner)
    for before, after in (("queued", "paused"), ("running", "pausing")):
        query = sa.update(JobRow).where(mine, JobRow.status == before).values(status=after)
        if db.execute(query.returning(JobRow.id)).one_or_none() is not None:
            append_event(db, job_id, "state", {"status": after})
            break
    row = _told(db, owner, job_id)
    if row.status not in {"pausing", "paused"}:
        raise ConflictError(f"{job_id} is {row.status}; only a job that waits or runs can be paused")
    for helper in _helpers_of(db, row, ("queued", "running")):
        pause_job(db, owner, helper)
    return row


def resume_job(db: Session, owner: str, job_id: str) -> JobRow:
    """Take a pause back; the job goes on from its newest checkpoint. A job that waits for a worker, or runs, stays as it is.

    Raises:
        NotFoundError: the owner has no such job.
        ConflictError: it has ended, or is to end.
    """
    mine = sa.and_(JobRow.id == job_id, JobRow.owner_id == owner)
    # A worker that is stopping already finds that the pause is over, and puts the job back.
    taken_back = sa.update(JobRow).where(mine, JobRow.status == "pausing").values(status="running")
    # A worker that was lost while the job was to be paused has burnt an attempt, perhaps the last.
    attempts = sa.case((JobRow.attempt >= JobRow.max_attempts, JobRow.attempt + 1), else_=JobRow.max_attempts)
    queued = sa.update(JobRow).where(mine, JobRow.status == "paused").values(status="queued", max_attempts=attempts, **NOT_ANNOUNCED)
    for query in (taken_back, queued):
        after = db.scalar(query.returning(JobRow.status).execution_options(synchronize_session=False))
        if after is not None:
            append_event(db, job_id, "state", {"status": after, "reason": "resumed"})
            break
    row = _told(db, owner, job_id)
    if row.status not in {"queued", "running"}:
        raise ConflictError(f"{job_id} is {row.status}; only a paused job can be resumed")
    for helper in _helpers_of(db, row, ("pausing", "paused")):
        resume_job(db, owner, helper)
    return row


def retry_job(db: Session, owner: str, job_id: str) -> JobRow:
    """Queue a failed or cancelled job again; it goes on from its newest checkpoint with fresh attempts. One at work again stays.

    Raises:
        NotFoundError: the owner has no such job.
        ConflictError: it has not ended, or it succeeded.
    """
    mine = sa.and_(JobRow.id == job_id, JobRow.owner_id == owner, JobRow.status.in_(("failed", "cancelled")))
    fresh: dict[str, Any] = {"status": "queued", "error": None, "finished_at": None, **NOT_ANNOUNCED}
    query = sa.update(JobRow).where(mine).values(max_attempts=JobRow.attempt + ATTEMPTS, **fresh)
    is_retried = db.execute(query.returning(JobRow.id)).one_or_none() is not None
    if is_retried:
        append_event(db, job_id, "state", {"status": "queued", "reason": "retried"})
    row = _told(db, owner, job_id)
    if not is_retried and (row.status not in LIVE_STATES or not _was_retried(db, job_id)):
        raise ConflictError(f"{job_id} is {row.status}; only a failed or cancelled job can be retried")
    if is_retried:
        for helper in _helpers_of(db, row, ("failed", "cancelled")):
            retry_job(db, owner, helper)
    return row


def _was_retried(db: Session, job_id: str) -> bool:
    query = sa.select(EventRow.data).where(EventRow.job_id == job_id, EventRow.kind == "state")
    return any(told.get("reason") == "retried" for told in db.scalars(query))


def _told(db: Session, owner: str, job_id: str) -> JobRow:
    row = get_job(db, owner, job_id)
    db.refresh(row)
    return row
