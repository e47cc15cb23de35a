"""Which distributions can a head be? Those that are learnt by their likelihood; quantiles are scipy's, means in closed form.

    NormalHead             mean, deviation
    StudentHead            location, scale, degrees of freedom above 2
    PoissonHead            rate
    NegativeBinomialHead   mean, and how much the variance is above it

Positive numbers are softplus of raw ones. Counts are in units of their own: the network's numbers are multiplied by the window's scale.
"""

from __future__ import annotations

import math

import scipy.special
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from app.nets.heads import Head, Observed, Quantiles, Ranks, Raw, Scale, Steps, mean_over
from app.nets.inversion import negative_binomial_counts, poisson_counts

SMALLEST = 1e-4
"""Deviations and rates are never less: a likelihood would otherwise grow without bound on values that repeat."""


class NormalHead(Head):
    """A normal distribution a step."""

    def loss(self, raw: Raw, target: Steps, observed: Observed, scale: Scale) -> Float[Tensor, ""]:
        """See `Head`; minus the logarithm of the density."""
        deviation = self.deviation(raw)
        return mean_over(0.5 * ((target - raw[..., 0]) / deviation) ** 2 + deviation.log() + 0.5 * math.log(2 * math.pi), observed)

    def mean(self, raw: Raw, scale: Scale) -> Steps:
        """See `Head`."""
        return raw[..., 0]

    def exponential_mean(self, raw: Raw, factor: Steps, offset: Steps) -> Steps:
        """See `Head`: that of a lognormal distribution."""
        return log_normal_mean(raw[..., 0], softplus(raw[..., 1]) + SMALLEST, factor, offset)

    def at(self, raw: Raw, ranks: Ranks, scale: Scale) -> Quantiles:
        """See `Head`."""
        standard = torch.special.ndtri(ranks).to(raw)
        values: Tensor = raw[..., :1] + self.deviation(raw)[..., None] * standard
        return values

    def deviation(self, raw: Raw) -> Steps:
        """Of each step."""
        return softplus(raw[..., 1]) + SMALLEST


def log_normal_mean(mean: Tensor, deviation: Tensor, factor: Tensor, offset: Tensor) -> Tensor:
    """Expected value of exp(factor x + offset) of a normal x: exp(factor m + offset + (factor s)^2 / 2)."""
    return (factor * mean + offset + 0.5 * (factor * deviation).square()).exp()


class StudentHead(Head):
    """Student's t distribution a step."""

    def loss(self, raw: Raw, target: Steps, observed: Observed, scale: Scale) -> Float[Tensor, ""]:
        """See `Head`; minus the logarithm of the density."""
        freedom, location, width = _student(raw)
        density = torch.distributions.StudentT(freedom, location, width, validate_args=False)
        return mean_over(-density.log_prob(target), observed)  # type: ignore[no-untyped-call]

    def mean(self, raw: Raw, scale: Scale) -> Steps:
        """See `Head`."""
        return raw[..., 0]

    def at(self, raw: Raw, ranks: Ranks, scale: Scale) -> Quantiles:
        """See `Head`."""
        freedom, location, width = _student(raw.double())
        standard = scipy.special.stdtrit(freedom.cpu().numpy()[..., None], ranks.cpu().numpy())
        return (location[..., None] + width[..., None] * torch.from_numpy(standard).to(location)).to(raw)


def _student(raw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return 2.0 + softplus(raw[..., 2]), raw[..., 0], softplus(raw[..., 1]) + SMALLEST


class PoissonHead(Head):
    """A Poisson distribution a step: P(k) = r^k exp(-r) / k!."""

    def loss(self, raw: Raw, target: Steps, observed: Observed, scale: Scale) -> Float[Tensor, ""]:
        """See `Head`; minus the logarithm of the probability."""
        rate, count = self.mean(raw, scale) * scale[:, None].to(raw), target * scale[:, None].to(raw)
        return mean_over(rate - count * rate.log() + torch.lgamma(count + 1.0), observed)

    def mean(self, raw: Raw, scale: Scale) -> Steps:
        """See `Head`."""
        return softplus(raw[..., 0]) + SMALLEST

    def at(self, raw: Raw, ranks: Ranks, scale: Scale) -> Quantiles:
        """See `Head`."""
        unit = scale[:, None].double()
        rate = (self.mean(raw, scale) * unit).cpu().numpy()
        counts = poisson_counts(ranks.cpu().numpy(), rate[..., None])
        return (torch.from_numpy(counts).to(unit) / unit[..., None]).to(raw)


class NegativeBinomialHead(Head):
    """A negative binomial distribution a step, of mean m and variance m + a m^2 (Salinas et al. 2017).

    m is softplus of a raw number times the scale, a softplus of another divided by its root.
    """

    def loss(self, raw: Raw, target: Steps, observed: Observed, scale: Scale) -> Float[Tensor, ""]:
        """See `Head`; minus the logarithm of the probability."""
        mean, successes = self._parameters(raw, scale)
        count = target * scale[:, None].to(raw)
        log_odds = mean.log() - successes.log()
        # log p of m / (m + r), and of r / (m + r), without a difference of large numbers.
        log_likelihood = torch.lgamma(count + successes) - torch.lgamma(successes) - torch.lgamma(count + 1.0)
        log_likelihood = log_likelihood - successes * softplus(log_odds) - count * softplus(-log_odds)
        return mean_over(-log_likelihood, observed)

    def mean(self, raw: Raw, scale: Scale) -> Steps:
        """See `Head`."""
        return softplus(raw[..., 0]) + SMALLEST

    def at(self, raw: Raw, ranks: Ranks, scale: Scale) -> Quantiles:
        """See `Head`."""
        mean, successes = (part.cpu().numpy()[..., None] for part in self._parameters(raw.double(), scale.double()))
        counts = negative_binomial_counts(ranks.cpu().numpy(), successes, successes / (successes + mean))
        unit = scale[:, None, None].double()
        return (torch.from_numpy(counts).to(unit) / unit).to(raw)

    def _parameters(self, raw: Raw, scale: Scale) -> tuple[Steps, Steps]:
        """Mean, and the number of successes 1 / a."""
        unit = scale[:, None].to(raw)
        return self.mean(raw, scale) * unit, unit.sqrt() / (softplus(raw[..., 1]) + SMALLEST)
