"""What does a network read of one more step, and of the horizon behind it, when it no longer has the series? Out of what a session carries.

The numbers are those of `app.forecasting.windows`, for a window whose units and fillers were measured when the session began. What lags and
a baseline reach back to is a tail of the target; of each covariate the last observed value is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.forecasting.turns import Turns, turns_of
from app.forecasting.windows import covariates_of, future_columns_of, statics_of
from app.series.frequency import Times, parse_frequency
from app.series.panel import TARGET
from app.series.scaling import CovariateScaling, WindowScaling, row_mean
from app.spec.decoders import lags_of_decoder
from app.spec.forecaster import ForecasterSpec
from app.spec.streaming import reads_next

Values = npt.NDArray[np.float64]
Inputs = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Anchor:
    """What was measured when sessions began, and what they have seen since; the first axis of each is the session.

    Attributes:
        shift: subtracted from the target, or from its logarithms, which are then what `level`, `tail` and `last` are of too.
        scale: the target is divided by.
        level: of a target of which nothing was observed.
        tail: [sessions, steps], the newest values of the target, each the last observed one; NaN before the first.
        last: [sessions, 1 + covariates], the target and each covariate as a network would read them where they are missing.
        statics: [sessions, columns], codes of what never changes.
        newest: ordinals of the newest steps, see `app.series.frequency`.
        born: the same of the first observed ones, or of the first where no input has an age.
    """

    shift: Values
    scale: Values
    level: Values
    tail: Values
    last: Values
    statics: Values
    newest: npt.NDArray[np.int64]
    born: npt.NDArray[np.int64]


class StepReader:
    """Inputs of steps behind an anchor.

    Args:
        spec: complete: with context and horizon.
        freq: of the series.
        scaling: of the covariates.
    """

    def __init__(self, spec: ForecasterSpec, freq: str, scaling: CovariateScaling) -> None:
        self.spec = spec
        self.frequency = parse_frequency(freq)
        self._scaling = scaling
        self.horizon, self.is_log, self.reads_next = spec.horizon or 1, spec.scaling.is_log, reads_next(spec)
        self._ahead = 1 if self.reads_next else 0
        self.covariates = covariates_of(spec)
        self.statics = tuple(statics_of(spec))
        self.future = future_columns_of(spec)
        self._features = tuple(dict.fromkeys(feature for group in spec.inputs.values() for feature in group.features))
        self.reads_age = any(group.age for group in spec.inputs.values())
        lags = [lag for group in spec.inputs.values() for lag in group.lag_steps]
        self.tail_steps = max([1, *lags, *lags_of_decoder(spec.decoder), spec.scaling.baseline_lag or 0])
        self.steps = self.tail_steps + (spec.context or 1)

    def begin(
        self,
        columns: Mapping[str, Values],
        future: Mapping[str, Values],
        newest: npt.NDArray[np.int64],
        born: npt.NDArray[np.int64],
        units: WindowScaling | None,
    ) -> tuple[Inputs, Anchor]:
        """What networks read of the contexts of some histories, and the anchor behind them.

        Args:
            columns: the newest values of the target and the covariates, [histories, steps], NaN where missing.
            future: columns that are known ahead, [histories, horizon], NaN where they are not.
            newest: ordinals of the newest steps.
            born: of the first observed ones.
            units: shift and scale of the histories; None where those of their contexts are wanted.
        """
        context, histories = self.spec.context or 1, len(newest)
        units = units or WindowScaling.fit(columns[TARGET][:, -context:], self.spec.scaling.target)
        target = self._told(columns[TARGET])
        filled = filled_windows(target[:, -context:])
        tail = last_observed(target)
        seen = {name: columns[name] for name in self.covariates}
        seen |= {name: np.concatenate([seen[name], values[:, : self._ahead]], axis=1) for name, values in future.items()}
        covariates = {name: filled_windows(values[:, -context:]) for name, values in self._scaling.apply(seen).items()}
        last = self._last(filled, covariates)
        statics = np.empty((histories, len(self.statics)))
        for place, name in enumerate(self.statics):
            statics[:, place] = columns[name][:, -1]
        anchor = Anchor(units.shift, units.scale, filled.mean(axis=1), tail[:, -self.tail_steps :], last, statics, newest, born)
        return self._inputs(anchor, tail, filled, covariates, -context), anchor

    def step(self, anchor: Anchor, target: Values, columns: Mapping[str, Values]) -> tuple[Inputs, Anchor]:
        """What networks read of more steps, and the anchor behind them.

        Args:
            anchor: of the sessions.
            target: [sessions, steps] that were observed, NaN where missing.
            columns: covariates, [sessions, steps] each; of the steps after these where the decoder reads those.
        """
        target = self._told(target)
        tail = np.concatenate([anchor.tail, _continued(anchor.tail[:, -1:], target)], axis=1)
        filled = _continued(anchor.last[:, :1], target)
        scaled = self._scaling.apply(columns)
        covariates = {name: _continued(anchor.last[:, place, None], scaled[name]) for place, name in enumerate(self.covariates, 1)}
        after = Anchor(
            anchor.shift,
            anchor.scale,
            anchor.level,
            tail[:, -self.tail_steps :],
            self._last(filled, covariates),
            anchor.statics,
            anchor.newest + self.frequency.stride * target.shape[1],
            anchor.born,
        )
        return self._inputs(anchor, tail, filled, covariates, 0), after

    def _last(self, filled: Values, covariates: Mapping[str, Values]) -> Values:
        """What is read last of the target and of each covariate."""
        last = filled[:, -1:]
        return np.concatenate([last, *(covariates[name][:, -1:] for name in self.covariates)], axis=1) if self.covariates else last

    def _inputs(self, anchor: Anchor, tail: Values, filled: Values, covariates: Mapping[str, Values], first: int) -> Inputs:
        """What networks read of some steps.

        Args:
            anchor: of the sessions.
            tail: the target of the steps and of `tail_steps` before them, as far as it was observed.
            filled: of the steps alone, as it is read where it is missing.
            covariates: of the steps, likewise.
            first: where they begin, counted from the step behind the anchor.
        """
        sessions, steps = filled.shape
        statics = {name: np.broadcast_to(anchor.statics[:, place, None], filled.shape) for place, name in enumerate(self.statics)}
        columns = {TARGET: self._scaled(anchor, filled), **covariates, **statics}
        turns = self._turns(anchor, self._ahead + first, steps)
        inputs: Inputs = {}
        for name, group in self.spec.inputs.items():
            own = [columns[column] for column in group.columns]
            own += self._lags(anchor, tail, [np.arange(steps) + (self.tail_steps + self._ahead - lag) for lag in group.lag_steps])
            own += turns.of(group)
            own += [(anchor.shift if self.is_log else np.log(anchor.scale))[:, None]] if group.scale else []
            inputs[name] = _side_by_side(sessions, steps, own)
        return inputs

    def ahead(self, anchor: Anchor, future: Mapping[str, Values]) -> npt.NDArray[np.float32]:
        """What is known of the horizon, [sessions, horizon, known].

        Args:
            anchor: of the sessions.
            future: columns that are known ahead, [sessions, horizon] each, NaN where missing.
        """
        scaled = self._scaling.apply(future)
        turns = self._turns(anchor, 0, self.horizon)
        known: list[Values] = []
        for group in self.spec.inputs.values():
            if group.known == "future":
                known += [filled_windows(scaled[name]) for name in group.columns]
            known += self._lags(anchor, anchor.tail, [self._before(lag) for lag in group.lag_steps])
            known += turns.of(group)
        known += self._lags(anchor, anchor.tail, [self._before(lag) for lag in lags_of_decoder(self.spec.decoder)])
        return _side_by_side(len(anchor.newest), self.horizon, known)

    def times_ahead(self, anchor: Anchor, steps: int) -> Times:
        """When the steps of the horizon are, [sessions, steps]."""
        return self.frequency.times(anchor.newest[:, None] + self.frequency.stride * np.arange(1, steps + 1))

    def baseline(self, anchor: Anchor) -> Values | None:
        """What forecasts are counted from, [sessions, horizon], in the sessions' units; None where they are not."""
        lag = self.spec.scaling.baseline_lag
        if lag is None:
            return None
        found = anchor.tail[:, self._before(lag)]
        return self._scaled(anchor, np.where(np.isfinite(found), found, anchor.level[:, None]))

    def _told(self, target: Values) -> Values:
        """The target as it is carried: its logarithms, where the scaling has them."""
        return np.log(target) if self.is_log else target

    def _before(self, lag: int) -> npt.NDArray[np.int64]:
        """Places in the tail of the newest values that are whole lags before each horizon step."""
        step = np.arange(self.horizon)
        return self.tail_steps - lag + step % lag

    def _lags(self, anchor: Anchor, tail: Values, places: Sequence[npt.NDArray[np.int64]]) -> list[Values]:
        if not places:
            return []
        found, values = [], np.broadcast_to(anchor.level[:, None], (len(tail), len(places[0])))
        for place in places:
            own = tail[:, place]
            values = np.where(np.isfinite(own), own, values)
            found.append(self._scaled(anchor, values))
        return found

    def _scaled(self, anchor: Anchor, values: Values) -> Values:
        scaled: Values = (values - anchor.shift[:, None]) / anchor.scale[:, None]
        return scaled

    def _turns(self, anchor: Anchor, first: int, steps: int) -> Turns:
        """What is always known of so many steps, from one on that is counted from the step behind the newest."""
        born = anchor.born if self.reads_age else None
        return turns_of(self.frequency, self._features, anchor.newest, born, first, steps)


def _side_by_side(sessions: int, steps: int, columns: Sequence[Values]) -> npt.NDArray[np.float32]:
    """Columns [sessions, steps], or of all sessions [1, steps], written where they belong: stacking takes three times as long."""
    found = np.empty((sessions, steps, len(columns)), dtype=np.float32)
    for column, values in enumerate(columns):
        found[:, :, column] = values
    return found


def _continued(before: Values, values: Values) -> Values:
    """Each value, or the last observed one before it, of what comes after [sessions, 1]."""
    return values if np.isfinite(values).all() else last_observed(np.concatenate([before, values], axis=1))[:, 1:]


def last_observed(values: Values) -> Values:
    """Each value, or the last observed one before it along the last axis; NaN where there is none."""
    seen = np.isfinite(values)
    if (seen[..., 1:] >= seen[..., :-1]).all():  # nothing is missing behind what was observed first
        return values
    last = np.maximum.accumulate(np.where(seen, np.arange(values.shape[-1]), 0), axis=-1)
    found: Values = np.take_along_axis(values, last, axis=-1)
    return found


def filled_windows(values: Values) -> Values:
    """Windows [windows, steps] as they are read: the last observed value; before the first the mean of the observed, 0 where none was."""
    seen = np.isfinite(values)
    if seen.all():
        return values
    last = last_observed(values)
    found: Values = np.where(np.isfinite(last), last, row_mean(values)[:, None])
    return found
