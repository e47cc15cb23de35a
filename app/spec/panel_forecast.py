"""What does a request for the forecasts of a whole dataset decide beside the model? How far, with which quantiles, into what file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

DEFAULT_LEVELS = (80.0,)


@dataclass(frozen=True)
class ForecastPlan:
    """Forecasts of every series.

    Attributes:
        horizon: steps.
        levels: of the quantiles, rising.
        format: of the file.
    """

    horizon: int
    levels: tuple[float, ...]
    format: Literal["parquet", "csv"]


def forecast_plan(request: Mapping[str, Any], horizon: int) -> ForecastPlan:
    """The plan of a request, with what it leaves out.

    Args:
        request: the body.
        horizon: that the model was trained for.
    """
    levels = quantiles_of(request.get("levels", DEFAULT_LEVELS), request.get("quantiles", ()))
    return ForecastPlan(int(request.get("horizon") or horizon), levels, request.get("format", "parquet"))


def quantiles_of(levels: Iterable[float], quantiles: Iterable[float]) -> tuple[float, ...]:
    """The bounds of intervals in percent and further quantiles, rising."""
    return _quantiles_of(tuple(levels), tuple(quantiles))


@lru_cache(maxsize=256)
def _quantiles_of(levels: tuple[float, ...], quantiles: tuple[float, ...]) -> tuple[float, ...]:
    bounds = {round(side, 6) for level in levels for side in (0.5 - level / 200, 0.5 + level / 200)}
    return tuple(sorted(bounds | set(quantiles)))
