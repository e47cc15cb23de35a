"""What are values divided by before a network sees them? invert(apply(x)) = x, and NaN stays NaN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, assert_never

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
TargetScaling = Literal["mean_abs", "standard", "log", "standard_log", "none"]

SMALLEST_SCALE = 1e-12
"""Below this a scale is taken for zero, and 1 is used: the values are constant and stay finite."""


@dataclass(frozen=True)
class CovariateScaling:
    """Mean and standard deviation of each covariate over the training part.

    Attributes:
        mean: by column.
        deviation: by column; never zero.
    """

    mean: Mapping[str, float]
    deviation: Mapping[str, float]

    @classmethod
    def fit(cls, columns: Mapping[str, Values]) -> CovariateScaling:
        """Measures columns that hold the training part alone; missing values do not count."""
        measured = {name: _moments(values[np.isfinite(values)]) for name, values in columns.items()}
        return cls({name: mean for name, (mean, _) in measured.items()}, {name: deviation for name, (_, deviation) in measured.items()})

    def apply(self, columns: Mapping[str, Values]) -> dict[str, Values]:
        """Columns in deviations from their mean; a column that was not measured is handed through."""
        return {
            name: (values - self.mean[name]) / self.deviation[name] if name in self.mean else values for name, values in columns.items()
        }

    def invert(self, columns: Mapping[str, Values]) -> dict[str, Values]:
        """The columns that `apply` was given."""
        return {name: values * self.deviation[name] + self.mean[name] if name in self.mean else values for name, values in columns.items()}


@dataclass(frozen=True, eq=False)
class WindowScaling:
    """Shift and scale of each window, measured on the observed values of its context, or on all that its series has before its end.

    Attributes:
        shift: float64 [batch].
        scale: float64 [batch], never zero.
        is_log: whether both are of the values' logarithms.
    """

    shift: Values
    scale: Values
    is_log: bool = False

    @classmethod
    def fit(cls, context: Values, kind: TargetScaling) -> WindowScaling:
        """Measures windows [batch, context], of values above zero for logarithms; one with nothing observed gets shift 0 and scale 1."""
        match kind:
            case "none":
                return cls(np.zeros(len(context)), np.ones(len(context)))
            case "mean_abs":
                return cls(np.zeros(len(context)), _scale(row_mean(np.abs(context))))
            case "standard":
                shift = row_mean(context)
                return cls(shift, _scale(np.sqrt(row_mean((context - shift[:, None]) ** 2))))
            case "log":
                return cls(row_mean(np.log(context)), np.ones(len(context)), is_log=True)
            case "standard_log":
                return replace(cls.fit(np.log(context), "standard"), is_log=True)
            case _:
                assert_never(kind)

    @classmethod
    def running(cls, target: Values, offsets: Sequence[int] | npt.NDArray[np.int64], kind: TargetScaling) -> WindowScaling:
        """Measures series from their first step to each of their steps: what `fit` gives of one window so long, for every step [total].

        Sums are of differences from the first observed value of each series, and begin anew with each, so that nothing cancels.

        Args:
            target: [total], the series one after another, NaN where nothing was observed.
            offsets: [series + 1], where each begins.
            kind: see `fit`.
        """
        is_log, is_standard = kind in {"log", "standard_log"}, kind in {"standard", "standard_log"}
        values = np.log(target) if is_log else np.abs(target) if kind == "mean_abs" else target
        seen = np.isfinite(values)
        first = _first_of_each(values, seen, np.asarray(offsets))
        apart = np.where(seen, values - first, 0.0)
        terms = np.stack([seen, apart, apart**2] if is_standard else [seen, apart])
        sums = np.empty_like(terms)
        for begin, end in pairwise(np.asarray(offsets).tolist()):  # 100,000 series take half a second
            np.add.accumulate(terms[:, begin:end], axis=1, out=sums[:, begin:end])
        means = sums[1:] / np.maximum(sums[0], 1.0)
        mean, zeros, ones = np.where(sums[0] > 0.0, first + means[0], 0.0), np.zeros(len(values)), np.ones(len(values))
        match kind:
            case "none":
                return cls(zeros, ones)
            case "mean_abs":
                return cls(zeros, _scale(mean))
            case "log":
                return cls(mean, ones, is_log=True)
            case "standard" | "standard_log":
                return cls(mean, _scale(np.sqrt(np.maximum(means[1] - means[0] ** 2, 0.0))), is_log=is_log)
            case _:
                assert_never(kind)

    def at(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> WindowScaling:
        """Those of some windows."""
        return replace(self, shift=self.shift[rows], scale=self.scale[rows])

    def apply(self, values: Values) -> Values:
        """Values [batch, steps] in the windows' own units."""
        return ((np.log(values) if self.is_log else values) - self.shift[:, None]) / self.scale[:, None]

    def invert(self, values: Values) -> Values:
        """What `apply` was given; [batch, steps] or [batch, steps, outputs]."""
        extra = (slice(None), *(None,) * (values.ndim - 1))
        whole: Values = values * self.scale[extra] + self.shift[extra]
        return np.exp(whole) if self.is_log else whole


def _moments(values: Values) -> tuple[float, float]:
    if len(values) == 0:
        return 0.0, 1.0
    deviation = float(values.std())
    return float(values.mean()), deviation if deviation > SMALLEST_SCALE * max(1.0, float(np.abs(values).max())) else 1.0


def row_mean(values: Values) -> Values:
    """Mean of each row's observed values, 0 where there are none."""
    seen = np.isfinite(values)
    whole, counts = (values, max(values.shape[1], 1)) if seen.all() else (np.where(seen, values, 0.0), np.maximum(seen.sum(axis=1), 1))
    mean: Values = whole.sum(axis=1) / counts
    return mean


def _first_of_each(values: Values, seen: npt.NDArray[np.bool_], offsets: npt.NDArray[np.int64]) -> Values:
    """The first observed value of each step's series, 0 where it has none."""
    places = np.append(np.flatnonzero(seen), len(values))
    places = places[np.searchsorted(places, offsets[:-1])]
    is_there = places < offsets[1:]
    first = np.where(is_there, values[np.where(is_there, places, 0)], 0.0) if len(values) else np.empty(0)
    return np.repeat(first, np.diff(offsets))


def _scale(measured: Values) -> Values:
    return np.where(measured > SMALLEST_SCALE, measured, 1.0)
