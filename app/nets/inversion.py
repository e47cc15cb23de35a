"""Where does a distribution function reach a rank? Newton's steps, kept in a bracket that halving closes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

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
