"""From rows in any order to one row per step: sorted, no time twice, none missing. Whatever is changed on the way is counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from app.errors import SeriesError, TooLargeError
from app.series.frequency import Frequency, Times, parse_frequency
from app.series.grid import Grid, IrregularError, infer, place
from app.series.moments import write_moments
from app.series.options import TableLimits
from app.series.roles import Ids
from app.series.source import Source, places
from app.series.time_values import RowNumbers, TimeKind

SPARSE = 50
"""A grid that was inferred may have this many steps per row; beyond, it is an event log, or one time is a slip."""


@dataclass(frozen=True, eq=False)
class Observations:
    """Rows with a series and a time.

    Attributes:
        codes: int64 [rows], which series.
        times: of each row.
        values: everything else.
        rows: where in the file each row stands.
    """

    codes: RowNumbers
    times: Times
    values: pl.DataFrame
    rows: RowNumbers

    def take(self, index: npt.NDArray[np.int64]) -> Observations:
        """Some of the rows, in the order of the index."""
        return Observations(self.codes[index], self.times[index], self.values[index], self.rows[index])


@dataclass(frozen=True, eq=False)
class Repeats:
    """Rows at a time that their series has already; the last of each stays.

    Attributes:
        identical: indices of rows that the one that stays equals in every column.
        conflicting: indices of those it does not.
    """

    identical: npt.NDArray[np.int64]
    conflicting: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Regular:
    """One row per step, and what was done for it.

    Attributes:
        grid: where the rows lie.
        kept: the rows that stayed, sorted, at their steps.
        targets: int64 [rows], index of each kept row among all steps.
        lengths: int64 [series], steps of each series.
        disorder: rows of the file that stood after a later time of their series.
        identical: rows of the file that were dropped as copies.
        conflicting: rows of the file that gave way to a later row of the same time.
        moved: rows of the file whose time was moved to a step.
        merged: rows of the file that gave way once times were moved.
    """

    grid: Grid
    kept: Observations
    targets: RowNumbers
    lengths: RowNumbers
    disorder: RowNumbers
    identical: RowNumbers
    conflicting: RowNumbers
    moved: RowNumbers
    merged: RowNumbers


def regularise(source: Source, seen: Observations, ids: Ids, kind: TimeKind, freq: str | None, limits: TableLimits) -> Regular:
    """Sorts, drops repeats, finds the grid.

    Raises:
        SeriesError: when the times are not regular and no frequency says how to read them.
        TooLargeError: when the grid has more steps than rows are let in.
    """
    disorder = _disorder(seen)
    kept = _sorted(seen)
    repeats = _repeats(kept)
    identical, conflicting = kept.rows[repeats.identical], kept.rows[repeats.conflicting]
    kept = _without(kept, repeats)
    try:
        grid = place(kept.codes, kept.times, parse_frequency(freq) if freq else infer(kept.codes, kept.times), is_given=bool(freq))
    except IrregularError as error:
        raise SeriesError(_explained(error, source, kept, ids, kind), code=error.fault_code, pointer=error.pointer) from error
    moved = kept.rows[grid.moved]
    kept = Observations(kept.codes, _on_grid(grid, kept.codes) if len(moved) else kept.times, kept.values, kept.rows)
    merged = np.flatnonzero((kept.codes[1:] == kept.codes[:-1]) & (np.diff(grid.positions) == 0))
    _check_merged(source, kept, merged, grid.freq)
    merged_rows = kept.rows[merged]
    if len(merged):
        stay = np.delete(np.arange(len(kept.codes)), merged)
        kept, grid = kept.take(stay), Grid(grid.freq, grid.firsts, grid.positions[stay], grid.moved)
    lengths = grid.positions[np.flatnonzero(np.diff(kept.codes, append=-1))] + 1
    _check_size(int(lengths.sum()), len(kept.codes), grid.freq, limits, is_given=bool(freq))
    targets = (np.cumsum(lengths) - lengths)[_series(kept.codes)] + grid.positions
    return Regular(grid, kept, targets, lengths, disorder, identical, conflicting, moved, merged_rows)


def _series(codes: RowNumbers) -> RowNumbers:
    """Sorted codes as 0, 1, 2 ... without holes."""
    return np.cumsum(np.diff(codes, prepend=-1) != 0) - 1


def _on_grid(grid: Grid, codes: RowNumbers) -> Times:
    return grid.freq.times(grid.firsts[_series(codes)] + grid.freq.stride * grid.positions)


def _is_after(codes: RowNumbers, times: Times) -> npt.NDArray[np.bool_]:
    """Whether each row but the first is not before its predecessor, by series and time."""
    distances = np.diff(times.astype(np.int64))
    return np.asarray((codes[1:] > codes[:-1]) | ((codes[1:] == codes[:-1]) & (distances >= 0)))


def _disorder(seen: Observations) -> RowNumbers:
    """Rows that stand after a later time of their own series; series may be interleaved."""
    if _is_after(seen.codes, seen.times).all():
        return np.empty(0, dtype=np.int64)
    order = np.argsort(seen.codes, kind="stable")
    codes, times = seen.codes[order], seen.times[order].astype(np.int64)
    back = (codes[1:] == codes[:-1]) & (times[1:] < times[:-1])
    return np.sort(seen.rows[order[1:][back]])


def _sorted(seen: Observations) -> Observations:
    if _is_after(seen.codes, seen.times).all():
        return seen
    return seen.take(np.lexsort((seen.times.astype(np.int64), seen.codes)))


def _repeats(kept: Observations) -> Repeats:
    again = (kept.codes[1:] == kept.codes[:-1]) & (kept.times[1:] == kept.times[:-1])
    dropped = np.flatnonzero(again)
    if len(dropped) == 0:
        return Repeats(dropped, dropped)
    stays = np.append(~again, [True])
    last = np.flatnonzero(stays)[np.searchsorted(np.flatnonzero(stays), dropped)]
    first, second = kept.values[dropped], kept.values[last]
    equal = np.ones(len(dropped), dtype=np.bool_)
    for name in kept.values.columns:
        equal &= first[name].eq_missing(second[name]).to_numpy()
    return Repeats(dropped[equal], dropped[~equal])


def _without(kept: Observations, repeats: Repeats) -> Observations:
    dropped = np.concatenate([repeats.identical, repeats.conflicting])
    return kept.take(np.delete(np.arange(len(kept.codes)), dropped)) if len(dropped) else kept


def _explained(error: IrregularError, source: Source, kept: Observations, ids: Ids, kind: TimeKind) -> str:
    """The sentence with the two rows that show it."""
    pair = [error.row - 1, error.row] if error.row and kept.codes[error.row] == kept.codes[error.row - 1] else [error.row]
    shown = " and ".join(str(text) for text in write_moments(kept.times[pair], kind))
    way_out = (
        "number the steps 1, 2, 3 ..." if kind == "integer" else "give freq= (such as freq=30min) to move each row to the nearest step"
    )
    return (
        f"the times are not regular: {error.detail}, first {shown} of {ids.names[int(kept.codes[error.row])]!r} "
        f"({places(source, kept.rows[pair].tolist())}); {way_out}, or aggregate the table to regular steps"
    )


def _check_merged(source: Source, kept: Observations, merged: npt.NDArray[np.int64], freq: Frequency) -> None:
    """Refuses a frequency at which more rows would be lost than stay.

    Raises:
        SeriesError: then.
    """
    if 2 * len(merged) > len(kept.codes):
        pair = kept.rows[merged[0] : merged[0] + 2].tolist()
        raise SeriesError(
            f"freq is {freq} and {len(merged):,} of {len(kept.codes):,} rows would fall on the step of another (first "
            f"{places(source, pair)}); "
            "give the distance of the rows, or aggregate the table first",
            code="freq",
            pointer="?freq",
        )


def _check_size(steps: int, rows: int, freq: Frequency, limits: TableLimits, *, is_given: bool) -> None:
    if steps > limits.rows:
        raise TooLargeError(
            f"{rows:,} rows at {freq} span {steps:,} steps from the first to the last of each series; at most {limits.rows:,} are read: "
            f"is a time "
            "wrong, or freq too fine?",
            code="rows",
        )
    if not is_given and steps > SPARSE * rows:
        raise SeriesError(
            f"the distances say {freq}, and then only {rows:,} of {steps:,} steps are observed; is this an event log? Aggregate it to "
            f"regular steps, "
            f"or give freq={freq} if it is meant",
            code="irregular",
            pointer="?freq",
        )
