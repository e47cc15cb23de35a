"""A job of any kind that was paused and resumed ends as one that never was."""

import threading
from typing import Any

import pytest

from app.store.jobs import list_attempts, pause_job, resume_job
from app.store.models import get_model
from app.store.progress import list_events
from app.store.tables import JobRow
from tests.worker.searches import searching
from tests.worker.stage import Stage, small_spec, wait_until
from tests.worker.workers import assert_recorded_without_gaps
from worker.attempt import Workplace
from worker.runner import run_job

LEASE_SECONDS = 1.5
"""An order arrives within a sixth of it."""


def add(stage: Stage, kind: str) -> str:
    if kind == "search":
        return searching(stage, small_spec(epochs=25))
    request: dict[str, Any] = {"windows": 2, "refit": True, "baselines": []} if kind == "backtest" else {}
    return stage.add_job(small_spec(epochs=100), kind=kind, request=request)


def run(stage: Stage, job: str) -> JobRow:
    run_job(job, Workplace(stage.database, stage.artifacts, LEASE_SECONDS, 1), threading.Event())
    return stage.job(job)


def result_of(stage: Stage, job: JobRow) -> object:
    """The model, or the scores of a backtest."""
    assert job.status == "succeeded", job.error
    with stage.database.read() as db:
        if job.model_id is not None:
            return get_model(db, stage.owner, job.model_id).digest
        return list_events(db, stage.owner, job.id, 0, 10_000, ("backtest",))[-1].data["windows"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["train", "backtest", "search"])
def test_a_job_that_was_paused_ends_as_one_that_never_was(local_stage: Stage, kind: str) -> None:
    stage, job = local_stage, add(local_stage, kind)
    runner = threading.Thread(target=run, args=(stage, job))
    runner.start()
    wait_until(lambda: stage.job(job).status == "running", 240)
    with stage.database.begin() as db:
        assert pause_job(db, stage.owner, job).status == "pausing"
    runner.join(120)
    assert stage.job(job).status == "paused"
    assert run(stage, job).status == "paused"
    with stage.database.begin() as db:
        resume_job(db, stage.owner, job)
    ended = run(stage, job)
    assert result_of(stage, ended) == result_of(stage, run(stage, add(stage, kind)))
    with stage.database.read() as db:
        assert [attempt.outcome for attempt in list_attempts(db, stage.owner, job)] == ["paused", "succeeded"]
    assert_recorded_without_gaps(stage, job)
