"""Which trial wins? The smallest network that is as good as the best one, as far as the windows can tell.

By the one-standard-error rule (Breiman et al. 1984, Classification and Regression Trees, 3.4.3): of all whose mean score is at most the
best one plus its standard error, the one with the fewest parameters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class WindowScore:
    """What a forecaster came to on one window.

    Attributes:
        score: mean error over the series.
        standard_error: of that mean; None of fewer than two series.
        series: that were scored.
    """

    score: float
    standard_error: float | None
    series: int


@dataclass(frozen=True)
class Candidate:
    """A trial that is complete.

    Attributes:
        number: of the trial.
        score: mean over its windows; less is better.
        standard_error: of that mean.
        parameters: of its network.
    """

    number: int
    score: float
    standard_error: float | None
    parameters: int


@dataclass(frozen=True)
class Choice:
    """Who wins.

    Attributes:
        winner: its number.
        best: the number of the trial with the best score.
        sentence: why.
    """

    winner: int
    best: int
    sentence: str


def mean_of(windows: Sequence[WindowScore]) -> tuple[float, float | None]:
    """The mean score of some windows, and its standard error.

    It is over series: the mean of the windows' own errors, as the series are the same in all windows and do not average out over these. How
    far the windows differ from each other is much the same for all trials, and counts only where there is a single series.

    Args:
        windows: at least one.
    """
    scores = np.array([window.score for window in windows])
    within = [window.standard_error for window in windows if window.standard_error is not None]
    if within:
        return float(scores.mean()), float(np.mean(within))
    return float(scores.mean()), float(scores.std(ddof=1)) / math.sqrt(len(scores)) if len(scores) > 1 else None


def choose(candidates: Sequence[Candidate], metric: str, baseline: float) -> Choice:
    """Who wins, and why.

    Args:
        candidates: at least one.
        metric: what the scores are.
        baseline: the score of seasonal naive on the same windows.
    """
    best = min(candidates, key=lambda one: (one.score, one.parameters, one.number))
    bound = best.score + (best.standard_error or 0.0)
    winner = min((one for one in candidates if one.score <= bound), key=lambda one: (one.parameters, one.score, one.number))
    return Choice(winner.number, best.number, f"{_why(winner, best, metric, bound)}; {_beside(winner, metric, baseline)}")


def _why(winner: Candidate, best: Candidate, metric: str, bound: float) -> str:
    own = f"trial {winner.number} with {winner.parameters:,} parameters and a {metric} of {winner.score:.4g}"
    if winner.number == best.number:
        within = (
            "" if best.standard_error is None else f" and no smaller network is within one standard error ({best.standard_error:.2g}) of it"
        )
        return f"{own} is the best of all{within}"
    return (
        f"{own} is the smallest network within one standard error of the best, trial {best.number} with {best.parameters:,} parameters and "
        f"{best.score:.4g} (up to {bound:.4g})"
    )


def _beside(winner: Candidate, metric: str, baseline: float) -> str:
    if baseline <= 0.0:
        return f"repeating the last season has {baseline:.4g}"
    share = 100.0 * (1.0 - winner.score / baseline)
    better = f"{share:.0f} % better" if share > 0.0 else f"{-share:.0f} % worse: use seasonal naive, or search a wider space"
    return f"repeating the last season has a {metric} of {baseline:.4g}, and the winner is {better}"
