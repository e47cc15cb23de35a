"""Which histories does a forecast start from? Those that were sent, or the newest of the dataset that the model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import polars as pl
from pydantic import Field
from sqlalchemy.orm import Session

from app.api.bodies import StrictBody
from app.api.services import Services
from app.errors import ForecastError, SeriesError
from app.forecasting.forecaster import Forecaster
from app.forecasting.forecasts import Values
from app.forecasting.histories import History
from app.forecasting.windows import columns_of, future_columns_of, statics_of
from app.series.categories import code_of, encode_categories
from app.series.frequency import as_times, parse_frequency
from app.series.moments import Moment, read_moment
from app.series.panel import TARGET, Panel, panel_of
from app.series.table import scan_arrow
from app.series.time_values import TimeKind
from app.store.datasets import get_version
from app.store.tables import ModelRow

Numbers = list[float | None]


class SeriesBody(StrictBody):
    """A series that is sent along.

    Attributes:
        unique_id: what it is called in the answer.
        start: time of the first value, in the form of the model's dataset: RFC 3339, or a whole number.
        target: values, null where missing.
        past: covariates up to the same step.
        future: columns that the model knows ahead, from the step after the target's last on.
        static: what never changes within the series, such as its region.
    """

    unique_id: str = Field(default="series", max_length=256)
    start: str | int
    target: Numbers
    past: dict[str, Numbers] = Field(default_factory=dict)
    future: dict[str, Numbers] = Field(default_factory=dict)
    static: dict[str, str | int | float | bool] = Field(default_factory=dict)


def sent_histories(forecaster: Forecaster, series: Sequence[SeriesBody]) -> list[History]:
    """The histories that a request brings.

    Raises:
        ForecastError: a start cannot be a time of this model's series.
    """
    words = statics_of(forecaster.spec) if any(one.static for one in series) else {}
    return [
        History(
            unique_id=one.unique_id,
            start=_start(one.start, forecaster, position),
            columns={**columns_sent(one.past), **_codes(words, one), TARGET: values_of(one.target)},
            future=columns_sent(one.future),
        )
        for position, one in enumerate(series)
    ]


def _codes(words: Mapping[str, tuple[str, ...]], series: SeriesBody) -> dict[str, Values]:
    return {
        name: np.full(len(series.target), code_of(value, words[name]), dtype=np.float64)
        for name, value in series.static.items()
        if name in words
    }


def values_of(numbers: Numbers) -> Values:
    """Numbers of a request, NaN where missing."""
    return np.array(numbers, dtype=np.float64)


def columns_sent(columns: Mapping[str, Numbers]) -> dict[str, Values]:
    """Columns of a request, by their names."""
    return {name: values_of(numbers) for name, numbers in columns.items()}


def _start(value: str | int, forecaster: Forecaster, position: int) -> Moment:
    try:
        return _read(value, forecaster.time_kind, forecaster.freq)
    except SeriesError as error:
        raise ForecastError(error.detail, code=error.fault_code, pointer=f"#/series/{position}/start") from error


@lru_cache(maxsize=256, typed=True)
def _read(value: str | int, kind: TimeKind, freq: str) -> Moment:
    """A start: many ask of the same ones.

    Raises:
        SeriesError: it cannot be a time of such series.
    """
    moment, frequency = read_moment(value, kind), parse_frequency(freq)
    if frequency.is_calendar and frequency.shift(as_times([moment]), 0)[0] != moment:
        sentence = f"start is {value!r}, which is no step of the frequency {freq}; send the first day of the period that it means"
        raise SeriesError(sentence, code="off_frequency")
    return moment


def stored_histories(
    services: Services,
    db: Session,
    model: ModelRow,
    forecaster: Forecaster,
    unique_ids: Sequence[str],
    future: Mapping[str, Mapping[str, Numbers]],
    held_out: int = 0,
) -> list[History]:
    """The newest histories of the model's own dataset.

    Where the model knows columns ahead, the steps at the end of a series that have no target yet are its future; what a request sends
    goes before them. `held_out` observed steps at the end are left out, as if they had not come yet.

    Raises:
        ForecastError: the dataset has no such series, or nothing is left of one.
        NotFoundError: the dataset was deleted.
    """
    version = get_version(db, model.owner_id, model.dataset_id)
    columns = ["unique_id", "ds", TARGET, *columns_of(forecaster.spec)]
    with services.artifacts.open_local(version.digest) as path:
        frame = scan_arrow(path).select(columns).filter(pl.col("unique_id").is_in(list(unique_ids))).collect()
    panel = panel_of(encode_categories(frame, statics_of(forecaster.spec)), parse_frequency(forecaster.freq), columns[3:])
    for position, unique_id in enumerate(unique_ids):
        if unique_id not in panel.positions:
            sentence = f"{unique_id[:128]!r} is not a series of {model.dataset_id}; GET /v1/datasets/{model.dataset_id}/series lists them"
            raise ForecastError(sentence, code="unknown_series", pointer=f"#/unique_ids/{position}")
    return [_stored(panel, forecaster, unique_id, future.get(unique_id, {}), held_out) for unique_id in unique_ids]


def _stored(panel: Panel, forecaster: Forecaster, unique_id: str, sent: Mapping[str, Numbers], held_out: int) -> History:
    series = panel.positions[unique_id]
    columns = {name: panel.values(series, name) for name in (TARGET, *columns_of(forecaster.spec))}
    ahead = future_columns_of(forecaster.spec)
    seen = np.flatnonzero(np.isfinite(columns[TARGET]))
    end = int(seen[-1]) + 1 if (ahead or held_out) and len(seen) else len(columns[TARGET])
    if held_out >= end:
        sentence = f"held_out is {held_out}, and {unique_id[:128]!r} has {end} steps; hold out fewer than it has"
        raise ForecastError(sentence, code="held_out", pointer="#/held_out")
    end -= held_out
    known = History(unique_id, panel.start(series), columns, {}).at(end, ahead if end < len(columns[TARGET]) else ())
    return replace(known, future={**known.future, **columns_sent(sent)})
