"""What is known now of a series of a stored dataset? Its values, and of the steps behind its last one what is known ahead."""

from __future__ import annotations

import numpy as np

from app.forecasting.histories import History
from app.forecasting.windows import columns_of, future_columns_of
from app.series.panel import TARGET, Panel
from app.spec.forecaster import ForecasterSpec


def newest_history(spec: ForecasterSpec, panel: Panel, series: int) -> History:
    """A series as it is to be forecast.

    Where the model knows columns ahead, the steps at the end of a series that have no target yet are its future.

    Args:
        spec: says which columns are read.
        panel: the series.
        series: which.
    """
    columns = {name: panel.values(series, name) for name in (TARGET, *columns_of(spec))}
    ahead = future_columns_of(spec)
    seen = np.flatnonzero(np.isfinite(columns[TARGET]))
    end = int(seen[-1]) + 1 if ahead and len(seen) else len(columns[TARGET])
    return History(panel.ids[series], panel.start(series), columns, {}).at(end, ahead if end < len(columns[TARGET]) else ())
