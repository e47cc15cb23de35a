"""How is Parquet read? Its footer is held against the limits before any page is opened (see parquet_footer.py), then polars reads it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from app.errors import SeriesError, TooLargeError
from app.series.options import TableLimits
from app.series.parquet_footer import read_footer
from app.series.source import FrameSource, check_names

CELL_BYTES = 8
"""A cell in memory: run-length coding writes twenty million equal numbers in a few bytes, so bytes on disk say little."""


def open_parquet(path: Path, limits: TableLimits) -> FrameSource:
    """Reads a Parquet file.

    Raises:
        SeriesError: when it is damaged, or a column holds no plain values.
        TooLargeError: when it is over a limit.
    """
    footer = read_footer(path)
    if footer.rows > limits.rows:
        raise TooLargeError(f"the table has {footer.rows:,} rows; at most {limits.rows:,} are read; send it in parts", code="rows")
    if footer.columns > limits.columns:
        raise TooLargeError(f"the table has {footer.columns:,} columns; at most {limits.columns:,} are read", code="columns")
    size = max(footer.uncompressed_bytes, footer.rows * footer.columns * CELL_BYTES)
    if size > limits.expanded_bytes:
        raise TooLargeError(
            f"the table opens to {size:,} bytes, at most {limits.expanded_bytes:,} are read; send fewer rows or columns", code="expanded"
        )
    try:
        frame = pl.scan_parquet(path, glob=False).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise SeriesError(f"the Parquet file is damaged ({str(error).splitlines()[0][:200]}); write it again", code="parquet") from error
    if frame.height == 0:
        raise SeriesError("the table has no rows; it needs a column of times and a column of numbers", code="empty")
    check_names(frame.columns, "the schema")
    return FrameSource(frame.select(_plain(frame, name) for name in frame.columns), {"format": "parquet"})


def _plain(frame: pl.DataFrame, name: str) -> pl.Expr:
    """A column as text, numbers or timestamps.

    Raises:
        SeriesError: when it is none of them.
    """
    dtype = frame.schema[name]
    column = pl.col(name)
    if isinstance(dtype, pl.Categorical | pl.Enum | pl.Time):
        return column.cast(pl.String)
    if isinstance(dtype, pl.Decimal | pl.Null):
        return column.cast(pl.Float64)
    if dtype.is_numeric() or isinstance(dtype, pl.String | pl.Boolean | pl.Date | pl.Datetime):
        return column
    raise SeriesError(f"column {name!r} is of the type {dtype}; columns are numbers, text or timestamps: leave it out", code="column_type")
