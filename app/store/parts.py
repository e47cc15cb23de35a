"""Which stages of a training do other workers do? A run of stages is a job of the kind `stage`, whose parent is the training.

    training ─┬─ part  queued -> running -> succeeded        all begin at the training's checkpoint before the first of them, and
              ├─ part                                        end with a checkpoint that has the weights of their own
              └─ ...

A part is a job like any other: leased, fenced, brought home by the reconciler. The training takes the weights over when all have
succeeded, and ends with the network that it would have trained alone (docs/decisions/0032).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.store.ids import new_id
from app.store.jobs import LONGEST_NAMED, STAGE, NewJob, insert_job
from app.store.leases import Lease
from app.store.progress import append_event, forget_checkpoints_of, hold
from app.store.tables import CheckpointRow, JobRow
from app.store.workers import list_workers


@dataclass(frozen=True)
class Beginning:
    """What all of the parts begin with: a stored checkpoint of the training.

    Attributes:
        digest: of the artifact.
        size_bytes: of it.
        step: batches before it.
    """

    digest: str
    size_bytes: int
    step: int


@dataclass(frozen=True)
class Part:
    """A run of stages that is a job.

    Attributes:
        job_id: the job.
        stages: their numbers in the training's plan.
        status: of the job.
        begun_at: batches of the training before it, as it counts them.
        step: batches that it has told of.
        priority: of the job.
        error: why it failed, where it did.
    """

    job_id: str
    stages: range
    status: str
    begun_at: int
    step: int
    priority: int
    error: Mapping[str, Any] | None


def count_idle(db: Session, queue: str) -> int:
    """Places of workers on a queue in which nothing runs now."""
    workers = [worker for worker in list_workers(db) if queue in worker.presence.queues and not worker.is_silent]
    return sum(max(0, worker.presence.processes - len(worker.running)) for worker in workers)


def insert_parts(db: Session, lease: Lease, stages: Mapping[range, str], beginning: Beginning) -> Sequence[Part]:
    """Make jobs of some runs of a training's stages, once: those that are there stay.

    Args:
        db: a writing transaction.
        lease: of the training.
        stages: their names, by number.
        beginning: what they begin with.

    Raises:
        LeaseLostError: the attempt is not the job's any more.
    """
    parent = hold(db, lease)
    if not list_parts(db, lease, stages):
        new = NewJob(
            kind=STAGE, name="", request=parent.request, spec=parent.spec, dataset_id=parent.dataset_id,
            dataset_version=parent.dataset_version, queue=parent.queue, priority=parent.priority, parent_id=parent.id,
            max_runtime_seconds=parent.max_runtime_seconds, origin_id=parent.origin_id, origin_digest=parent.origin_digest,
        )  # fmt: skip
        for numbers, name in stages.items():
            request = {**parent.request, "stages": [numbers.start, numbers.stop], "step": beginning.step}
            own = replace(new, name=f"{parent.name[:LONGEST_NAMED]} ({name})"[:128], request=request)
            _begin(db, insert_job(db, lease.owner, own), beginning)
        told = [{"job": part.job_id, "stages": [number + 1 for number in part.stages]} for part in list_parts(db, lease, stages)]
        append_event(db, parent.id, "parts", {"parts": told})
    return list_parts(db, lease, stages)


def _begin(db: Session, row: JobRow, beginning: Beginning) -> None:
    fields = {"digest": beginning.digest, "size_bytes": beginning.size_bytes, "step": beginning.step, "is_best": False}
    db.add(CheckpointRow(id=new_id("ckpt"), owner_id=row.owner_id, job_id=row.id, attempt=0, **fields))
    db.flush()


def list_parts(db: Session, lease: Lease, stages: Collection[range]) -> Sequence[Part]:
    """Those runs of a training's stages that are jobs, in the order of the plan."""
    query = sa.select(JobRow).where(JobRow.parent_id == lease.job_id, JobRow.owner_id == lease.owner, JobRow.kind == STAGE)
    rows = db.scalars(query.execution_options(populate_existing=True)).all()
    parts = [part for part in map(_part, rows) if part.stages in stages]
    return sorted(parts, key=lambda part: part.stages.start)


def _part(row: JobRow) -> Part:
    begun_at = row.request["step"]
    step = row.progress.get("step") or begun_at
    return Part(row.id, range(*row.request["stages"]), row.status, begun_at, step, row.priority, row.error)


def newest_checkpoint(db: Session, lease: Lease, job_id: str) -> str:
    """The digest of what a part has ended with."""
    mine = sa.and_(CheckpointRow.job_id == job_id, CheckpointRow.owner_id == lease.owner)
    newest = sa.select(CheckpointRow.digest).where(mine).order_by(CheckpointRow.step.desc(), CheckpointRow.id.desc()).limit(1)
    return db.scalars(newest).one()


def forget_parts(db: Session, lease: Lease) -> list[str]:
    """Drop the checkpoints of all parts of a training that has taken them over; the digests that nothing points at any more.

    Raises:
        LeaseLostError: the attempt is not the job's any more.
    """
    hold(db, lease)
    parts = sa.select(JobRow.id).where(JobRow.parent_id == lease.job_id, JobRow.kind == STAGE)
    return forget_checkpoints_of(db, db.scalars(parts).all())
