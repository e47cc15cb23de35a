"""What a case of the chaos suite has: a stage, a database that may go away, a broker that may die, workers; and its line in the table."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import sqlalchemy as sa

from app.queue import Queue
from app.spec.forecaster import ForecasterSpec
from app.store.models import get_model
from app.store.tables import ENDED_STATES, AttemptRow, EventRow, JobRow, ModelRow
from tests.chaos.servers import Server
from tests.processes import processes_where
from tests.worker.broker import Broker
from tests.worker.stage import Stage, small_spec, wait_until
from tests.worker.workers import SITE, Worker, assert_recorded_without_gaps, curve_of, running_worker, start_worker
from worker.attempt import Workplace
from worker.runner import run_job


@dataclass
class Line:
    """Of the table: how long until a job was further than at the strike, attempts at all jobs, jobs lost, ends and models too many."""

    case: str
    database: str
    recovery_seconds: float | None = None
    attempts: int = 0
    lost: int = 0
    doubled: int = 0


@dataclass(frozen=True)
class Site:
    """A case's own.

    Attributes:
        stage: with its database and artifacts.
        server: where the database is.
        broker: a Redis of its own.
        folder: of artifacts and logs.
        line: of the table.
        jobs: that it has added.
    """

    stage: Stage
    server: Server
    broker: Broker
    folder: Path
    line: Line
    jobs: list[str] = field(default_factory=list)

    def add(self, spec: ForecasterSpec | None = None, max_attempts: int = 3, messages: int = 1) -> str:
        """A job that has been announced."""
        job = self.stage.add_job(spec, max_attempts=max_attempts)
        self.jobs.append(job)
        queue = Queue(self.broker.url)
        for _ in range(messages):
            queue.submit(job, "cpu", 3)
        queue.close()
        return job

    def worker(self) -> AbstractContextManager[Worker]:
        return running_worker(self.stage, self.broker, self.folder)

    def start_worker(self) -> Worker:
        return start_worker(self.stage, self.broker, self.folder)

    def processes(self) -> list[int]:
        """Of the site's workers, and what they started."""
        mark = f"{SITE}={self.folder}".encode()
        return processes_where(lambda _, environment: mark in environment.split(b"\0"))

    def rows(self) -> list[JobRow]:
        with self.stage.database.read() as db:
            return list(db.scalars(sa.select(JobRow).where(JobRow.owner_id == self.stage.owner).order_by(JobRow.id)))

    @contextmanager
    def strike(self, job: str) -> Iterator[None]:
        """Around what is done to a job: the time until it is further than before, or has ended, is the recovery."""
        before = self.stage.job(job)
        began_at = time.monotonic()
        yield
        wait_until(lambda: self._is_further(job, before), 120)
        self.line.recovery_seconds = time.monotonic() - began_at

    def _is_further(self, job: str, before: JobRow) -> bool:
        now = self.stage.job(job)
        return now.status in ENDED_STATES or (now.status == "running" and now.last_step > before.last_step)

    def judge(self) -> None:
        """Counts what the table tells of the site's jobs, and proves that each has ended once."""
        for job in self.jobs:
            self._count(job)
            assert_recorded_without_gaps(self.stage, job)
            steps = [step for step, _ in curve_of(self.stage, job)]
            assert steps == sorted(set(steps))
        assert (self.line.lost, self.line.doubled) == (0, 0)

    def _count(self, job: str) -> None:
        row = self.stage.job(job)
        with self.stage.database.read() as db:
            attempts = list(db.scalars(sa.select(AttemptRow).where(AttemptRow.job_id == job)))
            models = list(db.scalars(sa.select(ModelRow.id).where(ModelRow.job_id == job)))
            states = [
                event.data["status"] for event in db.scalars(sa.select(EventRow).where(EventRow.job_id == job, EventRow.kind == "state"))
            ]
        ends = [state for state in states if state in ENDED_STATES]
        self.line.attempts += len(attempts)
        self.line.lost += row.status not in ENDED_STATES or any(attempt.ended_at is None for attempt in attempts)
        self.line.doubled += max(len(ends) - 1, 0) + max(len(models) - 1, 0)
        assert models == ([row.model_id] if row.status == "succeeded" else [])

    def assert_equals_one_that_was_never_killed(self, job: str) -> None:
        straight = self.stage.add_job(ForecasterSpec.model_validate(self.stage.job(job).spec))
        run_job(straight, Workplace(self.stage.database, self.stage.artifacts, 30, 1), threading.Event())
        both = zip_longest(curve_of(self.stage, job), curve_of(self.stage, straight))
        different = [pair for pair in both if pair[0] != pair[1]]
        assert not different, f"{len(different)} points differ, the first of them {different[0]}"
        assert self.digest_of(job) == self.digest_of(straight)

    def digest_of(self, job: str) -> str:
        with self.stage.database.read() as db:
            return get_model(db, self.stage.owner, str(self.stage.job(job).model_id)).digest


def long_spec(epochs: int = 180) -> ForecasterSpec:
    """Some seconds of training."""
    return small_spec(epochs=epochs)


def eventually(condition: Callable[[], bool]) -> None:
    """With the patience that a slow machine needs."""
    wait_until(condition, 120)
