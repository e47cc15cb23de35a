"""A real worker for a test: Celery's main process and its pool, on the test's own database and broker, with short leases."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from app.embedded.service import CELERY_ENVIRONMENT, celery_arguments
from app.store.jobs import list_attempts
from app.store.progress import list_events, list_points
from app.store.tables import CheckpointRow
from tests.worker.broker import Broker
from tests.worker.stage import Stage, wait_until

LEASE_SECONDS = 2.0

SITE = "TEST_SITE"
"""The variable that a worker's processes have, with the folder of their test."""


@dataclass(frozen=True)
class Worker:
    """A worker's main process, and where it writes."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        return self.log.read_text()


def start_worker(stage: Stage, broker: Broker, folder: Path) -> Worker:
    """A worker with one process in its pool; `SITE` in its environment tells its processes from others."""
    environment = {
        **os.environ,
        **CELERY_ENVIRONMENT,
        SITE: str(folder),
        "OMP_NUM_THREADS": "1",
        "BRAIDCAST_DATABASE_URL": stage.database.url.render_as_string(hide_password=False),
        "BRAIDCAST_BROKER_URL": broker.url,
        "BRAIDCAST_ARTIFACTS_URL": (folder / "artifacts").as_uri(),
        "BRAIDCAST_LEASE_SECONDS": str(LEASE_SECONDS),
        "BRAIDCAST_REDISPATCH_SECONDS": "1",
        "BRAIDCAST_WORKERS": str(os.cpu_count() or 1),  # one thread a training, so that its numbers are the test's own
    }
    log = folder / "worker.log"
    with log.open("ab") as output:
        return Worker(subprocess.Popen(celery_arguments(1, "info"), env=environment, stdout=output, stderr=subprocess.STDOUT), log)


@contextmanager
def running_worker(stage: Stage, broker: Broker, folder: Path) -> Iterator[Worker]:
    """A worker, killed at the end if it is still there."""
    worker = start_worker(stage, broker, folder)
    try:
        yield worker
    finally:
        worker.process.kill()
        worker.process.wait()


def trainer_of(stage: Stage, job: str) -> int:
    """The process that has the job's newest attempt."""
    with stage.database.read() as db:
        return int(list_attempts(db, stage.owner, job)[-1].worker.rpartition(":")[2])


def outcomes_of(stage: Stage, job: str) -> list[str | None]:
    with stage.database.read() as db:
        return [attempt.outcome for attempt in list_attempts(db, stage.owner, job)]


def resumed_from(stage: Stage, job: str) -> list[int | None]:
    with stage.database.read() as db:
        return [attempt.resumed_from_step for attempt in list_attempts(db, stage.owner, job)]


def curve_of(stage: Stage, job: str) -> list[tuple[int, dict[str, float | None]]]:
    """Every step and what was measured there."""
    with stage.database.read() as db:
        return [(point.step, dict(point.values)) for point in list_points(db, stage.owner, job, 0, 100_000)]


def assert_recorded_without_gaps(stage: Stage, job: str) -> None:
    with stage.database.read() as db:
        numbers = [event.seq for event in list_events(db, stage.owner, job, 0, 100_000)]
        numbers += [point.seq for point in list_points(db, stage.owner, job, 0, 100_000)]
    assert sorted(numbers) == list(range(1, stage.job(job).last_seq + 1))


def wait_for_checkpoint(stage: Stage, job: str, seconds: float = 240) -> None:
    """Until the running attempt has stored one that lies beyond where it began."""

    def is_there() -> bool:
        with stage.database.read() as db:
            newest = db.scalar(sa.select(sa.func.max(CheckpointRow.step)).where(CheckpointRow.job_id == job))
        begun_from = resumed_from(stage, job)
        return newest is not None and bool(begun_from) and newest > (begun_from[-1] or 0)

    wait_until(is_there, seconds)


def wait_until_ended(stage: Stage, job: str, status: str, seconds: float = 240) -> None:
    ended = ("succeeded", "failed", "cancelled")
    wait_until(lambda: stage.job(job).status in ended, seconds)
    assert stage.job(job).status == status, stage.job(job).error
