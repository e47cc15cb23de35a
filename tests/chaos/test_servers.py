"""Redis dies and comes back empty, messages come seven times, the database goes away, the disk is full: jobs go on. Real servers."""

import os
import resource
import time

import pytest

from tests.chaos.site import Site, eventually, long_spec
from tests.worker.workers import LEASE_SECONDS, outcomes_of, trainer_of, wait_for_checkpoint, wait_until_ended

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(900)]


def last_step(site: Site, job: str) -> int:
    return site.stage.job(job).last_step


def test_a_redis_that_died_and_came_back_empty_loses_no_job(site: Site) -> None:
    running, waiting = site.add(long_spec(200)), site.add()
    with site.worker():
        eventually(lambda: site.stage.job(running).status == "running")
        with site.strike(waiting):
            site.broker.kill()
            site.broker.start()
        for job in (running, waiting):
            wait_until_ended(site.stage, job, "succeeded")
    assert outcomes_of(site.stage, running) == outcomes_of(site.stage, waiting) == ["succeeded"]
    site.judge()


def test_a_message_that_comes_seven_times_starts_a_job_once(site: Site) -> None:
    jobs = [site.add(messages=7), site.add(messages=7)]
    with site.worker() as worker:
        for job in jobs:
            wait_until_ended(site.stage, job, "succeeded")
        eventually(lambda: worker.said().count("is not to be had") >= 12)
    assert [outcomes_of(site.stage, job) for job in jobs] == [["succeeded"]] * 2
    site.judge()


@pytest.mark.chaos
def test_a_database_that_is_away_for_less_than_a_lease_costs_nothing(site: Site) -> None:
    job = site.add(long_spec())
    with site.worker():
        wait_for_checkpoint(site.stage, job)
        with site.strike(job), site.server.away():
            time.sleep(LEASE_SECONDS / 4)
        wait_until_ended(site.stage, job, "succeeded")
    # Stopping and starting the server takes its own time: on a slow machine more than the lease.
    assert outcomes_of(site.stage, job)[-1] == "succeeded"
    site.judge()
    site.assert_equals_one_that_was_never_killed(job)


@pytest.mark.chaos
def test_a_database_that_is_away_for_longer_than_a_lease_costs_an_attempt_at_most(site: Site) -> None:
    job = site.add(long_spec())
    with site.worker():
        wait_for_checkpoint(site.stage, job)
        with site.strike(job), site.server.away():
            time.sleep(3 * LEASE_SECONDS)
        wait_until_ended(site.stage, job, "succeeded")
    assert outcomes_of(site.stage, job) in (["succeeded"], ["lost", "succeeded"])
    site.judge()
    site.assert_equals_one_that_was_never_killed(job)


@pytest.mark.chaos
def test_a_disk_that_is_full_for_a_while_costs_an_attempt_at_most(site: Site) -> None:
    job = site.add(long_spec(600))
    with site.worker() as worker:
        wait_for_checkpoint(site.stage, job)
        trainer = trainer_of(site.stage, job)
        before = resource.prlimit(trainer, resource.RLIMIT_FSIZE)
        with site.strike(job):
            resource.prlimit(trainer, resource.RLIMIT_FSIZE, (64, before[1]))  # every write beyond 64 bytes of a file is refused
            # The log is a file too, of which nothing more can be told.
            time.sleep(4 * LEASE_SECONDS)
            if is_trainer(site, job, trainer):
                resource.prlimit(trainer, resource.RLIMIT_FSIZE, before)
        wait_until_ended(site.stage, job, "succeeded", 240)
        assert worker.process.poll() is None
    assert outcomes_of(site.stage, job) in (["succeeded"], ["lost", "succeeded"])
    site.judge()
    site.assert_equals_one_that_was_never_killed(job)


def is_trainer(site: Site, job: str, process: int) -> bool:
    return process in site.processes() and trainer_of(site.stage, job) == process and os.getpid() != process
