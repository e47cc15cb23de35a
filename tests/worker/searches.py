"""Searches for the tests of the worker, and what came of them."""

import threading
from typing import Any

import sqlalchemy as sa

from app.spec.facts import PanelFacts
from app.spec.forecaster import ForecasterSpec
from app.spec.limits import NetworkLimits
from app.spec.search import plan_search
from app.store.database import utc_in
from app.store.models import get_model
from app.store.progress import list_events
from app.store.tables import JobRow, ModelRow, TrialRow
from app.store.trials import list_trials
from tests.worker.stage import Stage, small_spec
from worker.attempt import Workplace
from worker.runner import run_job

FACTS = PanelFacts("D", 7, ("x",), "y", 2, 120, 120)
SPACE: dict[str, Any] = {"units": {"low": 2, "high": 6}, "lr": {"low": 1e-3, "high": 1e-1, "log": True}}


def request_of(spec: ForecasterSpec | None = None, **request: Any) -> dict[str, Any]:
    asked = {"space": SPACE, "trials": 4, "windows": 2} | request
    return {**asked, "plan": plan_search(asked, spec or small_spec(epochs=1), FACTS, NetworkLimits()).written()}


def searching(stage: Stage, spec: ForecasterSpec | None = None, **request: Any) -> str:
    helpers = request.pop("helpers", 0)
    spec = spec or small_spec(epochs=1)
    return stage.add_job(spec, kind="search", request=request_of(spec, **request), helpers=helpers)


def run(stage: Stage, job: str, drain: threading.Event | None = None, lease_seconds: float = 30) -> JobRow:
    run_job(job, Workplace(stage.database, stage.artifacts, lease_seconds, 1), drain or threading.Event())
    return stage.job(job)


def trials_of(stage: Stage, job: str) -> list[TrialRow]:
    with stage.database.read() as db:
        return list(list_trials(db, stage.owner, job))


def told(stage: Stage, job: str, kind: str) -> list[dict[str, Any]]:
    with stage.database.read() as db:
        return [event.data for event in list_events(db, stage.owner, job, 0, 10_000, (kind,))]


def model_of(stage: Stage, job: JobRow) -> ModelRow:
    assert job.status == "succeeded", job.error
    with stage.database.read() as db:
        return get_model(db, stage.owner, str(job.model_id))


def helper_of(stage: Stage, job: str) -> str:
    with stage.database.read() as db:
        return db.scalars(sa.select(JobRow.id).where(JobRow.parent_id == job)).one()


def results(stage: Stage, job: str) -> list[tuple[Any, ...]]:
    """What a search came to, but for the time that it took."""
    return [
        (trial.number, trial.state, trial.drawn, trial.score, trial.standard_error, trial.parameters) for trial in trials_of(stage, job)
    ]


def expire(stage: Stage, job: str) -> None:
    with stage.database.begin() as db:
        db.execute(sa.update(JobRow).where(JobRow.id == job).values(lease_until=utc_in(-1)))


class KilledError(BaseException):
    """The end of a process, as far as an attempt can tell."""
