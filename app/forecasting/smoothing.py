"""Where do the parameters of a smoothing layer begin, and what are they of a series that was never learnt from? Fitted to its history.

A season's values are means of what is left of the series when a moving mean is taken out (classical decomposition); the two rates are those
of a small grid that forecast the next step best.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from app.nets.smoothing import SMALLEST_VALUE, Smoothing
from app.series.scaling import WindowScaling
from app.spec.forecaster import ForecasterSpec

Values = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

ALPHAS, GAMMAS = (0.05, 0.15, 0.3, 0.5, 0.8), (0.02, 0.1, 0.3)
"""Rates that are tried."""

SEASONS_SEEN = 4
"""A history is cut to so many seasons, or to the context where that is longer."""

ROWS_AT_ONCE = 16_384
"""Series times rates that are followed side by side."""


def steps_to_fit(spec: ForecasterSpec, layer: Smoothing) -> int:
    """Steps of a history that a fit wants, at most."""
    return max(spec.context or 1, SEASONS_SEEN * max(layer.block.seasons or (1,)))


def stretch(histories: Sequence[Values], steps: int) -> Values:
    """The last steps of each history, NaN before those that are shorter; [series, steps]."""
    longest = max(1, min(steps, max(len(history) for history in histories)))
    found = np.full((len(histories), longest), np.nan)
    for row, history in zip(found, histories, strict=True):
        own = history[-longest:]
        row[longest - len(own) :] = own
    return found


def fit_series(
    spec: ForecasterSpec, layer: Smoothing, values: Values, first: Counts, units: WindowScaling | None = None
) -> Float[Tensor, "series parameters"]:
    """Parameters of each series.

    Args:
        spec: says how the target is scaled.
        layer: the layer.
        values: [series, steps], NaN where nothing was observed.
        first: [series], number of each first step on the frequency's own count.
        units: shift and scale of each series; by default those of the values.
    """
    begun, first = _from_the_first_observed(values, first)
    scaled = (units or WindowScaling.fit(begun, spec.scaling.target)).apply(begun)
    at_once = max(1, ROWS_AT_ONCE // (len(ALPHAS) * len(GAMMAS)))
    parts = [_fit(layer, scaled[at : at + at_once], first[at : at + at_once]) for at in range(0, len(scaled), at_once)]
    return torch.cat(parts)


def _from_the_first_observed(values: Values, first: Counts) -> tuple[Values, Counts]:
    """The same with what is missing before each series put behind it, and the numbers of their first steps then."""
    before = np.isfinite(values).argmax(axis=1)
    places = (before[:, None] + np.arange(values.shape[1])) % values.shape[1]
    return np.take_along_axis(values, places, axis=1), first + before


def _fit(layer: Smoothing, values: Values, first: Counts) -> Tensor:
    is_multiplicative = layer.block.form == "multiplicative"
    floored = np.maximum(values, SMALLEST_VALUE) if is_multiplicative else values
    seasons, rest = [], floored
    for season in layer.block.seasons or ():
        found = _season(rest, season, first, is_multiplicative=is_multiplicative)
        turn = (first[:, None] + np.arange(values.shape[1])) % season
        own = np.take_along_axis(found, turn, axis=1)
        rest = rest / own if is_multiplicative else rest - own
        seasons.append(np.log(found) if is_multiplicative else found)
    tried = [_row(seasons, len(values), alpha, gamma) for alpha, gamma in itertools.product(ALPHAS, GAMMAS if seasons else GAMMAS[:1])]
    errors = _errors(layer, torch.stack(tried), values, first)
    best = errors.argmin(dim=0)
    return torch.stack(tried)[best, torch.arange(len(values))]


def _row(seasons: Sequence[Values], series: int, alpha: float, gamma: float) -> Tensor:
    """The parameters of these rates and seasons as they stand in a row of the layer; [series, parameters]."""
    rates = torch.tensor([alpha, gamma]).logit().expand(series, 2)
    return torch.cat([rates[:, :1], *(torch.cat([rates[:, 1:], torch.from_numpy(one).float()], dim=1) for one in seasons)], dim=1)


def _season(values: Values, season: int, first: Counts, *, is_multiplicative: bool) -> Values:
    """Values of a season by the frequency's own count, of mean 1 or 0; [series, season]. One that was not seen twice has none."""
    trend = _moving_mean(values, season)
    left = values / trend if is_multiplicative else values - trend
    seen = np.isfinite(left)
    turn = (first[:, None] + np.arange(values.shape[1])) % season + season * np.arange(len(values))[:, None]
    size = len(values) * season
    counts = np.bincount(turn[seen], minlength=size).reshape(len(values), season)
    sums = np.bincount(turn[seen], weights=left[seen], minlength=size).reshape(len(values), season)
    neutral = 1.0 if is_multiplicative else 0.0
    found = np.where(counts > 0, sums / np.maximum(counts, 1), neutral)
    mean = found.mean(axis=1, keepdims=True)
    even = found / mean if is_multiplicative else found - mean
    is_known = (counts > 0).all(axis=1, keepdims=True)
    return np.where(is_known, np.maximum(even, SMALLEST_VALUE) if is_multiplicative else even, neutral)


def _moving_mean(values: Values, season: int) -> Values:
    """Mean of the observed values over one season around each step; NaN where the season is not whole, or ends after the series."""
    seen = np.isfinite(values)
    sums = np.cumsum(np.pad(np.where(seen, values, 0.0), ((0, 0), (1, 0))), axis=1)
    counts = np.cumsum(np.pad(seen, ((0, 0), (1, 0))), axis=1)
    found = np.full(values.shape, np.nan)
    if values.shape[1] >= season:
        total, count = sums[:, season:] - sums[:, :-season], counts[:, season:] - counts[:, :-season]
        at = season // 2
        ends = season + np.arange(total.shape[1])
        is_whole = (count * 2 > season) & (ends <= values.shape[1] - seen[:, ::-1].argmax(axis=1)[:, None])
        found[:, at : at + total.shape[1]] = np.where(is_whole, total / np.maximum(count, 1), np.nan)
    return found


def _errors(layer: Smoothing, tried: Float[Tensor, "tried series parameters"], values: Values, first: Counts) -> Tensor:
    """Mean squared error of the next step's forecast, [tried, series]."""
    seen = torch.from_numpy(np.isfinite(values))
    filled = torch.from_numpy(_filled(values)).float().repeat(len(tried), 1)
    parameters = tried.flatten(0, 1)
    with torch.no_grad():
        firsts = torch.from_numpy(first).repeat(len(tried))
        seasons = [list(season.unbind(1)) for season in layer.begin(parameters, firsts)]
        levels, coming = layer.follow(filled, parameters, None, seasons)
        from_level, change = layer.distances(filled, levels, coming).unbind(2)
    is_multiplicative = layer.block.form == "multiplicative"
    error = (1.0 + from_level) * (1.0 + change) - 1.0 if is_multiplicative else from_level + change
    squares = (error.view(len(tried), *seen.shape).square() * seen).sum(dim=2)
    return squares / seen.sum(dim=1).clamp(min=1)


def _filled(values: Values) -> Values:
    """The last observed value for each that is missing; the first observed one before it; zero where there is none."""
    seen = np.isfinite(values)
    last = np.maximum.accumulate(np.where(seen, np.arange(values.shape[1]), -1), axis=1)
    first = np.where(seen.any(axis=1), seen.argmax(axis=1), 0)
    found: Values = np.take_along_axis(values, np.where(last >= 0, last, first[:, None]), axis=1)
    return np.nan_to_num(found)
