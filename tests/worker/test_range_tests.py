"""A job that finds its learning rate tells which and why, and is the same job when it was stopped in the middle."""

import threading
from typing import Any

import pytest

from app.store.progress import list_events
from tests.worker.stage import Stage, small_spec
from tests.worker.test_runner import model_of, place_of, run, while_it_runs
from tests.worker.workers import assert_recorded_without_gaps, curve_of
from worker import ledger
from worker.runner import run_job


def told(stage: Stage, job: str) -> list[dict[str, Any]]:
    with stage.database.read() as db:
        return [dict(event.data) for event in list_events(db, stage.owner, job, 0, 100_000) if event.kind == "range_test"]


def test_a_job_tells_the_rate_that_it_found_and_its_curve(local_stage: Stage) -> None:
    job = run(local_stage, local_stage.add_job(small_spec(lr="auto")))
    assert job.status == "succeeded", job.error
    (test,) = told(local_stage, job.id)
    curve = [values for _, values in curve_of(local_stage, job.id) if "range_test/loss" in values]
    assert test["stage"] == 1
    assert test["losses"] == [values["range_test/loss"] for values in curve]
    assert test["rates"] == [values["range_test/lr"] for values in curve]
    assert model_of(local_stage, job).lineage["phases"][0]["lr"] == test["lr"]
    assert job.progress["fraction"] == 1.0


def test_a_job_that_is_drained_during_a_test_repeats_it_and_trains_the_same_model(
    local_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "FLUSH_SECONDS", 0.0)  # its first steps are seen before it is over
    spec = small_spec(lr="auto", epochs=2, batch_size="full")
    straight = run(local_stage, local_stage.add_job(spec))
    drain = threading.Event()
    drained = while_it_runs(local_stage, local_stage.add_job(spec), drain.set, drain)
    assert (drained.status, told(local_stage, drained.id)) == ("queued", [])
    run_job(drained.id, place_of(local_stage), threading.Event())
    again = local_stage.job(drained.id)
    assert again.status == "succeeded", again.error
    assert model_of(local_stage, again).scores == model_of(local_stage, straight).scores
    assert curve_of(local_stage, again.id) == curve_of(local_stage, straight.id)
    assert_recorded_without_gaps(local_stage, again.id)


@pytest.mark.parametrize("training", [{"batch_size": 8, "accumulate": 4}, {"precision": "bfloat16"}, {"input_noise": 0.1, "warmup": 0.2}])
def test_a_job_learns_as_its_training_says(local_stage: Stage, training: dict[str, Any]) -> None:
    job = run(local_stage, local_stage.add_job(small_spec(**training)))
    assert job.status == "succeeded", job.error
