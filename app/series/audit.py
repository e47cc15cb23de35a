"""What was found in an upload, inferred about it, and changed in it? Counts, and up to twenty examples of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from app.series.calendar import EPOCH_WEEKDAY
from app.series.columns import Columns
from app.series.frequency import WEEKDAYS
from app.series.moments import write_moments
from app.series.panel import Values
from app.series.regular import Regular
from app.series.roles import Choice, Ids
from app.series.source import EXAMPLES, Source
from app.series.time_column import TimeColumn
from app.series.time_values import RowNumbers, Timestamps

SENTINELS = (-99.0, -200.0, -999.0, -9999.0, -99999.0, -32768.0, 9999.0, 99999.0, 999999.0)
"""Numbers that often stand for a missing value; they are reported and left alone."""

SENTINEL_AT_LEAST = 3


def inferred(
    time: TimeColumn, stamps: Timestamps, ids: Choice, target: Choice, regular: Regular, freq: str | None
) -> dict[str, dict[str, Any]]:
    """What each column was taken for, and why."""
    return {
        "time": {"columns": list(time.names), "why": time.why, "kind": stamps.kind, "format": stamps.note},
        "id": {"columns": list(ids.names), "why": ids.why},
        "target": {"column": target.names[0], "why": target.why},
        "freq": {
            "freq": str(regular.grid.freq),
            "season": regular.grid.freq.season,
            "weekdays": weekdays(regular),
            "why": "given as freq" if freq else "every distance between neighbours is a multiple of it",
        },
    }


def weekdays(regular: Regular) -> list[str]:
    """On which days of the week the weeks of a weekly table are stamped."""
    if regular.grid.freq.unit != "W":
        return []
    days = regular.grid.freq.times(regular.grid.firsts).astype("datetime64[D]").astype(np.int64)
    return [WEEKDAYS[day] for day in np.unique((days + EPOCH_WEEKDAY) % 7).tolist()]


def changed(source: Source, columns: Columns, regular: Regular) -> dict[str, object]:
    """What happened to the rows of the file on the way to one row per step."""
    return {
        "empty_rows": found(source, columns.empty_rows),
        "unsorted": found(source, regular.disorder),
        "duplicates": {
            "identical": found(source, regular.identical),
            "conflicting": found(source, regular.conflicting),
            "kept": "the last row",
        },
        "moved": found(source, regular.moved),
        "merged": found(source, regular.merged),
    }


def found(source: Source, rows: RowNumbers) -> dict[str, object]:
    """How many rows, and where the first of them stand in the file."""
    first = np.sort(rows)[:EXAMPLES].tolist()
    return {"count": len(rows), f"{source.unit}s": source.locate(first) if first else []}


def gaps(regular: Regular, ids: Ids, stamps: Timestamps) -> dict[str, object]:
    """Steps that no row had; they were inserted as missing."""
    kept = regular.kept
    neighbours = kept.codes[1:] == kept.codes[:-1]
    steps = np.where(neighbours, np.diff(regular.grid.positions), 1)
    wide = np.flatnonzero(steps > 1)
    examples = [
        {
            "unique_id": ids.names[int(kept.codes[at])],
            "after": write_moments(kept.times[at : at + 1], stamps.kind)[0],
            "before": write_moments(kept.times[at + 1 : at + 2], stamps.kind)[0],
            "missing": int(steps[at]) - 1,
        }
        for at in wide[:EXAMPLES].tolist()
    ]
    return {"count": int((steps[wide] - 1).sum()), "places": len(wide), "examples": examples}


def extent(regular: Regular, ids: Ids, stamps: Timestamps, frame: pl.DataFrame) -> dict[str, object]:
    """How much there is: rows, series, lengths, first and last time."""
    times = regular.kept.times
    first, last = write_moments(times[[int(times.argmin()), int(times.argmax())]], stamps.kind)
    lengths = regular.lengths
    return {
        "rows": frame.height,
        "series": len(lengths),
        "shortest": int(lengths.min()),
        "longest": int(lengths.max()),
        "first": first,
        "last": last,
        "single_observations": named(ids, lengths == 1),
    }


def target_findings(values: Values, regular: Regular, ids: Ids) -> dict[str, object]:
    """Series that never change, begin with zeros, or hold nothing.

    Args:
        values: the target of all steps, NaN where missing.
        regular: where each series begins.
        ids: what they are called.
    """
    starts = np.cumsum(regular.lengths) - regular.lengths
    low, high = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    seen = np.isfinite(values)
    counts = np.add.reduceat(seen.astype(np.int64), starts)
    before = np.where(seen & (values != 0.0), np.arange(len(values)), len(values))
    zeros = np.minimum(np.minimum.reduceat(before, starts) - starts, regular.lengths)
    is_constant = (low == high) & (counts > 1)
    return {
        "constant_series": named(ids, is_constant),
        "leading_zeros": named(ids, (zeros > 0) & ~is_constant & (counts > 0) & _begins_with_zero(values, seen, starts, zeros)),
        "unobserved_series": named(ids, counts == 0),
    }


def _begins_with_zero(values: Values, seen: npt.NDArray[np.bool_], starts: RowNumbers, zeros: RowNumbers) -> npt.NDArray[np.bool_]:
    """Whether a series' first steps, up to the first other number, hold an observed zero and are not missing alone."""
    observed = np.concatenate([[0], np.cumsum(seen & (values == 0.0))])
    return np.asarray(observed[starts + zeros] > observed[starts])


def named(ids: Ids, mask: npt.NDArray[np.bool_]) -> dict[str, object]:
    """How many series, and the first of their names."""
    series = np.flatnonzero(mask)
    return {"count": len(series), "series": ids.names.gather(series[:EXAMPLES]).to_list()}


def sentinels(frame: pl.DataFrame, names: Sequence[str]) -> list[dict[str, object]]:
    """Numbers that may stand for missing values, where they are the smallest or largest of a column and come again and again."""
    bounds = frame.select(pl.col(names).min().name.prefix("<"), pl.col(names).max().name.prefix(">")).row(0, named=True)
    suspects = [(name, bound) for name in names for bound in (bounds[f"<{name}"], bounds[f">{name}"]) if bound in SENTINELS]
    counted = [(name, value, int((frame[name] == value).sum())) for name, value in suspects]
    return [{"column": name, "value": value, "count": count} for name, value, count in counted if count >= SENTINEL_AT_LEAST]
