"""What was lost comes home, whoever looks for it and however often."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.errors import UnavailableError
from app.queue import Queue
from app.store.jobs import cancel_job, mark_dispatched, pause_job
from app.store.leases import claim
from app.store.sweep import undispatched
from tests.worker.broker import Broker, running_broker
from tests.worker.stage import Stage, away, wait_until
from worker.reconciler import Reconciler, Round, reconcile_once

pytestmark = pytest.mark.services

REDISPATCH_SECONDS = 60.0


@pytest.fixture
def broker() -> Iterator[Broker]:
    with running_broker() as broker:
        yield broker


@pytest.fixture
def queue(broker: Broker) -> Iterator[Queue]:
    queue = Queue(broker.url)
    yield queue
    queue.close()


def reconcile(stage: Stage, queue: Queue) -> Round:
    return reconcile_once(stage.database, queue, redispatch_seconds=REDISPATCH_SECONDS)


def lose(stage: Stage, job: str) -> None:
    """A worker takes the job and is never heard of again."""
    with stage.database.begin() as db:
        mark_dispatched(db, job)
        assert claim(db, job, worker="w", lease_seconds=0.0) is not None


def test_waiting_job_is_announced_once(stage: Stage, broker: Broker, queue: Queue) -> None:
    job = stage.add_job(queue="gpu", priority=6)
    assert reconcile(stage, queue).announced == [job]
    assert reconcile(stage, queue).announced == []
    assert len(broker.messages("gpu", 6)) == 1


def test_lost_job_is_queued_and_announced_in_the_same_round(stage: Stage, queue: Queue) -> None:
    job = stage.add_job()
    lose(stage, job)
    assert reconcile(stage, queue) == Round(requeued=[job], failed=[], cancelled=[], paused=[], announced=[job])
    assert stage.job(job).status == "queued"


def test_job_whose_last_attempt_was_lost_fails(stage: Stage, queue: Queue) -> None:
    job = stage.add_job(max_attempts=1)
    lose(stage, job)
    assert reconcile(stage, queue).failed == [job]
    error = stage.job(job).error
    assert error is not None
    assert error["code"] == "worker_lost"


def test_cancel_that_nobody_is_there_to_hear_is_finished(stage: Stage, queue: Queue) -> None:
    job = stage.add_job()
    lose(stage, job)
    with stage.database.begin() as db:
        assert cancel_job(db, stage.owner, job).status == "cancelling"
    assert reconcile(stage, queue).cancelled == [job]
    assert stage.job(job).status == "cancelled"


def test_pause_that_nobody_is_there_to_hear_is_finished(stage: Stage, queue: Queue) -> None:
    job = stage.add_job()
    lose(stage, job)
    with stage.database.begin() as db:
        assert pause_job(db, stage.owner, job).status == "pausing"
    assert reconcile(stage, queue).paused == [job]
    assert stage.job(job).status == "paused"
    assert reconcile(stage, queue) == Round([], [], [], [], [])


def test_running_job_is_left_alone(stage: Stage, queue: Queue) -> None:
    job = stage.add_job()
    with stage.database.begin() as db:
        assert claim(db, job, worker="w", lease_seconds=60) is not None
    assert reconcile(stage, queue) == Round([], [], [], [], [])


def test_many_reconcilers_bring_a_job_home_once(stage: Stage, queue: Queue) -> None:
    jobs = [stage.add_job() for _ in range(5)]
    for job in jobs:
        lose(stage, job)
    with ThreadPoolExecutor(4) as pool:
        rounds = list(pool.map(lambda _: reconcile(stage, queue), range(4)))
    assert sorted(job for round_ in rounds for job in round_.requeued) == sorted(jobs)


def test_database_is_mended_while_the_queue_is_away(stage: Stage) -> None:
    job = stage.add_job()
    lose(stage, job)
    queue = Queue("redis://127.0.0.1:1/0")
    with pytest.raises(UnavailableError):
        reconcile(stage, queue)
    queue.close()
    with stage.database.read() as db:
        assert [waiting.job_id for waiting in undispatched(db, REDISPATCH_SECONDS)] == [job]


def test_loop_says_trouble_once_and_goes_on(local_stage: Stage, broker: Broker, queue: Queue, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="worker.reconciler")
    reconciler = Reconciler(local_stage.database, queue, lease_seconds=0.3, redispatch_seconds=REDISPATCH_SECONDS)
    broker.kill()
    job = local_stage.add_job()
    reconciler.start()
    reconciler.start()
    wait_until(lambda: "The queue does not answer" in caplog.text)
    with away(local_stage.database):
        wait_until(lambda: "The database does not answer" in caplog.text)
    broker.start()
    wait_until(lambda: len(broker.messages("cpu", 3)) == 1)
    lose(local_stage, job)
    wait_until(lambda: "Brought home" in caplog.text)
    reconciler.stop()
    assert caplog.text.count("The database does not answer") == 1
    assert "at work again" in caplog.text


def test_loop_survives_a_bug(local_stage: Stage, queue: Queue, caplog: pytest.LogCaptureFixture) -> None:
    reconciler = Reconciler(local_stage.database, queue, lease_seconds=0.3, redispatch_seconds="soon")  # type: ignore[arg-type]
    local_stage.add_job()
    reconciler.start()
    wait_until(lambda: caplog.text.count("A round of the reconciler failed") > 1)
    reconciler.stop()


def test_reconciler_that_never_began_can_be_stopped(local_stage: Stage, queue: Queue) -> None:
    Reconciler(local_stage.database, queue, lease_seconds=1, redispatch_seconds=1).stop()
