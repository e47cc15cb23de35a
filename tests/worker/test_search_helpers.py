"""Any number of workers take trials of a search; what one leaves another finishes."""

import threading
from typing import Any

import pytest

from app.spec.forecaster import ForecasterSpec
from tests.worker.searches import KilledError, expire, helper_of, model_of, run, searching, told, trials_of
from tests.worker.stage import Stage, wait_until
from tests.worker.workers import assert_recorded_without_gaps
from worker.searching.trying import try_window


def test_workers_that_help_take_trials_of_the_same_search(stage: Stage) -> None:
    job = searching(stage, trials=8, helpers=1)
    helper = helper_of(stage, job)
    runners = [threading.Thread(target=run, args=(stage, one)) for one in (job, helper)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join(120)
    trials = trials_of(stage, job)
    assert [trial.number for trial in trials] == list(range(1, 9))
    assert {trial.state for trial in trials} <= {"complete", "pruned"}
    assert {trial.holder_id for trial in trials} == {job, helper}
    assert model_of(stage, stage.job(job)).lineage["search"]["trial"] in {trial.number for trial in trials if trial.state == "complete"}
    assert (stage.job(helper).status, stage.job(helper).model_id) == ("succeeded", None)
    assert len(told(stage, job, "trial")) == 8
    assert_recorded_without_gaps(stage, job)


def test_a_helper_that_comes_late_has_nothing_to_do(local_stage: Stage) -> None:
    job = searching(local_stage, helpers=1)
    helper = helper_of(local_stage, job)
    assert run(local_stage, job).status == "succeeded"
    assert local_stage.job(helper).status == "cancelled"
    assert run(local_stage, helper).attempt == 0


@pytest.mark.slow
def test_a_trial_of_a_lost_helper_is_finished_by_another(local_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    job = searching(local_stage, helpers=1)
    helper = helper_of(local_stage, job)

    def killed(*_: Any) -> dict[str, Any]:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr("worker.search.try_window", killed)
        with pytest.raises(KilledError):
            run(local_stage, helper)
    assert [trial.holder_id for trial in trials_of(local_stage, job)] == [helper]
    expire(local_stage, helper)
    assert run(local_stage, job).status == "succeeded"
    assert [trial.holder_id for trial in trials_of(local_stage, job)] == [job] * 4


def test_an_order_is_heeded_while_others_are_at_the_last_trials(local_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    job, drain = searching(local_stage, trials=1, helpers=1), threading.Event()
    helper = helper_of(local_stage, job)
    may_end = threading.Event()

    def slow(spec: ForecasterSpec, window: Any, bench: Any, heed: Any) -> dict[str, Any]:
        may_end.wait(30)
        return try_window(spec, window, bench, heed)

    monkeypatch.setattr("worker.search.try_window", slow)
    helping = threading.Thread(target=run, args=(local_stage, helper))
    helping.start()
    wait_until(lambda: len(trials_of(local_stage, job)) == 1)
    waiting = threading.Thread(target=run, args=(local_stage, job, drain))
    waiting.start()
    wait_until(lambda: local_stage.job(job).status == "running")
    drain.set()
    waiting.join(30)
    assert local_stage.job(job).status == "queued"
    may_end.set()
    helping.join(30)
    assert run(local_stage, job).status == "succeeded"
    assert [trial.holder_id for trial in trials_of(local_stage, job)] == [helper]


def test_a_trial_that_has_cost_two_workers_has_failed_and_the_search_goes_on(local_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    job = searching(local_stage)

    def poison(spec: ForecasterSpec, window: Any, bench: Any, heed: Any) -> dict[str, Any]:
        if len(trials_of(local_stage, job)) == 2:
            raise KilledError
        return try_window(spec, window, bench, heed)

    monkeypatch.setattr("worker.search.try_window", poison)
    for _ in range(2):
        with pytest.raises(KilledError):
            run(local_stage, job)
        expire(local_stage, job)
    assert run(local_stage, job).status == "succeeded"
    states = [(trial.state, trial.losses) for trial in trials_of(local_stage, job)]
    assert states == [("complete", 0), ("failed", 2), ("complete", 0), ("complete", 0)]
    assert "its worker was lost 2 times" in str(trials_of(local_stage, job)[1].reason)
