"""How is a column of times written?

The shape is found on the first rows, and all rows are then parsed with the format that it gives: polars' own guessing is five times
slower, and guesses per row. Where day and month could change places, both readings are parsed and the whole column decides (see
`time_column.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import polars as pl

Kind = Literal["stamp", "month", "quarter", "integer"]

STAMP = re.compile(
    r"(?P<date>\d{4}(?P<a>[-/.])\d{1,2}(?P=a)\d{1,2}|\d{1,2}(?P<b>[-/.])\d{1,2}(?P=b)\d{4}|\d{8}"
    r"|\d{1,2}(?P<c>[ -])[A-Za-z]{3,9}(?P=c)\d{4}|[A-Za-z]{3,9} \d{1,2}, \d{4})"
    r"(?:(?P<gap>[ T])\d{1,2}(?P<colon>[:.])\d{2}(?P<second>(?P=colon)\d{2}(?P<fraction>\.\d{1,9})?)?(?P<half> ?[AaPp][Mm])?)?"
    r"(?P<space> ?)(?P<zone>Z|[+-]\d{2}:?\d{2}|[+-]\d{2})?"
)
FRACTION = "%.f"
MONTH = re.compile(r"\d{4}(?P<a>[-/])\d{1,2}")
QUARTER = re.compile(r"\d{4}[ -]?Q[1-4]")
INTEGER = re.compile(r"[+-]?\d{1,19}")
TIME_OF_DAY = re.compile(r"\d{1,2}(?P<colon>[:.])\d{2}(?P=colon)\d{2}|\d{1,2}:\d{2}")


@dataclass(frozen=True)
class Shape:
    """One way of writing times.

    Attributes:
        name: for a reader, such as `YYYY-MM-DD HH:MM:SS`.
        kind: how it is parsed.
        formats: polars' format; two where day and month could change places, day first.
        is_zoned: whether each time says its distance from UTC.
        has_clock: whether it says more than the day.
    """

    name: str
    kind: Kind
    formats: tuple[str, ...] = ()
    is_zoned: bool = False
    has_clock: bool = False

    def parse(self, column: str, reading: int = 0) -> pl.Expr:
        """Times of a column of text, null where it is not written so; Datetime(us), in UTC if zoned, or Int64."""
        text = pl.col(column).str.strip_chars()
        match self.kind:
            case "integer":
                return text.cast(pl.Int64, strict=False)
            case "quarter":
                year, quarter = text.str.slice(0, 4), text.str.tail(1).cast(pl.Int32, strict=False)
                is_quarter = text.str.contains(f"^{QUARTER.pattern}$")
                first = year + "-" + (quarter * 3 - 2).cast(pl.String) + "-01"
                return pl.when(is_quarter).then(first).otherwise(None).str.to_datetime("%Y-%m-%d", time_unit="us", strict=False)
            case "month":
                return (text + self.formats[0][2] + "01").str.to_datetime(
                    f"{self.formats[0]}{self.formats[0][2]}%d", time_unit="us", strict=False
                )
            case "stamp":
                zone = "UTC" if self.is_zoned else None
                return text.str.to_datetime(self.formats[reading], time_unit="us", time_zone=zone, strict=False)


def shape_of(values: Iterable[str | None]) -> Shape | None:
    """The one shape in which all values are written, or None; a fraction of a second may come and go."""
    shapes: set[Shape] = set()
    for value in values:
        if value and (text := value.strip()):
            shape = _shape(text)
            if shape is None:
                return None
            shapes.add(shape)
    if len(shapes) == 2:
        shapes = _without_late_fractions(shapes)
    return shapes.pop() if len(shapes) == 1 else None


def is_time_of_day(values: Iterable[str | None]) -> bool:
    """Whether a column holds nothing but times of day, such as 18:00 or 18.00.00."""
    matches = [TIME_OF_DAY.fullmatch(value.strip()) for value in values if value and value.strip()]
    return bool(matches) and all(matches)


def _without_late_fractions(shapes: set[Shape]) -> set[Shape]:
    """`12:00:00` and `12:00:00.5` are one shape: the format with a fraction reads both."""
    with_fraction = {shape for shape in shapes if FRACTION in "".join(shape.formats)}
    plain = {tuple(text.replace(FRACTION, "") for text in shape.formats) for shape in with_fraction}
    return with_fraction if plain == {shape.formats for shape in shapes - with_fraction} else shapes


def _shape(value: str) -> Shape | None:
    if INTEGER.fullmatch(value):
        return Shape("whole numbers", "integer")
    if QUARTER.fullmatch(value):
        return Shape("YYYY Qn", "quarter")
    if month := MONTH.fullmatch(value):
        return Shape(f"YYYY{month['a']}MM", "month", (f"%Y{month['a']}%m",))
    stamp = STAMP.fullmatch(value)
    return None if stamp is None or (stamp["zone"] and not stamp["gap"]) or (stamp["space"] and not stamp["zone"]) else _stamp(stamp)


def _stamp(match: re.Match[str]) -> Shape:
    dates = _dates(match)
    clock, clock_name = _clock(match)
    zone = f"{match['space']}%#z" if match["zone"] else ""
    shown = " or ".join(name for name, _ in dates) + clock_name + (" zone" if zone else "")
    return Shape(shown, "stamp", tuple(date + clock + zone for _, date in dates), is_zoned=bool(zone), has_clock=bool(clock))


def _dates(match: re.Match[str]) -> list[tuple[str, str]]:
    """Names and formats of the date; two where day and month could change places."""
    if separator := match["a"]:
        return [(f"YYYY{separator}MM{separator}DD", f"%Y{separator}%m{separator}%d")]
    if separator := match["b"]:
        day_first = (f"DD{separator}MM{separator}YYYY", f"%d{separator}%m{separator}%Y")
        month_first = (f"MM{separator}DD{separator}YYYY", f"%m{separator}%d{separator}%Y")
        return [day_first] if separator == "." else [day_first, month_first]  # with points the day always comes first
    if separator := match["c"]:
        return [(f"DD{separator}Month{separator}YYYY", f"%d{separator}%B{separator}%Y")]
    return [("YYYYMMDD", "%Y%m%d")] if match["date"].isdecimal() else [("Month DD, YYYY", "%B %d, %Y")]


def _clock(match: re.Match[str]) -> tuple[str, str]:
    """Format and name of the time of day."""
    if not match["gap"]:
        return "", ""
    hour, colon = ("%I" if match["half"] else "%H"), match["colon"]
    second = f"{colon}%S" + (FRACTION if match["fraction"] else "") if match["second"] else ""
    half = (" %p" if match["half"].startswith(" ") else "%p") if match["half"] else ""
    name = (
        f"{match['gap']}HH{colon}MM" + (f"{colon}SS" if second else "") + (" AM/PM" if half else "") + (".f" if match["fraction"] else "")
    )
    return f"{match['gap']}{hour}{colon}%M{second}{half}", name
