"""What do training and forecasting read? Many regular series, laid end to end.

    columns["y"]   a a a a a b b b c c c c      one flat array per column, NaN where nothing was observed
    offsets        0         5     8       12   series i is offsets[i]:offsets[i + 1]

Nothing is copied into windows: a window is a position in the flat array.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from app.errors import SeriesError
from app.series.frequency import Frequency, Times

Values = npt.NDArray[np.float64]

TARGET = "y"
"""The target's column in every panel, whatever its owner calls it."""


@dataclass(frozen=True)
class SeriesPart:
    """The end of one series.

    Attributes:
        unique_id: whose it is.
        start: time of the first value.
        columns: values by column, all equally long, NaN where missing.
    """

    unique_id: str
    start: np.datetime64 | int
    columns: dict[str, Values]


@dataclass(frozen=True, eq=False)
class Panel:
    """Regular series of one frequency.

    Attributes:
        ids: name of each series.
        freq: their common frequency.
        starts: first time of each series; datetime64[us] or int64.
        offsets: int64 [series + 1], where each series begins in the columns.
        columns: float64 [total] by name; `y` is the target.
    """

    ids: tuple[str, ...]
    freq: Frequency
    starts: Times
    offsets: npt.NDArray[np.int64]
    columns: Mapping[str, Values]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Steps of each series."""
        return np.diff(self.offsets)

    @cached_property
    def births(self) -> npt.NDArray[np.int64]:
        """Flat position of each series' first observed target; of one without any, of its end."""
        seen = np.append(np.flatnonzero(np.isfinite(self.columns[TARGET])), self.offsets[-1])
        births: npt.NDArray[np.int64] = np.minimum(seen[np.searchsorted(seen, self.offsets[:-1])], self.offsets[1:])
        return births

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """Which series an id is."""
        return {unique_id: position for position, unique_id in enumerate(self.ids)}

    def start(self, series: int) -> np.datetime64 | int:
        """First time of a series."""
        return _moment(self.starts, series)

    def times(self, series: int) -> Times:
        """Every time of a series."""
        return self.times_of(series, series + 1)

    def times_of(self, first: int, end: int) -> Times:
        """Every time of some series that stand next to each other, one series after another."""
        lengths = self.lengths[first:end]
        steps = np.arange(self.offsets[first], self.offsets[end]) - np.repeat(self.offsets[first:end], lengths)
        starts = np.repeat(self.freq.ordinals(self.starts[first:end]), lengths)
        return self.freq.times(starts + self.freq.stride * steps)

    def groups(self, steps: int) -> Iterator[tuple[int, int]]:
        """Series that stand next to each other, the first and the one after the last: so many steps together at most, or one series."""
        first = 0
        while first < len(self.ids):
            end = max(first + 1, int(np.searchsorted(self.offsets, self.offsets[first] + steps, side="right")) - 1)
            yield first, end
            first = end

    def values(self, series: int, column: str = TARGET) -> Values:
        """One column of a series, as a view."""
        return self.columns[column][self.offsets[series] : self.offsets[series + 1]]

    def after_missing(self, steps: int) -> Panel:
        """The same series, each with so many steps before it where nothing was observed."""
        if steps == 0:
            return self
        places = np.repeat(np.arange(len(self.ids)), self.lengths) * steps + steps + np.arange(self.offsets[-1])
        total = int(self.offsets[-1]) + steps * len(self.ids)
        columns = {name: np.full(total, np.nan) for name in self.columns}
        for name, values in self.columns.items():
            columns[name][places] = values
        starts = self.freq.shift(self.starts, np.full(len(self.ids), -steps, dtype=np.int64))
        return Panel(self.ids, self.freq, starts, self.offsets + steps * np.arange(len(self.offsets)), columns)

    def history(self, unique_id: str, columns: Sequence[str] = (TARGET,), last: int | None = None) -> SeriesPart:
        """The newest values of a series: its last `last` steps, or all of them.

        Raises:
            SeriesError: when there is no such series.
        """
        series = self.positions.get(unique_id)
        if series is None:
            raise SeriesError(
                f"unique_id {unique_id[:128]!r} is not a series of this dataset, which has {len(self.ids)}", code="unknown_series"
            )
        length = int(self.lengths[series])
        skipped = 0 if last is None else max(length - last, 0)
        start = _moment(self.freq.shift(self.starts[series : series + 1], skipped), 0)
        return SeriesPart(unique_id, start, {name: self.values(series, name)[skipped:] for name in columns})


def panel_of(frame: pl.DataFrame, freq: Frequency, columns: Sequence[str]) -> Panel:
    """The panel of a canonical frame (see `table.py`): sorted by `unique_id`, `ds`, regular, missing values null.

    Args:
        frame: what `open_arrow` gives.
        freq: its frequency.
        columns: numeric columns to take along; `y` always comes.
    """
    names = dict.fromkeys([TARGET, *columns])
    ids = frame["unique_id"].cast(pl.String)
    firsts = np.concatenate([[0], np.flatnonzero((ids != ids.shift(1)).fill_null(value=False).to_numpy())]) if len(ids) else np.empty(0)
    firsts = firsts.astype(np.int64)
    ds = frame["ds"]
    starts = ds.gather(firsts).to_physical().to_numpy().astype(np.int64)
    return Panel(
        ids=tuple(ids.gather(firsts).to_list()),
        freq=freq,
        starts=starts if ds.dtype.is_integer() else starts.astype("datetime64[us]"),
        offsets=np.append(firsts, len(ids)).astype(np.int64),
        columns={name: frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in names},
    )


def _moment(times: Times, position: int) -> np.datetime64 | int:
    value = times[position]
    return value if isinstance(value, np.datetime64) else int(value)
