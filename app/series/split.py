"""What is learnt from, what decides when to stop, and what is the proof?

    one series   |----------- train ------------|--- validation ---|--- test ---|
                                                 rolling cutoffs     last horizon

The targets of the three parts never overlap; the contexts of later parts reach back into earlier ones, as they will in use. Where no series
is long enough for all three, nothing is held back to stop by.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.series.panel import Panel
from app.series.windows import Cutoffs, Positions, cutoffs_between, observed, train_cutoffs

VALIDATION_WINDOWS = 64
"""Windows the validation wants over the whole panel: residual quantiles of a point head need about so many."""

MOST_VALIDATION_WINDOWS = 2048
"""More say nothing more, and cost time in every epoch and newest steps that are not learnt from; a series has one all the same."""

VALIDATION_SHARE = 5
"""At most one in so many of the steps that a series has to spare moves its validation further back."""


@dataclass(frozen=True, eq=False)
class Split:
    """The windows of each part.

    Attributes:
        train: all windows before the validation's targets, or before the test's.
        validation: rolling cutoffs whose targets end where the test begins; none where no series has room for them.
        test: the last `horizon` steps of each series.
        whole: all windows that there are.
        holdout: int64 [series], steps at the end of each series that training never sees as targets.
    """

    train: Cutoffs
    validation: Cutoffs
    test: Cutoffs
    whole: Cutoffs
    holdout: Positions

    @property
    def measured(self) -> Cutoffs:
        """What intervals are measured on: the validation, or the test where there is none."""
        return self.validation if len(self.validation) else self.test


def split_panel(panel: Panel, context: int, horizon: int) -> Split:
    """The three parts of every series.

    One shorter than context + 3 horizons has no training window, one shorter than context + horizon no window at all. Where all are shorter
    than context + 3 horizons, there is no validation, and one of context + 2 horizons has a training window.
    """
    ends = panel.offsets[1:]
    firsts = panel.offsets[:-1] + context
    test = ends - horizon
    room = panel.lengths - context - 3 * horizon
    series = max(len(panel.ids), 1)
    wanted = max(min(horizon, MOST_VALIDATION_WINDOWS // series), -(-VALIDATION_WINDOWS // series))
    is_validated = int(room.max(initial=-1) >= 0)
    rolling = np.minimum(wanted, 1 + np.maximum(room, 0) // VALIDATION_SHARE) * is_validated
    holdout = horizon + (horizon + rolling - 1) * is_validated
    last = test - horizon
    return Split(
        train=train_cutoffs(panel, context, horizon, holdout),
        validation=observed(panel, cutoffs_between(np.maximum(last - rolling + 1, firsts), last + 1), context, horizon),
        test=observed(panel, cutoffs_between(np.maximum(test, firsts), test + 1), context, horizon),
        whole=train_cutoffs(panel, context, horizon),
        holdout=holdout,
    )


def training_part(panel: Panel, holdout: int | Positions) -> npt.NDArray[np.bool_]:
    """Which flat positions lie before the last `holdout` steps of their series; bool [total]."""
    inside = np.arange(int(panel.offsets[-1]), dtype=np.int64)
    ends = panel.offsets[1:] - np.asarray(holdout, dtype=np.int64)
    return inside < np.repeat(ends, panel.lengths)
