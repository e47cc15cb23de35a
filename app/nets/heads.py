"""What does a network say of each horizon step? A head turns its raw numbers into a loss, a mean, quantiles and paths, in scaled units.

PointHead       one number; its quantiles come from residuals that were measured after training
QuantilesHead   rising quantiles: the middle one, and softplus steps away from it (they never cross)

A *rank* is a probability strictly between 0 and 1. Quantiles are values at given ranks, and samples are values at drawn ones.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Literal, assert_never, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from app.nets.pinball import pinball_loss

Raw = Float[Tensor, "batch horizon outputs"]
Steps = Float[Tensor, "batch horizon"]
Observed = Bool[Tensor, "batch horizon"]
Scale = Float[Tensor, " batch"]
Ranks = Float[Tensor, "#batch #horizon rank"]
Quantiles = Float[Tensor, "batch horizon rank"]

RESIDUAL_LEVELS = tuple(round(0.01 * percent, 2) for percent in range(1, 100))
"""Where a point head's residual quantiles are kept."""


NEXT_TO_NOTHING = 1e-9
"""Ranks are never nearer to 0 and 1: distributions without bounds have no value there."""


class Head(ABC):
    """Raw numbers of each horizon step, understood."""

    @abstractmethod
    def loss(self, raw: Raw, target: Steps, observed: Observed, scale: Scale) -> Float[Tensor, ""]:
        """Mean loss over the observed steps; zero where there are none."""

    @abstractmethod
    def mean(self, raw: Raw, scale: Scale) -> Steps:
        """Expected value."""

    def exponential_mean(self, raw: Raw, factor: Steps, offset: Steps) -> Steps:
        """Expected value of exp(factor x + offset), where x is what the head is of: of a target whose logarithms were learnt.

        Args:
            raw: see `Raw`, in double precision.
            factor: of each step, above zero.
            offset: of each step.

        Raises:
            TypeError: the head has none, and no description with one is proven.
        """
        raise TypeError(type(self).__name__)

    @abstractmethod
    def at(self, raw: Raw, ranks: Ranks, scale: Scale) -> Quantiles:
        """Values that the observation stays under with these probabilities; rising ranks give values that do not fall."""

    def draw(self, raw: Raw, ranks: Ranks, scale: Scale) -> Quantiles:
        """Samples: values of the head's distribution where the ranks are uniform. Cheaper than `at`, where there is a cheaper way."""
        return self.at(raw, ranks, scale)

    def quantiles(self, raw: Raw, levels: Sequence[float], scale: Scale) -> Quantiles:
        """Values at the same levels for every step: what `at` gives."""
        return self.at(raw, _ranks(levels, raw.device), scale)

    @final
    def sample(self, raw: Raw, count: int, scale: Scale, generator: torch.Generator) -> Float[Tensor, "batch count horizon"]:
        """Sample paths of steps whose distributions alone are known: each path keeps one rank at all its steps.

        This coupling is called comonotone. Of each step the paths have the head's distribution. Across steps they are as dependent as
        they can be, so that the spread of a sum over steps is never told too small. Steps that draw independently would make it so.
        Ranks are stratified, and the same for all of the batch.

        Args:
            raw: see `Raw`.
            count: paths.
            scale: see `Scale`.
            generator: of the ranks, on the CPU.
        """
        ranks = stratified_ranks(1, count, generator).to(raw.device)
        return self.at(raw, ranks[None], scale).transpose(1, 2)


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

    @property
    def is_of_means(self) -> bool:
        """Whether the loss is least for the mean; other losses aim at the middle."""
        return self._loss == "mse"

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

    def exponential_mean(self, raw: Raw, factor: Steps, offset: Steps) -> Steps:
        """See `Head`: for the loss `mse` with the mean of the residuals' exponentials (Duan 1983); other losses aim at the middle."""
        middle = (factor * raw[..., 0] + offset).exp()
        if self.residuals is None or not self.is_of_means:
            return middle
        smeared: Tensor = (factor[..., None] * self.residuals.to(raw)).exp().mean(dim=2)
        return middle * smeared

    def at(self, raw: Raw, ranks: Ranks, scale: Scale) -> Quantiles:
        """See `Head`; without measured residuals every quantile is the forecast itself."""
        if self.residuals is None:
            return raw.expand(*raw.shape[:2], ranks.shape[2])
        return raw + interpolate(self.residuals.to(raw)[None], RESIDUAL_LEVELS, ranks)

    def quantiles(self, raw: Raw, levels: Sequence[float], scale: Scale) -> Quantiles:
        """See `Head`; with the places of the levels at hand."""
        if self.residuals is None:
            return super().quantiles(raw, levels, scale)
        return raw + _between(self.residuals.to(raw)[None], *places_of(RESIDUAL_LEVELS, tuple(levels), raw.device))


class QuantilesHead(Head):
    """Quantiles at chosen levels, learnt with the pinball loss (Koenker and Bassett 1978).

    Args:
        levels: rising.
        widths: what the distance of each from the middle one is multiplied by, once that is measured; they never fall to either side.
    """

    def __init__(self, levels: Sequence[float], widths: Float[Tensor, " level"] | None = None) -> None:
        self.levels = tuple(levels)
        self.widths = widths
        self.middle = middle_of(levels)
        bounds = [0.0, *((low + high) / 2 for low, high in pairwise(levels)), 1.0]
        self.weights = [high - low for low, high in pairwise(bounds)]

    def rising(self, raw: Raw) -> Raw:
        """The quantiles at `levels`, as they were learnt."""
        at = self.middle
        below, middle, above = raw[..., :at], raw[..., at : at + 1], raw[..., at + 1 :]
        up = middle + nn.functional.softplus(above).cumsum(dim=2)
        down = middle - nn.functional.softplus(below.flip(2)).cumsum(dim=2).flip(2)
        return torch.cat([down, middle, up], dim=2)

    def widened(self, raw: Raw) -> Raw:
        """The quantiles at `levels`, as far from the middle one as was measured; the mean is of those that were learnt."""
        learnt = self.rising(raw)
        if self.widths is None:
            return learnt
        middle = raw[..., self.middle : self.middle + 1]
        return middle + self.widths.to(raw) * (learnt - middle)

    def loss(self, raw: Raw, target: Steps, observed: Observed, scale: Scale) -> Float[Tensor, ""]:
        """See `Head`; the mean over levels too."""
        return pinball_loss(raw, target, observed, raw.new_tensor(self.levels), self.middle)

    def mean(self, raw: Raw, scale: Scale) -> Steps:
        """See `Head`; each quantile stands for the probability nearest to it."""
        return self.rising(raw) @ raw.new_tensor(self.weights)

    def exponential_mean(self, raw: Raw, factor: Steps, offset: Steps) -> Steps:
        """See `Head`; each quantile's exponential stands for the probability nearest to it."""
        return (factor[..., None] * self.rising(raw) + offset[..., None]).exp() @ raw.new_tensor(self.weights)

    def at(self, raw: Raw, ranks: Ranks, scale: Scale) -> Quantiles:
        """See `Head`."""
        return interpolate(self.widened(raw), self.levels, ranks)

    def quantiles(self, raw: Raw, levels: Sequence[float], scale: Scale) -> Quantiles:
        """See `Head`; with the places of the levels at hand."""
        if len(self.levels) == 1:
            return super().quantiles(raw, levels, scale)
        return _between(self.widened(raw), *places_of(self.levels, tuple(levels), raw.device))


def middle_of(levels: Sequence[float]) -> int:
    """The place of the level that is nearest to one half, from which the others are counted."""
    return min(range(len(levels)), key=lambda place: abs(levels[place] - 0.5))


def mean_over(values: Steps, observed: Observed) -> Float[Tensor, ""]:
    """Mean of the observed values, zero where there are none."""
    return torch.where(observed, values, 0.0).sum() / observed.sum().clamp(min=1)


def interpolate(values: Float[Tensor, "#batch horizon known"], known: Sequence[float], ranks: Ranks) -> Quantiles:
    """Quantiles at other ranks than those that are known.

    Between two of them, and beyond the outermost, values follow a straight line over the normal distribution's quantiles; of a single
    known rank nothing else can be said, and its value is given for all.

    Args:
        values: rising along the last axis.
        known: their ranks.
        ranks: the wanted ones.
    """
    batch, horizon = (values[..., :1] + ranks[..., :1]).shape[:2]
    if len(known) == 1:
        return values.expand(batch, horizon, ranks.shape[2])
    return _between(values.expand(batch, horizon, -1), *_places(known, ranks))


def _places(known: Sequence[float], ranks: Ranks) -> tuple[Int[Tensor, "#batch #horizon rank"], Float[Tensor, "#batch #horizon rank"]]:
    """Of each rank the one that is known below it, and how far it is on the way to the next."""
    given = torch.special.ndtri(torch.tensor(known, dtype=torch.float64, device=ranks.device))
    wanted = torch.special.ndtri(ranks.double())
    left = (torch.searchsorted(given, wanted, right=True) - 1).clamp(0, len(known) - 2)
    return left, (wanted - given[left]) / (given[left + 1] - given[left])


@lru_cache(maxsize=256)
def places_of(known: tuple[float, ...], levels: tuple[float, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """`_places` of levels that are asked for again and again."""
    with torch.inference_mode(mode=False):  # whoever learns may have them too
        return _places(known, _ranks(levels, device))


def _ranks(levels: Sequence[float], device: torch.device) -> Float[Tensor, "1 1 rank"]:
    return torch.tensor([[tuple(levels)]], dtype=torch.float64, device=device)


def _between(
    values: Float[Tensor, "#batch horizon known"], left: Int[Tensor, "#batch #horizon rank"], share: Float[Tensor, "#batch #horizon rank"]
) -> Quantiles:
    left = left.expand(*values.shape[:2], -1)
    low, high = values.gather(2, left), values.gather(2, left + 1)
    between: Tensor = low + share.to(values) * (high - low)
    return between


def stratified_ranks(steps: int, count: int, generator: torch.Generator) -> Float[Tensor, "steps count"]:
    """Uniform ranks, one in each of `count` equal parts, in an order of its own at each step (McKay et al. 1979: a Latin hypercube).

    Args:
        steps: draws of each path.
        count: paths.
        generator: on the CPU.
    """
    order = torch.rand(steps, count, generator=generator, dtype=torch.float64).argsort(dim=1)
    within = torch.rand(steps, count, generator=generator, dtype=torch.float64)
    return ((order + within) / count).clamp(NEXT_TO_NOTHING, 1.0 - NEXT_TO_NOTHING)
