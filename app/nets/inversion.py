"""Where does a distribution function reach a rank? Newton's steps, kept in a bracket that halving closes; counts by scipy's inverses.

The latter are scipy.stats' own numbers from scipy.special alone: all of scipy.stats would be some 50 MB in every process.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy.special

Numbers = npt.NDArray[np.float64]

FREE_STEPS = 8
"""Of Newton's, which are mostly enough; every other one after them halves the bracket."""

MOST_STEPS = 100
"""A bracket is more than 2^40 times narrower by then."""

CLOSE = 1e-9
"""Between the rank that was wanted and the one that was found, of the distance to 0 or 1."""


def invert(
    evaluate: Callable[[Numbers], tuple[Numbers, Numbers]], ranks: Numbers, low: Numbers, high: Numbers, start: Numbers | None = None
) -> Numbers:
    """The values at which a distribution function reaches some ranks.

    Args:
        evaluate: the distribution function and its density, at values of the shape of the others.
        ranks: wanted.
        low: values whose ranks are no higher.
        high: values whose ranks are no lower.
        start: first guesses; the middle by default.
    """
    value = (low + high) / 2 if start is None else np.clip(start, low, high)
    for step in range(MOST_STEPS):
        rank, density = evaluate(value)
        is_below = rank < ranks
        low, high = np.where(is_below, value, low), np.where(is_below, high, value)
        is_done = np.abs(rank - ranks) <= CLOSE * np.minimum(ranks, 1.0 - ranks)
        if is_done.all():
            break
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            newton = value - (rank - ranks) / density
        is_kept = (newton > low) & (newton < high) & (step < FREE_STEPS or step % 2 == 0)
        value = np.where(is_done, value, np.where(is_kept, newton, (low + high) / 2))
    return value


def poisson_counts(ranks: Numbers, rate: Numbers) -> Numbers:
    """The smallest counts whose ranks under a Poisson distribution are no lower.

    Args:
        ranks: wanted.
        rate: of the distribution.
    """
    return _smallest(ranks, scipy.special.pdtrik(ranks, rate), lambda count: scipy.special.pdtr(count, rate))


def negative_binomial_counts(ranks: Numbers, successes: Numbers, probability: Numbers) -> Numbers:
    """The smallest counts of failures whose ranks under a negative binomial distribution are no lower.

    Args:
        ranks: wanted.
        successes: that are waited for, any number above zero.
        probability: of a success.
    """
    found = scipy.special.nbdtrik(ranks, successes, probability)
    return _smallest(ranks, found, lambda count: scipy.special.betainc(successes, count + 1.0, probability))


def _smallest(ranks: Numbers, found: Numbers, evaluate: Callable[[Numbers], Numbers]) -> Numbers:
    """Whole numbers from the real ones where the distribution function reaches the ranks, but for rounding."""
    above = np.ceil(np.maximum(found, 0.0))
    below = np.maximum(above - 1.0, 0.0)
    return np.where(evaluate(below) >= ranks, below, above)
