"""Which column is the time?

The name decides, or the uploader, or that only one column looks like times. What it says is in `time_values.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import polars as pl

from app.errors import SeriesError
from app.series.source import Source, listed, places
from app.series.times import Shape, is_time_of_day, shape_of

TIME, OTHER, JOINED = "\x01time", "\x01other", "\x01joined"
"""Names while reading: the time, its second reading, and date and clock side by side."""

TIME_NAMES = frozenset({
    "ds", "date", "datetime", "date_time", "time", "timestamp", "ts", "month", "year", "week", "quarter", "day", "hour", "period",
    "step", "t",
})  # fmt: skip
WIDE_AT_LEAST = 3
"""So many columns named by times make a wide table."""

KNOWN = "2026-01-31, 2026-01-31T18:00:00Z, 31/01/2026, 2026-01, 2026 Q1, 20260131 or a whole number"


@dataclass(frozen=True)
class TimeColumn:
    """Where the time stands.

    Attributes:
        names: the column, or the columns of the date and of the time of day.
        shape: how text is written; None for a column that is typed already.
        why: how it was found.
    """

    names: tuple[str, ...]
    shape: Shape | None
    why: str

    @property
    def label(self) -> str:
        """The names for a reader."""
        return " and ".join(self.names)

    def text(self) -> pl.Expr:
        """The text that is parsed."""
        return (
            pl.concat_str([pl.col(name).str.strip_chars() for name in self.names], separator=" ")
            if self.names[1:]
            else pl.col(self.names[0])
        )

    def parse(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Adds TIME, and OTHER where day and month could change places."""
        if self.shape is None:
            return frame.with_columns(_typed(pl.col(self.names[0]), frame.collect_schema()[self.names[0]]).alias(TIME))
        column = self.names[0]
        if self.names[1:]:
            frame, column = frame.with_columns(self.text().alias(JOINED)), JOINED
        readings = [
            self.shape.parse(column, reading).alias(name) for reading, name in enumerate((TIME, OTHER)[: len(self.shape.formats) or 1])
        ]
        frame = frame.with_columns(readings)
        return frame.drop(JOINED) if self.names[1:] else frame


def find_time(source: Source, names: Sequence[str], given: str | None) -> TimeColumn:
    """The column of times.

    Raises:
        SeriesError: when there is none, or more than one could be meant.
    """
    if given:
        chosen = (given,) if given in names else tuple(part.strip() for part in given.split(","))
        for name in chosen:
            if name not in names:
                raise SeriesError(
                    f"time_column is {name[:128]!r}; the columns are {listed(names)}", code="unknown_column", pointer="?time_column"
                )
        return _described(source, chosen, "given as time_column")
    if "ds" in names:
        return _described(source, ("ds",), "it is called ds")
    candidates = [name for name in names if _looks_like_times(source.sample[name])]
    _check_header(candidates)
    why = "the only column that looks like times"
    if not candidates:
        candidates = [name for name in names if name.lower() in TIME_NAMES]
        why = "the only column whose name is a time's, and none looks like times"
    if len(candidates) > 1:
        raise SeriesError(
            f"{listed(candidates)} could each be the time; name one with time_column=", code="ambiguous", pointer="?time_column"
        )
    if not candidates:
        raise SeriesError(_no_time(names), code="no_time", pointer="?time_column")
    return _described(source, _with_clock(source, names, candidates[0]), why)


def _check_header(candidates: Sequence[str]) -> None:
    """Refuses a file whose first line is a row: it would be lost as a header.

    Raises:
        SeriesError: when a column of times is called by a time.
    """
    dated = [name for name in candidates if shape_of([name]) is not None]
    if dated:
        raise SeriesError(
            f"the first line names the columns, and {dated[0]!r} looks like a value: is the header missing? Put one before it, such as "
            f"`ds,y`",
            code="header",
        )


def _looks_like_times(sample: pl.Series) -> bool:
    if isinstance(sample.dtype, pl.Date | pl.Datetime):
        return True
    if sample.dtype != pl.String:
        return False
    shape = shape_of(sample.to_list())
    return shape is not None and shape.kind != "integer"


def _with_clock(source: Source, names: Sequence[str], date: str) -> tuple[str, ...]:
    """The date, and the column of the time of day beside it if there is just one."""
    sample = source.sample
    shape = shape_of(sample[date].to_list()) if sample[date].dtype == pl.String else None
    if shape is None or shape.kind != "stamp" or shape.has_clock:
        return (date,)
    clocks = [name for name in names if sample[name].dtype == pl.String and is_time_of_day(sample[name].to_list())]
    return (date, *clocks) if len(clocks) == 1 else (date,)


def _described(source: Source, names: tuple[str, ...], why: str) -> TimeColumn:
    """The column with its shape.

    Raises:
        SeriesError: when the first rows are not written alike, or not as times.
    """
    column = TimeColumn(names, None, why)
    dtype = source.sample[names[0]].dtype
    if dtype != pl.String and len(names) == 1:
        if isinstance(dtype, pl.Date | pl.Datetime) or dtype.is_numeric():
            return column
        raise SeriesError(f"{column.label} has the type {dtype}; times are written {KNOWN}", code="time", pointer="?time_column")
    values = source.sample.with_columns(pl.col(name).cast(pl.String) for name in names).select(column.text())[names[0]].to_list()
    shape = shape_of(values)
    if shape is None:
        _refuse_unlike(source, column, values)
    return TimeColumn(names, shape, why)


def _refuse_unlike(source: Source, column: TimeColumn, values: list[str | None]) -> NoReturn:
    """Says why there is no common shape: nothing at all, no times, or several ways of writing them.

    Raises:
        SeriesError: always.
    """
    shapes = [shape_of([value]) for value in values]
    written = Counter(shape for shape in shapes if shape is not None)
    if not written:
        row = next((row for row, value in enumerate(values) if value), None)
        shown = "the column is empty" if row is None else f"{values[row][:40]!r} in {places(source, [row])} is no time"  # type: ignore[index]
        raise SeriesError(f"{column.label}: {shown}; times are written {KNOWN}", code="time", pointer="?time_column")
    usual = written.most_common(1)[0][0]
    others = [row for row, value in enumerate(values) if value and shapes[row] != usual]
    raise SeriesError(
        f"{column.label}: {places(source, others)} ({values[others[0]]!r}) is not written like most of the others ({usual.name}); write "
        f"all times "
        "in one way",
        code="mixed_times",
    )


def _no_time(names: Sequence[str]) -> str:
    dated = [name for name in names if shape_of([name]) is not None]
    if len(dated) >= WIDE_AT_LEAST:
        return (
            f"the columns are named by times ({listed(dated[:3])} ...): this is a wide table; send it long, one row per series and time, "
            "with the columns unique_id, ds, y"
        )
    hint = f"; the first line names the columns, and {dated[0]!r} looks like a value: is the header missing?" if dated else ""
    return f"no column looks like times ({KNOWN}); name it with time_column=; the columns are {listed(names)}{hint}"


def _typed(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Timestamps in microseconds, in UTC where they have a zone; whole numbers as Int64. Null what is neither."""
    if isinstance(dtype, pl.Datetime):
        near = pl.when(column.dt.year().is_between(1, 9999)).then(column).otherwise(None)
        return (near.dt.convert_time_zone("UTC") if dtype.time_zone else near).dt.cast_time_unit("us")
    if isinstance(dtype, pl.Date):
        return pl.when(column.dt.year().is_between(1, 9999)).then(column).otherwise(None).cast(pl.Datetime("us"))
    whole = column.cast(pl.Float64)
    return pl.when((whole.floor() == whole) & (whole.abs() < 2.0**53)).then(whole).otherwise(None).cast(pl.Int64, strict=False)
