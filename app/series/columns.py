"""From columns as a reader gives them to times, numbers and text, with every row accounted for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from app.errors import SeriesError, TooLargeError
from app.series.numbers import MISSING, kind_of, not_a_number, number, overflows
from app.series.options import TableLimits
from app.series.source import Source, places
from app.series.time_column import OTHER, TIME, TimeColumn
from app.series.time_values import RowNumbers, blank_rows


@dataclass(frozen=True, eq=False)
class Columns:
    """The file's columns.

    Attributes:
        frame: TIME (and OTHER), numbers as Float64, everything else as text.
        rows: where in the file each row stands, from 0.
        empty_rows: rows of the file in which nothing stands.
        empty_columns: columns in which nothing stands; they are left out.
        words: how many words for a missing number each column has.
    """

    frame: pl.DataFrame
    rows: RowNumbers
    empty_rows: RowNumbers
    empty_columns: list[str]
    words: dict[str, int]


def collect(source: Source, time: TimeColumn, names: Sequence[str], text: Collection[str], limits: TableLimits) -> Columns:
    """Reads all rows.

    Args:
        source: the file.
        time: its time.
        names: its other columns.
        text: those of them that stay text whatever stands in them.
        limits: what may come in.

    Raises:
        SeriesError: when the table cannot be parsed, or has no or one row.
    """
    frame = _parsed(source, time, names, text)
    empty = blank_rows(source, time, frame)
    rows = np.arange(frame.height, dtype=np.int64)
    if len(empty):
        rows = np.delete(rows, empty)
        frame = frame[rows]
    if frame.height < 2:
        raise SeriesError(
            f"the table has {'one row' if frame.height else 'no rows'}; a series needs at least two observations, and training many more",
            code="too_short",
        )
    words: dict[str, int] = {}
    columns = [_column(source, frame, name, rows, words, limits, stays_text=name in text) for name in names]
    empty_columns = [column.name for column in columns if column.null_count() == len(column) and column.name not in {"y", *text}]
    kept = [column for column in columns if column.name not in empty_columns]
    times = [frame[name] for name in (TIME, OTHER) if name in frame.columns]
    return Columns(pl.DataFrame([*times, *kept]), rows, empty, empty_columns, words)


def numbers_again(source: Source, columns: Columns, frame: pl.DataFrame, names: Sequence[str], limits: TableLimits) -> pl.DataFrame:
    """The frame with some columns of text as numbers, where they are: they might have named the series, and do not."""
    return frame.with_columns(_column(source, frame, name, columns.rows, columns.words, limits) for name in names)


def _parsed(source: Source, time: TimeColumn, names: Sequence[str], text: Collection[str]) -> pl.DataFrame:
    """All columns. Where a column does not hold on to being numbers, all are read as text.

    Raises:
        SeriesError: when that cannot be read either.
    """
    text = {*time.names, *text}
    try:
        return _select(source, time, names, text)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        pass
    try:
        return _select(source, time, names, {*text, *names})
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise SeriesError(f"the table cannot be read: {str(error).splitlines()[0][:200]}", code="unreadable") from error


def _select(source: Source, time: TimeColumn, names: Sequence[str], text: Collection[str]) -> pl.DataFrame:
    frame = time.parse(source.read(text))
    return frame.select(pl.col(f"^{TIME}|{OTHER}$"), *names).collect(engine="streaming")


def _column(
    source: Source,
    frame: pl.DataFrame,
    name: str,
    rows: RowNumbers,
    words: dict[str, int],
    limits: TableLimits,
    *,
    stays_text: bool = False,
) -> pl.Series:
    """One column as numbers if it is numbers, else as text."""
    column = frame[name]
    if stays_text:
        return column.cast(pl.String)
    if column.dtype == pl.String:
        column = _numbers(source, frame, name, words)
    elif column.dtype.is_numeric() or column.dtype == pl.Boolean:
        column = column.cast(pl.Float64, strict=False)
    else:
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        _check_length(source, column, rows, limits)
    elif source.unit == "line":
        _check_overflow(source, column, rows)
    return column


def _numbers(source: Source, frame: pl.DataFrame, name: str, words: dict[str, int]) -> pl.Series:
    column = frame[name]
    if kind_of(column.head(1000), decimal_comma=source.decimal_comma) == "text":
        return column
    if frame.select(not_a_number(name, decimal_comma=source.decimal_comma).any()).item():
        return column
    found = int(frame.select(pl.col(name).str.strip_chars().str.to_lowercase().is_in(sorted(MISSING - {""})).sum()).item())
    if found:
        words[name] = found
    return frame.select(number(name, decimal_comma=source.decimal_comma)).to_series()


def _check_overflow(source: Source, column: pl.Series, rows: RowNumbers) -> None:
    """Infinity is a missing value, 1e400 is a mistake: the text tells them apart.

    Raises:
        SeriesError: on a mistake.
    """
    infinite = column.is_infinite().arg_true().to_numpy()
    if len(infinite) == 0 or source.read([column.name]).collect_schema()[column.name] != pl.String:
        return
    scan = source.read([column.name]).select(column.name).with_row_index()
    over = scan.filter(
        pl.col("index").is_in(rows[infinite].tolist()) & overflows(column.name, decimal_comma=source.decimal_comma)
    ).collect()
    if over.height:
        raise SeriesError(
            f"{column.name!r}: {over[column.name][0][:40]} in {places(source, over['index'].head(3).to_list(), over.height)} is more "
            f"than 1.8e308, the "
            "largest number that is read; correct it, or leave the field empty",
            code="overflow",
        )


def _check_length(source: Source, column: pl.Series, rows: RowNumbers, limits: TableLimits) -> None:
    long = (column.str.len_bytes() > limits.field_bytes).arg_true().to_numpy()
    if len(long):
        raise TooLargeError(
            f"{column.name!r}: the text in {places(source, rows[long[:3]].tolist(), len(long))} has more than {limits.field_bytes:,} "
            f"bytes, the most "
            "that is read",
            code="field",
        )
