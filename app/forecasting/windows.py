"""What does a network learn from? Windows of a panel, gathered by index on the device; a forecast reads the same (`gathering.py`).

A panel is one flat tensor per column. A window is a cutoff in it, so a batch costs one gather and nothing is ever copied into windows.
Missing values are filled as `app.forecasting.columns` says. Targets are never filled: what is not observed has no loss.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from app.forecasting.batches import Windows
from app.forecasting.columns import Ages, Column, Past, forks_of, looks_back, mean_of, reach_of, steps_between, usable, whole_lags_before
from app.forecasting.units import units_over_series
from app.nets.outlook import Outlook
from app.nets.run import About
from app.series.calendar import calendar_features
from app.series.panel import TARGET, Panel
from app.series.scaling import CovariateScaling
from app.spec.decoders import RecursiveDecoder, lags_of_decoder
from app.spec.forecaster import ForecasterSpec, learns_at_every_step
from app.spec.inputs import Input

STEPS_AT_ONCE = 65_536
"""Steps that the calendar is computed of at once: float64 angles of a whole panel would be the largest thing in memory."""


def columns_of(spec: ForecasterSpec) -> tuple[str, ...]:
    """The columns beside the target that a description reads, each once, in document order."""
    columns = (column for group in spec.inputs.values() for column in group.columns if column != TARGET)
    return tuple(dict.fromkeys(columns))


def covariates_of(spec: ForecasterSpec) -> tuple[str, ...]:
    """Those of them that change from step to step."""
    return tuple(column for column in columns_of(spec) if column not in statics_of(spec))


def statics_of(spec: ForecasterSpec) -> dict[str, tuple[str, ...]]:
    """Those of them that are the same at every step of a series, with their words; a panel holds codes of these."""
    groups = [group for group in spec.inputs.values() if group.known == "static"]
    return {column: (group.categories or {}).get(column, ()) for group in groups for column in group.columns}


def future_columns_of(spec: ForecasterSpec) -> tuple[str, ...]:
    """Those of them that have to be known over the horizon."""
    known = (group for group in spec.inputs.values() if group.known == "future")
    return tuple(dict.fromkeys(column for group in known for column in group.columns))


@dataclass(frozen=True, eq=False)
class KnownSeries:
    """What a model has learnt of the series of a panel.

    Attributes:
        rows: [series], rows of its parameters; -1 of a series that was not learnt from.
        fitted: [series, parameters], of those; None where all were learnt from.
    """

    rows: npt.NDArray[np.int64]
    fitted: Float[Tensor, "series parameters"] | None = None

    def beginning(self, first: npt.NDArray[np.int64], device: torch.device) -> About:
        """The same of a window of each series that begins with these steps, by their number on the frequency's own count."""
        fitted = None if self.fitted is None else self.fitted.to(device)
        return About(torch.from_numpy(self.rows).to(device), torch.from_numpy(first).to(device), fitted)


class WindowSource:
    """Windows of a panel.

    Args:
        spec: complete: with context and horizon.
        panel: the series; missing values are NaN.
        scaling: of the covariates.
        device: where the columns lie and batches are gathered.
        known: what is known of its series, where a layer has parameters of each.

    Raises:
        SeriesError: the description wants a calendar and the times are step numbers.
    """

    def __init__(
        self,
        spec: ForecasterSpec,
        panel: Panel,
        scaling: CovariateScaling,
        device: torch.device,
        known: KnownSeries | None = None,
    ) -> None:
        self._spec = spec
        self._context, self._horizon, self._reach = spec.context or 1, spec.horizon or 1, reach_of(spec)
        self._device = device
        self._is_recursive, self._is_log = isinstance(spec.decoder, RecursiveDecoder), spec.scaling.is_log
        self._columns = {name: Column(values, device) for name, values in _scaled(spec, panel, scaling).items()}
        self._units = units_over_series(spec, panel, device)
        features = tuple(dict.fromkeys(feature for group in spec.inputs.values() for feature in group.features))
        groups = panel.groups(STEPS_AT_ONCE) if features else ()
        parts = [calendar_features(panel.times_of(*group), features).astype(np.float32) for group in groups]
        self._calendar = torch.from_numpy(np.concatenate(parts)).to(device) if parts else None
        self._feature_columns = {feature: (2 * place, 2 * place + 1) for place, feature in enumerate(features)}
        self._known = None if known is None else known.beginning(panel.freq.ordinals(panel.starts) // panel.freq.stride, device)
        self._offsets = torch.from_numpy(panel.offsets).to(device)
        self._ages = Ages(panel, device) if any(group.age for group in spec.inputs.values()) else None
        self._before = steps_between(-self._context, 0, 1, device)
        self._after = steps_between(0, self._horizon, 1, device)
        self._looks_back = looks_back(spec)
        self._unread = 0
        self._forks = forks_of(self._context, self._horizon, device)

    def reading(self, context: int | None) -> WindowSource:
        """The same windows with the newest steps of their context alone, in units of the whole.

        Args:
            context: steps that are left; None for all.
        """
        if context is None:
            return self
        found = copy.copy(self)
        found._unread = self._context - context
        found._forks = forks_of(context, self._horizon, self._device) + found._unread
        return found

    def batch(self, cutoffs: npt.NDArray[np.int64], *, is_forked: bool = False, has_inputs: bool = True) -> Windows:
        """Some windows.

        Args:
            cutoffs: [batch], flat position of each first horizon step.
            is_forked: whether to give a horizon after the steps of the context too, some evenly spread ones where there are many.
            has_inputs: whether anybody reads the inputs.
        """
        past = torch.from_numpy(cutoffs).to(self._device)[:, None] + self._before
        filled, is_observed = self._columns[TARGET].windows(past)
        forks = self._forks if is_forked else None
        units = self._measure(past, filled, is_observed)
        return self._windows(past, filled, is_observed, units, forks, has_inputs=has_inputs)

    def lesson(self, cutoffs: npt.NDArray[np.int64], *, is_whole: bool, has_inputs: bool = True) -> Windows:
        """Some windows to learn from, in the way of the decoder.

        `forking` learns after the steps of the context too. `recursive` learns the next step after every step, fed with what was
        observed over the horizon as well; its targets are in units of the context.

        Args:
            cutoffs: see `batch`.
            is_whole: whether to give all there is to learn; otherwise the horizon alone, which validation is about.
            has_inputs: see `batch`.
        """
        if not self._is_recursive:
            return self.batch(cutoffs, is_forked=is_whole and learns_at_every_step(self._spec), has_inputs=has_inputs)
        at = torch.from_numpy(cutoffs).to(self._device)[:, None]
        stretch = torch.cat([at + self._before, at + self._after[:-1]], dim=1)
        past = stretch[:, : self._context]
        filled, is_observed = self._columns[TARGET].windows(past)
        whole, seen = self._columns[TARGET].windows(stretch)
        history = torch.cat([filled, whole[:, self._context :]], dim=1)
        steps = torch.arange(self._unread if is_whole else self._context - 1, stretch.shape[1], device=self._device)
        units = self._measure(past, filled, is_observed)
        return self._windows(stretch, history, seen, units, steps, is_next=True, has_inputs=has_inputs)

    def _windows(
        self,
        positions: Int[Tensor, "batch time"],
        filled: Float[Tensor, "batch time"],
        seen: Bool[Tensor, "batch time"],
        units: tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]],
        steps: Int[Tensor, " forks"] | None,
        *,
        is_next: bool = False,
        has_inputs: bool,
    ) -> Windows:
        """Windows of these positions, and what comes after some of their steps: the horizon, or the next step alone."""
        shift, scale = units
        forks = 1 if steps is None else len(steps)
        starts = positions[:, -1:] + 1 if steps is None else (positions[:, steps] + 1).flatten()[:, None]
        ahead = starts if is_next else starts + self._after
        past = self._past(positions[:, 0], filled, shift, scale)
        history = past.scaled(filled).float()
        inputs = {name: self._input(group, history, positions, past) for name, group in self._spec.inputs.items() if has_inputs}
        past = past.repeated(forks)
        outlook = None if is_next else self._baseline(ahead, past)
        target, observed = self._targets(ahead, past, outlook)
        future = torch.empty(*ahead.shape, 0, device=self._device) if is_next else self._future(ahead, past)
        about = self._about(positions[:, 0])
        whole = Windows(inputs, future, target, observed, shift, scale, seen, steps, about, outlook, is_log=self._is_log)
        return whole.later(self._unread)

    def _targets(
        self, ahead: Int[Tensor, "cutoffs horizon"], past: Past, outlook: Outlook | None
    ) -> tuple[Float[Tensor, "cutoffs horizon"], Bool[Tensor, "cutoffs horizon"]]:
        actual = self._columns[TARGET].values[ahead]
        target = past.scaled(actual)
        return self._columns[TARGET].masked(target if outlook is None else outlook.apart(target), actual)

    def _past(self, firsts: Int[Tensor, " batch"], filled: Tensor, shift: Float[Tensor, " batch"], scale: Float[Tensor, " batch"]) -> Past:
        """The target before the end of windows that begin at these positions."""
        target, is_scaled = self._columns[TARGET], self._spec.scaling.target != "none"
        if not self._looks_back:  # each sees itself alone
            return Past(target, firsts, filled[:, 0], shift, scale, is_scaled=is_scaled, is_log=self._is_log)
        series = torch.searchsorted(self._offsets, firsts.contiguous(), right=True) - 1
        lowest = torch.maximum(self._offsets[series], firsts - (self._reach - self._context))
        level = filled[:, : self._context].mean(dim=1)
        return Past(target, lowest, level, shift, scale, is_scaled=is_scaled, is_log=self._is_log)

    def _baseline(self, ahead: Int[Tensor, "cutoffs horizon"], past: Past) -> Outlook | None:
        lag = self._spec.scaling.baseline_lag
        if lag is None:
            return None
        offset = past.at(whole_lags_before(ahead, lag))
        return Outlook(torch.ones_like(offset), offset)

    def _about(self, firsts: Int[Tensor, " batch"]) -> About | None:
        """Whose windows begin at these positions."""
        if self._known is None:
            return None
        series = torch.searchsorted(self._offsets, firsts.contiguous(), right=True) - 1
        fitted = None if self._known.fitted is None else self._known.fitted[series]
        return About(self._known.rows[series], self._known.first[series] + firsts - self._offsets[series], fitted)

    def _measure(
        self, past: Int[Tensor, "batch context"], filled: Float[Tensor, "batch context"], observed: Bool[Tensor, "batch context"]
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
        if self._units is not None:
            shift, scale = self._units
            return shift[past[:, -1]], scale[past[:, -1]]
        # See app.series.scaling.WindowScaling, which says the same in numpy; the column has logarithms where these are wanted.
        zeros = filled.new_zeros(len(filled))
        match self._spec.scaling.target:
            case "none":
                return zeros, zeros + 1.0
            case "mean_abs":
                return zeros, usable(mean_of(filled.abs(), observed))
            case "standard" | "standard_log":
                shift = mean_of(filled, observed)
                return shift, usable(mean_of((filled - shift[:, None]) ** 2, observed).sqrt())
            case "log":
                return mean_of(filled, observed), zeros + 1.0

    def _input(
        self, group: Input, history: Float[Tensor, "batch context"], positions: Int[Tensor, "batch context"], past: Past
    ) -> Float[Tensor, "batch context width"]:
        # What is known ahead is read one step earlier where the next step is all that is forecast.
        known = positions + 1 if self._is_recursive else positions
        columns = [history if name == TARGET else self._columns[name].windows(known)[0].float() for name in group.columns]
        others = past.lags([known - lag for lag in group.lag_steps])
        others += self._always_known(group, known)
        others += [past.log_scale.expand(history.shape)] if group.scale else []
        return torch.stack([*columns, *others], dim=2)

    def _future(self, positions: Int[Tensor, "batch horizon"], past: Past) -> Float[Tensor, "batch horizon known"]:
        known = []
        for group in self._spec.inputs.values():
            if group.known == "future":
                known += [self._columns[name].windows(positions)[0].float() for name in group.columns]
            known += past.lags([whole_lags_before(positions, lag) for lag in group.lag_steps])
            known += self._always_known(group, positions)
        known += past.lags([whole_lags_before(positions, lag) for lag in lags_of_decoder(self._spec.decoder)])
        return torch.stack(known, dim=2) if known else torch.empty(*positions.shape, 0, device=self._device)

    def _always_known(self, group: Input, positions: Int[Tensor, "batch steps"]) -> list[Tensor]:
        """The calendar of these positions, and how old their series is there."""
        columns = [column for feature in group.features for column in self._feature_columns[feature]]
        seen = None if self._calendar is None or not columns else self._calendar[positions]
        turns = [] if seen is None else [seen[:, :, column] for column in columns]
        return [*turns, *([self._ages.at(positions)] if self._ages is not None and group.age else [])]


def _scaled(spec: ForecasterSpec, panel: Panel, scaling: CovariateScaling) -> Mapping[str, npt.NDArray[np.float64]]:
    covariates = {name: panel.columns[name] for name in columns_of(spec)}
    target = panel.columns[TARGET]
    return {TARGET: np.log(target) if spec.scaling.is_log else target, **scaling.apply(covariates)}
