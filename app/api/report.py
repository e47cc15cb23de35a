"""What came of a job? Its phases, its scores beside the baseline's, and sentences on what to change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from fastapi import APIRouter
from pydantic import BaseModel

from app.api.access import Asker
from app.api.backtest_report import BacktestReport
from app.api.bodies import Id
from app.api.forecast_report import ForecastReport
from app.api.job_body import Status
from app.api.search_report import SEARCH_KINDS, SearchReport, search_report
from app.api.services import Served
from app.store.jobs import get_job
from app.store.models import find_model_of
from app.store.progress import list_events
from app.store.tables import EventRow
from app.store.trials import list_trials

router = APIRouter(tags=["jobs"])

MOST_EVENTS = 10_000
"""Of the kinds that a report is made of, which are few."""

TOLD = ("phase", "finding", "log", "comparison", "inherited", "range_test", "gradients", "backtest", "forecast", *SEARCH_KINDS)
"""The kinds."""

COMPARED = "mase"
"""The score that says whether a model is better than repeating the last season; `mae` where there is no scale for it."""

Scores = Mapping[str, Mapping[str, float | None]]

Said = TypeVar("Said", bound=BaseModel)


class PhaseReport(BaseModel):
    """One stage of the training: `val_loss` is that of its best epoch, `val_loss_before` that before its first, both under its own head.

    `lr` is the learning rate at its start.

    `is_reference`: it is the joint training that the others are compared with, and no part of the model. `job` is the one that did it for
    this one, where another worker had time.
    """

    name: str
    parameters: int
    epochs: int
    best_epoch: int
    val_loss_before: float | None = None
    val_loss: float | None
    seconds: float
    cpu_seconds: float | None = None
    is_reference: bool = False
    lr: float | None = None
    job: str | None = None


class RangeTestReport(BaseModel):
    """What a range test chose before a phase, by its number: a tenth of the rate with the least smoothed loss of those that were tried.

    A loss is that of one step; null where it was no number.
    """

    stage: int
    lr: float
    rates: list[float]
    losses: list[float | None]


class SideReport(BaseModel):
    """What a training came to: validation loss, scores on steps that it never saw, and what it took."""

    val_loss: float | None
    scores: dict[str, float | None]
    seconds: float
    cpu_seconds: float
    epochs: int


class ComparisonReport(BaseModel):
    """The phases beside the same network trained all together from the same weights."""

    phases: SideReport
    joint: SideReport
    sentence: str


class TakenReport(BaseModel):
    """A block that began with weights of the model that the job started from: its place, and that of the other."""

    place: str
    origin: str


class LeftReport(BaseModel):
    """A block that began as it was drawn, and why."""

    place: str
    reason: str


class InheritedReport(BaseModel):
    """What a job took over from the model that it started from; `notes` say what is otherwise than there."""

    model: str
    taken: list[TakenReport]
    left: list[LeftReport]
    notes: list[str]


class LayerGradientsReport(BaseModel):
    """What the gradients say of a recurrent layer; null for what there is none of.

    `norms` are of the gradient of its state so many steps (`lags`) before the newest of those that it reads (`steps`). `memory` is the
    largest lag at which it is a hundredth of its largest, `half_life` that from which on it is a half, `growth` its largest over what the
    loss puts in. `update_ratio` is the largest of those that were measured.
    """

    place: str
    steps: int
    lags: list[int]
    norms: list[float | None]
    memory: int
    half_life: int | None
    growth: float | None
    grad_norm: float | None
    gate_norms: dict[str, float | None]
    saturation: float | None
    gate_saturation: dict[str, float]
    dead_units: float
    radius: float | None
    update_ratio: float | None


class GradientsReport(BaseModel):
    """Each recurrent layer at the end of the last phase in which it ran, with the weights that were kept."""

    layers: list[LayerGradientsReport]
    depth_ratio: float | None


class Finding(BaseModel):
    """Something to know of a training, and what to change."""

    code: str
    severity: str
    place: str
    sentence: str
    remedy: str


class ReportBody(BaseModel):
    """What is known of a job so far: `scores` as long as it has a model; comparisons, backtests, searches, forecasts where it asked so."""

    job: str
    status: Status
    model: str | None
    phases: list[PhaseReport]
    range_tests: list[RangeTestReport]
    comparison: ComparisonReport | None
    inherited: InheritedReport | None
    scores: dict[str, dict[str, float | None]] | None
    gradients: GradientsReport | None
    backtest: BacktestReport | None
    search: SearchReport | None
    forecast: ForecastReport | None
    findings: list[Finding]


@router.get("/v1/jobs/{job_id}/report")
def get_report(job_id: Id, services: Served, asker: Asker) -> ReportBody:
    """What each phase came to, how the model scores beside seasonal naive, and what to change."""
    with services.database.read() as db:
        job = get_job(db, asker.owner, job_id)
        events = list_events(db, asker.owner, job_id, 0, MOST_EVENTS, TOLD)
        model = None if job.model_id is None else find_model_of(db, asker.owner, job_id)
        search = search_report(job, list_trials(db, asker.owner, job_id), events) if job.kind == "search" else None
    scores = None if model is None else model.scores
    # An attempt that was lost may have said what the next one says again: the last word counts.
    tests = {event.data["stage"]: RangeTestReport.model_validate(event.data) for event in events if event.kind == "range_test"}
    phases = {event.data["stage"]: PhaseReport.model_validate(event.data) for event in events if event.kind == "phase"}
    found = {(finding.code, finding.place): finding for finding in (*_told(events), *(_verdict(scores) if scores is not None else []))}
    return ReportBody(
        job=job.id,
        status=job.status,
        model=job.model_id,
        phases=[phases[stage] for stage in sorted(phases)],
        range_tests=[tests[stage] for stage in sorted(tests)],
        comparison=_last(events, "comparison", ComparisonReport),
        inherited=_last(events, "inherited", InheritedReport),
        scores=scores,
        gradients=_last(events, "gradients", GradientsReport),
        backtest=_last(events, "backtest", BacktestReport),
        search=search,
        forecast=_last(events, "forecast", ForecastReport),
        findings=list(found.values()),
    )


def _last(events: Sequence[EventRow], kind: str, model: type[Said]) -> Said | None:
    """The last word of a kind."""
    found = [event.data for event in events if event.kind == kind]
    return model.model_validate(found[-1]) if found else None


def _told(events: Sequence[EventRow]) -> Iterator[Finding]:
    for event in events:
        if event.kind == "finding":
            yield Finding.model_validate(event.data)
        elif event.kind == "log" and event.data.get("level") == "warning":
            remedy = "lower training.lr, or set training.clip_norm"
            yield Finding(code="rolled_back", severity="warning", place="training", sentence=str(event.data["message"]), remedy=remedy)


def _verdict(scores: Scores) -> Iterator[Finding]:
    """Whether the model is worth having: better than the last season repeated, on steps that training never saw."""
    name = COMPARED if scores["model"].get(COMPARED) is not None and scores["seasonal_naive"].get(COMPARED) is not None else "mae"
    model, naive = scores["model"].get(name), scores["seasonal_naive"].get(name)
    if model is None or naive is None or model < naive:
        return
    yield Finding(
        code="no_better_than_naive",
        severity="warning",
        place="model",
        sentence=f"{name} of the model is {model:.3g} on steps that training never saw, and repeating the last season has {naive:.3g}",
        remedy="use seasonal naive, or give the network more to go by: a longer context, calendar features, covariates, more epochs",
    )
