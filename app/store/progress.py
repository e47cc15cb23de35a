"""What has happened to a job? Events and metric points, numbered together by `jobs.last_seq` without gap or double (docs/decisions/0006).

What an attempt writes is fenced: it holds the job's row for the transaction, and only while the attempt is the job's newest and still runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import LeaseLostError
from app.store.database import utc_now
from app.store.ids import new_id
from app.store.tables import HELD_STATES, CheckpointRow, EventRow, JobRow, MetricPointRow

KEPT_CHECKPOINTS = 2
"""The newest, and one before it in case the newest cannot be read; the best is kept besides."""


class Fence(Protocol):
    """Whose write it is: a job's attempt."""

    @property
    def job_id(self) -> str:
        """The job."""
        ...

    @property
    def attempt(self) -> int:
        """The attempt's number."""
        ...


@dataclass(frozen=True)
class Point:
    """What was measured at a step: the number of batches so far, and values by name; None where a value is not finite."""

    step: int
    values: Mapping[str, float | None]


def hold(db: Session, fence: Fence) -> JobRow:
    """The job's row, locked until the transaction ends.

    Raises:
        LeaseLostError: the attempt is not the job's any more.
    """
    held = sa.and_(JobRow.id == fence.job_id, JobRow.attempt == fence.attempt, JobRow.status.in_(HELD_STATES))
    row = db.scalar(sa.select(JobRow).where(held).with_for_update().execution_options(populate_existing=True))
    if row is None:
        raise LeaseLostError(f"attempt {fence.attempt} no longer has {fence.job_id}")
    return row


def append_event(db: Session, job_id: str, kind: str, data: Mapping[str, Any]) -> int:
    """Record that something happened to a job; its number."""
    # Whatever puts a job into the queue says so here: its wait begins.
    waits = {"queued_at": utc_now()} if kind == "state" and data.get("status") == "queued" else {}
    number = sa.update(JobRow).where(JobRow.id == job_id).values(last_seq=JobRow.last_seq + 1, **waits)
    seq, attempt, owner = db.execute(number.returning(JobRow.last_seq, JobRow.attempt, JobRow.owner_id)).one()
    db.add(EventRow(job_id=job_id, seq=seq, owner_id=owner, attempt=attempt, kind=kind, data=dict(data)))
    db.flush()
    return int(seq)


def record_event(db: Session, lease: Fence, kind: str, data: Mapping[str, Any]) -> int:
    """Record an event of an attempt; its number.

    Raises:
        LeaseLostError: the attempt is not the job's any more.
    """
    hold(db, lease)
    return append_event(db, lease.job_id, kind, data)


def record_points(db: Session, lease: Fence, points: Sequence[Point], progress: Mapping[str, Any]) -> None:
    """Record what was measured, and how far the job is.

    Steps up to the last recorded one are skipped: a resumed attempt repeats them to the bit.

    Raises:
        LeaseLostError: the attempt is not the job's any more.
    """
    row = hold(db, lease)
    new = [point for point in points if point.step > row.last_step]
    for seq, point in enumerate(new, start=row.last_seq + 1):
        values = dict(point.values)
        db.add(MetricPointRow(job_id=row.id, seq=seq, owner_id=row.owner_id, attempt=lease.attempt, step=point.step, values=values))
    if new:
        row.last_seq += len(new)
        row.last_step = new[-1].step
        row.metrics = {**row.metrics, **new[-1].values}
    row.progress = dict(progress)
    db.flush()


def record_checkpoint(db: Session, lease: Fence, digest: str, size_bytes: int, step: int, is_best: bool) -> list[str]:
    """Point at a checkpoint that is already stored; the digests that no checkpoint points at any more.

    Raises:
        LeaseLostError: the attempt is not the job's any more.
    """
    row = hold(db, lease)
    same = sa.select(CheckpointRow).where(CheckpointRow.job_id == row.id).order_by(CheckpointRow.step.desc(), CheckpointRow.id.desc())
    before = list(db.scalars(same))
    best = next((other for other in before if other.is_best), None)
    kept = before[: KEPT_CHECKPOINTS - 1] + ([best] if best is not None and not is_best else [])
    dropped = [other for other in before if other not in kept]
    for other in dropped:
        db.delete(other)
    fields = {"owner_id": row.owner_id, "job_id": row.id, "attempt": lease.attempt, "step": step}
    db.add(CheckpointRow(id=new_id("ckpt"), digest=digest, size_bytes=size_bytes, is_best=is_best, **fields))
    append_event(db, row.id, "checkpoint", {"step": step, "is_best": is_best})
    wanted = set(db.scalars(sa.select(CheckpointRow.digest).where(CheckpointRow.digest.in_([other.digest for other in dropped]))))
    return sorted({other.digest for other in dropped} - wanted - {digest})


def record_part(db: Session, lease: Fence, digest: str, size_bytes: int, step: int) -> None:
    """Point at a part of a job's result, which is a checkpoint too; parts stay until the job has ended.

    Args:
        db: the transaction.
        lease: the attempt's.
        digest: of the part, which is stored already.
        size_bytes: of it.
        step: what is done with it; a part that was there, and could not be read, is forgotten.

    Raises:
        LeaseLostError: the attempt is not the job's any more.
    """
    row = hold(db, lease)
    before = db.scalar(sa.select(CheckpointRow).where(CheckpointRow.job_id == row.id, CheckpointRow.step == step))
    if before is not None:  # or the answer to its commit was lost
        before.digest, before.size_bytes = digest, size_bytes
        return
    fields = {"owner_id": row.owner_id, "job_id": row.id, "attempt": lease.attempt, "step": step}
    db.add(CheckpointRow(id=new_id("ckpt"), digest=digest, size_bytes=size_bytes, is_best=False, **fields))
    append_event(db, row.id, "checkpoint", {"step": step, "is_best": False})


def forget_checkpoints(db: Session, lease: Fence) -> list[str]:
    """Drop all checkpoints of a job that needs them no more; the digests that no checkpoint points at any more.

    Raises:
        LeaseLostError: the attempt is not the job's any more.
    """
    hold(db, lease)
    return forget_checkpoints_of(db, [lease.job_id])


def forget_checkpoints_of(db: Session, job_ids: Collection[str]) -> list[str]:
    """Drop all checkpoints of some jobs; the digests that no checkpoint points at any more."""
    rows = db.scalars(sa.select(CheckpointRow).where(CheckpointRow.job_id.in_(job_ids))).all()
    for row in rows:
        db.delete(row)
    db.flush()
    digests = {row.digest for row in rows}
    return sorted(digests - set(db.scalars(sa.select(CheckpointRow.digest).where(CheckpointRow.digest.in_(digests)))))


def list_events(db: Session, owner: str, job_id: str, after: int, limit: int, kinds: Sequence[str] | None = None) -> Sequence[EventRow]:
    """Events after a number, ascending; of some kinds, or of all."""
    query = sa.select(EventRow).where(EventRow.job_id == job_id, EventRow.owner_id == owner, EventRow.seq > after)
    if kinds is not None:
        query = query.where(EventRow.kind.in_(kinds))
    return db.scalars(query.order_by(EventRow.seq).limit(limit)).all()


class JobVersion(NamedTuple):
    """What changes whenever a job's answer does: of a job that is polled, all that has to be read."""

    id: str
    status: str
    attempt: int
    max_attempts: int
    last_seq: int
    progress: dict[str, Any]


def job_versions(db: Session, job_ids: Collection[str]) -> dict[tuple[str, str], JobVersion]:
    """The versions that jobs are at, by their owners and ids; without those that do not exist."""
    columns = (JobRow.id, JobRow.status, JobRow.attempt, JobRow.max_attempts, JobRow.last_seq, JobRow.progress)
    query = sa.select(JobRow.owner_id, *columns).where(JobRow.id.in_(job_ids))
    return {(row[0], row[1]): JobVersion(*row[1:]) for row in db.execute(query)}


class Measured(NamedTuple):
    """A metric point as it is told."""

    seq: int
    step: int
    values: dict[str, float | None]


def list_measured(db: Session, owner: str, job_id: str, after: int, until: int, limit: int) -> Sequence[Measured]:
    """Metric points after a number and up to another, ascending; without what nobody is told, thousands are read in milliseconds."""
    mine = sa.and_(MetricPointRow.job_id == job_id, MetricPointRow.owner_id == owner)
    query = sa.select(MetricPointRow.seq, MetricPointRow.step, MetricPointRow.values).where(
        mine, MetricPointRow.seq.between(after + 1, until)
    )
    return [Measured(*row) for row in db.execute(query.order_by(MetricPointRow.seq).limit(limit))]


def list_points(db: Session, owner: str, job_id: str, after: int, limit: int) -> Sequence[MetricPointRow]:
    """Metric points after a number, ascending."""
    query = sa.select(MetricPointRow).where(MetricPointRow.job_id == job_id, MetricPointRow.owner_id == owner, MetricPointRow.seq > after)
    return db.scalars(query.order_by(MetricPointRow.seq).limit(limit)).all()
