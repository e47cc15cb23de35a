"""A search tries each draw once, however often it is interrupted, and its winner is trained as a training would."""

import threading
from typing import Any

import pytest

from app.errors import DivergedError
from app.spec.forecaster import ForecasterSpec
from app.store.jobs import cancel_job
from app.store.tables import JobRow
from tests.worker.searches import KilledError, expire, helper_of, model_of, request_of, results, run, searching, told, trials_of
from tests.worker.stage import Stage, small_spec, wait_until
from tests.worker.workers import assert_recorded_without_gaps, curve_of
from worker import ledger
from worker.search import SearchAttempt
from worker.searching.trying import try_window


def test_a_search_goes_from_its_claim_to_the_model_of_its_winner(stage: Stage) -> None:
    job = run(stage, searching(stage))
    model = model_of(stage, job)
    trials = trials_of(stage, job.id)
    assert [trial.number for trial in trials] == [1, 2, 3, 4]
    assert trials[0].drawn == {}
    assert all(set(trial.drawn) == {"units", "lr"} for trial in trials[1:])
    assert all(trial.state == "complete" and len(trial.windows) == 2 and trial.ended_at is not None for trial in trials)
    (chosen,), (baseline,) = told(stage, job.id, "chosen"), told(stage, job.id, "baseline")
    winner = trials[chosen["winner"] - 1]
    assert model.lineage["search"] == {"trial": winner.number, "drawn": winner.drawn, "metric": "mase", "score": winner.score}
    assert model.parameters == winner.parameters
    assert model.spec["network"]["blocks"][0]["units"] == winner.drawn.get("units", 8)
    assert (baseline["metric"], len(baseline["windows"])) == ("mase", 2)
    assert [event["trial"] for event in told(stage, job.id, "trial")] == [1, 2, 3, 4]
    assert job.progress["phase"].startswith("winner: ")
    assert job.progress["fraction"] == 1.0
    assert_recorded_without_gaps(stage, job.id)


def test_the_winner_is_the_model_that_a_training_of_its_document_makes(local_stage: Stage) -> None:
    job = run(local_stage, searching(local_stage))
    model = model_of(local_stage, job)
    straight = run(local_stage, local_stage.add_job(ForecasterSpec.model_validate(model.spec)))
    assert model_of(local_stage, straight).digest == model.digest
    assert curve_of(local_stage, straight.id) == curve_of(local_stage, job.id)


@pytest.mark.parametrize("end", ["drained", "killed"])
def test_an_interrupted_search_repeats_no_window_that_is_done_and_has_the_same_winner(
    end: str, local_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = run(local_stage, searching(local_stage))
    job, drain, tried = searching(local_stage), threading.Event(), list[float]()

    def interrupted(spec: ForecasterSpec, window: Any, bench: Any, heed: Any) -> dict[str, Any]:
        tried.append(window.panel.lengths[0])
        if len(tried) == 4:  # the second window of the second trial
            if end == "killed":
                raise KilledError
            drain.set()
        return try_window(spec, window, bench, heed)

    monkeypatch.setattr("worker.search.try_window", interrupted)
    if end == "killed":
        with pytest.raises(KilledError):
            run(local_stage, job)
        assert [trial.state for trial in trials_of(local_stage, job)] == ["complete", "running"]
        expire(local_stage, job)
    else:
        assert run(local_stage, job, drain).status == "queued"
    ended = run(local_stage, job)
    assert ended.attempt == 2
    assert len(tried) == 2 * 4 + 1
    assert tried[3] == tried[4]
    assert results(local_stage, job) == results(local_stage, straight.id)
    assert told(local_stage, job, "chosen")[-1] == told(local_stage, straight.id, "chosen")[-1]
    assert model_of(local_stage, ended).digest == model_of(local_stage, straight).digest
    assert_recorded_without_gaps(local_stage, job)


def test_a_search_that_is_killed_while_its_winner_trains_goes_on_from_the_checkpoint(
    local_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = run(local_stage, searching(local_stage))
    monkeypatch.setattr(ledger, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(ledger, "CHECKPOINT_SHARE", 1e9)
    job, real, kept = searching(local_stage), SearchAttempt._checkpoint, list[int]()

    def killed(self: SearchAttempt, training: Any, *, is_best: bool) -> None:
        real(self, training, is_best=is_best)
        kept.append(training.progress.step)
        if len(kept) == 3:
            raise KilledError

    monkeypatch.setattr(SearchAttempt, "_checkpoint", killed)
    with pytest.raises(KilledError):
        run(local_stage, job)
    expire(local_stage, job)
    monkeypatch.setattr("worker.search.try_window", lambda *_: pytest.fail("a trial was repeated"))
    ended = run(local_stage, job)
    assert model_of(local_stage, ended).digest == model_of(local_stage, straight).digest
    assert curve_of(local_stage, job) == curve_of(local_stage, straight.id)


def test_a_draw_that_is_no_network_is_refused_and_one_that_cannot_be_trained_has_failed(
    local_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = searching(local_stage, trials=3)
    pair = [{"kind": "lstm", "units": 3, "output": "last"}, {"kind": "lstm", "units": 3}]
    with local_stage.database.begin() as db:
        row = db.get_one(JobRow, job)
        plan = row.request["plan"]
        row.request = {**row.request, "plan": {**plan, "space": {**plan["space"], "/network/blocks": {"choices": [pair]}}}}
    ended = run(local_stage, job)
    first, *others = trials_of(local_stage, job)
    assert first.state == "complete"
    assert {trial.state for trial in others} == {"refused"}
    assert all(trial.reason and trial.parameters is None and trial.windows == [] for trial in others)
    assert model_of(local_stage, ended).lineage["search"]["trial"] == 1

    def diverging(*_: Any) -> dict[str, Any]:
        raise DivergedError("the loss was inf")

    monkeypatch.setattr("worker.search.try_window", diverging)
    failed = run(local_stage, searching(local_stage, trials=2))
    assert (failed.status, {trial.state for trial in trials_of(local_stage, failed.id)}) == ("failed", {"failed"})
    assert failed.error is not None
    assert failed.error["pointer"] == "#/space"
    assert "none of 2 trials could be trained on all windows; the last one: the loss was inf" in failed.error["message"]


def test_what_is_worse_than_the_others_is_stopped_after_its_first_window(local_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([1.0] * 8 + [9.0] + [0.5] * 2)

    def scored(*_: Any) -> dict[str, Any]:
        return {"score": next(scores), "standard_error": 0.1, "series": 2, "epochs": 1, "seconds": 0.0}

    monkeypatch.setattr("worker.search.try_window", scored)
    job = run(local_stage, searching(local_stage, trials=6))
    trials = trials_of(local_stage, job.id)
    assert [trial.state for trial in trials] == ["complete"] * 4 + ["pruned", "complete"]
    assert (trials[4].score, trials[4].reason) == (9.0, "worse than half of the others after 1 of 2 windows")
    assert model_of(local_stage, job).lineage["search"]["trial"] == 6


def test_no_trial_begins_after_the_budget(local_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: Any) -> dict[str, Any]:
        return {"score": 1.0, "standard_error": None, "series": 1, "epochs": 1, "seconds": 3.0}

    monkeypatch.setattr("worker.search.try_window", slow)
    job = run(local_stage, searching(local_stage, trials=10, budget_seconds=10))
    assert (job.status, len(trials_of(local_stage, job.id))) == ("succeeded", 2)


def test_a_cancelled_search_stops_within_a_trial_and_so_do_its_helpers(local_stage: Stage) -> None:
    job = searching(local_stage, small_spec(epochs=2000, lr=1e-4), helpers=1)
    runner = threading.Thread(target=run, args=(local_stage, job, None, 1.0))
    runner.start()
    wait_until(lambda: "trial 1 of 4" in local_stage.job(job).progress.get("phase", ""))
    with local_stage.database.begin() as db:
        cancel_job(db, local_stage.owner, job)
    assert local_stage.job(helper_of(local_stage, job)).status == "cancelled"
    runner.join(30)
    assert not runner.is_alive()
    assert local_stage.job(job).status == "cancelled"


def test_a_search_keeps_to_the_time_that_it_may_take(local_stage: Stage) -> None:
    spec = small_spec(epochs=2000, lr=1e-4)
    job = local_stage.add_job(spec, kind="search", request=request_of(spec), max_runtime_seconds=1)
    ended = run(local_stage, job)
    assert ended.error is not None
    assert (ended.status, ended.error["code"]) == ("failed", "timeout")
