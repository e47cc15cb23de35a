"""POST /v1/models/{model_id}/forecasts: what comes next, from a model in memory."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import islice
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple, Self

import numpy as np
import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, model_validator
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from app.api.access import Asker
from app.api.bodies import Id, StrictBody
from app.api.histories import Numbers, SeriesBody, sent_histories, stored_histories
from app.api.patience import answer_of
from app.api.services import Served, Services
from app.errors import ForecastError
from app.forecasting.extension import extended
from app.forecasting.forecaster import Forecaster
from app.forecasting.forecasts import Forecasts
from app.forecasting.histories import History
from app.series.moments import write_moments
from app.series.time_values import TimeKind
from app.spec.panel_forecast import quantiles_of
from app.store.keys import Principal
from app.store.models import get_model

router = APIRouter(tags=["forecasts"])

MOST_SERIES = 1000
"""Series of one request."""

MOST_READ_AT_ONCE = 32
"""Series of a request that is read without a thread of its own, and that shares a batch with others."""

LevelPercent = Annotated[float, Field(gt=0.0, lt=100.0)]
Quantile = Annotated[float, Field(gt=0.0, lt=1.0)]


class SourcesBody(StrictBody):
    """Which series a request is about: `series` that are sent, or `unique_ids` of the dataset that the model was trained on.

    Attributes:
        series: histories.
        unique_ids: series of the model's dataset, at its newest version.
    """

    series: Annotated[list[SeriesBody], Field(min_length=1, max_length=MOST_SERIES)] | None = None
    unique_ids: Annotated[list[str], Field(min_length=1, max_length=MOST_SERIES)] | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.series is None) == (self.unique_ids is None):
            raise ValueError("send either 'series' or 'unique_ids'")
        return self


class ForecastRequest(SourcesBody):
    """What is to be forecast.

    Attributes:
        future: with `unique_ids`: columns that the model knows ahead, by series and column.
        held_out: with `unique_ids`: so many observed steps at the end of each series are taken as not there yet, to set the forecast
            beside them; what is known ahead of them is.
        horizon: steps; the trained ones by default.
        levels: of intervals in percent; 80 is the quantiles 0.1 and 0.9.
        quantiles: further quantiles.
        paths: sample paths of each series, for what depends on several steps at once.
        extend: `recursive` lets the horizon be longer than the trained one: the model goes on from its own forecasts.
    """

    future: dict[str, dict[str, Numbers]] = Field(default_factory=dict)
    held_out: Annotated[int, Field(ge=0)] = 0
    horizon: int | None = None
    levels: Annotated[list[LevelPercent], Field(max_length=20, default_factory=lambda: [80.0])]
    quantiles: Annotated[list[Quantile], Field(max_length=99, default_factory=list)]
    paths: Annotated[int, Field(ge=0, le=1000)] = 0
    extend: Literal["recursive"] | None = None

    @model_validator(mode="after")
    def _has_one_future(self) -> Self:
        if self.series is not None and self.future:
            raise ValueError("'future' goes with 'unique_ids'; each of 'series' has its own")
        if self.series is not None and self.held_out:
            raise ValueError("'held_out' goes with 'unique_ids'; send each of 'series' without its last steps")
        if self.extend is not None and self.paths:
            raise ValueError("'paths' are of the trained horizon; leave out 'extend' or 'paths'")
        return self

    @property
    def wanted_quantiles(self) -> tuple[float, ...]:
        """All quantiles, rising."""
        return quantiles_of(self.levels, self.quantiles)


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
async def make_forecasts(model_id: Id, body: ForecastRequest, request: Request, services: Served, asker: Asker) -> Response:
    """Forecast series that are sent, or those that the model was trained on. `model_id` is an id or a name."""
    began_at = time.perf_counter()
    model, forecaster, histories = await run_in_threadpool(find, model_id, body, services, asker, body.future, body.held_out)
    found_at, asked = time.perf_counter(), asked_of(body)
    # Many series are a batch by themselves.
    key = ("forecast", model.digest, asked, object() if len(histories) > MOST_READ_AT_ONCE else None)
    run = partial(forecasts_told, forecaster, asked)
    forecasts = await answer_of(request.receive, services.batcher.ask(key, (histories, body.unique_ids), run))
    return Response(forecasts_body(model.id, forecaster, forecasts, began_at, found_at), media_type="application/json")


class Asked(NamedTuple):
    """What is asked of each series."""

    quantiles: tuple[float, ...]
    horizon: int | None
    paths: int
    is_extended: bool


def asked_of(body: ForecastRequest) -> Asked:
    """What a request asks of each series."""
    return Asked(body.wanted_quantiles, body.horizon, body.paths, body.extend is not None)


class FoundModel(NamedTuple):
    """A model's id, and its artifact."""

    id: str
    digest: str


def forecasts_body(model_id: str, forecaster: Forecaster, forecasts: bytes, began_at: float, found_at: float) -> bytes:
    """A `ForecastsBody` as it goes out: through the framework's own encoder it takes ten times as long.

    Args:
        model_id: of the model.
        forecaster: its.
        forecasts: as they are told.
        began_at: when the request came, on the performance counter.
        found_at: when model and histories were there.
    """
    taken = 1000 * (found_at - began_at), 1000 * (time.perf_counter() - found_at)
    told = orjson.dumps({"model": model_id, "freq": forecaster.freq})[:-1]
    return b'%s,"forecasts":%s,"timing_ms":{"load":%.3f,"forecast":%.3f}}' % (told, forecasts, *taken)


def forecasts_told(forecaster: Forecaster, asked: Asked, requests: Sequence[tuple[list[History], list[str] | None]]) -> list[bytes]:
    """The forecasts of each of some requests, as they are answered.

    Raises:
        ForecastError: as `Forecaster.predict` says.
    """
    together = [history for histories, _ in requests for history in histories]
    with placed(requests[0][1]):  # more requests than one are asked again each alone, and then the error is theirs
        found = _forecasts(forecaster, asked, together)
    bodies = iter(forecast_bodies(found, forecaster.time_kind))
    return [b"[%s]" % b",".join(islice(bodies, len(histories))) for histories, _ in requests]


def _forecasts(forecaster: Forecaster, asked: Asked, histories: Sequence[History]) -> Forecasts:
    if asked.is_extended and asked.horizon is not None:
        return extended(forecaster, histories, asked.quantiles, asked.horizon)
    return forecaster.predict(histories, asked.quantiles, asked.horizon, asked.paths)


Futures = Mapping[str, Mapping[str, Numbers]]
"""Columns that are known ahead, by series and column."""

NO_FUTURES: Futures = MappingProxyType({})

Found = tuple[FoundModel, Forecaster, list[History]]
"""A model, its forecaster and the histories that a request is about."""


def find(model_id: str, body: SourcesBody, services: Services, asker: Principal, future: Futures = NO_FUTURES, held_out: int = 0) -> Found:
    """The model, its forecaster and the histories that a request is about; read where they are not in memory.

    Raises:
        ForecastError: the dataset has no such series.
        NotFoundError: there is no such model, or the dataset was deleted.
    """

    def read(db: Session) -> FoundModel:
        row = get_model(db, asker.owner, model_id)
        return FoundModel(row.id, row.digest)

    model = services.recent.read(("model", asker.owner, model_id), read)
    # Without a connection in hand: a load may take long, and others need the pool.
    forecaster = services.forecasters.get(model.digest)
    if body.unique_ids is None:
        return model, forecaster, sent_histories(forecaster, body.series or [])
    with services.database.read() as db:
        row = get_model(db, asker.owner, model.id)
        return model, forecaster, stored_histories(services, db, row, forecaster, body.unique_ids, future, held_out)


@contextmanager
def placed(unique_ids: list[str] | None) -> Iterator[None]:
    """Around a forecast: its errors get their place in the request, where series of the dataset stand at no place of their own.

    Raises:
        ForecastError: the block did.
    """
    try:
        yield
    except ForecastError as error:
        if unique_ids is None or not error.pointer.startswith("#/series"):
            raise
        pointer = "#/future" if error.fault_code.startswith("future") else "#/unique_ids"
        raise ForecastError(error.detail, code=error.fault_code, pointer=pointer) from error


def forecast_bodies(forecasts: Forecasts, kind: TimeKind) -> list[bytes]:
    """Each forecast as it is answered, a `ForecastBody`: the numbers of all are written by one call, and cut where their lists end.

    Args:
        forecasts: one or more.
        kind: how times are written.
    """
    form, times, dtype = _form(forecasts.levels), forecasts.times, forecasts.times.dtype.str
    numbers = orjson.dumps(forecasts.values, option=orjson.OPT_SERIALIZE_NUMPY)[3:-3].split(b"]],[[")
    paths = [orjson.dumps(own, option=orjson.OPT_SERIALIZE_NUMPY) for own in np.ascontiguousarray(forecasts.paths)]
    return [
        form % (orjson.dumps(unique_id), _written(dtype, times[row].tobytes(), kind), *numbers[row].split(b"],["), paths[row])
        for row, unique_id in enumerate(forecasts.unique_ids)
    ]


@lru_cache(maxsize=256)
def _form(levels: tuple[float, ...]) -> bytes:
    """A forecast's JSON, with a place for each of its parts."""
    quantiles = ",".join(f'"{level:g}":[%s]' for level in levels)
    return f'{{"unique_id":%s,"timestamps":%s,"mean":[%s],"quantiles":{{{quantiles}}},"paths":%s}}'.encode()


@lru_cache(maxsize=64)
def _written(dtype: str, times: bytes, kind: TimeKind) -> bytes:
    """Times as they are answered: most forecasts are of the same ones."""
    return orjson.dumps(write_moments(np.frombuffer(times, dtype), kind))
