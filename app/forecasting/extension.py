"""What comes after the horizon that a model was trained for? It goes on from its own forecasts, as often as it takes.

    history | horizon 1                the model's forecast, as it is
    history + horizon 1 | horizon 2    along the mean for the mean, and along each quantile for that quantile
    ...

A quantile that goes on along itself is a path that keeps one rank at all its steps, as `Head.sample` has it: across horizons steps are as
dependent as they can be, so that intervals are never told too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.errors import ForecastError
from app.forecasting.demands import check_columns
from app.forecasting.forecaster import Forecaster
from app.forecasting.forecasts import Forecasts, Values
from app.forecasting.histories import History
from app.forecasting.windows import covariates_of, future_columns_of, statics_of
from app.series.panel import TARGET

MOST_HORIZONS = 20
"""Trained horizons in one forecast: each costs one for the mean and for every quantile, and says less than the one before."""


def extended(forecaster: Forecaster, histories: Sequence[History], levels: Sequence[float], horizon: int) -> Forecasts:
    """Forecasts of any horizon; up to the trained one they are those of `predict`.

    Args:
        forecaster: trained.
        histories: with what is known ahead for all steps.
        levels: of the quantiles.
        horizon: steps.

    Raises:
        ForecastError: as `predict` says, or the model reads a column that is not known ahead.
    """
    if horizon <= forecaster.horizon:
        return forecaster.predict(histories, levels, horizon)
    _check(forecaster, histories, horizon)
    levels = tuple(sorted(levels))
    first = forecaster.predict(histories, levels)
    mean = _gone_on(forecaster, histories, first.mean, None, horizon)
    along = [_gone_on(forecaster, histories, first.quantile(level), level, horizon) for level in levels]
    # Paths of neighbouring ranks may cross where the model is uneven.
    rising = np.sort(np.stack(along, axis=2), axis=2) if along else np.empty((*mean.shape, 0))
    frequency = forecaster.reader.frequency
    times = frequency.times(frequency.ordinals(first.times[:, 0])[:, None] + frequency.stride * np.arange(horizon))
    return Forecasts.of(first.unique_ids, times, mean, rising, levels)


def _check(forecaster: Forecaster, histories: Sequence[History], horizon: int) -> None:
    spec, known = forecaster.spec, future_columns_of(forecaster.spec)
    if horizon > MOST_HORIZONS * forecaster.horizon:
        sentence = f"horizon is {horizon}; at most {MOST_HORIZONS} times the trained {forecaster.horizon} steps; train a model for more"
        raise ForecastError(sentence, code="horizon", pointer="#/horizon")
    for name in covariates_of(spec):
        if name not in known:
            sentence = f"the model reads {name!r}, which nobody knows after the history; train one without it, or for more steps"
            raise ForecastError(sentence, code="not_extendable", pointer="#/extend")
    for place, history in enumerate(histories):
        check_columns(forecaster.reader, history.unique_id, history.columns, history.future, horizon, f"#/series/{place}")


def _gone_on(forecaster: Forecaster, histories: Sequence[History], begun: Values, level: float | None, horizon: int) -> Values:
    """The mean, or a quantile, of each series along itself, [series, horizon]."""
    found = begun
    while found.shape[1] < horizon:
        longer = [_with(forecaster, history, path) for history, path in zip(histories, found, strict=True)]
        steps = min(forecaster.horizon, horizon - found.shape[1])
        more = forecaster.predict(longer, () if level is None else (level,), steps)
        found = np.concatenate([found, more.mean if level is None else more.quantile(level)], axis=1)
    return found


def _with(forecaster: Forecaster, history: History, path: Values) -> History:
    """A history as if a path had been observed after it."""
    steps, statics = len(path), statics_of(forecaster.spec)
    columns = {TARGET: np.concatenate([history.columns[TARGET], path])}
    for name, values in history.columns.items():
        if name in history.future:
            columns[name] = np.concatenate([values, history.future[name][:steps]])
        elif name in statics:
            columns[name] = np.concatenate([values, np.repeat(values[-1:], steps)])
    future = {name: values[steps:] for name, values in history.future.items()}
    return replace(history, columns=columns, future=future, running=None)
