"""How long is the season of series whose times are whole numbers, and say nothing of it?

The differences of a seasonal series resemble those of a season before: their autocorrelation at its lag stands out from those beside it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CANDIDATES = (4, 7, 12, 24, 48, 52, 96, 144, 288)
"""Steps: quarters, months and weeks of a year, days of a week, and hours, halves, quarters, ten and five minutes of a day."""

LEAST_CORRELATION = 0.2
"""Of the typical series; below it the season is not worth following."""

SEASONS_WANTED = 3
"""A series must hold so many to be asked."""

MOST_SERIES = 200
"""Evenly spread ones of more series say as much."""

LARGEST_SHARE = 0.95
"""Differences above this quantile of their sizes are cut: a few jumps would hide the season."""

Values = npt.NDArray[np.float64]


def find_season(values: Values, lengths: npt.NDArray[np.int64]) -> int:
    """Steps of the season that most of the series have; 1 where they have none.

    Args:
        values: of all series, laid end to end, NaN where missing.
        lengths: steps of each series.
    """
    ends = np.cumsum(lengths)
    chosen = np.unique(np.linspace(0, len(lengths) - 1, min(len(lengths), MOST_SERIES)).astype(np.int64))
    differences = [_differences(values[ends[series] - lengths[series] : ends[series]]) for series in chosen]
    found = {season: _typical(differences, season) for season in CANDIDATES}
    season = max(found, key=lambda candidate: found[candidate])
    return season if found[season] >= LEAST_CORRELATION else 1


def week_of(season: int) -> int | None:
    """Steps of a week, of a season that is a day."""
    return 7 * season if season in {24, 48, 96, 144, 288} else None


def _differences(values: Values) -> Values:
    """Of a series, around zero; a missing one is zero."""
    steps = np.diff(values)
    seen = np.isfinite(steps)
    if not seen.any():
        return np.zeros(0)
    most = np.quantile(np.abs(steps[seen]), LARGEST_SHARE)
    steps = np.clip(steps, -most, most) if most > 0.0 else steps
    return np.where(seen, steps - steps[seen].mean(), 0.0)


def _typical(differences: list[Values], season: int) -> float:
    """Median autocorrelation at a season's lag, where it is above those beside it; otherwise zero."""
    asked = [steps for steps in differences if len(steps) >= SEASONS_WANTED * season and steps.any()]
    if not asked:
        return 0.0
    before, at, after = (float(np.median([_correlation(steps, lag) for steps in asked])) for lag in (season - 1, season, season + 1))
    return at if at > max(before, after) else 0.0


def _correlation(steps: Values, lag: int) -> float:
    return float(steps[lag:] @ steps[:-lag] / (steps @ steps))
