"""Which layers take a series apart before the network reads it, and put it together again behind the head?

A *series layer* reads the target and gives it without its level, or without its level and season. What it took away is the outlook: the
network's forecast x of a step stands for x * factor + offset, in the units in which the window was read.

    target ── series layer ── network ── head ──  x
                   └───────── outlook ──────────  x * factor + offset
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from app.nets.cells import Drawn
from app.nets.run import Run

HIDDEN = "@"
"""What the names begin with under which a run keeps what was taken away: no name in a document does."""

SMALLEST_DEVIATION = 1e-5
"""Of an instance: what hardly changes is not blown up."""

Ahead = Float[Tensor, "cutoffs horizon"]


@dataclass(frozen=True)
class Outlook:
    """What a series layer took away of each horizon step.

    Attributes:
        factor: [cutoffs, horizon].
        offset: [cutoffs, horizon].
    """

    factor: Ahead
    offset: Ahead

    def apart(self, values: Ahead) -> Ahead:
        """Values of the window's units as the network has them."""
        return (values - self.offset) / self.factor

    def together(self, values: Float[Tensor, "cutoffs horizon *more"]) -> Float[Tensor, "cutoffs horizon *more"]:
        """The network's values in the window's units, of any number of quantiles or samples."""
        more = (...,) + (None,) * (values.dim() - 2)
        return values * self.factor[more].to(values) + self.offset[more].to(values)


class SeriesLayer(nn.Module, ABC):
    """A layer that takes the target apart."""

    @abstractmethod
    def forward(self, sequence: Float[Tensor, "batch time width"], run: Run) -> Float[Tensor, "batch time units"]:
        """The sequence without what is taken away, which is kept in the run."""

    @abstractmethod
    def outlook(self, named: Mapping[str, Tensor], steps: Int[Tensor, " forks"] | None, horizon: int) -> Outlook:
        """What was taken away, carried on over the horizon.

        Args:
            named: of a run that this layer was in.
            steps: steps of the context that a horizon follows, window by window in the answer; None for the last alone.
            horizon: steps.
        """


class InstanceNorm(SeriesLayer, Drawn):
    """x_t - x_T (`last`), x_t - mean, or |w| (x_t - mean) / deviation + b (`revin`, Kim et al. 2022), over the window that is read.

    Deviation from the paper: its w may fall below zero, where the largest quantile would be given back as the smallest.

    Args:
        by: which.
        width: columns.
        target: which of them is the target.
    """

    def __init__(self, by: str, width: int, target: int) -> None:
        super().__init__()
        self._by = by
        self._target = target
        self.weight = nn.Parameter(torch.empty(width)) if by == "revin" else None
        self.bias = nn.Parameter(torch.empty(width)) if by == "revin" else None

    def initialise(self) -> None:
        """See `Drawn`: nothing is changed at first."""
        if self.weight is not None and self.bias is not None:
            nn.init.ones_(self.weight)
            nn.init.zeros_(self.bias)

    def forward(self, sequence: Float[Tensor, "batch time width"], run: Run) -> Float[Tensor, "batch time width"]:
        """See `SeriesLayer`."""
        level = sequence[:, -1:] if self._by == "last" else sequence.mean(dim=1, keepdim=True)
        normalised = sequence - level
        run.named[f"{HIDDEN}level"] = level[:, 0, self._target]
        if self.weight is None or self.bias is None:
            return normalised
        deviation = (normalised.square().mean(dim=1, keepdim=True) + SMALLEST_DEVIATION).sqrt()
        run.named[f"{HIDDEN}deviation"] = deviation[:, 0, self._target]
        return normalised / deviation * self._size(self.weight) + self.bias

    def outlook(self, named: Mapping[str, Tensor], steps: Int[Tensor, " forks"] | None, horizon: int) -> Outlook:
        """See `SeriesLayer`."""
        level = named[f"{HIDDEN}level"][:, None].expand(-1, horizon)
        if self.weight is None or self.bias is None:
            return Outlook(torch.ones_like(level), level)
        factor = named[f"{HIDDEN}deviation"][:, None].expand(-1, horizon) / self._size(self.weight[self._target])
        return Outlook(factor, level - self.bias[self._target] * factor)

    @staticmethod
    def _size(weight: Tensor) -> Tensor:
        return weight.abs().clamp(min=SMALLEST_DEVIATION)


def series_layer(network: nn.Module) -> SeriesLayer | None:
    """The layer of a network that takes the target apart; there is one at most."""
    return next((module for module in network.modules() if isinstance(module, SeriesLayer)), None)
