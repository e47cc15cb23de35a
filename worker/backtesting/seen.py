"""What had a stored model seen of a backtest's windows? Its own training reached up to a horizon before the end of each of its series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from app.series.panel import Panel
from app.series.windows import Cutoffs


def ends_of_training(panel: Panel, horizon: int) -> dict[str, int]:
    """The ordinal of the first step of each series that neither trained a model nor chose it.

    Args:
        panel: what it was trained on.
        horizon: of the model; its training kept so many steps for the last.
    """
    ends = panel.freq.ordinals(panel.freq.shift(panel.starts, panel.lengths - horizon))
    return dict(zip(panel.ids, ends.tolist(), strict=True))


def seen_shares(panel: Panel, windows: Sequence[Cutoffs], ends: Mapping[str, int]) -> list[float]:
    """The share of each window's series of which the model has seen steps that it is to forecast; 0 of a window without series.

    Args:
        panel: what the windows are in.
        windows: their cutoffs.
        ends: of `ends_of_training`; a series that is not there was not seen.
    """
    shares: list[float] = []
    for cutoffs in windows:
        at = panel.freq.ordinals(panel.freq.shift(panel.starts[cutoffs.series], cutoffs.position - panel.offsets[cutoffs.series]))
        until = np.array([ends.get(panel.ids[series], np.iinfo(np.int64).min) for series in cutoffs.series], dtype=np.int64)
        shares.append(float((at < until).mean()) if len(at) else 0.0)
    return shares
