"""A job outlives its process and its worker, frozen or killed, and ends as if nothing had happened. Real processes, real Redis."""

import os
import signal
import time

import pytest

from app.embedded.endings import is_running
from tests.chaos.site import Site, eventually, long_spec
from tests.worker.stage import small_spec
from tests.worker.workers import LEASE_SECONDS, outcomes_of, resumed_from, trainer_of, wait_for_checkpoint, wait_until_ended

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(900)]


def assert_went_on_as_if_nothing_had_happened(site: Site, job: str, before: str) -> None:
    assert outcomes_of(site.stage, job) == [before, "succeeded"]
    assert (resumed_from(site.stage, job)[1] or 0) > 0
    site.judge()
    site.assert_equals_one_that_was_never_killed(job)


def test_a_killed_training_process_costs_one_attempt_and_nothing_else(site: Site) -> None:
    job = site.add(long_spec())
    with site.worker():
        wait_for_checkpoint(site.stage, job)
        with site.strike(job):
            os.kill(trainer_of(site.stage, job), signal.SIGKILL)
        wait_until_ended(site.stage, job, "succeeded")
    assert_went_on_as_if_nothing_had_happened(site, job, "lost")


def test_a_killed_worker_costs_one_attempt_and_nothing_else(site: Site) -> None:
    job = site.add(long_spec())
    with site.worker() as worker:
        wait_for_checkpoint(site.stage, job)
        trainer = trainer_of(site.stage, job)
        worker.process.kill()
        eventually(lambda: not is_running(trainer))
    with site.worker():
        with site.strike(job):
            pass
        wait_until_ended(site.stage, job, "succeeded")
    assert_went_on_as_if_nothing_had_happened(site, job, "lost")


def test_a_worker_that_is_asked_to_end_puts_its_job_back(site: Site) -> None:
    job = site.add(long_spec())
    with site.worker() as worker:
        wait_for_checkpoint(site.stage, job)
        worker.process.terminate()
        assert worker.process.wait(90) == 0
    assert site.stage.job(job).status == "queued"
    with site.worker():
        with site.strike(job):
            pass
        wait_until_ended(site.stage, job, "succeeded")
    assert_went_on_as_if_nothing_had_happened(site, job, "released")


@pytest.mark.chaos
def test_a_worker_that_is_frozen_past_its_lease_writes_nothing_when_it_wakes(site: Site) -> None:
    job = site.add(long_spec())
    with site.worker() as worker:
        wait_for_checkpoint(site.stage, job)
        frozen = trainer_of(site.stage, job)
        freeze(site, worker.process.pid, frozen)
        with site.worker():
            with site.strike(job):
                eventually(lambda: site.stage.job(job).attempt == 2)
            tell(signal.SIGCONT, frozen, worker.process.pid)
            wait_until_ended(site.stage, job, "succeeded")
        eventually(lambda: "no longer" in worker.said())
    assert_went_on_as_if_nothing_had_happened(site, job, "lost")


def freeze(site: Site, *processes: int) -> None:
    """Not in the middle of a write to SQLite, whose file nobody else could write until they wake."""
    tell(signal.SIGSTOP, *processes)
    while site.server.is_held():
        tell(signal.SIGCONT, *processes)
        time.sleep(0.05)
        tell(signal.SIGSTOP, *processes)


def tell(number: signal.Signals, *processes: int) -> None:
    for process in processes:
        os.kill(process, number)


def test_a_job_that_kills_every_process_fails_in_the_end(site: Site) -> None:
    job = site.add(small_spec(epochs=9000), max_attempts=2)
    with site.worker():
        for attempt in (1, 2):
            eventually(lambda attempt=attempt: site.stage.job(job).attempt == attempt)  # type: ignore[misc]
            os.kill(trainer_of(site.stage, job), signal.SIGKILL)
        wait_until_ended(site.stage, job, "failed", 60 * LEASE_SECONDS)
    error = site.stage.job(job).error
    assert error is not None
    assert error["code"] == "worker_lost"
    site.judge()
