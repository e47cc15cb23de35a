"""What does a request for a backtest ask for? A stored model or a document, and the cutoffs that it is to be forecast from.

{"kind": "backtest", "model": "mdl_..."}                    a stored model, as it is or trained anew before each cutoff
{"kind": "backtest", "dataset": "ds_...", "horizon": 24}    what a request for a training may say of its network
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy.orm import Session

from app.api.bodies import Name, StrictBody
from app.api.job_metadata import check_metadata
from app.api.job_request import LONGEST_NAME, Document, JobRequest, Reference, Resources, Season, Steps, facts_of, plan_job
from app.api.model_and_data import find_model_and_data
from app.api.stored_models import with_models
from app.errors import SpecError
from app.spec.backtest import BASELINES, DEFAULT_WINDOWS, MOST_WINDOWS, BacktestPlan, Baseline, backtest_plan
from app.spec.compile import compile_spec
from app.spec.facts import PanelFacts
from app.spec.forecaster import ForecasterSpec
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec
from app.spec.resolve import HELD_OUT_HORIZONS, resolve_spec
from app.store.datasets import get_version
from app.store.jobs import NewJob

OF_A_TRAINING = ("architecture", "columns", "context", "horizon", "training", "scaling", "seed", "season")
"""What says which network is trained; a stored model has all of it."""

MOST_FORECASTS = 2_000_000
"""Windows times series times steps: their forecasts by four methods, each with five quantiles, are 400 megabytes of a worker's memory."""

OF_A_BACKTEST = ("model", "windows", "step", "refit", "baselines")


class BacktestRequest(StrictBody):
    """A backtest: how good would forecasts have been at earlier times?

    Attributes:
        kind: what is to be done.
        model: id or name of the model to be tested; without it a network is trained, by the same fields as for a training.
        dataset: id of the time series; the model's own by default.
        windows: cutoffs of each series, the last a horizon before its last value.
        step: steps from one cutoff to the next; the horizon by default.
        refit: train anew before each cutoff; else a stored model forecasts as it is, and a document is trained once before the first.
        baselines: beside seasonal naive; ETS takes up to a second a forecast.
        name: of the job.
        architecture: see a training.
        columns: see a training.
        context: see a training.
        horizon: see a training.
        training: see a training.
        scaling: see a training.
        seed: see a training.
        season: see a training; scaled errors are in units of it.
        resources: what it may use.
        metadata: yours; it is given back as it is.
    """

    kind: Literal["backtest"]
    model: Reference | None = None
    dataset: Reference | None = None
    windows: Annotated[int, Field(ge=1, le=MOST_WINDOWS)] = DEFAULT_WINDOWS
    step: Steps | None = None
    refit: bool = False
    baselines: Annotated[list[Baseline], Field(max_length=2)] = Field(default_factory=lambda: list(BASELINES))
    name: Name | None = None
    architecture: Document | None = None
    columns: dict[str, list[str]] = Field(default_factory=dict)
    context: Steps | None = None
    horizon: Steps | None = None
    training: dict[str, Any] = Field(default_factory=dict)
    scaling: dict[str, Any] = Field(default_factory=dict)
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    season: Season | None = None
    resources: Resources = Resources()
    metadata: dict[str, Any] = Field(default_factory=dict)


def plan_backtest(db: Session, owner: str, request: BacktestRequest, limits: NetworkLimits) -> NewJob:
    """The job that a request asks for, proven.

    Args:
        db: to look up the model, the dataset and the document.
        owner: who asks.
        request: the body.
        limits: of a network.

    Raises:
        InputError: the metadata is nothing that JSON can give back.
        SpecError: nothing can be tested so; the faults point into the body.
        NotFoundError: the owner has no such model, dataset or document.
    """
    new = _of_document(db, owner, request, limits) if request.model is None else _of_model(db, owner, request, limits)
    facts = facts_of(get_version(db, owner, new.dataset_id, new.dataset_version))
    spec = parse_spec(new.spec)
    sent = request.model_dump(mode="json", exclude_unset=True)
    _check_windows(backtest_plan(sent, spec.horizon or 1), spec, facts, is_trained=request.model is None or request.refit)
    return replace(new, kind=request.kind, request=sent)


def _of_document(db: Session, owner: str, request: BacktestRequest, limits: NetworkLimits) -> NewJob:
    if request.dataset is None:
        sentence = "dataset: is missing; name the model that is to be tested, or the dataset that a network is to be trained on"
        raise SpecError(sentence, code="missing", pointer="#/dataset")
    asked = {name: getattr(request, name) for name in request.model_fields_set if name not in OF_A_BACKTEST}
    new = plan_job(db, owner, JobRequest.model_validate({**asked, "kind": "train"}), limits)
    return new if request.name is not None else replace(new, name=f"backtest {new.name}"[:LONGEST_NAME])


def _of_model(db: Session, owner: str, request: BacktestRequest, limits: NetworkLimits) -> NewJob:
    for name in OF_A_TRAINING:
        if name in request.model_fields_set:
            sentence = f"{name}: the model has its own, and this would do nothing; leave it out, or leave model out"
            raise SpecError(sentence, code="inert", pointer=f"#/{name}")
    check_metadata(request.metadata)
    model, dataset, version = find_model_and_data(db, owner, str(request.model), request.dataset)
    spec = parse_spec(model.spec)
    try:
        resolved = resolve_spec(with_models(spec, db, owner) if request.refit else spec, facts_of(version))
        if request.refit:
            compile_spec(resolved, limits)
    except SpecError as error:
        place = "#/model" if request.dataset is None else "#/dataset"
        raise SpecError(f"{model.id} cannot be tested on {dataset}: {error.detail}", code=error.fault_code, pointer=place) from error
    return NewJob(
        kind=request.kind,
        name=request.name or f"backtest {model.name}"[:LONGEST_NAME],
        request={},
        spec=resolved.model_dump(mode="json", by_alias=True) if request.refit else model.spec,
        dataset_id=dataset,
        dataset_version=version.version,
        queue="gpu" if request.resources.device == "gpu" else "cpu",
        priority=request.resources.priority,
        max_runtime_seconds=request.resources.max_runtime_seconds,
        metadata=request.metadata,
        origin_id=model.id,
        origin_digest=model.digest,
    )


def _check_windows(plan: BacktestPlan, spec: ForecasterSpec, facts: PanelFacts, *, is_trained: bool) -> None:
    """Refuses more forecasts than fit into memory, and cutoffs so early that the longest series has too little before the first.

    Raises:
        SpecError: they are.
    """
    context, horizon = spec.context or 1, spec.horizon or 1
    numbers = facts.series * plan.windows * horizon
    if numbers > MOST_FORECASTS:
        sentence = (
            f"windows: {plan.windows} windows of {facts.series:,} series and {horizon} steps are {numbers:,} forecasts, and at most "
            f"{MOST_FORECASTS:,} are kept for the scores; ask for fewer windows, or upload a sample of the series"
        )
        raise SpecError(sentence, code="too_large", pointer="#/windows")
    needed = context + HELD_OUT_HORIZONS * horizon if is_trained else context
    room = facts.longest - horizon - needed
    if room >= plan.reach:
        return
    before = max(facts.longest - horizon - plan.reach, 0)
    what = f"a training of context {context} and {HELD_OUT_HORIZONS} horizons of {horizon} needs" if is_trained else "the context is"
    way_out = f"at most {room // plan.step + 1} windows would do" if room >= 0 else "use longer series, or a shorter context or horizon"
    sentence = (
        f"windows: the longest series has {facts.longest} steps, of which {plan.windows} windows of {horizon}, {plan.step} apart, leave "
        f"{before} before the first; {what} {needed}; {way_out}"
    )
    raise SpecError(sentence, code="series_too_short", pointer="#/windows")
