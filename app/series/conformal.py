"""How much wider has an interval to be, so that it holds as much as it says? Split conformal corrections from the errors of forecasts.

The score of an observed step is how far it lies outside its interval, negative inside, in units of its series (Romano et al. 2019,
conformalised quantile regression). With n scores the margin is the ceil((n + 1) level)-th smallest: another step that is exchangeable
with them then lies inside with a probability of at least `level`. Steps of one series are not exchangeable, so coverage is measured.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


ENOUGH = 30
"""Scores of a step from which on its margin is its own: of fewer a quantile is any of a few numbers."""


def outside_scores(actual: Values, lower: Values, upper: Values, scales: Values) -> Values:
    """How far each step lies outside of its interval, in units of its row's scale; NaN where that is not known.

    Args:
        actual: [rows, steps], NaN where nothing was observed.
        lower: [rows, steps].
        upper: [rows, steps].
        scales: [rows]; a row without one (0 or NaN) has no scores.
    """
    known = np.where(np.isfinite(scales) & (scales > 0.0), scales, np.nan)
    scores: Values = np.maximum(lower - actual, actual - upper) / known[:, None]
    return scores


def margins(scores: Values, level: float) -> Values | None:
    """What to add at each side, [steps], in units of the scale; negative where intervals are too wide.

    Each step has its own, where it has ENOUGH scores and the level does not need more; otherwise those of all steps are taken together.

    Args:
        scores: [rows, steps], of `outside_scores`.
        level: of the interval, between 0 and 1.

    Returns:
        None where all steps together have too few: 4 for 80 %, 19 for 95 %.
    """
    pooled = _margin(scores, level)
    if pooled is None:
        return None
    own = [_margin(column, level) if np.isfinite(column).sum() >= ENOUGH else None for column in scores.T]
    return np.array([pooled if margin is None else margin for margin in own])


def widen(lower: Values, upper: Values, scales: Values, margin: Values) -> tuple[Values, Values]:
    """Corrected bounds; where a negative margin is more than half an interval, both are its middle.

    Args:
        lower: [rows, steps].
        upper: [rows, steps].
        scales: [rows].
        margin: [steps], of `margins`.
    """
    known = np.where(np.isfinite(scales) & (scales > 0.0), scales, np.nan)
    added = np.maximum(known[:, None] * margin[None, :], (lower - upper) / 2.0)
    return lower - added, upper + added


def _margin(scores: Values, level: float) -> float | None:
    seen = np.sort(scores[np.isfinite(scores)])
    # Rounded first: 0.95 * 20 is 19 and a little in binary.
    rank = int(np.ceil(round((len(seen) + 1) * level, 9)))
    return float(seen[rank - 1]) if 0 < rank <= len(seen) else None
