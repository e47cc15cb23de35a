"""What is known of series when they are to be forecast, and how do they become a panel? What is seen of each, laid end to end."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.forecasting.columns import reach_of
from app.forecasting.windows import columns_of, future_columns_of
from app.series.frequency import Frequency, Times, parse_frequency
from app.series.panel import TARGET, Panel
from app.series.scaling import TargetScaling, WindowScaling
from app.spec.forecaster import ForecasterSpec

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class History:
    """What is known of a series when it is to be forecast.

    Attributes:
        unique_id: what it is called in the answer.
        start: time of the first value.
        columns: `y` and the covariates, all equally long, NaN where missing.
        future: columns known over the horizon, from the first step after the history on.
        running: shift and scale of the target up to each step, where somebody has measured them before, as for many cutoffs of it.
    """

    unique_id: str
    start: np.datetime64 | int
    columns: Mapping[str, Values]
    future: Mapping[str, Values]
    running: WindowScaling | None = None

    @property
    def first_observed(self) -> int:
        """Steps before the first observed value."""
        return int(np.isfinite(self.columns[TARGET]).argmax())

    def at(self, cutoff: int, ahead: Collection[str], steps: int | None = None) -> History:
        """What was known before a step of it: all that came before, and of what came after only the columns that are known ahead.

        Args:
            cutoff: steps that are kept.
            ahead: the columns that are known ahead.
            steps: how far they are known; None for all that is there.
        """
        future = {name: values[cutoff:][:steps] for name, values in self.columns.items() if name in ahead}
        return replace(self, columns={name: values[:cutoff] for name, values in self.columns.items()}, future=future)

    def units(self, kind: TargetScaling) -> WindowScaling:
        """Shift and scale of the target up to each step."""
        target = self.columns[TARGET]
        return self.running or WindowScaling.running(target, (0, len(target)), kind)


def whole_units(spec: ForecasterSpec, histories: Sequence[History]) -> WindowScaling | None:
    """Shift and scale of each whole history, of which a panel may have less; None where those of its context are wanted."""
    if spec.scaling.over == "window":
        return None
    ends = [one.units(spec.scaling.target).at([len(one.columns[TARGET]) - 1]) for one in histories]
    shift, scale = np.concatenate([one.shift for one in ends]), np.concatenate([one.scale for one in ends])
    return WindowScaling(shift, scale, spec.scaling.is_log)


def panel_of_histories(spec: ForecasterSpec, freq: str, histories: Sequence[History]) -> Panel:
    """What a description sees of each history, and its horizon; what is not there of it is missing, but for the target ahead, which is 1.

    Nobody reads that; a column without gaps is gathered for less, and 1 has a logarithm.

    Args:
        spec: complete: with context and horizon.
        freq: of the series.
        histories: they.
    """
    frequency, reach = parse_frequency(freq), reach_of(spec)
    columns = {
        name: np.concatenate([_stretch(spec, history, name, reach) for history in histories]) for name in (TARGET, *columns_of(spec))
    }
    offsets = np.arange(len(histories) + 1, dtype=np.int64) * (reach + (spec.horizon or 1))
    born = None
    if any(group.age for group in spec.inputs.values()):
        since = [history.first_observed - len(history.columns[TARGET]) for history in histories]
        born = offsets[:-1] + reach + np.array(since, dtype=np.int64)
    return Panel(tuple(history.unique_id for history in histories), frequency, _starts(histories, frequency, reach), offsets, columns, born)


def _starts(histories: Sequence[History], frequency: Frequency, reach: int) -> Times:
    starts = np.array([history.start for history in histories])
    skipped = np.array([len(history.columns[TARGET]) - reach for history in histories], dtype=np.int64)
    return frequency.shift(starts, skipped)


def _stretch(spec: ForecasterSpec, history: History, name: str, reach: int) -> Values:
    horizon = spec.horizon or 1
    ahead = np.full(horizon, 1.0 if name == TARGET else np.nan)
    known = history.future.get(name, ahead)[:horizon] if name in future_columns_of(spec) else ahead
    ahead[: len(known)] = known
    seen = history.columns[name][-reach:]
    return np.concatenate([seen, ahead] if len(seen) == reach else [np.full(reach - len(seen), np.nan), seen, ahead])
