"""What came of a training? A forecaster, its intervals, and its scores beside seasonal naive's on the steps that it never saw."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from app.forecasting.batches import Windows
from app.forecasting.forecaster import Forecaster
from app.nets.build import Network
from app.nets.heads import RESIDUAL_LEVELS, Head
from app.nets.smoothing import Smoothing
from app.series.baselines import seasonal_naive
from app.series.panel import TARGET
from app.series.scores import coverage, mae, mase, pinball, rmse, seasonal_error, smape
from app.series.time_values import TimeKind
from app.series.windows import Cutoffs
from app.spec.forecaster import ForecasterSpec, PointHead
from worker.training.material import Material

CHUNK = 128
"""Windows that are forecast at once."""

SCORED_LEVELS = (0.1, 0.5, 0.9)
"""Quantiles that are scored; the outer two bound the 80 % interval."""

Values = npt.NDArray[np.float64]


def forecaster_of(
    spec: ForecasterSpec, networks: Sequence[Network], material: Material, *, freq: str, season: int, time_kind: TimeKind
) -> Forecaster:
    """A trained network as a forecaster, with the residuals that its head wants.

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
    return replace(bare, residuals=measure_residuals(bare, material)) if isinstance(spec.head, PointHead) else bare


def learnt_on(forecaster: Forecaster, networks: Sequence[Network]) -> Forecaster:
    """The same with networks that have learnt on from all windows; its residuals are of what was held back from those before."""
    return replace(forecaster, network=networks[0], others=tuple(networks[1:]))


def measure_residuals(forecaster: Forecaster, material: Material) -> Float[Tensor, "horizon level"] | None:
    """Quantiles of a point forecaster's scaled errors on the validation windows, [horizon, RESIDUAL_LEVELS].

    Sizes of errors of all steps are pooled in units of each step's own root mean square, as one step alone has too few of them, and taken
    to both sides alike, so that every interval holds the forecast: split conformal intervals (Lei et al. 2018) with a scale per step.

    Args:
        forecaster: trained.
        material: what it was trained on.

    Returns:
        None where nothing was observed.
    """
    errors = np.concatenate(
        [_errors(forecaster, windows) for windows in _chunks(material, material.split.validation)] or [np.empty((0, 1))]
    )
    seen = np.isfinite(errors)
    if not seen.any():
        return None
    overall = float(np.sqrt(np.mean(errors[seen] ** 2)))
    counts = seen.sum(axis=0)
    spread = np.sqrt((np.where(seen, errors, 0.0) ** 2).sum(axis=0) / np.maximum(counts, 1))
    spread = np.where((counts > 0) & (spread > 0.0), spread, overall)
    pooled = np.abs(errors / np.where(spread > 0.0, spread, 1.0))[seen]
    levels = np.array(RESIDUAL_LEVELS)
    # Among n errors and the one to come, each place in their order is as likely as another.
    shares = np.minimum(np.abs(2 * levels - 1) * (len(pooled) + 1) / len(pooled), 1.0)
    return torch.from_numpy(spread[:, None] * (np.sign(levels - 0.5) * np.quantile(pooled, shares))[None, :]).float()


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
    for windows in _chunks(material, test):
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


def _chunks(material: Material, cutoffs: Cutoffs) -> Iterator[Windows]:
    for first in range(0, len(cutoffs), CHUNK):
        yield material.source.batch(cutoffs.position[first : first + CHUNK])


def _errors(forecaster: Forecaster, windows: Windows) -> Values:
    """In units of the head, behind whatever takes the target apart: the middle one of the members' errors."""
    with torch.inference_mode():
        pairs = zip(forecaster.members, forecaster.unread, strict=True)
        errors = [_error(network, forecaster.head, windows.later(unread)) for network, unread in pairs]
    return np.where(windows.observed.cpu().numpy(), np.median(errors, axis=0), np.nan)


def _error(network: Network, head: Head, windows: Windows) -> Values:
    raw, outlook = network.look(windows.inputs, windows.future, windows.about)
    found: Values = (windows.apart(outlook).target - head.mean(raw, windows.scale)).double().cpu().numpy()
    return found
