"""By which windows are trials compared, and how far off is a forecaster there? Each window is the end of the panel as it was at that time.

panel without its last horizon, cut after a window  ->  trained on what comes before the window  ->  errors by series
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.errors import DivergedError, UnfitDataError
from app.forecasting.forecaster import Forecaster
from app.series.baselines import seasonal_naive
from app.series.panel import TARGET, Panel
from app.series.rolling import cut_panel, rolling_positions
from app.series.scores import seasonal_error
from worker.searching.choice import WindowScore
from worker.training.material import Material

Values = npt.NDArray[np.float64]

CHUNK = 256
"""Windows that are forecast at once."""


@dataclass(frozen=True, eq=False)
class TrialWindow:
    """One cutoff of each series.

    Attributes:
        panel: the series up to the end of the window, which is their last horizon; nothing of its targets is observed.
        actual: [series, horizon], the targets.
        scales: [series], what errors are divided by; NaN of a series that does not count.
        naive: [series], mean scaled error of seasonal naive; NaN where nothing is known.
    """

    panel: Panel
    actual: Values
    scales: Values
    naive: Values


@dataclass(frozen=True, eq=False)
class TrialWindows:
    """All of them, oldest first.

    Attributes:
        windows: those in which a series can be scored.
        metric: `mase`, or `mae` where no series has a scale.
    """

    windows: tuple[TrialWindow, ...]
    metric: str


def trial_windows(panel: Panel, horizon: int, count: int, step: int, season: int) -> TrialWindows:
    """The windows of a search.

    Args:
        panel: all series, whole.
        horizon: steps of a window.
        count: of windows.
        step: steps from one cutoff to the next.
        season: steps of one season.

    Raises:
        UnfitDataError: no series can be scored in any.
    """
    kept = cut_panel(panel, rolling_positions(panel, horizon, 1, 1)[0])
    cuts = [np.minimum(cutoffs + horizon, kept.offsets[1:]) for cutoffs in rolling_positions(kept, horizon, count, step)]
    parts = [_apart(cut_panel(kept, ends), horizon) for ends in cuts]
    scales = [_scales(one, horizon, season) for one, _ in parts]
    metric = "mase" if any(np.isfinite(found).any() for found in scales) else "mae"
    windows: list[TrialWindow] = []
    for (one, actual), found in zip(parts, scales, strict=True):
        used = found if metric == "mase" else np.ones(len(one.ids))
        naive = _row_mean(np.abs(actual - _naive(one, horizon, season))) / used
        if np.isfinite(naive).any():
            windows.append(TrialWindow(one, actual, used, naive))
    if not windows:
        sentence = (
            f"none of the {len(panel.ids)} series has something observed before and in one of the {count} windows of {horizon} steps by "
            "which trials are compared; use a shorter horizon, or more complete data"
        )
        raise UnfitDataError(sentence, code="data_invalid")
    return TrialWindows(tuple(windows), metric)


def forecast_errors(forecaster: Forecaster, material: Material, window: TrialWindow) -> Values:
    """Mean scaled error of each series; seasonal naive's, where a series has no whole context before the window.

    Args:
        forecaster: trained on what comes before it.
        material: of the window's panel.
        window: to be scored.

    Raises:
        DivergedError: its forecasts are no numbers.
    """
    # Of the material, which begins short series with missing steps. The steps to come are not observed, and need not be.
    panel, spec, errors = material.panel, forecaster.spec, window.naive.copy()
    positions = panel.offsets[1:] - forecaster.horizon
    context = spec.context or 1
    seen = np.concatenate([[0], np.cumsum(np.isfinite(panel.columns[TARGET]))])
    firsts = np.maximum(positions - context, 0)
    fits = np.flatnonzero((positions - context >= panel.offsets[:-1]) & (seen[positions] > seen[firsts]))
    for first in range(0, len(fits), CHUNK):
        series = fits[first : first + CHUNK]
        mean, _ = forecaster.forecast_windows(material.source.batch(positions[series]), ())
        if not np.isfinite(mean).all():
            raise DivergedError("the forecasts are no finite numbers; lower the learning rates of the space, or scale the target")
        errors[series] = _row_mean(np.abs(window.actual[series] - mean)) / window.scales[series]
    return np.where(np.isfinite(window.naive), errors, np.nan)


def score_of(errors: Values) -> WindowScore:
    """The mean of the series that have an error.

    Args:
        errors: [series].
    """
    seen = errors[np.isfinite(errors)]
    error = float(seen.std(ddof=1)) / math.sqrt(len(seen)) if len(seen) > 1 else None
    return WindowScore(float(seen.mean()), error, len(seen))


def naive_scores(windows: Sequence[TrialWindow]) -> list[WindowScore]:
    """Those of seasonal naive."""
    return [score_of(window.naive) for window in windows]


def _histories(panel: Panel, horizon: int) -> list[Values]:
    return [panel.values(series)[:-horizon] for series in range(len(panel.ids))]


def _scales(panel: Panel, horizon: int, season: int) -> Values:
    scales = np.array([seasonal_error(history, season) for history in _histories(panel, horizon)], dtype=np.float64)
    return np.where(scales > 0.0, scales, np.nan)


def _naive(panel: Panel, horizon: int, season: int) -> Values:
    """Forecasts of seasonal naive, [series, horizon]; NaN of a series without a past."""
    forecasts = np.full((len(panel.ids), horizon), np.nan)
    for series, history in enumerate(_histories(panel, horizon)):
        if len(history):
            forecasts[series] = seasonal_naive(history, season, horizon)
    return forecasts


def _apart(panel: Panel, horizon: int) -> tuple[Panel, Values]:
    """The panel without the targets of its last horizon, and these; NaN in series that are shorter."""
    target = panel.columns[TARGET].copy()
    actual = np.full((len(panel.ids), horizon), np.nan)
    for series, end in enumerate(panel.offsets[1:]):
        first = max(end - horizon, panel.offsets[series])
        actual[series, horizon - (end - first) :] = target[first:end]
        target[first:end] = np.nan
    return replace(panel, columns={**panel.columns, TARGET: target}), actual


def _row_mean(values: Values) -> Values:
    """Mean of each row's numbers, NaN where there is none."""
    seen = np.isfinite(values)
    counts = seen.sum(axis=1)
    mean: Values = np.where(seen, values, 0.0).sum(axis=1) / np.where(counts > 0, counts, np.nan)
    return mean
