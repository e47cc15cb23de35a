"""Which values does the next trial have, and is one worth going on with? Optuna's samplers and pruners, asked anew each time.

    rows of the database -> a study in memory -> the draw of trial n, or whether to stop

Nothing is kept between two questions: a draw follows from the seed, its number, and the trials before it (docs/decisions/0022).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from app.spec.space import Choices, Drawn, Range, Space

RANDOM_TRIALS = 8
"""Drawn at random before the estimator (Bergstra et al. 2011) has something to go by; optuna's ten are half of a search of twenty."""

UNPRUNED_TRIALS = 4
"""That must be complete before others are stopped by their median."""

DIGITS = 4
"""Of a drawn rate: more say nothing, and are hard to read."""


@dataclass(frozen=True)
class Tried:
    """What is known of a trial.

    Attributes:
        drawn: its values; none of the document as it is.
        means: its mean score after each window that is done.
        is_complete: whether all windows are.
    """

    drawn: Drawn
    means: tuple[float, ...]
    is_complete: bool


def propose(space: Space, tried: Sequence[Tried], seed: int) -> dict[str, Any]:
    """Values of the next trial; none, which is the document as it is, of the first one.

    Args:
        space: what is varied.
        tried: all trials before it, in the order in which they were drawn.
        seed: of the search.
    """
    if not tried:
        return {}
    study = _study(optuna.samplers.TPESampler(seed=(seed + len(tried)) % 2**32, n_startup_trials=RANDOM_TRIALS))
    study.add_trials([_frozen(space, one) for one in tried])
    found = study.ask({name: _distribution(values) for name, values in space.items()}).params
    return {name: _value(values, found[name]) for name, values in space.items()}


def is_hopeless(tried: Sequence[Tried], means: Sequence[float]) -> bool:
    """Whether a trial is worse than the median of the complete ones after as many windows (Golovin et al. 2017).

    Args:
        tried: the others.
        means: its mean score after each of its windows.
    """
    study = _study(optuna.samplers.RandomSampler(seed=0))
    study.add_trials([_frozen({}, one) for one in tried if one.is_complete])
    step = len(means) - 1
    present = create_trial(state=TrialState.RUNNING, intermediate_values={step: means[step]})
    return bool(optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED_TRIALS).prune(study, present))


@cache
def _quiet() -> None:
    # Its log of each study and trial says what our own events say.
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _study(sampler: optuna.samplers.BaseSampler) -> optuna.Study:
    _quiet()
    return optuna.create_study(sampler=sampler, direction="minimize")


def _frozen(space: Space, tried: Tried) -> FrozenTrial:
    """A trial as the study has it. One that is running or came to nothing is among the worst, so that its values are not drawn again."""
    drawn = {name: values for name, values in space.items() if name in tried.drawn}
    return create_trial(
        state=TrialState.COMPLETE if tried.is_complete else TrialState.PRUNED,
        value=tried.means[-1] if tried.is_complete else None,
        params={name: _place(values, tried.drawn[name]) for name, values in drawn.items()},
        distributions={name: _distribution(values) for name, values in drawn.items()},
        intermediate_values=dict(enumerate(tried.means)),
    )


def _distribution(values: Range | Choices) -> BaseDistribution:
    match values:
        case Choices(choices=choices):
            return CategoricalDistribution(range(len(choices)))
        case Range(low=low, high=high, log=log, step=step) if values.is_whole:
            return IntDistribution(int(low), int(high), log=log, step=int(step or 1))
        case Range(low=low, high=high, log=log, step=step):
            return FloatDistribution(float(low), float(high), log=log, step=step)


def _value(values: Range | Choices, found: Any) -> Any:
    """What a number of the study stands for."""
    match values:
        case Choices(choices=choices):
            return choices[found]
        case Range(low=low, high=high, step=None) if not values.is_whole:
            return min(max(float(f"{found:.{DIGITS}g}"), low), high)
        case Range():
            return round(found, 10)


def _place(values: Range | Choices, value: Any) -> Any:
    """What `_value` was given."""
    return values.choices.index(value) if isinstance(values, Choices) else value


def means_of(windows: Sequence[Mapping[str, Any]]) -> tuple[float, ...]:
    """The mean score after each of some windows.

    Args:
        windows: each with its `score`.
    """
    scores = [float(window["score"]) for window in windows]
    return tuple(sum(scores[:count]) / count for count in range(1, len(scores) + 1))
