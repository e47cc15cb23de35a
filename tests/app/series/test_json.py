import json
from collections.abc import Callable

import polars as pl
import pytest

from app.errors import SeriesError, TooLargeError
from app.series.table import SeriesTable, TableLimits

Read = Callable[..., SeriesTable]

NDJSON = "application/x-ndjson"
RECORDS = "application/json"
ROWS: list[dict[str, object]] = [
    {"ds": f"2026-01-0{day}", "y": day, "holiday": day == 1, "note": None if day == 2 else "fine"} for day in range(1, 4)
]


def lines(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("content", "media_type"), [(lines(ROWS), NDJSON), (json.dumps(ROWS), RECORDS), (lines(ROWS).replace("\n", "\r\n\r\n"), NDJSON)]
)
def test_records_become_columns(read: Read, content: str, media_type: str) -> None:
    table = read(content, media_type)
    assert table.frame["y"].to_list() == [1.0, 2.0, 3.0]
    assert table.frame["holiday"].to_list() == [1.0, 0.0, 0.0]
    assert table.frame["note"].to_list() == ["fine", None, "fine"]
    assert (table.covariates, table.text_columns, str(table.freq)) == (("holiday",), ("note",), "D")


def test_key_that_a_row_has_not_is_missing_there(read: Read) -> None:
    table = read('{"ds": 1, "y": 1.5}\n{"ds": 2, "y": 2, "extra": 7}\n{"ds": 3}\n', NDJSON)
    assert table.frame["y"].to_list() == [1.5, 2.0, None]
    assert table.frame["extra"].to_list() == [None, 7.0, None]


def test_numbers_written_as_text_are_numbers(read: Read) -> None:
    assert read('[{"ds": 1, "y": "1.5"}, {"ds": 2, "y": 2}, {"ds": 3, "y": "NA"}]', RECORDS).frame["y"].to_list() == [1.5, 2.0, None]


def test_many_rows_are_read_in_batches_and_agree_on_their_types(read: Read) -> None:
    rows: list[dict[str, object]] = [{"ds": step, "y": step / 2, "mixed": step if step < 21_000 else "late"} for step in range(45_000)]
    table = read(lines(rows), NDJSON)
    assert table.frame.height == 45_000
    assert table.frame["mixed"].dtype == pl.String
    assert table.frame["mixed"][0] == "0"


def test_whole_numbers_beyond_64_bits_become_floats(read: Read) -> None:
    assert read('[{"ds": 1, "y": 1e30}, {"ds": 2, "y": 100000000000000000000}]', RECORDS).frame["y"].to_list() == [1e30, 1e20]


@pytest.mark.parametrize(
    ("content", "media_type", "sentence"),
    [
        ('{"ds": 1, "y": 1}\n{"ds": 2, "y": NaN}\n', NDJSON, "line 2, column 16: NaN is not JSON; write null where a value is missing"),
        (
            '[{"ds": 1, "y": 1},\n {"ds": 2, "y": Infinity}]',
            RECORDS,
            "line 2, column 17: Infinity is not JSON; write null where a value is missing",
        ),
        ('[{"ds": 1, "y": -Infinity}]', RECORDS, "Infinity is not JSON"),
        ('{"ds": 1, "y": 1e400}\n', NDJSON, "line 1, column 16: this is not JSON (number is infinity"),
        ('{"ds": 1, "y": 1\n', NDJSON, "line 1, column 17: this is not JSON"),
        ('{"ds": 1, "y": 1}\n[1, 2]\n', NDJSON, "line 2: a row is an object such as {'ds': ..., 'y': ...}, and this is a list"),
        ("[1]", RECORDS, "row 1: a row is an object such as {'ds': ..., 'y': ...}, and this is the value '1'"),
        ("[null]", RECORDS, "and this is null"),
        ('[{"ds": 1, "y": {"a": 1}}]', RECORDS, "row 1: 'y' is an object; a value is a number, a text, true, false or null"),
        ('{"ds": [1, 2], "y": [3, 4]}', RECORDS, "the document is not a list; send a list of objects, one per row"),
        ("", NDJSON, "the file is empty; a line is an object such as"),
        ("\n \n", NDJSON, "the file is empty"),
        ("  ", RECORDS, "the file is empty; send a list of objects such as"),
        ("[]", RECORDS, "the list has no rows"),
        ("[" * 100_000, RECORDS, "this is not JSON (depth limit exceeded"),
        ('[{"ds": "\\ud800", "y": 1}]', RECORDS, "this is not JSON"),
        ('[{"ds": 1, "y": 2}, {"ds": 2, "y": "high"}]', RECORDS, "the target 'y' has to be numbers; row 2 has text ('high')"),
        ('{"ds": 1, "y": 2}\n\n{"ds": 2, "y": "high"}\n', NDJSON, "the target 'y' has to be numbers; line 3 has text ('high')"),
        ('[{"ds": 1.5, "y": 2}, {"ds": 2, "y": 3}]', RECORDS, "ds: row 1 ('1.5') cannot be read as a time or a whole number"),
        ('[{"ds": 1, "y": 2}, {"y": 3}]', RECORDS, "ds: there is no time in row 2"),
        ('[{"ds": true, "y": 2}, {"ds": false, "y": 3}]', RECORDS, "ds has the type Boolean"),
        ('[{"ds": 1, "a\\u0007": 2}]', RECORDS, "has control characters"),
    ],
)
def test_what_is_no_table_is_refused_with_its_place(read: Read, content: str, media_type: str, sentence: str) -> None:
    with pytest.raises(SeriesError) as caught:
        read(content, media_type)
    assert sentence in str(caught.value)


def test_limits_hold_for_json(read: Read) -> None:
    rows = lines([{"ds": step, "y": 1} for step in range(50_000)])
    with pytest.raises(TooLargeError, match="more than 30,000 rows, the most that is read"):
        read(rows, NDJSON, limits=TableLimits(rows=30_000))
    with pytest.raises(TooLargeError, match="more than 10 rows"):
        read(json.dumps(ROWS * 10), RECORDS, limits=TableLimits(rows=10))
    with pytest.raises(TooLargeError, match="the rows have 4 different keys; at most 3 columns are read"):
        read(lines(ROWS), NDJSON, limits=TableLimits(columns=3))
    with pytest.raises(TooLargeError, match="row 2: 'y' has more than 8 bytes, the longest that is read"):
        read('[{"ds": 1, "y": "a"}, {"ds": 2, "y": "a text of some length"}]', RECORDS, limits=TableLimits(field_bytes=8))
    with pytest.raises(TooLargeError, match="line 1 has more than 1,048,576 bytes; send one object per line"):
        read(f'{{"ds": "{"x" * 10_000_000}"}}', NDJSON)
    with pytest.raises(TooLargeError, match="may have 33,554,432 bytes; send NDJSON"):
        read(b" " * (33 * 1024 * 1024), RECORDS)


def test_keys_that_come_later_count_too(read: Read) -> None:
    rows = lines([{"ds": step, "y": 1, f"key{step // 20_000}": 1} for step in range(60_000)])
    with pytest.raises(TooLargeError, match="the rows have 5 different keys; at most 4 columns are read"):
        read(rows, NDJSON, limits=TableLimits(columns=4))
