"""What has to be beaten? Forecasts that cost nothing.

`naive2` is the M4 competition's (Makridakis et al. 2020, its published benchmark code): the last value, seasonally adjusted where
a test finds a season.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

SEASONALITY_QUANTILE = 1.645
"""One-sided 95 % point of the normal distribution, as in the M4 benchmark."""


def seasonal_naive(history: Values, season: int, horizon: int) -> Values:
    """The last season again; float64 [horizon].

    Where that value is missing, the newest observed one of the same phase; where the phase was never observed, the newest value of all.
    """
    if not np.isfinite(history).any():
        return np.full(horizon, np.nan)
    newest = float(history[np.isfinite(history)][-1])
    by_phase = np.full(season, newest)
    for phase in range(max(season - len(history), 0), season):
        values = history[len(history) - season + phase :: -season]
        seen = values[np.isfinite(values)]
        if len(seen):
            by_phase[phase] = seen[0]
    return np.resize(by_phase, horizon)


def naive2(history: Values, season: int, horizon: int) -> Values:
    """The newest value, times the seasonal indices where the series has a season; float64 [horizon]. The history has no missing values."""
    if season < 2 or not _is_seasonal(history, season):
        return np.full(horizon, history[-1])
    indices = _seasonal_indices(history, season)
    phases = np.arange(len(history), len(history) + horizon) % season
    forecast: Values = history[-1] / indices[(len(history) - 1) % season] * indices[phases]
    return forecast


def _is_seasonal(history: Values, season: int) -> bool:
    """Whether the autocorrelation at the season's lag leaves Bartlett's 90 % band."""
    if len(history) < 3 * season:
        return False
    centred = history - history.mean()
    power = float(centred @ centred)
    if power == 0.0:
        return False
    correlations = np.array([centred[lag:] @ centred[:-lag] / power for lag in range(1, season + 1)])
    band = SEASONALITY_QUANTILE / np.sqrt(len(history)) * np.sqrt(1 + 2 * float((correlations[:-1] ** 2).sum()))
    return bool(abs(correlations[-1]) > band)


def _seasonal_indices(history: Values, season: int) -> Values:
    """Indices by phase of classical multiplicative decomposition (R's `decompose`), with mean 1."""
    half = season // 2
    weights = np.ones(season) if season % 2 else np.concatenate([[0.5], np.ones(season - 1), [0.5]])
    trend = np.convolve(history, weights / season, mode="valid")
    ratios = history[half : half + len(trend)] / trend
    phases = np.arange(half, half + len(trend)) % season
    indices = np.array([ratios[phases == phase].mean() for phase in range(season)])
    normalised: Values = indices / indices.mean()
    return normalised
