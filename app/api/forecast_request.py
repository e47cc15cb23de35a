"""What does a request for the forecasts of a whole dataset ask for? A model, and the series that it is to forecast.

{"kind": "forecast", "model": "mdl_...", "levels": [80], "format": "parquet"}
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy.orm import Session

from app.api.bodies import Name, StrictBody
from app.api.forecasts import LevelPercent, Quantile
from app.api.job_metadata import check_metadata
from app.api.job_request import LONGEST_NAME, Reference, Resources, Steps, facts_of
from app.api.model_and_data import find_model_and_data
from app.errors import SpecError
from app.spec.facts import PanelFacts
from app.spec.forecaster import ForecasterSpec
from app.spec.panel_forecast import DEFAULT_LEVELS, forecast_plan
from app.spec.parse import parse_spec
from app.spec.resolve import resolve_inputs
from app.store.jobs import NewJob


class ForecastJobRequest(StrictBody):
    """Forecasts of every series of a dataset, in a file.

    Attributes:
        kind: what is to be done.
        model: id or name of the model that forecasts.
        dataset: id of the time series; the model's own by default, at its newest version.
        horizon: steps; the trained ones by default.
        levels: of intervals in percent; 80 is the quantiles 0.1 and 0.9.
        quantiles: further quantiles.
        format: of the file.
        name: of the job.
        resources: what it may use.
        metadata: yours; it is given back as it is.
    """

    kind: Literal["forecast"]
    model: Reference
    dataset: Reference | None = None
    horizon: Steps | None = None
    levels: Annotated[list[LevelPercent], Field(max_length=20)] = Field(default_factory=lambda: list(DEFAULT_LEVELS))
    quantiles: Annotated[list[Quantile], Field(max_length=99)] = Field(default_factory=list)
    format: Literal["parquet", "csv"] = "parquet"
    name: Name | None = None
    resources: Resources = Resources()
    metadata: dict[str, Any] = Field(default_factory=dict)


def plan_forecasts(db: Session, owner: str, request: ForecastJobRequest) -> NewJob:
    """The job that a request asks for, proven.

    Args:
        db: to look up the model and the dataset.
        owner: who asks.
        request: the body.

    Raises:
        InputError: the metadata is nothing that JSON can give back.
        SpecError: nothing can be forecast so; the faults point into the body.
        NotFoundError: the owner has no such model or dataset.
    """
    check_metadata(request.metadata)
    model, dataset, version = find_model_and_data(db, owner, request.model, request.dataset)
    spec = parse_spec(model.spec)
    place = "#/model" if request.dataset is None else "#/dataset"
    _check_data(spec, facts_of(version), f"{model.id} cannot forecast {dataset}", place)
    sent = request.model_dump(mode="json", exclude_unset=True)
    _check_horizon(forecast_plan(sent, spec.horizon or 1).horizon, spec.horizon or 1)
    return NewJob(
        kind=request.kind,
        name=request.name or f"forecasts of {model.name}"[:LONGEST_NAME],
        request=sent,
        spec=model.spec,
        dataset_id=dataset,
        dataset_version=version.version,
        queue="gpu" if request.resources.device == "gpu" else "cpu",
        priority=request.resources.priority,
        max_runtime_seconds=request.resources.max_runtime_seconds,
        metadata=request.metadata,
        origin_id=model.id,
        origin_digest=model.digest,
    )


def _check_horizon(steps: int, trained: int) -> None:
    if steps > trained:
        sentence = f"horizon is {steps}; this model was trained for 1 to {trained} steps; train one for more"
        raise SpecError(sentence, code="horizon", pointer="#/horizon")


def _check_data(spec: ForecasterSpec, facts: PanelFacts, what: str, place: str) -> None:
    """Refuses a dataset of which no series can be forecast.

    Raises:
        SpecError: it lacks a column, or its longest series is too short.
    """
    try:
        resolve_inputs(spec, facts, {}, "#")
    except SpecError as error:
        raise SpecError(f"{what}: {error.detail}", code=error.fault_code, pointer=place) from error
    if facts.longest < spec.least_context:
        sentence = f"{what}: its longest series has {facts.longest} steps, and the model looks back {spec.least_context}; use longer series"
        raise SpecError(sentence, code="series_too_short", pointer=place)
