"""What does the client of Nixtla send? Its bodies, read as series of the service."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, TypeVar

import numpy as np
from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.api.histories import Numbers, SeriesBody, sent_histories
from app.api.services import Served
from app.errors import ForecastError, MalformedError, pointer_to
from app.forecasting.forecaster import Forecaster
from app.forecasting.histories import History
from app.forecasting.windows import covariates_of, future_columns_of
from app.series.compression import Inflater
from app.series.frequency import parse_frequency

MONTHS = "MS"
"""What the client says of whole-numbered times too."""


class ManySeries(BaseModel):
    """Many series, one behind the other."""

    y: Numbers
    sizes: list[Annotated[int, Field(ge=1)]]
    X: list[Numbers] | None = None
    X_future: list[Numbers] | None = None
    start_datetime: list[str] | None = None
    categorical_exog: list[int] | None = None


class Asked(BaseModel):
    """What all requests have in common; what the client sends beside it changes nothing here."""

    model_config = ConfigDict(protected_namespaces=())

    series: ManySeries
    model: str
    freq: str
    finetuned_model_id: str | None = None
    finetune_steps: int = 0
    multivariate: bool = False
    feature_contributions: bool = False
    model_parameters: dict[str, Any] | None = None


class ForecastAsked(Asked):
    """A forecast of `h` steps, with intervals of these levels in percent."""

    h: Annotated[int, Field(ge=1)]
    level: list[Annotated[float, Field(gt=0, lt=100)]] | None = None


class WindowsAsked(ForecastAsked):
    """Forecasts from so many cutoffs, `step_size` apart; the last is `h` steps before the end."""

    n_windows: Annotated[int, Field(ge=1)] = 1
    step_size: Annotated[int, Field(ge=1)] | None = None


class AnomaliesAsked(Asked):
    """What lies outside the interval of a level."""

    level: Annotated[float, Field(gt=0, lt=100)] = 99.0


Kind = TypeVar("Kind", bound=Asked)


async def _body(request: Request, services: Served) -> bytes:
    """A request's body, opened where it is compressed.

    Raises:
        MalformedError: it is compressed otherwise than it says.
    """
    body = await request.body()
    if request.headers.get("content-encoding", "identity") != "zstd":
        return body
    inflater = Inflater("zstd", services.max_json_bytes)
    opened = inflater.feed(body)
    inflater.finish()
    return opened


Body = Annotated[bytes, Depends(_body)]


def read_body(kind: type[Kind], body: bytes) -> Kind:
    """The request that a body is.

    Raises:
        MalformedError: it is none.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = pointer_to("#", first["loc"])
        raise MalformedError(
            f"{place}: {first['msg']}; the protocol is that of the client of Nixtla, version 0.9", pointer=place
        ) from error


def check_asked(asked: Asked) -> None:
    """Refuses what would change nothing here, or cannot be done.

    Raises:
        ForecastError: the request has something of it.
    """
    refused = {
        "finetune_steps": (
            asked.finetune_steps > 0,
            "a forecast trains nothing; call finetune() and name what it gives in finetuned_model_id",
        ),
        "multivariate": (asked.multivariate, "each series is forecast by itself"),
        "feature_contributions": (asked.feature_contributions, "there are none; leave it out"),
        "model_parameters": (bool(asked.model_parameters), "a model has its own; leave it out"),
        "series/categorical_exog": (bool(asked.series.categorical_exog), "words are not read here; forecast by /v1/models/{id}/forecasts"),
    }
    for name, (is_there, sentence) in refused.items():
        if is_there:
            raise ForecastError(f"{name}: {sentence}", code="inert", pointer=f"#/{name}")


def check_freq(freq: str, forecaster: Forecaster) -> None:
    """Refuses series of another frequency than the model's.

    Raises:
        ForecastError: they are.
    """
    own = parse_frequency(forecaster.freq)
    if (own.is_integer and freq == MONTHS) or str(parse_frequency(freq)) == str(own):
        return
    raise ForecastError(f"freq is {freq!r}, and the model was trained on {forecaster.freq!r}", code="frequency", pointer="#/freq")


def histories_of(series: ManySeries, forecaster: Forecaster, horizon: int) -> list[History]:
    """The series that a request brings.

    Raises:
        ForecastError: they are not as long as they say, or have other covariates than the model.
    """
    ends = np.cumsum([0, *series.sizes]).tolist()
    if ends[-1] != len(series.y):
        raise ForecastError(f"sizes come to {ends[-1]} values and y has {len(series.y)}", code="length", pointer="#/series/sizes")
    known = future_columns_of(forecaster.spec)
    columns = (*known, *(name for name in covariates_of(forecaster.spec) if name not in known))
    past = _named(columns, series.X, len(series.y), "X")
    future = _named(known, series.X_future, horizon * len(series.sizes), "X_future") if horizon else {}
    is_integer = parse_frequency(forecaster.freq).is_integer
    if series.start_datetime is None and not is_integer:
        sentence = "start_datetime is missing; use the client's version 0.9 or newer, which says when each series begins"
        raise ForecastError(sentence, code="missing", pointer="#/series/start_datetime")
    starts: Sequence[str | int] = series.start_datetime or [0] * len(series.sizes)
    bodies = [
        SeriesBody(
            unique_id=str(number),
            start=starts[number],
            target=series.y[begin:end],
            past={name: values[begin:end] for name, values in past.items()},
            future={name: values[number * horizon : (number + 1) * horizon] for name, values in future.items()},
        )
        for number, (begin, end) in enumerate(pairwise(ends))
    ]
    return sent_histories(forecaster, bodies)


def _named(columns: Sequence[str], given: list[Numbers] | None, length: int, key: str) -> dict[str, Numbers]:
    """Columns that come without names, in the order of the model's.

    Raises:
        ForecastError: there are more or fewer, or they are of another length.
    """
    found = given or []
    if len(found) != len(columns) or any(len(values) != length for values in found):
        wanted = f"{', '.join(columns)}, in this order, {length} values each" if columns else "no covariates"
        raise ForecastError(f"{key} has {len(found)} columns; the model reads {wanted}", code="columns", pointer=f"#/series/{key}")
    return dict(zip(columns, found, strict=True))
