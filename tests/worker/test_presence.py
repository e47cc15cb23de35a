"""A worker is known while it is there, and what its processes count reaches the rows."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.store.measures import Counter, total_counts
from app.store.workers import Presence, SeenWorker, list_workers
from tests.worker.broker import Broker, announce, running_broker
from tests.worker.stage import Stage, away, small_spec, wait_until
from tests.worker.workers import running_worker, wait_until_ended
from worker.attempt import Workplace
from worker.counting import Counts
from worker.presence import PresenceBeat
from worker.runner import run_job

PRESENCE = Presence("host:1", "host", ("cpu",), "cpu", 1, "0.1.0")


@pytest.fixture
def broker() -> Iterator[Broker]:
    with running_broker() as broker:
        yield broker


def workers(stage: Stage) -> list[SeenWorker]:
    with stage.database.read() as db:
        return list(list_workers(db))


def totals(stage: Stage) -> dict[Counter, float]:
    with stage.database.read() as db:
        return dict(total_counts(db))


def test_a_worker_is_there_from_its_start_to_its_end_and_its_counts_stay(stage: Stage) -> None:
    counts = Counts(PRESENCE.id)
    beat = PresenceBeat(stage.database, counts, lease_seconds=0.3)
    beat.start(PRESENCE)
    beat.start(PRESENCE)
    wait_until(lambda: [worker.presence for worker in workers(stage)] == [PRESENCE], 240)
    first = workers(stage)[0].seen_at
    wait_until(lambda: workers(stage)[0].seen_at > first, 240)
    counts.add("redispatches", value=2)
    beat.stop()
    assert workers(stage) == []
    assert totals(stage) == {Counter("redispatches"): 2}


def test_counts_are_kept_while_the_database_is_away(local_stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    counts = Counts(PRESENCE.id)
    beat = PresenceBeat(local_stage.database, counts, lease_seconds=0.3)
    counts.add("redispatches")
    with away(local_stage.database):
        beat.start(PRESENCE)
        caplog.set_level("DEBUG", logger="worker.presence")
        wait_until(lambda: "could not say that it is there" in caplog.text, 240)
    wait_until(lambda: totals(local_stage) == {Counter("redispatches"): 1}, 240)
    with away(local_stage.database):
        beat.stop()
    assert "could not take its leave" in caplog.text
    assert len(workers(local_stage)) == 1


def test_a_beat_survives_a_bug(local_stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    beat = PresenceBeat(local_stage.database, Counts("host:1"), lease_seconds=0.3)
    beat.start("a worker")  # type: ignore[arg-type]
    wait_until(lambda: caplog.text.count("A beat of the worker's presence failed") > 1, 240)
    beat._presence = PRESENCE
    wait_until(lambda: len(workers(local_stage)) == 1, 240)
    beat.stop()


def test_a_presence_that_never_began_can_be_stopped(local_stage: Stage) -> None:
    PresenceBeat(local_stage.database, Counts("host:1"), lease_seconds=1).stop()


def test_a_job_counts_its_wait_and_its_steps(local_stage: Stage) -> None:
    job = local_stage.add_job(small_spec(epochs=3))
    run_job(job, Workplace(local_stage.database, local_stage.artifacts, 30, 1), threading.Event())
    found = totals(local_stage)
    assert sum(value for counter, value in found.items() if counter.name == "queue_wait") == 1
    assert found[Counter("queue_wait_seconds", "queue=cpu")] >= 0
    assert 0 < found[Counter("training_steps")] <= local_stage.job(job).last_step


@pytest.mark.services
@pytest.mark.slow
def test_several_workers_on_one_machine_share_the_jobs(local_stage: Stage, broker: Broker, tmp_path: Path) -> None:
    jobs = [local_stage.add_job(small_spec(epochs=150)) for _ in range(2)]
    with running_worker(local_stage, broker, tmp_path), running_worker(local_stage, broker, tmp_path) as second:
        wait_until(lambda: len(workers(local_stage)) == 2, 120)
        announce(broker, *jobs)
        wait_until(lambda: [len(worker.running) for worker in workers(local_stage)] == [1, 1], 120)
        for job in jobs:
            wait_until_ended(local_stage, job, "succeeded")
        second.process.terminate()
        assert second.process.wait(60) == 0
        assert len(workers(local_stage)) == 1
    assert totals(local_stage)[Counter("training_steps")] > 0
