"""POST /v1/models/{model_id}/forecasts: what comes next, from a model in memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import orjson
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, model_validator

from app.api.access import Asker
from app.api.bodies import Id, StrictBody
from app.api.histories import Numbers, SeriesBody, sent_histories, stored_histories
from app.api.services import Served, Services
from app.errors import ForecastError
from app.forecasting.forecaster import Forecast, Forecaster, History
from app.series.moments import write_moments
from app.store.keys import Principal
from app.store.models import get_model
from app.store.tables import ModelRow

router = APIRouter(tags=["forecasts"])

MOST_SERIES = 1000
"""Series of one request."""

LevelPercent = Annotated[float, Field(gt=0.0, lt=100.0)]
Quantile = Annotated[float, Field(gt=0.0, lt=1.0)]


class ForecastRequest(StrictBody):
    """What is to be forecast: `series` that are sent, or `unique_ids` of the dataset that the model was trained on.

    Attributes:
        series: histories.
        unique_ids: series of the model's dataset, at its newest version.
        future: with `unique_ids`: columns that the model knows ahead, by series and column.
        horizon: steps; the trained ones by default.
        levels: of intervals in percent; 80 is the quantiles 0.1 and 0.9.
        quantiles: further quantiles.
        paths: sample paths of each series, for what depends on several steps at once.
    """

    series: Annotated[list[SeriesBody], Field(min_length=1, max_length=MOST_SERIES)] | None = None
    unique_ids: Annotated[list[str], Field(min_length=1, max_length=MOST_SERIES)] | None = None
    future: dict[str, dict[str, Numbers]] = Field(default_factory=dict)
    horizon: int | None = None
    levels: Annotated[list[LevelPercent], Field(max_length=20, default_factory=lambda: [80.0])]
    quantiles: Annotated[list[Quantile], Field(max_length=99, default_factory=list)]
    paths: Annotated[int, Field(ge=0, le=1000)] = 0

    @model_validator(mode="after")
    def _has_one_source(self) -> ForecastRequest:
        if (self.series is None) == (self.unique_ids is None):
            raise ValueError("send either 'series' or 'unique_ids'")
        if self.series is not None and self.future:
            raise ValueError("'future' goes with 'unique_ids'; each of 'series' has its own")
        return self

    @property
    def wanted_quantiles(self) -> tuple[float, ...]:
        """All quantiles, rising."""
        return quantiles_of(self.levels, self.quantiles)


def quantiles_of(levels: Sequence[float], quantiles: Sequence[float]) -> tuple[float, ...]:
    """The bounds of intervals in percent and further quantiles, rising."""
    bounds = {round(side, 6) for level in levels for side in (0.5 - level / 200, 0.5 + level / 200)}
    return tuple(sorted(bounds | set(quantiles)))


class ForecastBody(BaseModel):
    """One series' forecast: a value per step, quantiles by level, and the paths that were asked for, each a value per step."""

    unique_id: str
    timestamps: list[str | int]
    mean: list[float | None]
    quantiles: dict[str, list[float | None]]
    paths: list[list[float | None]]


class ForecastsBody(BaseModel):
    """Forecasts in the order of the request; `timing_ms` says what they took."""

    model: str
    freq: str
    forecasts: list[ForecastBody]
    timing_ms: dict[str, float]


@router.post("/v1/models/{model_id}/forecasts", response_model=ForecastsBody, summary="Forecast")
def make_forecasts(model_id: Id, request: ForecastRequest, services: Served, asker: Asker) -> Response:
    """Forecast series that are sent, or those that the model was trained on. `model_id` is an id or a name."""
    began_at = time.perf_counter()
    model, forecaster, histories = _find(model_id, request, services, asker)
    found_at = time.perf_counter()
    forecasts = _predict(forecaster, histories, request)
    timing = {"load": _milliseconds(began_at, found_at), "forecast": _milliseconds(found_at, time.perf_counter())}
    bodies = [forecast_body(forecast, forecaster) for forecast in forecasts]
    # Encoded here: a large answer through the framework's own encoder takes ten times as long.
    content = {"model": model.id, "freq": forecaster.freq, "forecasts": bodies, "timing_ms": timing}
    return Response(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


def _find(model_id: str, request: ForecastRequest, services: Services, asker: Principal) -> tuple[ModelRow, Forecaster, list[History]]:
    with services.database.read() as db:
        model = get_model(db, asker.owner, model_id)
    # Without a connection in hand: a load may take long, and others need the pool.
    forecaster = services.forecasters.get(model.digest)
    if request.unique_ids is None:
        return model, forecaster, sent_histories(forecaster, request.series or [])
    with services.database.read() as db:
        histories = stored_histories(services, db, model, forecaster, request.unique_ids, request.future)
    return model, forecaster, histories


def _predict(forecaster: Forecaster, histories: list[History], request: ForecastRequest) -> list[Forecast]:
    try:
        return forecaster.predict(histories, request.wanted_quantiles, request.horizon, request.paths)
    except ForecastError as error:
        if request.unique_ids is None or not error.pointer.startswith("#/series"):
            raise
        place = "#/future" if error.fault_code.startswith("future") else "#/unique_ids"
        raise ForecastError(error.detail, code=error.fault_code, pointer=place) from error


def forecast_body(forecast: Forecast, forecaster: Forecaster) -> dict[str, object]:
    """A forecast as it is answered; its arrays lie whole in memory, as orjson wants them."""
    return {
        "unique_id": forecast.unique_id,
        "timestamps": write_moments(forecast.times, forecaster.time_kind),
        "mean": np.ascontiguousarray(forecast.mean),
        "quantiles": {f"{level:g}": values.copy() for level, values in forecast.quantiles.items()},
        "paths": np.ascontiguousarray(forecast.paths),
    }


def _milliseconds(began_at: float, ended_at: float) -> float:
    return round((ended_at - began_at) * 1000, 3)
