"""What would a forecaster have said at a cutoff? Its forecasts from histories that end there, as if nothing had come after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from app.forecasting.forecaster import LARGEST_BATCH, Forecaster
from app.forecasting.histories import History
from app.forecasting.windows import columns_of, future_columns_of
from app.series.panel import TARGET, Panel
from app.series.windows import Cutoffs

Values = npt.NDArray[np.float64]


def forecasts_at(forecaster: Forecaster, panel: Panel, cutoffs: Cutoffs, levels: Sequence[float]) -> Iterator[Values]:
    """The mean and then the quantiles, [series, horizon, 1 + levels], of some series after others.

    Args:
        forecaster: trained.
        panel: the series, with what came after the cutoffs.
        cutoffs: one a series.
        levels: of the quantiles.
    """
    for first in range(0, len(cutoffs), LARGEST_BATCH):
        rows = slice(first, first + LARGEST_BATCH)
        histories = [
            history_at(forecaster, panel, int(series), int(position))
            for series, position in zip(cutoffs.series[rows], cutoffs.position[rows], strict=True)
        ]
        yield forecaster.predict(histories, levels).values.swapaxes(1, 2)


def history_at(forecaster: Forecaster, panel: Panel, series: int, position: int) -> History:
    """What was known of a series at a cutoff: its past, and of what comes after only the columns that are known ahead.

    Args:
        forecaster: says which columns it reads.
        panel: the series.
        series: which.
        position: flat, of the first step that is forecast.
    """
    columns = {name: panel.values(series, name) for name in (TARGET, *columns_of(forecaster.spec))}
    whole = History(panel.ids[series], panel.start(series), columns, {})
    return whole.at(position - int(panel.offsets[series]), future_columns_of(forecaster.spec), forecaster.horizon)
