"""A search outlives its process and its helpers, with the winner of one that was never killed. Real processes, real Redis."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.broker import Broker, running_broker
from tests.worker.searches import helper_of, model_of, results, run, searching, told, trials_of
from tests.worker.stage import Stage, small_spec, wait_until
from tests.worker.workers import assert_recorded_without_gaps, outcomes_of, running_worker, trainer_of, wait_until_ended

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.fixture
def broker() -> Iterator[Broker]:
    with running_broker() as broker:
        yield broker


def tried(stage: Stage, job: str, count: int) -> None:
    """Waits until so many trials have begun."""
    wait_until(lambda: len(trials_of(stage, job)) >= count, 240)


def test_a_killed_process_costs_an_attempt_and_no_trial(local_stage: Stage, broker: Broker, tmp_path: Path) -> None:
    spec = small_spec(epochs=15)
    job = searching(local_stage, spec)
    with running_worker(local_stage, broker, tmp_path):
        tried(local_stage, job, 2)
        os.kill(trainer_of(local_stage, job), signal.SIGKILL)
        wait_until_ended(local_stage, job, "succeeded")
    assert outcomes_of(local_stage, job) == ["lost", "succeeded"]
    straight = run(local_stage, searching(local_stage, spec))
    assert results(local_stage, job) == results(local_stage, straight.id)
    assert told(local_stage, job, "chosen")[-1] == told(local_stage, straight.id, "chosen")[-1]
    assert model_of(local_stage, local_stage.job(job)).digest == model_of(local_stage, straight).digest
    assert [event["trial"] for event in told(local_stage, job, "trial")] == [1, 2, 3, 4]
    assert_recorded_without_gaps(local_stage, job)


def test_two_workers_share_the_trials_and_one_of_them_may_die(local_stage: Stage, broker: Broker, tmp_path: Path) -> None:
    job = searching(local_stage, small_spec(epochs=20), trials=8, helpers=1)
    helper = helper_of(local_stage, job)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "artifacts").symlink_to(tmp_path / "artifacts")
    with running_worker(local_stage, broker, tmp_path), running_worker(local_stage, broker, tmp_path / "other"):
        wait_until(lambda: {job, helper} <= {trial.holder_id for trial in trials_of(local_stage, job)}, 240)
        os.kill(trainer_of(local_stage, helper), signal.SIGKILL)
        wait_until_ended(local_stage, job, "succeeded")
    trials = trials_of(local_stage, job)
    assert [trial.number for trial in trials] == list(range(1, 9))
    assert {trial.state for trial in trials} <= {"complete", "pruned"}
    assert sorted(event["trial"] for event in told(local_stage, job, "trial")) == list(range(1, 9))
    assert_recorded_without_gaps(local_stage, job)
