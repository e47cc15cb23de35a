"""What comes after some series? The forecasts of all of them as arrays, which most are after, or of each by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.series.frequency import Times

Values = npt.NDArray[np.float64]


class Forecast(NamedTuple):
    """What comes after a history.

    Attributes:
        unique_id: whose it is.
        times: of each step.
        mean: [horizon].
        quantiles: [horizon] by level.
        paths: [paths, horizon], as many as were asked for.
    """

    unique_id: str
    times: Times
    mean: Values
    quantiles: dict[float, Values]
    paths: Values


@dataclass(frozen=True, eq=False)
class Forecasts:
    """What comes after some histories, as far for each.

    Attributes:
        unique_ids: whose they are, [series].
        times: of each step, [series, horizon].
        values: the mean and behind it the quantiles, [series, 1 + levels, horizon], whole in memory.
        levels: of the quantiles.
        paths: [series, paths, horizon], as many as were asked for.
    """

    unique_ids: Sequence[str]
    times: Times
    values: Values
    levels: tuple[float, ...]
    paths: Values

    @classmethod
    def of(
        cls, unique_ids: Sequence[str], times: Times, mean: Values, quantiles: Values, levels: Sequence[float], paths: Values | None = None
    ) -> Forecasts:
        """Those of a mean [series, steps] and quantiles [series, steps, level], of which as many steps count as there are times."""
        horizon = times.shape[1]
        values = np.empty((len(unique_ids), 1 + len(levels), horizon))
        values[:, 0] = mean[:, :horizon]
        values[:, 1:] = quantiles[:, :horizon].swapaxes(1, 2)
        drawn = np.empty((len(unique_ids), 0, horizon)) if paths is None else paths[:, :, :horizon]
        return cls(unique_ids, times, values, tuple(levels), drawn)

    @classmethod
    def joined(cls, parts: Sequence[Forecasts]) -> Forecasts:
        """Those of some series behind those of others, for the same horizon and levels."""
        if len(parts) == 1:
            return parts[0]
        times, values, paths = (np.concatenate(own) for own in zip(*((one.times, one.values, one.paths) for one in parts), strict=True))
        return cls([unique_id for one in parts for unique_id in one.unique_ids], times, values, parts[0].levels, paths)

    def __len__(self) -> int:
        """Series."""
        return len(self.unique_ids)

    def __getitem__(self, row: int) -> Forecast:
        """That of one series."""
        mean, *quantiles = self.values[row]
        return Forecast(self.unique_ids[row], self.times[row], mean, dict(zip(self.levels, quantiles, strict=True)), self.paths[row])

    def __iter__(self) -> Iterator[Forecast]:
        """That of each series."""
        return (self[row] for row in range(len(self)))

    @property
    def mean(self) -> Values:
        """[series, horizon]."""
        return self.values[:, 0]

    def quantile(self, level: float) -> Values:
        """[series, horizon], of one of the levels."""
        return self.values[:, 1 + self.levels.index(level)]
