"""Which positions can a network learn from?

A window is `context` steps and the `horizon` steps after them; its *cutoff* is the first of the latter. A cutoff is an index into the
panel's flat columns, so a window costs 16 bytes and its values are gathered when they are needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.series.panel import TARGET, Panel

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Cutoffs:
    """Windows, by where their horizon begins.

    Attributes:
        series: int64 [windows], which series each belongs to.
        position: int64 [windows], flat index of the first horizon step.
    """

    series: Positions
    position: Positions

    def __len__(self) -> int:
        return len(self.position)


def train_cutoffs(panel: Panel, context: int, horizon: int, holdout: int | Positions = 0) -> Cutoffs:
    """Every window that lies whole in its series without the last `holdout` steps, and has something to learn.

    A window with nothing observed in its horizon, or nothing in its context, is left out: the first has no loss, the second no scale.

    Args:
        panel: the series.
        context: steps a network looks back.
        horizon: steps it looks ahead.
        holdout: steps at the end that no window may touch, one number or one per series.
    """
    firsts = panel.offsets[:-1] + context
    ends = panel.offsets[1:] - np.asarray(holdout, dtype=np.int64) - horizon + 1
    return observed(panel, cutoffs_between(firsts, ends), context, horizon)


def cutoffs_between(firsts: Positions, ends: Positions) -> Cutoffs:
    """Every position from `firsts` up to and without `ends`, series by series."""
    counts = np.maximum(ends - firsts, 0)
    series = np.repeat(np.arange(len(firsts), dtype=np.int64), counts)
    before = np.cumsum(counts) - counts
    position = np.arange(int(counts.sum()), dtype=np.int64) + np.repeat(firsts - before, counts)
    return Cutoffs(series, position)


def observed(panel: Panel, cutoffs: Cutoffs, context: int, horizon: int) -> Cutoffs:
    """Those windows with an observed target in the context, as far as the series reaches back, and in the horizon."""
    counts = np.concatenate([[0], np.cumsum(np.isfinite(panel.columns[TARGET]))])
    at = cutoffs.position
    firsts = np.maximum(at - context, panel.offsets[cutoffs.series])
    keep = (counts[at + horizon] > counts[at]) & (counts[at] > counts[firsts])
    return cutoffs if keep.all() else Cutoffs(cutoffs.series[keep], cutoffs.position[keep])
