"""What came of a training? A forecaster, its intervals, and its scores beside seasonal naive's on the steps that it never saw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from app.forecasting.forecaster import Forecaster
from app.nets.build import Network
from app.nets.smoothing import Smoothing
from app.series.baselines import seasonal_naive
from app.series.panel import TARGET
from app.series.scores import coverage, mae, mase, pinball, rmse, seasonal_error, smape
from app.series.split import Split
from app.series.time_values import TimeKind
from app.spec.forecaster import ForecasterSpec, PointHead, QuantilesHead
from worker.training.intervals import chunks, measure_residuals, measure_widths
from worker.training.material import Material

SCORED_LEVELS = (0.1, 0.5, 0.9)
"""Quantiles that are scored; the outer two bound the 80 % interval."""

ENOUGH_KNOWN = 0.5
"""Share of all windows from which on a network that learnt from them is wrong as one that learnt from all."""

Values = npt.NDArray[np.float64]


def forecaster_of(
    spec: ForecasterSpec, networks: Sequence[Network], material: Material, *, freq: str, season: int, time_kind: TimeKind
) -> Forecaster:
    """A trained network as a forecaster, with the residuals or the widths that its head wants.

    Args:
        spec: complete.
        networks: trained; several of an ensemble.
        material: what it was trained on.
        freq: of the series.
        season: steps of one season.
        time_kind: how times are written.
    """
    series = material.panel.ids if isinstance(networks[0].series, Smoothing) else ()
    bare = Forecaster(spec, networks[0], freq, season, time_kind, material.scaling, series=series, others=tuple(networks[1:]))
    match spec.head:
        case PointHead():
            return replace(bare, residuals=measure_residuals(bare, material))
        case QuantilesHead(levels=levels):
            return replace(bare, widths=measure_widths(bare, material, levels))
        case _:
            return bare


def learnt_on(forecaster: Forecaster, networks: Sequence[Network], split: Split) -> Forecaster:
    """The same with networks that may have learnt on from all windows; what was measured is of what was held back from those before.

    The factors of a head's intervals carry over as far as both have seen the same: whole where half of all windows had taught those before,
    and less of them the fewer it were, as networks that know so little are wrong in other ways (decision 46).

    Args:
        forecaster: as it was measured.
        networks: those that forecast.
        split: the windows of both.
    """
    if networks[0] is forecaster.network:
        return forecaster
    known = min(1.0, len(split.train) / (ENOUGH_KNOWN * len(split.whole)))
    widths = None if forecaster.widths is None else forecaster.widths**known
    return replace(forecaster, network=networks[0], others=tuple(networks[1:]), widths=widths)


def score(forecaster: Forecaster, material: Material, season: int) -> dict[str, dict[str, float | None]]:
    """Scores of the model and of seasonal naive on the last horizon of each series; None where a score is of nothing.

    Args:
        forecaster: trained, with its residuals.
        material: what it was trained on.
        season: steps of one season.
    """
    panel, test = material.panel, material.split.test
    horizon = forecaster.horizon
    means, quantiles = [], []
    for windows in chunks(material, test):
        mean, levels = forecaster.forecast_windows(windows, SCORED_LEVELS)
        means.append(mean)
        quantiles.append(levels)
    steps = test.position[:, None] + np.arange(horizon)
    actual = panel.columns[TARGET][steps]
    histories = [panel.columns[TARGET][panel.offsets[series] : cutoff] for series, cutoff in zip(test.series, test.position, strict=True)]
    naive = np.array([seasonal_naive(history, season, horizon) for history in histories]).reshape(actual.shape)
    scales = np.array([seasonal_error(history, season) for history in histories])
    forecast = np.concatenate(means) if means else naive
    bands = np.concatenate(quantiles) if quantiles else np.empty((*actual.shape, len(SCORED_LEVELS)))
    return {"model": _scores(actual, forecast, scales) | _band_scores(actual, bands), "seasonal_naive": _scores(actual, naive, scales)}


def _scores(actual: Values, forecast: Values, scales: Values) -> dict[str, float | None]:
    scores = {
        "mae": mae(actual, forecast),
        "rmse": rmse(actual, forecast),
        "smape": smape(actual, forecast),
        "mase": mase(actual, forecast, scales),
    }
    return {name: _known(value) for name, value in scores.items()}


def _band_scores(actual: Values, bands: Values) -> dict[str, float | None]:
    losses = [pinball(actual, bands[..., place], level) for place, level in enumerate(SCORED_LEVELS)]
    return {"pinball": _known(float(np.mean(losses))), "coverage_80": _known(coverage(actual, bands[..., 0], bands[..., -1]))}


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
