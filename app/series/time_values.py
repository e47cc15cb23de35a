"""What does the column of times say? All rows are held against the format that the first rows show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NoReturn

import numpy as np
import numpy.typing as npt
import polars as pl

from app.errors import SeriesError
from app.series.frequency import Times
from app.series.grid import coverage
from app.series.source import Source, places
from app.series.time_column import KNOWN, OTHER, TIME, TimeColumn

TimeKind = Literal["zoned", "naive", "integer"]
RowNumbers = npt.NDArray[np.int64]

YEAR_NAMES = frozenset({"year", "yr", "years", "fiscal_year", "jahr", "annee", "ano"})

FIRST_YEAR, LAST_YEAR = 1000, 2999
STEP_AT_MOST = 2**53

EPOCH_SECONDS = (946_684_800, 4_102_444_800)
"""2000 and 2100 in seconds since 1970: whole numbers between them count seconds, a thousand times as large milliseconds."""

SURE, UNSURE = 0.9, 0.5
"""Shares of a grid that are observed under the right and the wrong order of day and month, when spacing is to decide."""


@dataclass(frozen=True, eq=False)
class Timestamps:
    """What the column says.

    Attributes:
        values: datetime64[us] or int64 [rows].
        kind: `zoned` (then in UTC), `naive` or `integer`.
        note: how it was read.
    """

    values: Times
    kind: TimeKind
    note: str


def blank_rows(source: Source, time: TimeColumn, frame: pl.DataFrame) -> RowNumbers:
    """Rows in which nothing stands at all, as tables from spreadsheets have them at their end."""
    if frame[TIME].null_count() == 0:
        return np.empty(0, dtype=np.int64)
    empty = frame.select(pl.all_horizontal(pl.all().is_null())).to_series().arg_true().to_numpy().astype(np.int64)
    texts = raw_text(source, time, empty)
    return empty[[text is None or not text.strip() for text in texts]] if len(empty) else empty


def raw_text(source: Source, time: TimeColumn, rows: RowNumbers) -> list[str | None]:
    """What stands in the column, in these rows of the file."""
    scan = source.read(time.names)
    if time.shape is None:  # a date beyond the calendar cannot be written as one
        scan = scan.with_columns(pl.col(time.names[0]).to_physical())
    scan = scan.with_columns(pl.col(name).cast(pl.String) for name in time.names)
    picked = scan.select(time.text().alias(TIME)).with_row_index().filter(pl.col("index").is_in(rows.tolist()))
    return picked.collect()[TIME].to_list()


def settle(source: Source, time: TimeColumn, frame: pl.DataFrame, rows: RowNumbers) -> Timestamps:
    """The times of all rows, none of them missing.

    Args:
        source: the file, for the places of what is wrong.
        time: the column.
        frame: has TIME, and OTHER where there are two readings.
        rows: where in the file each row of the frame stands.

    Raises:
        SeriesError: when a row has no time or another format, or day and month cannot be told apart.
    """
    readings = [name for name in (TIME, OTHER) if name in frame.columns and frame[name].null_count() == 0]
    if not readings:
        _refuse_unread(source, time, frame, rows)
    name, note = _day_order(time, frame) if len(readings) == 2 else (readings[0], _note(time, readings[0], frame))
    column = frame[name]
    if column.dtype.is_integer():
        return _integers(source, time, column, rows)
    zoned = isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is not None
    stamps = column.to_physical().to_numpy().astype("datetime64[us]")
    _refuse_far(source, time, stamps, rows)
    return Timestamps(stamps, "zoned" if zoned else "naive", note)


def _note(time: TimeColumn, reading: str, frame: pl.DataFrame) -> str:
    if time.shape is None:
        return f"timestamps of the file's own ({frame.schema[reading]})"
    if len(time.shape.formats) < 2:
        return time.shape.name
    first, second = time.shape.name.split(" or ")
    chosen = "day first" if reading == TIME else "month first"
    return f"{chosen}: some of the {first.lower()} or {second.lower()} dates can be read in no other order"


def _day_order(time: TimeColumn, frame: pl.DataFrame) -> tuple[str, str]:
    """Whether day or month comes first, where every row could be either.

    Raises:
        SeriesError: when the spacing of the rows does not tell.
    """
    first, second = (np.unique(frame[name].to_physical().to_numpy()).astype("datetime64[us]") for name in (TIME, OTHER))
    if len(first) == len(second) and (first == second).all():
        return TIME, "day and month are the same number in every row"
    shares = coverage(first), coverage(second)
    if shares[0] >= SURE and shares[1] < UNSURE:
        return TIME, f"day first: so read, {shares[0]:.0%} of a regular grid is there; month first, {shares[1]:.0%}"
    if shares[1] >= SURE and shares[0] < UNSURE:
        return OTHER, f"month first: so read, {shares[1]:.0%} of a regular grid is there; day first, {shares[0]:.0%}"
    raise SeriesError(
        f"{time.label}: every date can be read as {time.shape.name if time.shape else ''}, and no number above 12 decides; write dates "
        f"as YYYY-MM-DD",
        code="ambiguous_dates",
        pointer="?time_column",
    )


def _refuse_unread(source: Source, time: TimeColumn, frame: pl.DataFrame, rows: RowNumbers) -> NoReturn:
    """Says which rows have no time, or one that is written in another way.

    Raises:
        SeriesError: always.
    """
    columns = [name for name in (TIME, OTHER) if name in frame.columns]
    best = min(columns, key=lambda name: frame[name].null_count())
    bad = rows[frame[best].is_null().arg_true().to_numpy()]
    texts = raw_text(source, time, bad[:1000])
    missing = [row for row, text in zip(bad.tolist(), texts, strict=False) if not text or not text.strip()]
    if missing:
        raise SeriesError(
            f"{time.label}: there is no time in {places(source, missing)}; give each row one, or leave it out", code="no_time"
        )
    shape = time.shape.name if time.shape else "a time or a whole number"
    raise SeriesError(
        f"{time.label}: {places(source, bad[:3].tolist(), len(bad))} ({(texts[0] or '')[:40]!r}) cannot be read as {shape}, as most of "
        f"the others "
        "are; write all times in one way",
        code="mixed_times",
    )


def _integers(source: Source, time: TimeColumn, column: pl.Series, rows: RowNumbers) -> Timestamps:
    """Whole numbers: days such as 20260131, years, seconds since 1970, or just steps.

    Raises:
        SeriesError: on steps beyond 2^53.
    """
    values = column.to_numpy().astype(np.int64)
    low, high = int(values.min()), int(values.max())
    if low >= FIRST_YEAR * 10_000 and high <= (LAST_YEAR + 1) * 10_000:
        days = column.cast(pl.String).str.to_datetime("%Y%m%d", time_unit="us", strict=False)
        if days.null_count() == 0:
            return Timestamps(days.to_physical().to_numpy().astype("datetime64[us]"), "naive", "whole numbers that are all dates: YYYYMMDD")
    if time.names[0].lower() in YEAR_NAMES and low >= FIRST_YEAR and high <= LAST_YEAR:
        return Timestamps((values - 1970).astype("datetime64[Y]").astype("datetime64[us]"), "naive", "whole numbers that are years")
    for name, per_second in (("seconds", 1), ("milliseconds", 1000), ("microseconds", 1_000_000), ("nanoseconds", 1_000_000_000)):
        if EPOCH_SECONDS[0] * per_second <= low and high <= EPOCH_SECONDS[1] * per_second:
            micros = values * (1_000_000 // per_second) if per_second <= 1_000_000 else values // (per_second // 1_000_000)
            return Timestamps(micros.astype("datetime64[us]"), "zoned", f"whole numbers that count {name} since 1970, in UTC")
    far = np.flatnonzero((values > STEP_AT_MOST) | (values < -STEP_AT_MOST))
    if len(far):
        where = places(source, rows[far].tolist())
        raise SeriesError(f"{time.label}: the step {values[far[0]]} in {where} is beyond 2^53, the largest that is read", code="far_time")
    return Timestamps(values, "integer", "whole numbers: steps")


def _refuse_far(source: Source, time: TimeColumn, stamps: npt.NDArray[np.datetime64], rows: RowNumbers) -> None:
    """Refuses years that no calendar of ours reaches; they are slips, and the grid between them would be endless.

    Raises:
        SeriesError: with the first such year.
    """
    years = stamps.astype("datetime64[Y]").astype(np.int64) + 1970
    far = np.flatnonzero((years < FIRST_YEAR) | (years > LAST_YEAR))
    if len(far):
        raise SeriesError(
            f"{time.label}: the year {years[far[0]]} in {places(source, rows[far].tolist())} is not between {FIRST_YEAR} and "
            f"{LAST_YEAR}; times are "
            f"written {KNOWN}",
            code="far_time",
        )
