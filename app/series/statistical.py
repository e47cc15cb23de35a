"""What do Theta and ETS forecast? Two statistical methods that a network has to beat.

They come from the library statsforecast, an optional extra (docs/decisions/0020) that is imported when the first forecast is asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

Method = Literal["theta", "ets"]

METHODS: tuple[Method, ...] = ("theta", "ets")

LIBRARY = "statsforecast"

HOW_TO_INSTALL = "Theta and ETS need a library that is not installed here: pip install 'braidcast[baselines]' where the workers run"

LONGEST_HISTORY = 2_000
"""Newest steps that are fitted to: older ones change little, and ETS takes seconds a series beyond."""

_CLASSES: Mapping[Method, str] = {"theta": "Theta", "ets": "AutoETS"}


def is_installed() -> bool:
    """Whether the library is there."""
    return importlib.util.find_spec(LIBRARY) is not None


def statistical_forecast(method: Method, history: Values, season: int, horizon: int, levels: Sequence[float]) -> dict[float, Values] | None:
    """Forecast and intervals of one series: the mean under 0.5, and bounds under the quantiles that `levels` come to.

    `theta` is the standard method (Assimakopoulos and Nikolopoulos 2000), adjusted for a season where a test finds one; `ets` is the
    exponential smoothing with the least corrected AIC (Hyndman and Khandakar 2008). Neither takes missing values: they are drawn in as
    straight lines.

    Args:
        method: which.
        history: up to the cutoff, NaN where missing.
        season: steps of one season.
        horizon: steps to forecast.
        levels: of intervals, between 0 and 1.

    Returns:
        None where the method cannot be fitted, as to a series of a few steps, or gives no numbers.
    """
    known = _without_gaps(history[-LONGEST_HISTORY:])
    if not len(known):
        return None
    model = getattr(importlib.import_module(f"{LIBRARY}.models"), _CLASSES[method])(season_length=season)
    percents = {level: round(100 * level, 6) for level in levels}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found: Mapping[str, Any] = model.forecast(y=known, h=horizon, level=[_whole(percent) for percent in percents.values()])
        except (ArithmeticError, LookupError, RuntimeError, ValueError):
            return None
    quantiles = {0.5: np.asarray(found["mean"], dtype=np.float64)}
    for level, percent in percents.items():
        for side, sign in (("lo", -1), ("hi", 1)):
            quantiles[round(0.5 + sign * level / 2, 6)] = np.asarray(found[f"{side}-{_whole(percent)}"], dtype=np.float64)
    return quantiles if all(np.isfinite(values).all() for values in quantiles.values()) else None


def _without_gaps(history: Values) -> Values:
    seen = np.flatnonzero(np.isfinite(history))
    if not len(seen):
        return np.empty(0)
    steps = np.arange(seen[0], len(history))
    return np.interp(steps, seen, history[seen])


def _whole(percent: float) -> float | int:
    """80 rather than 80.0, as the library writes it in its keys."""
    return int(percent) if percent == int(percent) else percent
