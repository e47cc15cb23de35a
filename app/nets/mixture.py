"""A mixture of normal distributions a step (Bishop 1994): for what has several likely values, or a tail of its own."""

from __future__ import annotations

import math

import numpy as np
import scipy.special
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from app.nets.distributions import SMALLEST, log_normal_mean
from app.nets.heads import Head, Observed, Quantiles, Ranks, Raw, Scale, Steps, mean_over
from app.nets.inversion import Numbers, invert

Parts = Float[Tensor, "batch horizon part"]


class MixtureHead(Head):
    """p(y) = sum_k w_k N(y; m_k, s_k), w softmax of the first raw numbers, m the second, s softplus of the third.

    Deviation from the paper: s is softplus rather than exp, which one large number cannot make infinite.
    """

    def loss(self, raw: Raw, target: Steps, observed: Observed, scale: Scale) -> Float[Tensor, ""]:
        """See `Head`; minus the logarithm of the density, summed over components from the largest down."""
        log_weights, means, deviations = self._parameters(raw)
        standard = (target[..., None] - means) / deviations
        parts = log_weights - 0.5 * standard**2 - deviations.log() - 0.5 * math.log(2 * math.pi)
        return mean_over(-parts.logsumexp(dim=2), observed)

    def mean(self, raw: Raw, scale: Scale) -> Steps:
        """See `Head`."""
        log_weights, means, _ = self._parameters(raw)
        return (log_weights.exp() * means).sum(dim=2)

    def exponential_mean(self, raw: Raw, factor: Steps, offset: Steps) -> Steps:
        """See `Head`: of the components' lognormal means."""
        log_weights, means, deviations = self._parameters(raw)
        own = log_normal_mean(means, deviations, factor[..., None], offset[..., None])
        return (log_weights.exp() * own).sum(dim=2)

    def at(self, raw: Raw, ranks: Ranks, scale: Scale) -> Quantiles:
        """See `Head`: the root of the distribution function, which lies between the components' own quantiles."""
        log_weights, means, deviations = (part.cpu().numpy()[:, :, None] for part in self._parameters(raw.double()))
        weights, wanted = np.exp(log_weights), ranks.cpu().numpy()
        own = means + deviations * scipy.special.ndtri(wanted)[..., None]

        def evaluate(values: Numbers) -> tuple[Numbers, Numbers]:
            standard = (values[..., None] - means) / deviations
            density = np.exp(-0.5 * standard**2) / (deviations * math.sqrt(2 * math.pi))
            return (weights * scipy.special.ndtr(standard)).sum(axis=-1), (weights * density).sum(axis=-1)

        found = invert(evaluate, np.broadcast_to(wanted, own.shape[:-1]), own.min(axis=-1), own.max(axis=-1))
        return torch.from_numpy(found).to(raw)

    def draw(self, raw: Raw, ranks: Ranks, scale: Scale) -> Quantiles:
        """See `Head`: the rank chooses a component, and its place within the component's share is the rank there."""
        log_weights, means, deviations = self._parameters(raw.double())
        bounds = log_weights.exp().cumsum(dim=2)
        chosen = (ranks[..., None] > bounds[:, :, None, :-1]).sum(dim=3)
        shares, below = log_weights.exp().gather(2, chosen), bounds.gather(2, chosen)
        within = (1.0 - (below - ranks) / shares).clamp(1e-9, 1.0 - 1e-9)
        standard: Tensor = torch.special.ndtri(within)
        return (means.gather(2, chosen) + deviations.gather(2, chosen) * standard).to(raw)

    def _parameters(self, raw: Raw) -> tuple[Parts, Parts, Parts]:
        """Logarithms of the weights, means and deviations."""
        weights, means, deviations = raw.chunk(3, dim=2)
        return weights.log_softmax(dim=2), means, softplus(deviations) + SMALLEST
