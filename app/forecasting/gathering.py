"""What does a network read of histories, or of what a session carries of them? Windows, without a panel of them.

The numbers are those of `app.forecasting.windows`, in fewer and cheaper steps: of a single series these are most of a forecast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from app.forecasting.batches import Windows
from app.forecasting.histories import History
from app.forecasting.observations import known_ahead
from app.forecasting.stepping import Anchor, Inputs, StepReader, Values
from app.nets.outlook import Outlook
from app.nets.run import About
from app.series.frequency import as_times
from app.series.panel import TARGET
from app.series.scaling import WindowScaling


def begun(
    reader: StepReader, histories: Sequence[History], future: Mapping[str, Values], units: WindowScaling | None
) -> tuple[Inputs, Anchor]:
    """What networks read of the contexts of histories, and the anchor behind them.

    Args:
        reader: of the steps.
        histories: they, checked.
        future: of them, see `futures_of`.
        units: see `StepReader.begin`.
    """
    frequency = reader.frequency
    starts = frequency.ordinals(as_times([history.start for history in histories]))
    newest = starts + np.array([frequency.stride * (len(history.columns[TARGET]) - 1) for history in histories], dtype=np.int64)
    born = starts
    if reader.reads_age:
        born = starts + frequency.stride * np.array([history.first_observed for history in histories], dtype=np.int64)
    columns = {name: _newest(histories, name, reader.steps) for name in (TARGET, *reader.covariates, *reader.statics)}
    return reader.begin(columns, future, newest, born, units)


def futures_of(reader: StepReader, histories: Sequence[History]) -> dict[str, Values]:
    """Columns that are known ahead, [histories, horizon] each, NaN where they are not."""
    return {
        name: np.concatenate([known_ahead((name,), history.future, reader.horizon).values for history in histories])
        for name in reader.future
    }


def windows_behind(
    reader: StepReader,
    anchor: Anchor,
    inputs: Inputs,
    future: Mapping[str, Values],
    about: About | None = None,
    device: torch.device | None = None,
) -> Windows:
    """The horizon behind an anchor, and what is read before it; nothing of the horizon counts as observed.

    Args:
        reader: of the steps.
        anchor: of the sessions.
        inputs: of the steps before it.
        future: see `StepReader.ahead`.
        about: whose they are.
        device: where it is wanted; the CPU by default.
    """
    baseline = reader.baseline(anchor)
    offset = None if baseline is None else torch.from_numpy(baseline).to(device)
    blank, nothing, ones = _nothing(len(anchor.newest), reader.horizon, device)
    return Windows(
        {name: torch.from_numpy(values).to(device) for name, values in inputs.items()},
        torch.from_numpy(reader.ahead(anchor, future)).to(device),
        blank,
        nothing,
        torch.from_numpy(anchor.shift).to(device),
        torch.from_numpy(anchor.scale).to(device),
        nothing[:, :1],
        about=about,
        outlook=None if offset is None else Outlook(ones, offset),
        is_log=reader.is_log,
    )


@lru_cache(maxsize=64)
def _nothing(rows: int, horizon: int, device: torch.device | None) -> tuple[Tensor, Tensor, Tensor]:
    """No target, nothing observed, and a factor of one, [rows, horizon] each. Nobody may change them."""
    blank = torch.zeros(rows, horizon, device=device)
    return blank, torch.zeros_like(blank, dtype=torch.bool), torch.ones(rows, horizon, dtype=torch.float64, device=device)


def _newest(histories: Sequence[History], name: str, steps: int) -> Values:
    """The newest values of a column, [histories, steps], NaN before the first."""
    found = np.full((len(histories), steps), np.nan)
    for row, history in enumerate(histories):
        own = history.columns[name][-steps:]
        found[row, steps - len(own) :] = own
    return found
