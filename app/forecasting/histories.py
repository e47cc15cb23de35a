"""What is known of series when they are to be forecast, and how do they become a panel? What is seen of each, laid end to end."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.series.panel import TARGET
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
