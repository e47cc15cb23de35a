"""How far apart are the rows of each series, and where on that grid does each row lie?

Rows are sorted by series and time, and no time stands twice. A frequency is inferred over all series at once, and only where every distance
is a multiple of it: a grid that most rows are on would change the others in silence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.errors import SeriesError
from app.series.calendar import EPOCH_WEEKDAY
from app.series.frequency import MICROSECONDS, WEEKDAYS, Frequency, Ordinals, Times, Unit

Codes = npt.NDArray[np.int64]

DAY = MICROSECONDS["D"]
MONTH_AT_LEAST = 28 * DAY
LATE_DAY = 25
"""From this day of the month on, monthly stamps mean the end of the month: 31 January, 28 February, the last working day."""

COMMON_SHARE = 20
"""A step is the grid's when at least one distance in so many is one step; else it is an event log that happens to have a divisor."""


class IrregularError(SeriesError):
    """Times that lie on no grid.

    Args:
        detail: the sentence.
        row: where it shows first, the second of two sorted rows.
    """

    def __init__(self, detail: str, row: int) -> None:
        super().__init__(detail, code="irregular", pointer="?freq")
        self.row = row


@dataclass(frozen=True, eq=False)
class Grid:
    """Rows on their grid.

    Attributes:
        freq: the distance of steps.
        firsts: int64 [series], ordinal of each series' first row.
        positions: int64 [rows], steps since that.
        moved: rows whose time was not exactly on the grid.
    """

    freq: Frequency
    firsts: Ordinals
    positions: Ordinals
    moved: npt.NDArray[np.int64]


def infer(codes: Codes, times: Times) -> Frequency:
    """The frequency of which every distance between neighbours is a multiple.

    Raises:
        SeriesError: when no series has two rows.
        IrregularError: when there is no such frequency.
    """
    ordinals = times.astype(np.int64)
    neighbours = np.flatnonzero(codes[1:] == codes[:-1])
    distances = (ordinals[1:] - ordinals[:-1])[neighbours]
    if len(distances) == 0:
        raise SeriesError("no series has two rows, so their distance is unknown; give freq (such as freq=D)", code="freq", pointer="?freq")
    if times.dtype.kind == "M":
        calendar = _calendar(codes, times, neighbours) if distances.min() >= MONTH_AT_LEAST else None
        return calendar or _fixed(_stride(distances, neighbours), neighbours)
    return Frequency("step", _stride(distances, neighbours))


def place(codes: Codes, times: Times, freq: Frequency, *, is_given: bool) -> Grid:
    """Puts every row on the grid of its series.

    A frequency of months reads any day as its month. A frequency that was given moves rows to the nearest step; one that was inferred fits.

    Raises:
        SeriesError: when the times cannot have such a frequency.
    """
    _check_kind(times, freq)
    ordinals = freq.ordinals(times)
    begins = np.flatnonzero(np.diff(codes, prepend=-1))
    series = np.cumsum(np.diff(codes, prepend=-1) != 0) - 1
    off = (ordinals - ordinals[begins][series]) % freq.stride != 0
    if off.any():
        ordinals = _nearest(ordinals, freq, int(np.flatnonzero(off)[0]), is_given=is_given)
    firsts = ordinals[begins]
    _check_weekday(freq, freq.times(firsts))
    moved = np.flatnonzero(freq.times(ordinals) != times)
    return Grid(freq, firsts, (ordinals - firsts[series]) // freq.stride, moved)


def coverage(times: Times) -> float:
    """Share of a regular grid's steps at which something was observed; 0 where the times (sorted, none twice) lie on no grid."""
    codes = np.zeros(len(times), dtype=np.int64)
    try:
        grid = place(codes, times, infer(codes, times), is_given=False)
    except SeriesError:
        return 0.0
    return len(times) / (int(grid.positions[-1]) + 1)


def _stride(distances: Ordinals, neighbours: Codes) -> int:
    """The step that all distances are multiples of.

    Raises:
        IrregularError: when there is none that is common among them.
    """
    smallest = int(distances.min())
    if (distances % smallest == 0).all() and int((distances == smallest).sum()) * COMMON_SHARE >= len(distances):
        return smallest
    values, counts = np.unique(distances, return_counts=True)
    common = int(values[counts.argmax()])
    off = np.flatnonzero(distances % common != 0)
    if len(off) == 0 and int(counts.max()) * COMMON_SHARE >= len(distances):
        return common
    where = int(off[0]) if len(off) else 0
    raise IrregularError(
        f"{max(len(off), 1):,} of {len(distances):,} distances are no multiple of the commonest one", int(neighbours[where]) + 1
    )


def _fixed(stride: int, neighbours: Codes) -> Frequency:
    """A length in the largest unit that divides it.

    Raises:
        IrregularError: below a millisecond.
    """
    units: tuple[Unit, ...] = ("W", "D", "h", "min", "s", "ms")
    for unit in units:
        if stride % MICROSECONDS[unit] == 0:
            return Frequency(unit, stride // MICROSECONDS[unit])
    raise IrregularError("the times are not whole milliseconds apart", int(neighbours[0]) + 1)


def _calendar(codes: Codes, times: Times, neighbours: Codes) -> Frequency | None:
    """A frequency of months, where all stamps have the same place in their month."""
    days = times.astype("datetime64[D]")
    months = times.astype("datetime64[M]")
    day = (days - months.astype("datetime64[D]")).astype(np.int64) + 1
    is_end = (day >= LATE_DAY).all() and not (day == day[0]).all()
    is_last = ((days + np.timedelta64(1, "D")).astype("datetime64[M]") != months).all()
    if not (is_end or is_last or (day == day[0]).all()):
        return None
    stride = int(np.gcd.reduce(np.diff(months.astype(np.int64))[neighbours]))
    unit: Unit = "Y" if stride % 12 == 0 else "Q" if stride % 3 == 0 else "M"
    count = stride // {"Y": 12, "Q": 3}.get(unit, 1)
    return Frequency(unit, count, "E" if is_end or is_last else "S") if stride > 0 else None


def _nearest(ordinals: Ordinals, freq: Frequency, row: int, *, is_given: bool) -> Ordinals:
    """Ordinals on a grid that begins at midnight, at a Monday or the anchor's weekday.

    Raises:
        IrregularError: when nobody asked for that, or steps and months cannot be moved.
    """
    if not is_given or freq.is_integer or freq.is_calendar:
        raise IrregularError(f"not every row is a whole number of steps of {freq} from the first of its series", row)
    weekday = WEEKDAYS.index(freq.anchor) if freq.anchor else 0
    base = (weekday - EPOCH_WEEKDAY) * DAY if freq.unit == "W" else 0
    moved: Ordinals = (ordinals - base + freq.stride // 2) // freq.stride * freq.stride + base
    return moved


def _check_kind(times: Times, freq: Frequency) -> None:
    if freq.is_integer == (times.dtype.kind == "M"):
        kind = "whole numbers; give freq=1" if times.dtype.kind != "M" else "timestamps; give a length such as freq=h or freq=D"
        raise SeriesError(f"freq is {freq} and the times are {kind}, or leave freq out", code="freq", pointer="?freq")


def _check_weekday(freq: Frequency, firsts: Times) -> None:
    if freq.unit != "W" or not freq.anchor:
        return
    found = {WEEKDAYS[int(day)] for day in (firsts.astype("datetime64[D]").astype(np.int64) + EPOCH_WEEKDAY) % 7}
    if found != {freq.anchor}:
        raise SeriesError(f"freq is {freq} and there are weeks of {', '.join(sorted(found))}; give freq=W", code="freq", pointer="?freq")
