"""A job outlives its process, its worker and the queue's memory, and ends as if nothing had happened. Real processes, real Redis."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.queue import Queue
from app.spec.forecaster import ForecasterSpec
from app.store.models import get_model, list_models
from tests.worker.broker import Broker, running_broker
from tests.worker.stage import Stage, small_spec, wait_until
from tests.worker.workers import (
    LEASE_SECONDS,
    assert_recorded_without_gaps,
    curve_of,
    outcomes_of,
    resumed_from,
    running_worker,
    trainer_of,
    wait_for_checkpoint,
    wait_until_ended,
)
from worker.attempt import Workplace
from worker.runner import run_job

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.fixture
def broker() -> Iterator[Broker]:
    with running_broker() as broker:
        yield broker


def long_spec(epochs: int = 350) -> ForecasterSpec:
    """Some seconds of training."""
    return small_spec(epochs=epochs)


def announce(broker: Broker, *jobs: str) -> None:
    queue = Queue(broker.url)
    for job in jobs:
        queue.submit(job, "cpu", 3)
    queue.close()


def digest_of(stage: Stage, job: str) -> str:
    with stage.database.read() as db:
        return get_model(db, stage.owner, str(stage.job(job).model_id)).digest


def assert_equals_one_that_was_never_killed(stage: Stage, job: str) -> None:
    straight = stage.add_job(ForecasterSpec.model_validate(stage.job(job).spec))
    run_job(straight, Workplace(stage.database, stage.artifacts, 30, 1), threading.Event())
    assert curve_of(stage, job) == curve_of(stage, straight)
    assert digest_of(stage, job) == digest_of(stage, straight)
    assert_recorded_without_gaps(stage, job)


def test_a_killed_training_process_costs_one_attempt_and_nothing_else(local_stage: Stage, broker: Broker, tmp_path: Path) -> None:
    job = local_stage.add_job(long_spec())
    announce(broker, job)
    with running_worker(local_stage, broker, tmp_path):
        wait_for_checkpoint(local_stage, job)
        os.kill(trainer_of(local_stage, job), signal.SIGKILL)
        wait_until_ended(local_stage, job, "succeeded")
    assert outcomes_of(local_stage, job) == ["lost", "succeeded"]
    assert (resumed_from(local_stage, job)[1] or 0) > 0
    assert_equals_one_that_was_never_killed(local_stage, job)


def test_a_killed_worker_costs_one_attempt_and_nothing_else(local_stage: Stage, broker: Broker, tmp_path: Path) -> None:
    job = local_stage.add_job(long_spec())
    announce(broker, job)
    with running_worker(local_stage, broker, tmp_path) as worker:
        wait_for_checkpoint(local_stage, job)
        trainer = trainer_of(local_stage, job)
        worker.process.kill()
        wait_until(lambda: not is_running(trainer))
    with running_worker(local_stage, broker, tmp_path):
        wait_until_ended(local_stage, job, "succeeded")
    assert outcomes_of(local_stage, job) == ["lost", "succeeded"]
    assert (resumed_from(local_stage, job)[1] or 0) > 0
    assert_equals_one_that_was_never_killed(local_stage, job)


def test_a_worker_that_is_asked_to_end_puts_its_job_back(local_stage: Stage, broker: Broker, tmp_path: Path) -> None:
    job = local_stage.add_job(long_spec())
    announce(broker, job)
    with running_worker(local_stage, broker, tmp_path) as worker:
        wait_for_checkpoint(local_stage, job)
        worker.process.terminate()
        assert worker.process.wait(30) == 0
    assert local_stage.job(job).status == "queued"
    with running_worker(local_stage, broker, tmp_path):
        wait_until_ended(local_stage, job, "succeeded")
    assert outcomes_of(local_stage, job) == ["released", "succeeded"]
    assert_equals_one_that_was_never_killed(local_stage, job)


def test_a_redis_that_forgot_everything_and_messages_that_came_seven_times_change_nothing(
    local_stage: Stage, broker: Broker, tmp_path: Path
) -> None:
    running, waiting = local_stage.add_job(long_spec(200)), local_stage.add_job()
    announce(broker, *[running] * 7, *[waiting] * 7)
    with running_worker(local_stage, broker, tmp_path):
        wait_until(lambda: local_stage.job(running).status == "running", 60)
        broker.empty()
        wait_until_ended(local_stage, running, "succeeded")
        wait_until_ended(local_stage, waiting, "succeeded")
    assert outcomes_of(local_stage, running) == outcomes_of(local_stage, waiting) == ["succeeded"]
    with local_stage.database.read() as db:
        assert {model.job_id for model in list_models(db, local_stage.owner).rows} == {running, waiting}


def test_a_job_that_kills_every_process_fails_in_the_end(local_stage: Stage, broker: Broker, tmp_path: Path) -> None:
    job = local_stage.add_job(small_spec(epochs=9000), max_attempts=2)
    announce(broker, job)
    with running_worker(local_stage, broker, tmp_path):
        for attempt in (1, 2):
            wait_until(lambda attempt=attempt: local_stage.job(job).attempt == attempt, 60)  # type: ignore[misc]
            os.kill(trainer_of(local_stage, job), signal.SIGKILL)
        wait_until_ended(local_stage, job, "failed", 20 * LEASE_SECONDS)
    error = local_stage.job(job).error
    assert error is not None
    assert error["code"] == "worker_lost"
    assert local_stage.artifacts.digests() is not None
    assert_recorded_without_gaps(local_stage, job)


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
