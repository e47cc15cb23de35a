"""What is measured of a trained forecaster's intervals? Errors on validation windows, which no step of the training has seen.

Where series are too short for these, those of the test are measured.

point head       quantiles of its errors, for each step of the horizon
quantiles head   factors, with which its intervals hold what they promise
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from app.forecasting.batches import Windows
from app.forecasting.forecaster import Forecaster
from app.nets.heads import RESIDUAL_LEVELS, Raw, middle_of
from app.series.windows import Cutoffs
from app.spec.decoders import RecursiveDecoder
from worker.training.material import Material

CHUNK = 128
"""Windows that are forecast at once."""

MOST_MEASURED = 4096
"""Windows that factors are measured on, evenly spread: more would tell no more, and take as long as an epoch."""

NARROWEST, WIDEST = 0.5, 4.0
"""Bounds of a factor: beyond them too few windows were measured, or nothing ever changes in them."""

LEAST_DISTANCE = 1e-6
"""Of a quantile from the middle one, in scaled units."""

Values = npt.NDArray[np.float64]


def chunks(material: Material, cutoffs: Cutoffs) -> Iterator[Windows]:
    """Windows in batches that the memory is there for.

    Args:
        material: whose they are.
        cutoffs: of the windows.
    """
    for first in range(0, len(cutoffs), CHUNK):
        yield material.source.batch(cutoffs.position[first : first + CHUNK])


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
    errors = np.concatenate([_errors(forecaster, windows) for windows in chunks(material, material.split.measured)] or [np.empty((0, 1))])
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


def measure_widths(forecaster: Forecaster, material: Material, levels: Sequence[float]) -> Float[Tensor, " level"] | None:
    """What the distances of a head's quantiles from the middle one are to be multiplied by, [level].

    Two levels that lie alike on both sides of one half bound an interval. Its factor is the one with which it would have held its share of
    what was observed: conformalised quantile regression (Romano et al. 2019), with a factor in place of a constant, as intervals are not
    alike wide. No factor is smaller than one further in, so that quantiles stay in their order; a level without a partner has that
    of the next one further in, or where there is none the smallest, at most 1.

    Args:
        forecaster: trained, of a quantiles head.
        material: what it was trained on.
        levels: of the head, rising.

    Returns:
        None where nothing was observed, no two levels bound an interval, or forecasts are quantiles of paths.
    """
    pairs = [] if isinstance(forecaster.spec.decoder, RecursiveDecoder) else _pairs(levels)
    if not pairs:
        return None
    cutoffs = material.split.measured
    few = np.arange(0, len(cutoffs), max(1, -(-len(cutoffs) // MOST_MEASURED)))
    found = [_distances(forecaster, windows, levels) for windows in chunks(material, Cutoffs(cutoffs.series[few], cutoffs.position[few]))]
    errors = np.concatenate([error for error, _ in found] or [np.empty(0)])
    if not len(errors):
        return None
    distances = np.concatenate([distance for _, distance in found])
    wanted = np.zeros(len(levels))
    for low, high in pairs:
        bounds = np.where(errors > 0.0, distances[:, high], -distances[:, low])
        ratios = np.abs(errors) / np.maximum(bounds, LEAST_DISTANCE)
        # Among n errors and the one to come, each place in their order is as likely as another.
        share = min((levels[high] - levels[low]) * (len(ratios) + 1) / len(ratios), 1.0)
        wanted[[low, high]] = np.clip(np.quantile(ratios, share), NARROWEST, WIDEST)
    middle = middle_of(levels)
    above, below = np.maximum.accumulate(wanted[middle:]), np.maximum.accumulate(wanted[middle::-1])[::-1]
    widths = np.concatenate([below[:-1], above])
    return torch.from_numpy(np.where(widths > 0.0, widths, min(1.0, widths[widths > 0.0].min()))).float()


def _pairs(levels: Sequence[float]) -> list[tuple[int, int]]:
    """Places of the levels that bound an interval about one half."""
    places = {round(level, 9): place for place, level in enumerate(levels)}
    partners = {place: places.get(round(1.0 - level, 9)) for level, place in places.items() if level < 0.5}
    return [(low, high) for low, high in partners.items() if high is not None]


def _distances(forecaster: Forecaster, windows: Windows, levels: Sequence[float]) -> tuple[Values, Values]:
    """Errors of the middle quantile at the observed steps, [steps], and how far each quantile lies from it, [steps, level].

    In units of the head, behind whatever takes the target apart; of an ensemble the middle ones of its members.
    """
    errors, distances = [], []
    with torch.inference_mode():
        for own, raw in _looks(forecaster, windows):
            quantiles = forecaster.head.quantiles(raw, levels, own.scale).double()
            middle = quantiles[..., middle_of(levels)]
            errors.append((own.target - middle).cpu().numpy())
            distances.append((quantiles - middle[..., None]).cpu().numpy())
    seen = windows.observed.cpu().numpy()
    return np.median(errors, axis=0)[seen], np.median(distances, axis=0)[seen]


def _errors(forecaster: Forecaster, windows: Windows) -> Values:
    """In units of the head, behind whatever takes the target apart: the middle one of the members' errors."""
    with torch.inference_mode():
        looks = _looks(forecaster, windows)
        errors = [(own.target - forecaster.head.mean(raw, own.scale)).double().cpu().numpy() for own, raw in looks]
    return np.where(windows.observed.cpu().numpy(), np.median(errors, axis=0), np.nan)


def _looks(forecaster: Forecaster, windows: Windows) -> Iterator[tuple[Windows, Raw]]:
    """Of each member the windows as it has them, behind what it takes apart, and its raw numbers."""
    for network, unread in zip(forecaster.members, forecaster.unread, strict=True):
        own = windows.later(unread)
        raw, outlook = network.look(own.inputs, own.future, own.about)
        yield own.apart(outlook), raw
