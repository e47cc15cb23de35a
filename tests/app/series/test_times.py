"""Every way of writing times that is read, and the ones that could mean two things."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from app.errors import SeriesError
from app.series.moments import read_moment, write_moments
from app.series.table import SeriesTable
from app.series.times import shape_of

Read = Callable[..., SeriesTable]

FIRST = datetime(2026, 1, 30)  # noqa: DTZ001 - without a zone
FORMATS = [
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d %B %Y", "%d-%b-%Y", "%B %d; %Y",
    "%b %d; %Y", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%d/%m/%Y %H.%M.%S", "%m/%d/%Y %I:%M %p",
    "%Y%m%d %H:%M", "%d.%m.%Y %H:%M",
]  # fmt: skip


def csv(times: list[str]) -> str:
    quoted = [f'"{text.replace(";", ",")}"' for text in times]
    return "when,amount\n" + "".join(f"{text},{row}\n" for row, text in enumerate(quoted))


@pytest.mark.parametrize("fmt", FORMATS)
def test_every_common_way_of_writing_dates_is_read(read: Read, fmt: str) -> None:
    table = read(csv([(FIRST + timedelta(days=day)).strftime(fmt) for day in range(40)]), time_column="when")
    assert table.frame["ds"].to_list() == [FIRST + timedelta(days=day) for day in range(40)]
    assert (str(table.freq), table.time_kind, table.target) == ("D", "naive", "amount")


@pytest.mark.parametrize("zone", ["Z", "+00:00", "+0000", "+02:00", " -0530", "+05"])
@pytest.mark.parametrize("separator", ["T", " "])
def test_zoned_times_are_kept_in_utc(read: Read, zone: str, separator: str) -> None:
    table = read(csv([f"2026-01-01{separator}{hour:02}:00:00{zone}" for hour in range(5)]))
    hours = {"+02:00": -2, " -0530": 5.5, "+05": -5}.get(zone, 0)
    assert table.time_kind == "zoned"
    assert table.frame["ds"].dtype == pl.Datetime("us", "UTC")
    assert table.frame["ds"].dt.replace_time_zone(None)[0] == datetime(2026, 1, 1) + timedelta(hours=hours)  # noqa: DTZ001


def test_several_zones_in_one_column_are_one_time_line(read: Read) -> None:
    table = read(csv(["2026-01-01T00:00:00+01:00", "2026-01-01T00:00:00Z", "2026-01-01T02:00:00+01:00"]))
    assert table.facts["first"] == "2025-12-31T23:00:00Z"
    assert str(table.freq) == "h"


@pytest.mark.parametrize(
    ("texts", "freq", "last"),
    [
        (["1998 Q1", "1998 Q2", "1998 Q4"], "QS", date(1998, 10, 1)),
        (["1998Q4", "1999Q1", "1999Q2"], "QS", date(1999, 4, 1)),
        (["1998-11", "1998-12", "1999-1"], "MS", date(1999, 1, 1)),
        (["1998/01", "1998/07", "1999/01"], "2QS", date(1999, 1, 1)),
        (["2024-01-31", "2024-02-29", "2024-03-31"], "ME", date(2024, 3, 31)),
        (["2024-01-31", "2024-02-28", "2024-03-29"], "ME", date(2024, 3, 31)),
        (["2024-01-15", "2024-02-15", "2024-03-15"], "MS", date(2024, 3, 1)),
        (["2022-06-30", "2023-06-30", "2024-06-30"], "YE", date(2024, 6, 30)),
        (["2022-07-01", "2023-07-01", "2024-07-01"], "YS", date(2024, 7, 1)),
        (["2024-01-01", "2024-01-29", "2024-02-26"], "4W", date(2024, 2, 26)),
        (["2024-01-01", "2024-01-31", "2024-03-01"], "30D", date(2024, 3, 1)),
    ],
)
def test_months_quarters_and_years_follow_the_calendar(read: Read, texts: list[str], freq: str, last: date) -> None:
    table = read(csv(texts))
    assert str(table.freq) == freq
    assert table.frame["ds"].dt.date()[-1] == last


@pytest.mark.parametrize(
    ("name", "values", "kind", "first", "freq"),
    [
        ("date", ["20240101", "20240102", "20240103"], "naive", "2024-01-01T00:00:00", "D"),
        ("Year", ["1999", "2000", "2001"], "naive", "1999-01-01T00:00:00", "YS"),
        ("step", ["1999", "2000", "2001"], "integer", 1999, "1"),
        ("t", ["0", "10", "30"], "integer", 0, "10"),
        ("timestamp", ["1767225600", "1767229200", "1767232800"], "zoned", "2026-01-01T00:00:00Z", "h"),
        ("timestamp", ["1767225600000", "1767229200000", "1767232800000"], "zoned", "2026-01-01T00:00:00Z", "h"),
        ("timestamp", ["1767225600000000000", "1767229200000000000", "1767232800000000000"], "zoned", "2026-01-01T00:00:00Z", "h"),
        ("period", ["20240101", "20240199", "20240297"], "integer", 20240101, "98"),
    ],
)
def test_whole_numbers_are_dates_years_seconds_or_steps(
    read: Read, name: str, values: list[str], kind: str, first: object, freq: str
) -> None:
    table = read(f"{name},amount\n" + "".join(f"{value},1\n" for value in values))
    assert (table.time_kind, table.facts["first"], str(table.freq)) == (kind, first, freq)


def test_a_day_above_twelve_decides_the_order(read: Read) -> None:
    day_first = read(csv(["30/01/2026", "31/01/2026", "01/02/2026"]))
    month_first = read(csv(["01/30/2026", "01/31/2026", "02/1/2026"]))
    assert day_first.frame["ds"].to_list() == month_first.frame["ds"].to_list()
    assert "day first: some of the dd/mm/yyyy or mm/dd/yyyy dates can be read in no other order" in str(day_first.audit["inferred"])
    assert "month first" in str(month_first.audit["inferred"])


def test_spacing_decides_the_order_where_no_number_does(read: Read) -> None:
    months = [f"01/{month:02}/{year}" for year in (2023, 2024, 2025) for month in range(1, 13)]
    day_first = read(csv(months))
    month_first = read(csv([f"{text[3:5]}/{text[:2]}{text[5:]}" for text in months]))
    assert day_first.frame["ds"].to_list() == month_first.frame["ds"].to_list()
    assert str(day_first.freq) == "MS"
    assert "day first: so read, 100% of a regular grid is there; month first, 5%" in str(day_first.audit["inferred"])
    assert "month first: so read, 100% of a regular grid is there; day first, 5%" in str(month_first.audit["inferred"])


def test_dates_that_could_be_either_are_refused(read: Read) -> None:
    with pytest.raises(
        SeriesError, match="every date can be read as DD/MM/YYYY or MM/DD/YYYY, and no number above 12 decides; write dates as YYYY-MM-DD"
    ):
        read(csv([f"01/{month:02}/2026" for month in range(1, 13)]))


def test_the_same_day_and_month_needs_no_order(read: Read) -> None:
    table = read(csv(["01/01/2024", "01/01/2025", "01/01/2026"]))
    assert str(table.freq) == "YS"


def test_dates_that_contradict_each_other_are_mixed(read: Read) -> None:
    with pytest.raises(SeriesError, match=r"line 4 \('01/31/2026'\) cannot be read as DD/MM/YYYY or MM/DD/YYYY"):
        read(csv(["30/01/2026", "31/01/2026", "01/31/2026"]))


def test_a_column_of_clock_times_completes_the_date(read: Read) -> None:
    rows = "".join(f"30/01/2026,{hour:02}.00.00,{hour}\n" for hour in range(24))
    table = read(f"Date,Time,amount\n{rows}")
    assert (str(table.freq), table.facts["last"]) == ("h", "2026-01-30T23:00:00")
    assert read(f"Date,Time,amount\n{rows}", time_column="Date,Time").frame.equals(table.frame)
    assert table.audit["inferred"]["time"]["columns"] == ["Date", "Time"]  # type: ignore[index]


def test_fractions_of_a_second_may_come_and_go(read: Read) -> None:
    table = read(csv(["2026-01-01T00:00:00", "2026-01-01T00:00:00.5", "2026-01-01T00:00:01"]))
    assert str(table.freq) == "500ms"
    assert table.facts["last"] == "2026-01-01T00:00:01"


@pytest.mark.parametrize("text", ["2026-1-1T5:00Z extra", "2026-01-01Z", "2026-01-01 ", "12:00", "01/02/26", "2026-W05", "5 2026"])
def test_other_texts_have_no_shape(text: str) -> None:
    assert shape_of([f"{text}x" if text.endswith(" ") else text]) is None


@pytest.mark.parametrize(
    ("value", "kind", "written"),
    [
        ("2026-01-31T18:00:00Z", "zoned", "2026-01-31T18:00:00Z"),
        ("2026-01-31T18:00:00+01:00", "zoned", "2026-01-31T17:00:00Z"),
        ("2026-01-31T18:00:00", "zoned", "2026-01-31T18:00:00Z"),
        ("2026-01-31", "naive", "2026-01-31T00:00:00"),
        ("2026-01-31T18:00:00.25", "naive", "2026-01-31T18:00:00.250000"),
        (5, "integer", 5),
    ],
)
def test_moments_of_requests_are_read_and_written(value: str | int, kind: str, written: str | int) -> None:
    moment = read_moment(value, kind)  # type: ignore[arg-type]
    times = np.array([moment], dtype="datetime64[us]" if kind != "integer" else np.int64)
    assert write_moments(times, kind) == [written]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "kind", "sentence"),
    [
        ("2026-01-31T18:00:00Z", "naive", "is not written like 2026-01-31T18:00:00, without a zone, like the dataset's"),
        ("31/01/2026", "zoned", "is not written like 2026-01-31T18:00:00Z"),
        (5, "naive", "the time '5' is not written like"),
        ("5", "integer", "the time '5' is no whole number; the dataset counts steps"),
        (True, "integer", "is no whole number"),
        ("2026-02-30", "naive", "is not in the calendar"),
        ("yesterday", "zoned", "is not written like"),
    ],
)
def test_other_moments_are_refused(value: str | int, kind: str, sentence: str) -> None:
    with pytest.raises(SeriesError) as caught:
        read_moment(value, kind)  # type: ignore[arg-type]
    assert sentence in str(caught.value)
