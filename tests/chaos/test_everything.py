"""Two hundred jobs on four workers, and every few seconds a task, a worker, Redis or the database dies: each job ends once."""

import os
import signal
import time
from contextlib import suppress

import numpy as np
import pytest

from app.store.orphans import remove_orphans
from app.store.tables import ENDED_STATES
from tests.chaos.site import Site, eventually
from tests.worker.stage import small_spec
from tests.worker.workers import Worker

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.chaos, pytest.mark.timeout(1500)]

JOBS = int(os.environ.get("CHAOS_JOBS", "200"))
WORKERS = 4
MOST_SECONDS = 600.0
JOBS_BETWEEN = 5
"""Jobs that end between two strikes, so that a slow machine has fewer of them: some seconds on two cores of its own."""

PATIENCE_SECONDS = 30.0
"""After which there is a strike in any case."""

STRIKES = ("task", "task", "worker", "redis", "database")


class Fleet:
    """Workers that are started again when they have died, as a service manager does."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.workers: list[Worker] = []
        self.strikes: list[str] = []
        self._random = np.random.default_rng(7)

    def keep(self) -> None:
        self.workers = [worker for worker in self.workers if worker.process.poll() is None]
        while len(self.workers) < WORKERS:
            self.workers.append(self._site.start_worker())

    def strike(self) -> None:
        kind = str(self._random.choice(STRIKES))
        mains = {worker.process.pid for worker in self.workers}
        match kind:
            case "task":
                tasks = [process for process in self._site.processes() if process not in mains]
                if tasks:
                    with suppress(ProcessLookupError):
                        os.kill(int(self._random.choice(tasks)), signal.SIGKILL)
            case "worker":
                self.workers[int(self._random.integers(len(self.workers)))].process.kill()
            case "redis":
                self._site.broker.kill()
                self._site.broker.start()
            case _:
                self._site.server.restart()
        self.strikes.append(kind)

    def rest(self) -> None:
        """Until some more jobs have ended."""
        before, until = ended(self._site), time.monotonic() + float(self._random.uniform(0.5, 1.0)) * PATIENCE_SECONDS
        while time.monotonic() < until and ended(self._site) < min(before + JOBS_BETWEEN, len(self._site.jobs)):
            time.sleep(0.2)

    def end(self) -> None:
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            worker.process.wait(120)


def test_whatever_dies_every_job_ends_once(site: Site) -> None:
    fleet = Fleet(site)
    for _ in range(JOBS):
        site.add(small_spec(epochs=4), max_attempts=30)
    began_at = time.monotonic()
    try:
        while ended(site) < JOBS:
            assert time.monotonic() - began_at < MOST_SECONDS, f"{ended(site)} jobs have ended after {len(fleet.strikes)} strikes"
            fleet.keep()
            fleet.rest()
            fleet.strike()
        fleet.keep()
    finally:
        fleet.end()
    site.line.recovery_seconds = time.monotonic() - began_at
    assert {row.status for row in site.rows()} == {"succeeded"}
    site.judge()
    assert len(fleet.strikes) >= JOBS // 20
    eventually(lambda: not site.processes())
    assert_no_artifact_is_left(site)


def ended(site: Site) -> int:
    return sum(row.status in ENDED_STATES for row in site.rows())


def assert_no_artifact_is_left(site: Site) -> None:
    """But the data, and a model for each job; what a kill has left between two steps is found and removed."""
    remove_orphans(site.stage.database, site.stage.artifacts, older_than_seconds=0)
    digests = {site.digest_of(job) for job in site.jobs}
    assert len(site.stage.artifacts.digests()) == len(digests) + 1
