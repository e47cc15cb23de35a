"""How far off is a forecast?

Arrays are [series, steps]; NaN in `actual` is a step that was not observed and does not count. A score of nothing is NaN. The
definitions are M4's, and give its published rows (see tests/app/series/test_reference_rows.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


def mae(actual: Values, forecast: Values) -> float:
    """Mean absolute error."""
    return _mean(np.abs(actual - forecast))


def rmse(actual: Values, forecast: Values) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(_mean((actual - forecast) ** 2)))


def smape(actual: Values, forecast: Values) -> float:
    """Symmetric mean absolute percentage error, 0 to 200: mean of 200 |y - f| / (|y| + |f|); 0 where both are zero."""
    size = np.abs(actual) + np.abs(forecast)
    return _mean(200.0 * np.abs(actual - forecast) / np.where(size == 0.0, 1.0, size))


def mase(actual: Values, forecast: Values, scales: Values) -> float:
    """Mean absolute scaled error (Hyndman and Koehler 2006).

    Args:
        actual: [series, steps].
        forecast: [series, steps].
        scales: [series], `seasonal_error` of each series' training part; a series without one (0 or NaN) does not count.
    """
    known = np.where(np.isfinite(scales) & (scales > 0.0), scales, np.nan)
    return _mean(np.abs(actual - forecast) / known[:, None])


def rmsse(actual: Values, forecast: Values, scales: Values) -> float:
    """Root mean squared scaled error of the M5 competition (Makridakis et al. 2022): a root per series, then their mean without weights.

    Args:
        actual: [series, steps].
        forecast: [series, steps].
        scales: [series], `squared_step` of each series' training part; a series without one (0 or NaN) does not count.
    """
    known = np.where(np.isfinite(scales) & (scales > 0.0), scales, np.nan)
    scaled = (actual - forecast) ** 2 / known[:, None]
    counts = np.isfinite(scaled).sum(axis=1)
    sums = np.where(np.isfinite(scaled), scaled, 0.0).sum(axis=1)
    return _mean(np.sqrt(sums[counts > 0] / counts[counts > 0]))


def msis(actual: Values, lower: Values, upper: Values, scales: Values, level: float) -> float:
    """Mean scaled interval score of the M4 competition (Gneiting and Raftery 2007): width, and 2 / alpha for what lies outside, scaled.

    Args:
        actual: [series, steps].
        lower: of the interval, [series, steps].
        upper: of the interval, [series, steps].
        scales: [series], as `mase` has them.
        level: of the interval, between 0 and 1; alpha is 1 - level. M4's is 0.95.
    """
    known = np.where(np.isfinite(scales) & (scales > 0.0), scales, np.nan)
    outside = np.maximum(lower - actual, 0.0) + np.maximum(actual - upper, 0.0)
    return _mean((upper - lower + 2.0 / (1.0 - level) * outside) / known[:, None])


def squared_step(history: Values) -> float:
    """Mean of (x_t - x_{t-1})^2 over a training part, from its first value on that is not zero: what RMSSE divides by, whatever the season.

    M5 leaves the leading zeros out, since nothing was sold before the first sale. NaN when it is too short.
    """
    begun = np.flatnonzero(np.isfinite(history) & (history != 0.0))
    return _mean(np.diff(history[begun[0] :]) ** 2) if len(begun) else float("nan")


def seasonal_error(history: Values, season: int) -> float:
    """Mean of |x_t - x_{t-season}| over a training part: what MASE divides by; NaN when it is too short."""
    return _mean(np.abs(history[season:] - history[:-season])) if len(history) > season else float("nan")


def pinball(actual: Values, forecast: Values, level: float) -> float:
    """Mean pinball loss of the quantile `level`: level (y - q) above it, (1 - level) (q - y) below."""
    error = actual - forecast
    return _mean(np.maximum(level * error, (level - 1.0) * error))


def coverage(actual: Values, lower: Values, upper: Values) -> float:
    """Share of observed steps inside their interval, both ends included."""
    inside = (actual >= lower) & (actual <= upper)
    return _mean(np.where(np.isfinite(actual) & np.isfinite(lower) & np.isfinite(upper), inside.astype(np.float64), np.nan))


def _mean(values: Values) -> float:
    seen = values[np.isfinite(values)]
    return float(seen.mean()) if len(seen) else float("nan")
