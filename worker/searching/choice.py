"""Which trial wins? The smallest network that is as good as the best one, as far as the windows can tell.

By the one-standard-error rule (Breiman et al. 1984, Classification and Regression Trees, 3.4.3), of pairs: of all whose mean score is above
the best one's by at most the standard error of that difference, the one with the fewest parameters. Both have forecast the same series, and
what makes one series harder than another is in both (decision 44).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


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


@dataclass(frozen=True, eq=False)
class Candidate:
    """A trial that is complete.

    Attributes:
        number: of the trial.
        score: mean over its windows; less is better.
        standard_error: of that mean.
        parameters: of its network.
        errors: means over its windows of some series, the same of all trials; empty where nobody has kept them.
        series: that the score is the mean of.
    """

    number: int
    score: float
    standard_error: float | None
    parameters: int
    errors: Values = field(default_factory=lambda: np.empty(0))
    series: int = 0

    def error_beside(self, other: Candidate) -> float:
        """Standard error of how far its score is from another's; that of the other's own where no two series can be compared."""
        apart = self.errors - other.errors if len(self.errors) == len(other.errors) else self.errors[:0]
        apart = apart[np.isfinite(apart)]
        if len(apart) < 2:
            return other.standard_error or 0.0
        return float(apart.std(ddof=1)) / math.sqrt(max(self.series, len(apart)))


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
    as_good = [one for one in candidates if one.score <= best.score + one.error_beside(best)]
    winner = min(as_good, key=lambda one: (one.parameters, one.score, one.number))
    return Choice(winner.number, best.number, f"{_why(winner, best, metric)}; {_beside(winner, metric, baseline)}")


def _why(winner: Candidate, best: Candidate, metric: str) -> str:
    own = f"trial {winner.number} with {winner.parameters:,} parameters and a {metric} of {winner.score:.4g}"
    if winner.number == best.number:
        return f"{own} is the best of all" + ("" if best.standard_error is None else " and no smaller network is within one standard error")
    return (
        f"{own} is the smallest network within one standard error of the best, trial {best.number} with {best.parameters:,} parameters and "
        f"{best.score:.4g} (up to {best.score + winner.error_beside(best):.4g})"
    )


def _beside(winner: Candidate, metric: str, baseline: float) -> str:
    if baseline <= 0.0:
        return f"repeating the last season has {baseline:.4g}"
    share = 100.0 * (1.0 - winner.score / baseline)
    better = f"{share:.0f} % better" if share > 0.0 else f"{-share:.0f} % worse: use seasonal naive, or search a wider space"
    return f"repeating the last season has a {metric} of {baseline:.4g}, and the winner is {better}"
