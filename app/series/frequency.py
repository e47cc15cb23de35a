"""How far apart are the observations, and what comes after the last one?

    unit      steps of                    text
    step      whole numbers               1, 10
    ms s min h D W   a fixed length       5min, h, D, W, W-FRI
    M Q Y     calendar months             MS, ME (start, end), QS, QE, YS, YE

Timestamps are numpy `datetime64[us]` (in UTC where they had a zone) or int64 steps. Arithmetic is done on *ordinals*: microseconds,
months since 1970, or the steps themselves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from app.errors import SeriesError

Unit = Literal["step", "ms", "s", "min", "h", "D", "W", "M", "Q", "Y"]
Times = npt.NDArray[np.datetime64] | npt.NDArray[np.int64]
Ordinals = npt.NDArray[np.int64]

MICROSECONDS: dict[Unit, int] = {
    "ms": 1_000,
    "s": 1_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "D": 86_400_000_000,
    "W": 604_800_000_000,
}
MONTHS: dict[Unit, int] = {"M": 1, "Q": 3, "Y": 12}
CYCLE: dict[Unit, int] = {"ms": 1000, "s": 60, "min": 60, "h": 24, "D": 7, "W": 52, "M": 12, "Q": 4, "Y": 1, "step": 1}
"""Steps of one unit in the next natural cycle: seconds a minute, minutes and hours a day, days a week, the rest a year."""

DAILY_CYCLE_AT_MOST = 288
"""A day of five-minute steps. Finer steps take the hour as their season: a season of 1440 steps leaves no room for windows."""

WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
ALIASES = {
    "S": "s", "sec": "s", "T": "min", "m": "min", "H": "h", "d": "D", "w": "W", "A": "YS", "AS": "YS", "L": "ms",
    "hourly": "h", "daily": "D", "weekly": "W", "monthly": "MS", "quarterly": "QS", "yearly": "YS",
}  # fmt: skip
FREQUENCY = re.compile(r"(?P<count>[1-9]\d{0,6})?(?P<unit>ms|s|min|h|D|W|M|Q|Y)(?P<anchor>S|E|-(?:MON|TUE|WED|THU|FRI|SAT|SUN))?")
DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Frequency:
    """A regular distance between observations.

    Attributes:
        unit: what is counted.
        count: how many units one step is.
        anchor: `S` or `E` of months, quarters and years (first or last day), a weekday of weeks (`FRI`), else empty.
    """

    unit: Unit
    count: int = 1
    anchor: str = ""

    def __str__(self) -> str:
        if self.unit == "step":
            return str(self.count)
        separator = "-" if self.unit == "W" and self.anchor else ""
        return f"{self.count if self.count > 1 else ''}{self.unit}{separator}{self.anchor}"

    @property
    def is_integer(self) -> bool:
        """Whether the times are whole numbers rather than timestamps."""
        return self.unit == "step"

    @property
    def is_calendar(self) -> bool:
        """Whether a step is months, which are not equally long."""
        return self.unit in MONTHS

    @property
    def stride(self) -> int:
        """One step in ordinals."""
        return self.count * (MONTHS.get(self.unit) or MICROSECONDS.get(self.unit) or 1)

    @property
    def season(self) -> int:
        """Steps of the natural season: hours a day, days a week, months a year; 1 where there is none."""
        if self.unit == "min" and 1440 % self.count == 0 and 1440 // self.count <= DAILY_CYCLE_AT_MOST:
            return 1440 // self.count
        cycle = CYCLE[self.unit]
        return cycle // self.count if cycle % self.count == 0 else 1

    def ordinals(self, times: Times) -> Ordinals:
        """Times as whole numbers that rise by `stride` a step."""
        if self.is_integer:
            return times.astype(np.int64, copy=False)
        stamps = times.astype("datetime64[us]", copy=False)
        return (stamps.astype("datetime64[M]") if self.is_calendar else stamps).astype(np.int64)

    def times(self, ordinals: Ordinals) -> Times:
        """The inverse of `ordinals`; months give their first or last day."""
        if self.is_integer:
            return ordinals
        if not self.is_calendar:
            return ordinals.astype("datetime64[us]")
        if self.anchor == "E":
            return ((ordinals + 1).astype("datetime64[M]").astype("datetime64[D]") - DAY).astype("datetime64[us]")
        return ordinals.astype("datetime64[M]").astype("datetime64[us]")

    def shift(self, times: Times, steps: int | Ordinals) -> Times:
        """Times some steps later, element by element; negative is earlier."""
        return self.times(self.ordinals(times) + self.stride * np.asarray(steps, dtype=np.int64))

    def range(self, start: np.datetime64 | int, steps: int) -> Times:
        """`steps` times, the first of them `start`."""
        return self.shift(as_times([start]), np.arange(steps, dtype=np.int64))

    def after(self, last: np.datetime64 | int, steps: int) -> Times:
        """The `steps` times that follow `last`."""
        return self.shift(as_times([last]), np.arange(1, steps + 1, dtype=np.int64))


def as_times(values: list[np.datetime64 | int] | list[np.datetime64] | list[int]) -> Times:
    """One-dimensional times of timestamps or of whole numbers."""
    if values and isinstance(values[0], np.datetime64):
        return np.array(values, dtype="datetime64[us]")
    return np.array(values, dtype=np.int64)


@lru_cache(maxsize=1024)
def parse_frequency(text: str) -> Frequency:
    """The frequency that a text names: `h`, `15min`, `D`, `W`, `MS`, `QE`, `1`; pandas' older names are understood.

    Raises:
        SeriesError: when no frequency is written so.
    """
    name = text.strip()
    if name.isdecimal() and name.isascii() and len(name) <= 9 and int(name) > 0:
        return Frequency("step", int(name))
    match = FREQUENCY.fullmatch(ALIASES.get(name, name))
    if match is None or not _anchor_fits(match["unit"], match["anchor"]):
        raise SeriesError(
            f"freq is {text[:40]!r}; a frequency is one of s, min, h, D, W, MS, ME, QS, QE, YS, YE, with a number before it if need be "
            "(15min), or a whole number (1) where times are step numbers",
            code="freq",
            pointer="?freq",
        )
    anchor = (match["anchor"] or "").lstrip("-")
    default = "S" if match["unit"] in MONTHS else ""
    return Frequency(_UNITS[match["unit"]], int(match["count"] or 1), anchor or default)


_UNITS: dict[str, Unit] = {"ms": "ms", "s": "s", "min": "min", "h": "h", "D": "D", "W": "W", "M": "M", "Q": "Q", "Y": "Y"}


def _anchor_fits(unit: str, anchor: str | None) -> bool:
    if anchor is None:
        return True
    return unit == "W" if anchor.startswith("-") else unit in MONTHS
