"""What does a network say of each horizon step? A head turns its raw numbers into a loss, a mean and quantiles, in scaled units.

PointHead       one number; its quantiles come from residuals that were measured after training
QuantilesHead   rising quantiles: the middle one, and softplus steps away from it (they never cross)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, assert_never

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

Raw = Float[Tensor, "batch horizon outputs"]
Steps = Float[Tensor, "batch horizon"]
Observed = Bool[Tensor, "batch horizon"]
Scale = Float[Tensor, " batch"]

RESIDUAL_LEVELS = tuple(round(0.01 * percent, 2) for percent in range(1, 100))
"""Where a point head's residual quantiles are kept."""


class Head(ABC):
    """Raw numbers of each horizon step, understood."""

    @abstractmethod
    def loss(self, raw: Raw, target: Steps, observed: Observed, scale: Scale) -> Float[Tensor, ""]:
        """Mean loss over the observed steps; zero where there are none."""

    @abstractmethod
    def mean(self, raw: Raw, scale: Scale) -> Steps:
        """Expected value."""

    @abstractmethod
    def quantiles(self, raw: Raw, levels: Sequence[float], scale: Scale) -> Float[Tensor, "batch horizon level"]:
        """Values that the observation stays under with these probabilities; rising levels give values that do not fall."""


class PointHead(Head):
    """One number a step.

    Args:
        loss: `mse`, `mae` or `huber` (Huber 1964).
        delta: where huber turns straight; 1 by default.
        residuals: quantiles of the residuals at RESIDUAL_LEVELS for each step, once they are measured.
    """

    def __init__(self, loss: Literal["mse", "mae", "huber"], delta: float | None, residuals: Float[Tensor, "horizon level"] | None) -> None:
        self._loss = loss
        self._delta = 1.0 if delta is None else delta
        self.residuals = residuals

    def loss(self, raw: Raw, target: Steps, observed: Observed, scale: Scale) -> Float[Tensor, ""]:
        """See `Head`."""
        forecast = raw[..., 0]
        match self._loss:
            case "mse":
                losses = (forecast - target) ** 2
            case "mae":
                losses = (forecast - target).abs()
            case "huber":
                losses = nn.functional.huber_loss(forecast, target, reduction="none", delta=self._delta)
            case _:
                assert_never(self._loss)
        return mean_over(losses, observed)

    def mean(self, raw: Raw, scale: Scale) -> Steps:
        """See `Head`."""
        return raw[..., 0]

    def quantiles(self, raw: Raw, levels: Sequence[float], scale: Scale) -> Float[Tensor, "batch horizon level"]:
        """See `Head`; without measured residuals every quantile is the forecast itself."""
        if self.residuals is None:
            return raw.expand(*raw.shape[:2], len(levels))
        return raw + interpolate(self.residuals.to(raw)[None], RESIDUAL_LEVELS, levels)


class QuantilesHead(Head):
    """Quantiles at chosen levels, learnt with the pinball loss (Koenker and Bassett 1978).

    Args:
        levels: rising.
    """

    def __init__(self, levels: Sequence[float]) -> None:
        self._levels = tuple(levels)
        self._middle = min(range(len(levels)), key=lambda position: abs(levels[position] - 0.5))
        bounds = [0.0, *((low + high) / 2 for low, high in pairwise(levels)), 1.0]
        self._weights = [high - low for low, high in pairwise(bounds)]

    def _rising(self, raw: Raw) -> Raw:
        at = self._middle
        below, middle, above = raw[..., :at], raw[..., at : at + 1], raw[..., at + 1 :]
        up = middle + nn.functional.softplus(above).cumsum(dim=2)
        down = middle - nn.functional.softplus(below.flip(2)).cumsum(dim=2).flip(2)
        return torch.cat([down, middle, up], dim=2)

    def loss(self, raw: Raw, target: Steps, observed: Observed, scale: Scale) -> Float[Tensor, ""]:
        """See `Head`; the mean over levels too."""
        error = target[..., None] - self._rising(raw)
        levels = raw.new_tensor(self._levels)
        return mean_over(torch.maximum(levels * error, (levels - 1.0) * error).mean(dim=2), observed)

    def mean(self, raw: Raw, scale: Scale) -> Steps:
        """See `Head`; each quantile stands for the probability nearest to it."""
        return self._rising(raw) @ raw.new_tensor(self._weights)

    def quantiles(self, raw: Raw, levels: Sequence[float], scale: Scale) -> Float[Tensor, "batch horizon level"]:
        """See `Head`."""
        return interpolate(self._rising(raw), self._levels, levels)


def mean_over(values: Steps, observed: Observed) -> Float[Tensor, ""]:
    """Mean of the observed values, zero where there are none."""
    return torch.where(observed, values, 0.0).sum() / observed.sum().clamp(min=1)


def interpolate(
    values: Float[Tensor, "batch horizon known"], known: Sequence[float], levels: Sequence[float]
) -> Float[Tensor, "batch horizon level"]:
    """Quantiles at other levels than those that are known.

    Between two of them, and beyond the outermost, values follow a straight line over the normal distribution's quantiles; of a single
    known level nothing else can be said, and its value is given for all.

    Args:
        values: rising along the last axis.
        known: their levels.
        levels: the wanted ones.
    """
    if len(known) == 1:
        return values.expand(*values.shape[:2], len(levels))
    given = torch.special.ndtri(torch.tensor(known, dtype=torch.float64))
    wanted = torch.special.ndtri(torch.tensor(tuple(levels), dtype=torch.float64))
    left = (torch.searchsorted(given, wanted, right=True) - 1).clamp(0, len(known) - 2)
    share = ((wanted - given[left]) / (given[left + 1] - given[left])).to(values)
    low, high = values[..., left.to(values.device)], values[..., left.to(values.device) + 1]
    between: Tensor = low + share * (high - low)
    return between
