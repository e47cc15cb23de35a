"""Who has a job? A worker claims it, holds it by a lease that it renews, and ends it; `attempt` fences its writes (docs/decisions/0001)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.store.database import utc_in, utc_now
from app.store.ids import new_id
from app.store.jobs import end_helpers
from app.store.progress import append_event, hold
from app.store.tables import HELD_STATES, AttemptRow, CheckpointRow, DatasetVersionRow, JobRow, ModelRow


@dataclass(frozen=True)
class Lease:
    """What an attempt has in hand."""

    job_id: str
    owner: str
    attempt: int


@dataclass(frozen=True)
class CheckpointRef:
    """Where an attempt goes on from: an artifact, and the number of batches before it."""

    digest: str
    step: int


@dataclass(frozen=True)
class Claim:
    """All that a worker needs to know of the job that it got."""

    lease: Lease
    kind: str
    name: str
    spec: dict[str, Any]
    request: dict[str, Any]
    dataset_id: str
    dataset_version: int
    dataset_digest: str
    freq: str
    season: int
    target: str
    checkpoints: tuple[CheckpointRef, ...]
    max_runtime_seconds: int | None
    origin_id: str | None = None
    origin_digest: str | None = None
    trace_parent: str | None = None
    queue: str = "cpu"
    waited_seconds: float | None = None
    """In the queue; None where it was taken from a worker that was lost."""

    @property
    def checkpoint(self) -> CheckpointRef | None:
        """The newest, where there is one; the others are there should it not be readable."""
        return self.checkpoints[0] if self.checkpoints else None


@dataclass(frozen=True)
class Orders:
    """What a heartbeat brings back."""

    cancel: bool
    pause: bool = False


@dataclass(frozen=True)
class NewModel:
    """A trained forecaster whose artifact is already stored."""

    name: str
    digest: str
    size_bytes: int
    spec: dict[str, Any]
    spec_digest: str
    parameters: int
    freq: str
    scores: dict[str, Any]
    lineage: dict[str, Any]


def claim(db: Session, job_id: str, *, worker: str, lease_seconds: float) -> Claim | None:
    """Take a job that waits, or whose lease ran out; None where somebody else has it, it has ended, or no attempt is left."""
    lost = sa.and_(JobRow.status == "running", JobRow.lease_until < utc_now())
    free = sa.and_(JobRow.id == job_id, sa.or_(JobRow.status == "queued", lost), JobRow.attempt < JobRow.max_attempts)
    started = sa.func.coalesce(JobRow.started_at, utc_now())
    values = {"status": "running", "attempt": JobRow.attempt + 1, "lease_until": utc_in(lease_seconds), "started_at": started}
    taken = sa.update(JobRow).where(free).values({**values, "queued_at": None})
    before = db.scalar(sa.select(JobRow.queued_at).where(JobRow.id == job_id))
    now = db.execute(taken.returning(utc_now()).execution_options(synchronize_session=False)).scalar_one_or_none()
    if now is None:
        return None
    row = db.scalars(sa.select(JobRow).where(JobRow.id == job_id).execution_options(populate_existing=True)).one()
    newest = sa.select(CheckpointRow).where(CheckpointRow.job_id == job_id).order_by(CheckpointRow.step.desc(), CheckpointRow.id.desc())
    checkpoints = tuple(CheckpointRef(found.digest, found.step) for found in db.scalars(newest))
    _close_attempts(db, job_id, "lost")
    resumed = checkpoints[0].step if checkpoints else None
    db.add(AttemptRow(job_id=job_id, attempt=row.attempt, owner_id=row.owner_id, worker=worker, resumed_from_step=resumed))
    append_event(db, job_id, "state", {"status": "running", "attempt": row.attempt, "worker": worker, "resumed_from_step": resumed})
    data = db.get_one(DatasetVersionRow, (row.dataset_id, row.dataset_version))
    return Claim(
        lease=Lease(row.id, row.owner_id, row.attempt), kind=row.kind, name=row.name, spec=row.spec, request=row.request,
        dataset_id=row.dataset_id, dataset_version=row.dataset_version, dataset_digest=data.digest, freq=data.freq, season=data.season,
        target=data.target, checkpoints=checkpoints, max_runtime_seconds=row.max_runtime_seconds, origin_id=row.origin_id,
        origin_digest=row.origin_digest, trace_parent=row.trace_parent, queue=row.queue,
        waited_seconds=None if before is None else (now - before).total_seconds(),
    )  # fmt: skip


def renew(db: Session, lease: Lease, lease_seconds: float) -> Orders | None:
    """Hold the job for longer, and hear what is asked of it; None where the lease is lost."""
    held = sa.and_(JobRow.id == lease.job_id, JobRow.attempt == lease.attempt, JobRow.status.in_(HELD_STATES))
    query = sa.update(JobRow).where(held).values(lease_until=utc_in(lease_seconds)).returning(JobRow.status)
    status = db.execute(query.execution_options(synchronize_session=False)).scalar_one_or_none()
    return None if status is None else Orders(cancel=status == "cancelling", pause=status == "pausing")


def release(db: Session, lease: Lease) -> None:
    """Give a job back without burning the attempt: it is to be paused, or its worker is about to end.

    Raises:
        LeaseLostError: the attempt is not the job's any more.
    """
    row = hold(db, lease)
    if row.status == "cancelling":
        _end(db, row, "cancelled", "cancelled")
        return
    is_paused = row.status == "pausing"
    _close_attempts(db, row.id, "paused" if is_paused else "released")
    # The number goes on, since it fences; the job may be tried once more instead.
    row.max_attempts += 1
    row.status, row.lease_until, row.dispatched_at = "paused" if is_paused else "queued", None, None
    db.flush()
    told = {"status": "paused"} if is_paused else {"status": "queued", "reason": "its worker was asked to end"}
    append_event(db, row.id, "state", told)


def succeed(db: Session, lease: Lease, new: NewModel) -> str:
    """Store the model's row and end the job in one; the model's id.

    Raises:
        LeaseLostError: the attempt is not the job's any more.
    """
    row = hold(db, lease)
    model = ModelRow(
        id=new_id("mdl"), owner_id=row.owner_id, name=new.name, tags=[], job_id=row.id, dataset_id=row.dataset_id, digest=new.digest,
        size_bytes=new.size_bytes, spec=new.spec, spec_digest=new.spec_digest, parameters=new.parameters, freq=new.freq, scores=new.scores,
        lineage=new.lineage,
    )  # fmt: skip
    db.add(model)
    row.model_id = model.id
    _end(db, row, "succeeded", "succeeded", model=model.id)
    return model.id


def finish(db: Session, lease: Lease, result_digest: str | None = None) -> None:
    """End a job that makes no model: what came of it is told in its events, and lies in an artifact where there is much of it.

    Raises:
        LeaseLostError: the attempt is not the job's any more.
    """
    row = hold(db, lease)
    row.result_digest = result_digest
    _end(db, row, "succeeded", "succeeded", model=None)


def fail(db: Session, lease: Lease, *, code: str, message: str, pointer: str | None = None, retryable: bool = False) -> None:
    """End the job with a sentence for its owner.

    Raises:
        LeaseLostError: the attempt is not the job's any more.
    """
    row = hold(db, lease)
    row.error = {"code": code, "message": message, "pointer": pointer, "retryable": retryable}
    _end(db, row, "failed", "failed", error=row.error)


def confirm_cancel(db: Session, lease: Lease) -> None:
    """The attempt has stopped, as its owner asked.

    Raises:
        LeaseLostError: the attempt is not the job's any more.
    """
    _end(db, hold(db, lease), "cancelled", "cancelled")


def _end(db: Session, row: JobRow, status: str, outcome: str, **data: object) -> None:
    row.status, row.lease_until = status, None
    db.flush()
    db.execute(sa.update(JobRow).where(JobRow.id == row.id).values(finished_at=utc_now()).execution_options(synchronize_session=False))
    _close_attempts(db, row.id, outcome)
    append_event(db, row.id, "state", {"status": status, **data})
    if status != "succeeded":
        end_helpers(db, row.id)  # who has succeeded ends them itself, or has waited for them


def _close_attempts(db: Session, job_id: str, outcome: str) -> None:
    still_open = sa.and_(AttemptRow.job_id == job_id, AttemptRow.ended_at.is_(None))
    values: Mapping[str, object] = {"ended_at": utc_now(), "outcome": outcome}
    db.execute(sa.update(AttemptRow).where(still_open).values(values).execution_options(synchronize_session=False))
