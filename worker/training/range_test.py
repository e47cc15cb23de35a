"""Which learning rate suits a network? The one at which its loss falls, a good way below the one at which it stops falling.

Rates rise exponentially, one step of the training's own kind at each; the loss falls slowly, then fast, then the network is thrown out
(Smith 2017, Cyclical learning rates for training neural networks). What was learnt is forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence

import numpy as np

from app.spec.training import Training
from worker.training.batching import windows_of_step
from worker.training.events import Event, RateFound, Trial
from worker.training.stage import Rows
from worker.training.state import Progress
from worker.training.steps import Stepper

LOWEST, HIGHEST = 1e-6, 1.0
"""Rates that are tried."""

TRIALS = 100
"""Steps of a test: each rate is 15 % above the one before it."""

WINDOWS_AT_MOST = 1024
"""Of a trial: a full batch would make the test as long as a hundred epochs."""

SMOOTHING = 0.9
"""Share of the old mean that a loss leaves: single batches differ by more than a rate does."""

THROWN_OUT = 4.0
"""Times the first loss, or the whole fall from it, that a smoothed loss may rise above its least: beyond it there is nothing to see."""

BELOW_THE_LEAST = 10.0
"""The rate with the least loss is about to be too high; training takes so many times less."""

FALL = 0.01
"""Share of its first value by which a loss must fall to say anything."""

USUAL = 1e-3
"""Where a test says nothing: what `lr` is where a document leaves it out."""

DRAW = 10_001
"""In place of an epoch's number, which is never so high: the windows of a test are drawn as no epoch's are."""


def find_rate(stepper: Stepper, trials: Iterator[Rows], progress: Progress) -> Generator[Event, None, RateFound]:
    """Try rates on a network that is ready to learn; its weights are not put back.

    Args:
        stepper: takes steps.
        trials: the windows of each.
        progress: counts them.

    Yields:
        After each step, and after parts of steps.

    Returns:
        What it came to.
    """
    tried, losses = rates(), list[float]()
    for lr in tried:
        taken = yield from stepper.take(next(trials), lr)
        losses.append(taken.loss)
        progress.step += 1
        yield Trial(progress.step, lr, taken.loss)
        if is_thrown_out(losses):
            break
    found = tuple(loss if math.isfinite(loss) else None for loss in losses)
    return RateFound(progress.stage, chosen(losses), tried[: len(losses)], found)


def rates() -> tuple[float, ...]:
    """The rates that are tried, rising."""
    return tuple(LOWEST * (HIGHEST / LOWEST) ** (trial / (TRIALS - 1)) for trial in range(TRIALS))


def trial_rows(settings: Training, draw: int, windows: int) -> Iterator[Rows]:
    """The windows of each trial: all of them in a random order, and again in another where they do not last.

    Args:
        settings: of the training.
        draw: what tells its stages apart.
        windows: that there are.
    """
    generator = np.random.default_rng((settings.seed, draw, DRAW))
    size = min(windows_of_step(settings, windows), windows, WINDOWS_AT_MOST)
    order = np.empty(0, dtype=np.int64)
    while True:
        if len(order) < size:
            order = np.concatenate([order, generator.permutation(windows)])
        yield order[:size]
        order = order[size:]


def smoothed(losses: Sequence[float]) -> list[float]:
    """Running means of losses, each without the weight of what was before the first."""
    means, mean = [], 0.0
    for number, loss in enumerate(losses, start=1):
        mean = SMOOTHING * mean + (1.0 - SMOOTHING) * loss
        means.append(mean / (1.0 - SMOOTHING**number))
    return means


def is_thrown_out(losses: Sequence[float]) -> bool:
    """Whether the newest loss says that higher rates need not be tried."""
    if not math.isfinite(losses[-1]):
        return True
    means = smoothed(losses)
    fall = means[0] - min(means)
    return means[-1] - min(means) > THROWN_OUT * max(abs(means[0]), fall)


def chosen(losses: Sequence[float]) -> float:
    """A tenth of the rate with the least smoothed loss; the usual rate where the loss has not fallen.

    Args:
        losses: at the first of the rates, as many as were tried.
    """
    means = smoothed([loss for loss in losses if math.isfinite(loss)])
    least = int(np.argmin(means)) if means else 0
    has_fallen = bool(means) and means[0] - means[least] > FALL * abs(means[0])
    return rates()[least] / BELOW_THE_LEAST if has_fallen else USUAL
