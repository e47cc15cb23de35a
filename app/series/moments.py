"""How are times written in answers and read from requests? RFC 3339 with Z where the dataset has a zone, without one where it has none."""

from __future__ import annotations

import re
from contextlib import suppress

import numpy as np
import polars as pl

from app.errors import SeriesError
from app.series.frequency import Times
from app.series.time_values import TimeKind
from app.series.times import shape_of

Moment = np.datetime64 | int

PLAIN = re.compile(r"(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?)(Z?)", re.ASCII)
"""The form that answers have; read without a table, which takes a hundred times as long for one time."""

ISO = re.compile(r"\d{4}-\d{2}-\d{2}.*", re.DOTALL)


def write_moments(times: Times, kind: TimeKind) -> list[str | int]:
    """Times as JSON has them: `2026-01-31T18:00:00Z`, `2026-01-31T18:00:00`, or whole numbers."""
    if kind == "integer":
        return [int(step) for step in times]
    stamps = times.astype("datetime64[us]")
    is_whole = not (stamps.astype(np.int64) % 1_000_000).any()
    zone = "Z" if kind == "zoned" else ""
    texts: list[str] = np.datetime_as_string(stamps, unit="s" if is_whole else "us").tolist()  # numpy's own are slow to join
    return [text + zone for text in texts]


def read_moment(value: str | int, kind: TimeKind) -> Moment:
    """One time of a request, in the kind of its dataset: UTC for `zoned`.

    Raises:
        SeriesError: when it is not written so.
    """
    if kind == "integer":
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise SeriesError(f"the time {value!r} is no whole number; the dataset counts steps", code="time")
    plain = PLAIN.fullmatch(value) if isinstance(value, str) else None
    if plain is not None and not (plain[2] and kind != "zoned"):
        with suppress(ValueError):  # what is not in the calendar is told of below
            return np.datetime64(plain[1], "us")
    shape = shape_of([value]) if isinstance(value, str) and ISO.fullmatch(value) else None
    if shape is None or shape.is_zoned > (kind == "zoned"):
        example = "2026-01-31T18:00:00Z" if kind == "zoned" else "2026-01-31T18:00:00, without a zone, like the dataset's"
        raise SeriesError(f"the time {str(value)[:40]!r} is not written like {example}", code="time")
    parsed = pl.select(pl.lit(value).alias("time")).select(shape.parse("time")).to_series().to_physical()[0]
    if parsed is None:
        raise SeriesError(f"the time {str(value)[:40]!r} is not in the calendar", code="time")
    return np.datetime64(int(parsed), "us")
