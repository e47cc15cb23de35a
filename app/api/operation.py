"""Who works here, on what, and what waits? Read-only; jobs of other owners are counted and not named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from app.api.access import Asker
from app.api.services import Served
from app.queue import QUEUES
from app.store.queues import Depth, depths, usage_of
from app.store.workers import SeenWorker, list_workers

router = APIRouter(tags=["service"])


class WorkerBody(BaseModel):
    """A worker: a main process with `processes` places for jobs.

    `running` counts the jobs it has, `jobs` names yours among them. It beats every ten seconds at the latest; one that was not seen for a
    minute `is_silent`, and is listed for ten minutes more.
    """

    id: str
    host: str
    queues: list[str]
    device: str
    processes: int
    version: str
    running: int
    jobs: list[str]
    started_at: datetime
    seen_at: datetime
    is_silent: bool


class WorkersBody(BaseModel):
    """All of them, the one that was first seen first."""

    data: list[WorkerBody]


class PriorityBody(BaseModel):
    """The jobs of one priority; 0 goes first."""

    priority: int
    waiting: int
    running: int
    oldest_wait_seconds: float | None


class QueueBody(BaseModel):
    """The jobs of all owners in a queue, and the workers that take jobs from it.

    A wait is counted from when the job was queued last; null where none waits.
    """

    queue: str
    workers: int
    waiting: int
    running: int
    oldest_wait_seconds: float | None
    priorities: list[PriorityBody]


class QueuesBody(BaseModel):
    """All queues that there are, empty ones too."""

    data: list[QueueBody]


class UsageBody(BaseModel):
    """What you have: bytes as they are stored, and the jobs that have not ended, by state."""

    datasets: int
    dataset_bytes: int
    models: int
    model_bytes: int
    checkpoint_bytes: int
    jobs: dict[str, int]


@router.get("/v1/workers")
def get_workers(services: Served, asker: Asker) -> WorkersBody:
    """The workers of this deployment."""
    with services.database.read() as db:
        return WorkersBody(data=[_worker_body(worker, asker.owner) for worker in list_workers(db)])


def _worker_body(worker: SeenWorker, owner: str) -> WorkerBody:
    told = asdict(worker.presence) | {"queues": list(worker.presence.queues)}
    return WorkerBody(
        **told,
        running=len(worker.running),
        jobs=[job_id for job_owner, job_id in worker.running if job_owner == owner],
        started_at=worker.started_at,
        seen_at=worker.seen_at,
        is_silent=worker.is_silent,
    )


@router.get("/v1/queues")
def get_queues(services: Served) -> QueuesBody:
    """What waits, what runs, and for how long."""
    with services.database.read() as db:
        found, workers = depths(db), list_workers(db)
    active = [worker.presence.queues for worker in workers if not worker.is_silent]
    return QueuesBody(data=[_queue_body(name, [one for one in found if one.queue == name], active) for name in QUEUES])


def _queue_body(name: str, found: Sequence[Depth], served: Sequence[Sequence[str]]) -> QueueBody:
    waits = [depth.oldest_wait_seconds for depth in found if depth.oldest_wait_seconds is not None]
    return QueueBody(
        queue=name,
        workers=sum(name in queues for queues in served),
        waiting=sum(depth.waiting for depth in found),
        running=sum(depth.running for depth in found),
        oldest_wait_seconds=max(waits, default=None),
        priorities=[PriorityBody.model_validate(depth, from_attributes=True) for depth in found],
    )


@router.get("/v1/usage")
def get_usage(services: Served, asker: Asker) -> UsageBody:
    """What you have."""
    with services.database.read() as db:
        return UsageBody.model_validate(usage_of(db, asker.owner), from_attributes=True)
