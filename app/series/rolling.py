"""From where does a backtest forecast? Rolling cutoffs, counted back from the last value that each series has observed.

    one series   |--------------------|= horizon =|        window 1
                 |------------------------|= horizon =|    window 2, `step` later

Series may end at different times; their cutoffs are as far from their own ends.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.series.panel import TARGET, Panel
from app.series.windows import Cutoffs, Positions, observed


def rolling_positions(panel: Panel, horizon: int, windows: int, step: int) -> Positions:
    """Flat position of every cutoff, [windows, series], oldest first; never before the series' first step.

    Args:
        panel: the series.
        horizon: steps after a cutoff; those of the last end with the last observed value.
        windows: cutoffs of each series.
        step: steps from one to the next.
    """
    seen = np.isfinite(panel.columns[TARGET])
    flat = np.where(seen, np.arange(1, len(seen) + 1), 0)
    newest = np.maximum.accumulate(flat) if len(flat) else flat
    starts, ends = panel.offsets[:-1], panel.offsets[1:]
    # Of a series that has never been observed the newest value is another one's.
    last = np.maximum(newest[ends - 1], starts) if len(flat) else starts
    back = horizon + step * np.arange(windows - 1, -1, -1)
    return np.maximum(last[None, :] - back[:, None], starts[None, :]).astype(np.int64)


def cutoffs_at(panel: Panel, positions: Positions, context: int, horizon: int, least: int | None = None) -> Cutoffs:
    """Those series that can be forecast and scored at their position: enough steps with something observed, and a target to compare.

    Args:
        panel: the series.
        positions: [series], of `rolling_positions`.
        context: steps that are looked back.
        horizon: steps that are forecast.
        least: steps that are enough; a whole context by default.
    """
    fits = (positions - (least or context) >= panel.offsets[:-1]) & (positions + horizon <= panel.offsets[1:])
    series = np.flatnonzero(fits).astype(np.int64)
    return observed(panel, Cutoffs(series, positions[series]), context, horizon)


def cut_panel(panel: Panel, positions: Positions) -> Panel:
    """The panel as it was: each series up to its position, and no series that had not begun.

    Args:
        panel: the series.
        positions: [series], flat.
    """
    lengths = np.maximum(positions - panel.offsets[:-1], 0)
    begun = np.flatnonzero(lengths)
    inside = np.arange(int(panel.offsets[-1]), dtype=np.int64) < np.repeat(positions, panel.lengths)
    return replace(
        panel,
        ids=tuple(panel.ids[series] for series in begun),
        starts=panel.starts[begun],
        offsets=np.concatenate([[0], np.cumsum(lengths[begun])]).astype(np.int64),
        columns={name: values[inside] for name, values in panel.columns.items()},
    )
