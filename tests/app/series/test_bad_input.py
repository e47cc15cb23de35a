"""What cannot be read is refused with its place, the rule, the value and the way out."""

import re
from collections.abc import Callable

import pytest

from app.errors import BraidcastError, SeriesError, TooLargeError, UnsupportedMediaError
from app.series.table import SeriesTable, TableLimits

Read = Callable[..., SeriesTable]

DAYS = "".join(f"2026-01-{day:02},{day}\n" for day in range(1, 29))


def refused(
    read: Read, content: str | bytes, error: type[BraidcastError] = SeriesError, media_type: str = "text/csv", **more: object
) -> str:
    with pytest.raises(error) as caught:
        read(content, media_type, **more)
    assert type(caught.value) is error
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "the file is empty; a table has a header line and rows"),
        ("\ufeff", "the file is empty"),
        (" \n \n", "the file is empty"),
        ("\nds,y\n", "line 1 is blank; the first line of a CSV names its columns"),
        ("ds,y\n", "the table has a header and no rows; a series needs at least two observations"),
        ("ds,y\n,\n\n", "ds: the column is empty"),
        ("t,y\n1,2\n,\n,\n", "the table has one row; a series needs at least two observations"),
        ("ds,y\n2026-01-01,1\n", "the table has one row; a series needs at least two observations"),
        ("a,b\n1,2\n3,4\n", "no column looks like times (2026-01-31, 2026-01-31T18:00:00Z,"),
        ("a,b\n1,2\n3,4\n", "name it with time_column=; the columns are 'a', 'b'"),
        ("2026-01-01,1\n2026-01-02,2\n2026-01-03,2\n", "'2026-01-01' looks like a value: is the header missing?") ,
        ("shop,2026-01,2026-02,2026-03\na,1,2,3\nb,1,2,3\n", "this is a wide table; send it long, one row per series and time"),
        ("ds,y\n2026-01-01,high\n2026-01-02,low\n", "the target 'y' has to be numbers; lines 2 and 3 have text ('high')"),
        ("ds,y\n2026-01-01,1\n2026-01-02,low\n", "the target 'y' has to be numbers; line 3 has text ('low')"),
        ("ds,y\n2026-01-01,\n2026-01-02,\n", "the target 'y' has no value at all; it needs numbers"),
        ("ds,y\n2026-01-01,NA\n2026-01-02,NA\n", "the target 'y' has no value at all; it needs numbers"),
        ("ds,y,y\n2026-01-01,1,2\n", "line 1: the column name 'y' stands twice (columns 2 and 3); give each column its own name"),
        ("ds,y, y\n2026-01-01,1,2\n", "the column name 'y' stands twice"),
        (f"ds,{'y' * 200}\n2026-01-01,1\n", "is longer than 128 characters or has control characters"),
        ("ds,y\n2026-01-01,1\n2026-01-02,1,2\n", "line 3 has 3 fields and the header 2; give every row the header's number of fields"),
        ("ds,a,y\n2026-01-01,1\n2026-01-02,1,2,3\n", "line 2 has 2 fields and the header 3"),
        ("ds,y\n2026-01-01,1\n2026-01-02", "line 3 has 1 field and the header 2"),
        ('ds,y\n2026-01-01,"1\n2026-01-02,2\n', 'a quote (") is opened and never closed; close it'),
        ('"ds"x,y\n2026-01-01,1\n', "line 1: the header cannot be read"),
        ("ds,y\r2026-01-01,1\r2026-01-02,1\r", "line 1: the lines end with a carriage return alone"),
        ("ds,y\n2026-01-01,1\n,2\n2026-01-03,3\n", "ds: there is no time in line 3; give each row one, or leave it out"),
        ("ds,y\n2026-01-01,1\n9999999-01-01,2\n", "ds: line 3 ('9999999-01-01') is not written like most of the others (YYYY-MM-DD)"),
        ("ds,y\n0001-01-01,1\n0001-01-02,2\n", "ds: the year 1 in lines 2 and 3 is not between 1000 and 2999"),
        ("ds,y\n1,1\n9999999999999999999,2\n", "ds: line 3 ('9999999999999999999') cannot be read as whole numbers"),
        ("ds,y\n1,1\n999999999999999999,2\n", "ds: the step 999999999999999999 in line 3 is beyond 2^53"),
        ("ds,y\n,1\n,2\n", "ds: the column is empty; times are written 2026-01-31"),
        ("ds,y\n1-01,1\n1-02,2\n", "ds: '1-01' in line 2 is no time; times are written 2026-01-31"),
        ("ds,y\n2026-02-30,1\n2026-03-01,2\n", "ds: line 2 ('2026-02-30') cannot be read as YYYY-MM-DD"),
        ("ds,y\n2026-01-01,1\n2026-01-02,1e400\n", "'y': 1e400 in line 3 is more than 1.8e308, the largest number that is read"),
        ("ds,y\n2026-01-01,1\n2026-01-02,-1e999\n2026-01-03,NA\n", "'y': -1e999 in line 3 is more than 1.8e308"),
        ("unique_id,ds,y\na,2026-01-01,1\n,2026-01-02,1\n", "'unique_id': there is no id in line 3; each row needs the id of its series"),
        ("ds,y\n2026-01-01,1\n2026-01-01,1\n", "no series has two rows, so their distance is unknown; give freq"),
        ("ds,unique_id\n2026-01-01,1\n2026-01-02,1\n", "no column of numbers is left for the target"),
    ],
)  # fmt: skip
def test_csv_is_refused_with_a_sentence(read: Read, content: str, sentence: str) -> None:
    assert sentence in refused(read, content)


@pytest.mark.parametrize("other", ["02.01.2026", "2026-01-29T00:00:00Z", "29/01/2026", "2026-01", "20260129", "tomorrow"])
def test_mixed_formats_are_refused_with_their_rows(read: Read, other: str) -> None:
    sentence = refused(read, f"ds,y\n{DAYS}{other},5\n")
    assert f"line 30 ({other!r}) is not written like most of the others (YYYY-MM-DD); write all times in one way" in sentence


def test_mixed_formats_beyond_the_first_rows_are_found_too(read: Read) -> None:
    rows = "".join(f"{1000 + step // 360}-{step // 30 % 12 + 1:02}-{step % 30 % 28 + 1:02},1\n" for step in range(1500))
    assert "line 1,502 ('31/12/2026') cannot be read as YYYY-MM-DD, as most of the others are" in refused(
        read, f"ds,y\n{rows}31/12/2026,5\n"
    )


def test_text_that_is_not_utf8_is_refused_with_line_and_byte(read: Read) -> None:
    sentence = refused(read, b"ds,y\n2026-01-01,1\n" + "2026-01-02,é\n".encode("latin-1"))
    assert "line 3: byte 29 (0xe9) is not UTF-8; save the file as UTF-8" in sentence
    assert "line 2: byte 5 (0xc3) is not UTF-8" in refused(read, b"ds,y\n\xc3")
    assert "byte 0: the file is UTF-16; save it as UTF-8" in refused(read, "ds,y\n".encode("utf-16"))
    assert "line 2: byte 6 is zero, so this is no text" in refused(read, b"ds,y\n1\0,2\n")


def test_text_that_is_not_utf8_is_found_over_the_border_of_pieces(read: Read) -> None:
    whole = b"ds,y\n" + b"2026-01-01,1\n" * 90_000
    border = 1024 * 1024
    assert f"byte {border - 1:,} (0xc3) is not UTF-8" in refused(read, whole[: border - 1] + b"\xc3" + whole[border - 1 :])


@pytest.mark.parametrize(
    "content", [f"ds,y\n2026-01-01,{'1' * 10_000_000}\n", f"ds,y\n2026-01-01,1\n2026-01-02,{'x' * 70_000}\n", f"{'x' * 10_000_000}"]
)
def test_ten_megabytes_in_a_field_are_too_large(read: Read, content: str) -> None:
    sentence = refused(read, content, TooLargeError)
    assert re.search(r"line [123]: (a field has more than 65,536 bytes|the header has more than)", sentence)


def test_an_endless_quote_is_found_at_the_limit_of_a_field(read: Read) -> None:
    rows = "2026-01-01,1\n" * 10_000
    assert "line 3: a field has more than 65,536 bytes, the longest that is read; is a quote left open there?" in refused(
        read, f'ds,y\n2026-01-01,1\n2026-01-02,"{rows}', TooLargeError
    )


def test_limits_of_a_deployment_hold(read: Read) -> None:
    table = "unique_id,ds,y\n" + "".join(f"{unique_id},{step},1\n" for unique_id in range(40) for step in range(2))
    assert "more than 50 rows, the most that is read" in refused(read, table, TooLargeError, limits=TableLimits(rows=50))
    assert "'unique_id': there are 40 different ids, at most 30 are read" in refused(
        read, table, TooLargeError, limits=TableLimits(series=30)
    )
    assert "the header has 3 columns; at most 2 are read" in refused(read, table, TooLargeError, limits=TableLimits(columns=2))
    assert "the header has more than 2 columns" in refused(
        read, ",".join("abcdefghijklm") + "\n1", TooLargeError, limits=TableLimits(columns=2)
    )


def test_a_million_ids_are_too_many(read: Read) -> None:
    table = "unique_id,ds,y\n" + "".join(f"{row},1,1\n" for row in range(1_000_000))
    assert "there are 1,000,000 different ids, at most 100,000 are read" in refused(read, table, TooLargeError)


def test_a_million_columns_are_too_many(read: Read) -> None:
    assert "line 1: the header has more than" in refused(
        read, ",".join(f"c{number}" for number in range(1_000_000)) + "\n1\n", TooLargeError
    )


def test_a_slip_in_a_year_does_not_make_a_grid_of_centuries(read: Read) -> None:
    hours = "ds,y\n" + "".join(f"2026-01-01T{hour:02}:00:00,1\n" for hour in range(24)) + "2062-01-01T00:00:00,1\n"
    assert "then only 25 of 315,577 steps are observed; is this an event log?" in refused(read, hours)
    too_fine = refused(read, hours, TooLargeError, freq="s")
    assert "25 rows at s span 1,136,073,601 steps from the first to the last of each series; at most 20,000,000 are read" in too_fine


def test_an_unknown_media_type_is_refused_with_the_list(read: Read) -> None:
    assert "the body is 'text/html'; tables are read as text/csv, application/vnd.apache.parquet" in refused(
        read, "x", UnsupportedMediaError, "text/html"
    )


def test_an_id_with_control_characters_is_refused(read: Read) -> None:
    assert "longer than 256 characters or has control characters" in refused(read, "unique_id,ds,y\na\x07,1,1\na\x07,2,1\n")
