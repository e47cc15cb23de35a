"""Which workers are there? Those whose main process was heard of lately, by the database's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.store.database import utc_in, utc_now
from app.store.measures import keep_counts
from app.store.operating_tables import WorkerRow
from app.store.tables import AttemptRow, JobRow

SILENT_SECONDS = 60.0
"""A worker that was not heard of for so long is not counted on; it beats every ten seconds at the latest."""

FORGOTTEN_SECONDS = 600.0
"""A worker that was not heard of for so long is no longer listed."""


@dataclass(frozen=True)
class Presence:
    """What a worker's main process says of itself.

    Attributes:
        id: its host and process id.
        host: its machine.
        queues: that it takes jobs from.
        device: what it trains on, `cpu` or `gpu`.
        processes: jobs that it runs at the same time.
        version: of the program.
    """

    id: str
    host: str
    queues: tuple[str, ...]
    device: str
    processes: int
    version: str


@dataclass(frozen=True)
class SeenWorker:
    """A worker as others see it.

    Attributes:
        presence: what it said of itself.
        started_at: when it was first seen.
        seen_at: when it was last seen.
        silent_seconds: since it was last seen.
        running: the owner and id of each job that it runs.
    """

    presence: Presence
    started_at: datetime
    seen_at: datetime
    silent_seconds: float
    running: tuple[tuple[str, str], ...] = ()

    @property
    def is_silent(self) -> bool:
        """Whether it was not heard of for so long that it is not counted on."""
        return self.silent_seconds > SILENT_SECONDS


def see_worker(db: Session, presence: Presence) -> None:
    """A worker is there."""
    insert = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    told = {"host": presence.host, "queues": list(presence.queues), "device": presence.device, "processes": presence.processes}
    values = {**told, "version": presence.version, "seen_at": utc_now()}
    query = insert(WorkerRow).values(id=presence.id, started_at=utc_now(), **values)
    db.execute(query.on_conflict_do_update(index_elements=["id"], set_=values))


def forget_worker(db: Session, worker_id: str) -> None:
    """A worker has ended; what it counted stays."""
    db.execute(sa.delete(WorkerRow).where(WorkerRow.id == worker_id))
    keep_counts(db, worker_id)


def forget_silent(db: Session) -> list[str]:
    """Forget the workers that were not heard of for long; their ids."""
    gone = sa.delete(WorkerRow).where(WorkerRow.seen_at < utc_in(-FORGOTTEN_SECONDS)).returning(WorkerRow.id)
    found = sorted(db.scalars(gone))
    for worker_id in found:
        keep_counts(db, worker_id)
    return found


def list_workers(db: Session) -> Sequence[SeenWorker]:
    """All workers that are not forgotten, with what they run; the one that was first seen first."""
    query = sa.select(WorkerRow, utc_now().label("now")).order_by(WorkerRow.started_at, WorkerRow.id)
    seen = {row.id: _seen(row, now) for row, now in db.execute(query)}
    for owner, job_id, process in db.execute(_running()):
        worker_id = process.rpartition(":")[0]
        if worker_id in seen:
            worker = seen[worker_id]
            seen[worker_id] = replace(worker, running=(*worker.running, (owner, job_id)))
    return list(seen.values())


def _seen(row: WorkerRow, now: datetime) -> SeenWorker:
    presence = Presence(row.id, row.host, tuple(row.queues), row.device, row.processes, row.version)
    return SeenWorker(presence, row.started_at, row.seen_at, max(0.0, (now - row.seen_at).total_seconds()))


def _running() -> sa.Select[str, str, str]:
    attempt = sa.and_(AttemptRow.job_id == JobRow.id, AttemptRow.attempt == JobRow.attempt, AttemptRow.ended_at.is_(None))
    held = sa.and_(JobRow.status.in_(("running", "cancelling", "pausing")), JobRow.lease_until >= utc_now())
    return sa.select(JobRow.owner_id, JobRow.id, AttemptRow.worker).join(AttemptRow, attempt).where(held).order_by(JobRow.id)
