"""What was forecast from one cutoff, and what came? Forecasts of a model and of its baselines, for every series that has both."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.series.baselines import seasonal_naive
from app.series.panel import TARGET, Panel
from app.series.scores import seasonal_error, squared_step
from app.series.statistical import Method, statistical_forecast
from app.series.windows import Cutoffs

Values = npt.NDArray[np.float64]

LEVELS = (0.8, 0.95)
"""Intervals that are scored."""

QUANTILES = (0.025, 0.1, 0.5, 0.9, 0.975)
"""Their bounds, and the median: what stands behind the mean in every forecast."""

MODEL, NAIVE = "model", "seasonal_naive"


@dataclass(frozen=True, eq=False)
class Forecasts:
    """All that was forecast from one cutoff.

    Attributes:
        by: [series, horizon, mean and QUANTILES] by the name of who forecasts; NaN where it has no such number.
        replaced: series that a baseline could not be fitted to, and that seasonal naive has forecast in its place.
    """

    by: Mapping[str, Values]
    replaced: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Window:
    """One cutoff of each series.

    Attributes:
        cutoffs: of the series that are in it.
        actual: [series, horizon], NaN where nothing was observed.
        scales: [series], what MASE and MSIS divide by.
        squares: [series], what RMSSE divides by.
        forecasts: of all who forecast.
    """

    cutoffs: Cutoffs
    actual: Values
    scales: Values
    squares: Values
    forecasts: Forecasts


def window_of(panel: Panel, cutoffs: Cutoffs, forecasts: Forecasts, season: int, horizon: int) -> Window:
    """A window: what came, and the scales of what came before.

    Args:
        panel: the series.
        cutoffs: one of each series.
        forecasts: from there.
        season: steps of one season.
        horizon: steps that are forecast.
    """
    pasts = [_past(panel, cutoffs, row) for row in range(len(cutoffs))]
    return Window(
        cutoffs=cutoffs,
        actual=panel.columns[TARGET][cutoffs.position[:, None] + np.arange(horizon)],
        scales=np.array([seasonal_error(past, season) for past in pasts], dtype=np.float64),
        squares=np.array([squared_step(past) for past in pasts], dtype=np.float64),
        forecasts=forecasts,
    )


def baseline_forecasts(
    panel: Panel, cutoffs: Cutoffs, season: int, horizon: int, methods: Sequence[str], heed: Callable[[], None]
) -> Forecasts:
    """Those of seasonal naive, and of some statistical methods.

    Args:
        panel: the series.
        cutoffs: one of each series.
        season: steps of one season.
        horizon: steps to forecast.
        methods: beside seasonal naive.
        heed: called before each series; it may raise.
    """
    empty = np.full((len(cutoffs), horizon, 1 + len(QUANTILES)), np.nan)
    found = {name: empty.copy() for name in (NAIVE, *methods)}
    replaced = dict.fromkeys(methods, 0)
    for row in range(len(cutoffs)):
        heed()
        past = _past(panel, cutoffs, row)
        found[NAIVE][row, :, 0] = seasonal_naive(past, season, horizon)
        for name in methods:
            forecast = statistical_forecast(cast("Method", name), past, season, horizon, LEVELS)
            if forecast is None:
                replaced[name] += 1
                found[name][row] = found[NAIVE][row]
            else:
                found[name][row] = np.column_stack([forecast[0.5], *(forecast[level] for level in QUANTILES)])
    return Forecasts(found, replaced)


def known(value: float) -> float | None:
    """A number with as many digits as anybody reads; None where it is none."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _past(panel: Panel, cutoffs: Cutoffs, row: int) -> Values:
    return panel.columns[TARGET][panel.offsets[cutoffs.series[row]] : cutoffs.position[row]]


def packed(done: Sequence[Forecasts]) -> tuple[dict[str, Tensor], list[dict[str, int]]]:
    """Windows that are done, as tensors and what a document says of them."""
    tensors = {f"window.{number}.{name}": torch.from_numpy(values) for number, one in enumerate(done) for name, values in one.by.items()}
    return tensors, [dict(one.replaced) for one in done]


def unpacked(tensors: Mapping[str, Tensor], replaced: Sequence[Mapping[str, Any]]) -> list[Forecasts]:
    """What `packed` was given."""
    done: list[Forecasts] = []
    for number, counts in enumerate(replaced):
        start = f"window.{number}."
        by = {name.removeprefix(start): tensor.numpy() for name, tensor in tensors.items() if name.startswith(start)}
        done.append(Forecasts(by, dict(counts)))
    return done
