"""What was a column at these positions? Values of a panel, gathered by index, with what is missing filled from what came before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from app.series.panel import Panel
from app.series.scaling import SMALLEST_SCALE
from app.spec.decoders import lags_of_decoder
from app.spec.forecaster import ForecasterSpec

MOST_FORKS = 24
"""Steps of a context that a forking decoder learns at: a horizon after each of a thousand steps would take gigabytes."""

LEAST_FORKS = 8
"""However long the horizon is; of shorter contexts, after each step."""

HORIZONS_OF_A_TARGET = 4
"""Of one window that a target is in: what comes after neighbours is nearly the same (decision 34)."""


def forks_of(context: int, horizon: int, device: torch.device) -> Int[Tensor, " forks"]:
    """Steps of a context that a forking decoder learns a horizon after: evenly spread, the newest among them."""
    apart = max(-(-context // MOST_FORKS), min(context // LEAST_FORKS, horizon // HORIZONS_OF_A_TARGET))
    return steps_between((context - 1) % apart, context, apart, device)


@lru_cache(maxsize=1024)
def steps_between(first: int, end: int, apart: int, device: torch.device) -> Int[Tensor, " steps"]:
    """Whole numbers, made once: a forecast of one series would spend a tenth of its gathering on them. Nobody may change them."""
    with torch.inference_mode(mode=False):  # who learns from them has no use for what was made in it
        return torch.arange(first, end, apart, device=device)


def reach_of(spec: ForecasterSpec) -> int:
    """Steps before a cutoff that a description can see: its context, and as many more as its lags and its baseline reach back."""
    lags = [lag for group in spec.inputs.values() for lag in group.lag_steps] + list(lags_of_decoder(spec.decoder))
    return (spec.context or 1) + max([*lags, spec.scaling.baseline_lag or 0])


def looks_back(spec: ForecasterSpec) -> bool:
    """Whether a description reads the target at lags, or a baseline takes it away."""
    groups = any(group.lag_steps for group in spec.inputs.values())
    return groups or bool(lags_of_decoder(spec.decoder)) or spec.scaling.baseline_lag is not None


def whole_lags_before(ahead: Int[Tensor, "cutoffs horizon"], lag: int) -> Int[Tensor, "cutoffs horizon"]:
    """Of each horizon step the newest position that is known at the cutoff and whole lags before it, ceil(k / lag) of them for step k."""
    step = torch.arange(ahead.shape[1], device=ahead.device)
    return ahead - lag * (step // lag + 1)


class Column:
    """One flat column, and where the last observed value lies of each of its positions.

    Args:
        values: [steps of all series], NaN where missing.
        device: where they lie.
    """

    def __init__(self, values: npt.NDArray[np.float64], device: torch.device) -> None:
        seen = np.where(np.isfinite(values), np.arange(len(values)), -1)
        # A copy: a table's own columns are not writable, which torch does not know how to respect.
        self.values = torch.from_numpy(np.array(values)).to(device)
        self._last = torch.from_numpy(np.maximum.accumulate(seen)).to(device) if (seen < 0).any() else None

    def windows(self, positions: Int[Tensor, "batch steps"]) -> tuple[Float[Tensor, "batch steps"], Bool[Tensor, "batch steps"]]:
        """Values at consecutive positions, and whether each was observed.

        A missing one is the last observed one within its window; where none came before it, the mean of what the window has observed.
        """
        found = self.values[positions]
        if self._last is None:
            return found, torch.ones_like(found, dtype=torch.bool)
        observed = found.isfinite()
        last = self._last[positions]
        fallback = mean_of(torch.where(observed, found, 0.0), observed)[:, None]
        return torch.where(last >= positions[:, :1], self.values[last.clamp(min=0)], fallback), observed

    def masked(
        self, values: Float[Tensor, "cutoffs steps"], actual: Float[Tensor, "cutoffs steps"]
    ) -> tuple[Float[Tensor, "cutoffs steps"], Bool[Tensor, "cutoffs steps"]]:
        """What is made of the column's values in single precision, zero where they were not observed, and whether they were.

        Args:
            values: what is made of them.
            actual: the values.
        """
        if self._last is None:
            return values.float(), torch.ones_like(actual, dtype=torch.bool)
        observed = actual.isfinite()
        return torch.where(observed, values, 0.0).float(), observed

    def earlier(
        self, positions: Int[Tensor, "batch steps"], lowest: Int[Tensor, " batch"], fallback: Float[Tensor, "batch _"]
    ) -> Float[Tensor, "batch steps"]:
        """Values at any positions, or the last observed one before each.

        Args:
            positions: some of them may lie before what a row may see.
            lowest: the first position that a row may see.
            fallback: what stands for a value where none was observed from there on.
        """
        is_there, last = positions >= lowest[:, None], positions.clamp(min=0)
        if self._last is not None:
            last = self._last[last]
            is_there &= last >= lowest[:, None]
            last = last.clamp(min=0)
        return torch.where(is_there, self.values[last], fallback)


class Ages:
    """How old the series are.

    Args:
        panel: they.
        device: where ages are wanted.
    """

    def __init__(self, panel: Panel, device: torch.device) -> None:
        self._offsets = torch.from_numpy(panel.offsets).to(device)
        self._births = torch.from_numpy(panel.births).to(device)

    def at(self, positions: Int[Tensor, "batch steps"]) -> Float[Tensor, "batch steps"]:
        """Logarithm of one and the steps since the first observed value of each row's series, which is that of its first position."""
        series = torch.searchsorted(self._offsets, positions[:, :1].contiguous(), right=True) - 1
        return (positions - self._births[series]).clamp(min=0).log1p().float()


@dataclass(frozen=True)
class Past:
    """The target before each window's end, in the window's units.

    Attributes:
        column: the target.
        lowest: [batch], the first position that is seen.
        level: [batch], what stands for a value where none was observed.
        shift: [batch], as of `Windows`.
        scale: [batch], as of `Windows`.
        is_scaled: whether the units are others than the target's own.
        is_log: whether the column has logarithms.
    """

    column: Column
    lowest: Int[Tensor, " batch"]
    level: Float[Tensor, " batch"]
    shift: Float[Tensor, " batch"]
    scale: Float[Tensor, " batch"]
    is_scaled: bool = True
    is_log: bool = False

    def repeated(self, times: int) -> Past:
        """The same of each window so many times."""
        if times == 1:
            return self
        lowest, level, shift, scale = (part.repeat_interleave(times) for part in (self.lowest, self.level, self.shift, self.scale))
        return Past(self.column, lowest, level, shift, scale, is_scaled=self.is_scaled, is_log=self.is_log)

    @property
    def log_scale(self) -> Float[Tensor, "batch 1"]:
        """Logarithm of what the target is divided by."""
        return (self.shift if self.is_log else self.scale.log())[:, None].float()

    def scaled(self, values: Float[Tensor, "batch steps"]) -> Float[Tensor, "batch steps"]:
        """Values in the windows' units."""
        return (values - self.shift[:, None]) / self.scale[:, None] if self.is_scaled else values

    def at(self, positions: Int[Tensor, "batch steps"]) -> Float[Tensor, "batch steps"]:
        """The target at positions before the windows' ends, filled."""
        return self.scaled(self.column.earlier(positions, self.lowest, self.level[:, None]))

    def lags(self, positions: Sequence[Int[Tensor, "batch steps"]]) -> list[Float[Tensor, "batch steps"]]:
        """The target at the positions of rising lags; what the series does not reach back to is that of the shorter lag before it."""
        found, values = [], self.level[:, None]
        for places in positions:
            values = self.column.earlier(places, self.lowest, values)
            found.append(self.scaled(values).float())
        return found


def mean_of(values: Float[Tensor, "batch steps"], observed: Bool[Tensor, "batch steps"]) -> Float[Tensor, " batch"]:
    """Mean of each row's observed values, 0 where there are none."""
    return torch.where(observed, values, 0.0).sum(dim=1) / observed.sum(dim=1).clamp(min=1)


def usable(scale: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """Scales, with 1 for those that are zero but for rounding."""
    return torch.where(scale > SMALLEST_SCALE, scale, 1.0)
