"""Which values of a series would a forecaster not have expected? Those outside the interval that it gave before it saw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.errors import ForecastError
from app.forecasting.forecaster import Forecaster
from app.forecasting.forecasts import Values
from app.forecasting.histories import History
from app.forecasting.windows import future_columns_of
from app.series.frequency import Times
from app.series.panel import TARGET

MOST_CUTOFFS = 20_000
"""Forecasts of one answer."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Values of a series beside what was expected of them.

    Attributes:
        unique_id: whose they are.
        times: [values], of each.
        target: [values], NaN where missing.
        mean: [values], what was forecast.
        low: [values], the lower bound of the interval.
        high: [values], the upper bound.
    """

    unique_id: str
    times: Times
    target: Values
    mean: Values
    low: Values
    high: Values

    @property
    def outside(self) -> npt.NDArray[np.bool_]:
        """[values], whether each lies outside its interval; what is missing does not."""
        return (self.target < self.low) | (self.target > self.high)


def judge(forecaster: Forecaster, histories: Sequence[History], level: float, step: int, last: int | None) -> list[Judged]:
    """The newest values of some series beside intervals that were forecast without them.

    A forecast is made every `step` values, of as many, from all that came before them; the last one ends with the series. What a model
    cannot forecast, because too little was observed before it, is left out.

    Args:
        forecaster: trained.
        histories: with the values that are judged.
        level: of the interval, a share between 0 and 1.
        step: values from one forecast to the next, at most the trained horizon.
        last: values of each series that are judged, at most; None for all that can be.

    Raises:
        ForecastError: nothing of a series can be judged, a column is missing, or it would take too many forecasts.
    """
    steps = forecaster.steps(step, "#/step")
    cutoffs = [_cutoffs(forecaster, history, steps, last) for history in histories]
    for place, (history, own) in enumerate(zip(histories, cutoffs, strict=True)):
        if not len(own):
            values, least = len(history.columns[TARGET]), forecaster.least_context
            sentence = f"series {history.unique_id!r} has {values} steps; the model looks back {least} and judges {steps} after them"
            raise ForecastError(f"{sentence}: send at least {least + steps}", code="history_too_short", pointer=f"#/series/{place}/target")
    if (count := sum(len(own) for own in cutoffs)) > MOST_CUTOFFS:
        sentence = f"that takes {count:,} forecasts; at most {MOST_CUTOFFS:,}: send fewer series, a smaller 'last' or a larger 'step'"
        raise ForecastError(sentence, code="too_large", pointer="#/last")
    # Columns that reach to the newest cutoff reach to all before it.
    for place, (history, own) in enumerate(zip(histories, cutoffs, strict=True)):
        forecaster.check(history.at(int(own[-1]), future_columns_of(forecaster.spec), steps), steps, f"#/series/{place}")
    bounds = (0.5 - level / 2, 0.5 + level / 2)
    return [_judged(forecaster, history, own, steps, bounds) for history, own in zip(histories, cutoffs, strict=True)]


def _cutoffs(forecaster: Forecaster, history: History, steps: int, last: int | None) -> npt.NDArray[np.int64]:
    """Positions that a forecast is made at, rising: those with enough before them."""
    target = history.columns[TARGET]
    back = len(target) if last is None else min(last, len(target))
    positions = np.arange(len(target) - steps, len(target) - back - steps, -steps, dtype=np.int64)[::-1]
    positions = positions[positions >= forecaster.least_context]
    observed = np.concatenate([[0], np.cumsum(np.isfinite(target))])
    return positions[observed[positions] > observed[np.maximum(positions - forecaster.context, 0)]]


def _judged(forecaster: Forecaster, history: History, cutoffs: npt.NDArray[np.int64], steps: int, bounds: tuple[float, float]) -> Judged:
    ahead, scaling = future_columns_of(forecaster.spec), forecaster.spec.scaling
    if scaling.over == "series":  # once for all cutoffs
        history = replace(history, running=history.units(scaling.target))
    forecasts = forecaster.predict([history.at(int(cutoff), ahead, steps) for cutoff in cutoffs], bounds, steps)
    places = (cutoffs[:, None] + np.arange(steps)).ravel()
    low, high = (forecasts.quantile(bound).ravel() for bound in bounds)
    target = history.columns[TARGET][places]
    return Judged(history.unique_id, forecasts.times.ravel(), target, forecasts.mean.ravel(), low, high)
