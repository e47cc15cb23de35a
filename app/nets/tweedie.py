"""A compound Poisson-gamma distribution a step (Jorgensen 1987): zeros among positive values, as of rain or of sales in money.

A number N of events, Poisson of rate r; each adds a gamma variable of shape a and scale g. With mean m, dispersion d and power p, the
variance is d m^p:

    r = m^(2 - p) / (d (2 - p))        a = (2 - p) / (p - 1)        g = d (p - 1) m^(p - 1)

The family is closed under scaling: what is Tweedie in the series' units is so in the window's, with the same power.
"""

from __future__ import annotations

import numpy as np
import scipy.special
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from app.nets.distributions import SMALLEST
from app.nets.heads import NEXT_TO_NOTHING, Head, Observed, Quantiles, Ranks, Raw, Scale, Steps, mean_over
from app.nets.inversion import Numbers, invert, poisson_counts

TERMS = 32
"""Of the density's series: about its largest one they are a bell, of which a sum at every half deviation is exact to seven digits."""

EVENTS = 64
"""Numbers of events that the distribution function is summed over: as many in a bell for powers from 1.05 on, whose steps are narrow."""

LEAST_LOGARITHM = -700.0
"""Of a positive number, more or less: there is no smaller one."""


class TweedieHead(Head):
    """A compound Poisson-gamma distribution a step, of mean m and variance d m^p.

    Learnt by its likelihood, not by the deviance: the deviance does not know the dispersion, without which there are no quantiles.

    Args:
        power: p, from 1.05 to 1.95.
    """

    def __init__(self, power: float) -> None:
        self._power = power
        self._shape = (2.0 - power) / (power - 1.0)

    def loss(self, raw: Raw, target: Steps, observed: Observed, scale: Scale) -> Float[Tensor, ""]:
        """See `Head`; minus the logarithm of the density, and of the probability where the target is 0."""
        rate, gamma_scale = self._parameters(raw.double())
        is_zero = target <= 0.0
        # A positive stand-in, as the unused side of a choice has a gradient too.
        positive = torch.where(is_zero, 1.0, target).double()
        log_density = self._log_series(positive / gamma_scale, rate) - positive / gamma_scale - positive.log()
        return mean_over(rate - torch.where(is_zero, 0.0, log_density), observed).to(raw)

    def _log_series(self, size: Steps, rate: Steps) -> Steps:
        """Logarithm of sum_n r^n x^(n a) / (n! Gamma(n a)) with x the value in units of the gamma scale (Dunn and Smyth 2005)."""
        log_ratio = rate.log() + self._shape * size.log()
        with torch.no_grad():
            largest = ((log_ratio - self._shape * torch.tensor(self._shape).log()) / (1.0 + self._shape)).exp()
            numbers = _bell(largest, (largest / (1.0 + self._shape)).sqrt(), TERMS)
            constant = torch.lgamma(numbers + 1.0) + torch.lgamma(numbers * self._shape)
            stride = (numbers[..., 1] - numbers[..., 0]).log()
        return (numbers * log_ratio[..., None] - constant).logsumexp(dim=2) + stride

    def mean(self, raw: Raw, scale: Scale) -> Steps:
        """See `Head`."""
        return softplus(raw[..., 0]) + SMALLEST

    def at(self, raw: Raw, ranks: Ranks, scale: Scale) -> Quantiles:
        """See `Head`: 0 up to the probability of no event, and the root of the distribution function above it."""
        rate, gamma_scale = (part.cpu().numpy()[..., None] for part in self._parameters(raw.double()))
        wanted = ranks.cpu().numpy() * np.ones_like(rate)
        nothing = np.exp(-rate)
        is_zero = wanted <= nothing
        found = self._size_at(rate, np.where(is_zero, (1.0 + nothing) / 2, wanted))
        return torch.from_numpy(np.where(is_zero, 0.0, found * gamma_scale)).to(raw)

    def _size_at(self, rate: Numbers, ranks: Numbers) -> Numbers:
        """The value at a rank above the probability of no event, in units of the gamma scale; looked for by its logarithm."""
        numbers = _bell(torch.from_numpy(rate), torch.from_numpy(rate).sqrt(), EVENTS).numpy()
        poisson = np.exp(numbers * np.log(rate)[..., None] - rate[..., None] - scipy.special.gammaln(numbers + 1.0))
        weights = poisson * (numbers[..., 1:2] - numbers[..., :1])
        shapes, nothing = numbers * self._shape, np.exp(-rate)
        gammaln = scipy.special.gammaln(shapes)

        def evaluate(logarithms: Numbers) -> tuple[Numbers, Numbers]:
            size = np.exp(logarithms)[..., None]
            density = np.exp(shapes * logarithms[..., None] - size - gammaln)
            return nothing + (weights * scipy.special.gammainc(shapes, size)).sum(axis=-1), (weights * density).sum(axis=-1)

        mean, variance = rate * self._shape, rate * self._shape * (1.0 + self._shape)
        # Cantelli: no more than 1 / (1 + k^2) lies k deviations above the mean.
        high = np.log(mean + np.sqrt(variance * ranks / (1.0 - ranks)))
        # A gamma distribution with the moments of what is above 0 is never far off.
        above, moment = mean / (1.0 - nothing), (variance + mean**2) / (1.0 - nothing)
        alike = above**2 / (moment - above**2)
        start = scipy.special.gammaincinv(alike, (ranks - nothing) / (1.0 - nothing)) * above / alike
        return np.exp(invert(evaluate, ranks, np.full_like(high, LEAST_LOGARITHM), high, np.log(np.maximum(start, 1e-300))))

    def draw(self, raw: Raw, ranks: Ranks, scale: Scale) -> Quantiles:
        """See `Head`: the rank gives the number of events, and its place within that number's share is the rank of their sum."""
        rate, gamma_scale = (part.cpu().numpy()[..., None] for part in self._parameters(raw.double()))
        wanted = ranks.cpu().numpy()
        numbers = poisson_counts(wanted, rate)
        below = scipy.special.pdtr(numbers - 1.0, rate)
        share = np.exp(scipy.special.xlogy(numbers, rate) - scipy.special.gammaln(numbers + 1.0) - rate)
        below = np.where(numbers > 0.0, below, 0.0)
        within = np.clip((wanted - below) / share, NEXT_TO_NOTHING, 1.0 - NEXT_TO_NOTHING)
        sums = scipy.special.gammaincinv(np.maximum(numbers, 1.0) * self._shape, within)
        return torch.from_numpy(np.where(numbers > 0.0, sums * gamma_scale, 0.0)).to(raw)

    def _parameters(self, raw: Raw) -> tuple[Steps, Steps]:
        """Rate of the events, and scale of what each adds."""
        mean, dispersion = softplus(raw[..., 0]) + SMALLEST, softplus(raw[..., 1]) + SMALLEST
        rate = mean ** (2.0 - self._power) / (dispersion * (2.0 - self._power))
        return rate, dispersion * (self._power - 1.0) * mean ** (self._power - 1.0)


def _bell(middle: Tensor, deviation: Tensor, most: int) -> Tensor:
    """Numbers from 1 on about a middle: whole ones where so many reach far enough, and evenly spread ones where they do not.

    A sum over whole numbers of what changes slowly between them is its integral, and so is one over wider steps.
    """
    reach = 8.0 * deviation + 6.0
    first = (middle - reach).floor().clamp(min=1.0)
    steps = middle + reach - first
    count = min(most, max(2, int(steps.max()) + 2)) if steps.numel() else 2
    stride = (steps / (count - 1)).clamp(min=1.0)
    return first[..., None] + stride[..., None] * torch.arange(count, dtype=middle.dtype, device=middle.device)
