import io
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from app.errors import SeriesError, TooLargeError
from app.series.parquet_footer import read_footer
from app.series.table import SeriesTable, TableLimits

Read = Callable[..., SeriesTable]

PARQUET = "application/vnd.apache.parquet"
DAYS = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 5)]


def parquet(frame: pl.DataFrame, **options: object) -> bytes:
    file = io.BytesIO()
    frame.write_parquet(file, **options)  # type: ignore[arg-type]
    return file.getvalue()


@pytest.mark.parametrize(
    ("times", "kind", "first"),
    [
        (pl.Series(DAYS), "zoned", "2026-01-01T00:00:00Z"),
        (pl.Series(DAYS).dt.convert_time_zone("Europe/Berlin"), "zoned", "2026-01-01T00:00:00Z"),
        (pl.Series(DAYS).dt.replace_time_zone(None).dt.cast_time_unit("ns"), "naive", "2026-01-01T00:00:00"),
        (pl.Series(DAYS).dt.replace_time_zone(None).dt.cast_time_unit("ms"), "naive", "2026-01-01T00:00:00"),
        (pl.Series(DAYS).dt.date(), "naive", "2026-01-01T00:00:00"),
        (pl.Series([7, 8, 9, 10], dtype=pl.Int8), "integer", 7),
        (pl.Series([7, 8, 9, 10], dtype=pl.UInt64), "integer", 7),
        (pl.Series([7.0, 8.0, 9.0, 10.0]), "integer", 7),
        (pl.Series(["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]), "naive", "2026-01-01T00:00:00"),
        (pl.Series(["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"], dtype=pl.Categorical), "naive", "2026-01-01T00:00:00"),
    ],
)
def test_times_of_every_type_are_read(read: Read, times: pl.Series, kind: str, first: str | int) -> None:
    table = read(parquet(pl.DataFrame({"ds": times, "y": [1, 2, 3, 4]})), PARQUET)
    assert (table.time_kind, table.facts["first"], table.frame.height) == (kind, first, 4)


def test_columns_of_every_plain_type_are_read(read: Read) -> None:
    frame = pl.DataFrame({
        "unique_id": pl.Series([1, 1, 2, 2], dtype=pl.Int16),
        "ds": [1, 2, 1, 2],
        "y": pl.Series([Decimal("1.5"), None, Decimal(2), Decimal(3)], dtype=pl.Decimal(10, 2)),
        "flag": [True, False, None, True],
        "small": pl.Series([1, 2, 3, 4], dtype=pl.Float32),
        "word": pl.Series(["a", "b", "a", "b"], dtype=pl.Enum(["a", "b"])),
        "clock": [time(1, 30), time(2), time(3), None],
        "day": [date(2026, 1, 1)] * 4,
        "nothing": pl.Series([None] * 4, dtype=pl.Null),
    })  # fmt: skip
    table = read(parquet(frame), PARQUET)
    assert table.frame["unique_id"].to_list() == ["1", "1", "2", "2"]
    assert table.frame["y"].to_list() == [1.5, None, 2.0, 3.0]
    assert table.covariates == ("flag", "small")
    assert table.text_columns == ("word", "clock", "day")


@pytest.mark.parametrize("name", ["spans", "lists", "structs", "bytes"])
def test_columns_without_plain_values_are_refused(read: Read, name: str) -> None:
    columns = {"spans": [timedelta(1)] * 4, "lists": [[1, 2]] * 4, "structs": [{"a": 1}] * 4, "bytes": [b"a"] * 4}
    with pytest.raises(SeriesError, match=f"column '{name}' is of the type .*; columns are numbers, text or timestamps: leave it out"):
        read(parquet(pl.DataFrame({"ds": [1, 2, 3, 4], "y": [1, 2, 3, 4], name: columns[name]})), PARQUET)


def test_parquet_cut_in_half_is_refused(read: Read) -> None:
    content = parquet(pl.DataFrame({"ds": range(1000), "y": range(1000)}))
    with pytest.raises(SeriesError, match="a Parquet file ends with PAR1, and this is cut off; send it whole"):
        read(content[: len(content) // 2], PARQUET)


@pytest.mark.parametrize("content", [b"", b"ds,y\n1,2\n", b"PAR1", b"PARE" + b"\0" * 20])
def test_what_is_no_parquet_is_refused(read: Read, content: bytes) -> None:
    with pytest.raises(SeriesError, match="byte 0: a Parquet file begins with PAR1, and this does not; is its media type right"):
        read(content, PARQUET)


@pytest.mark.parametrize(
    "footer",
    [
        b"",
        b"\x00",
        b"\xff" * 30,
        b"\x1c" * 100,
        b"\x19\xfc\xff\xff\xff\x7f",
        b"\x17abc",
        b"\x18\xff\xff\x7f",
        b"\x1b\x00",
        b"\x13\x01\x11\x12\x00",
    ],
)
def test_a_damaged_footer_is_refused(read: Read, footer: bytes) -> None:
    content = b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"
    with pytest.raises(SeriesError, match="the footer of the Parquet file is damaged; write the file again"):
        read(content, PARQUET)


def test_a_huge_footer_is_refused_unread(read: Read) -> None:
    content = b"PAR1" + b"\0" * 5_000_000 + (5_000_000).to_bytes(4, "little") + b"PAR1"
    with pytest.raises(TooLargeError, match="the Parquet footer has 5,000,000 bytes, at most 4,194,304; write larger row groups"):
        read(content, PARQUET)


def test_damaged_pages_are_refused(read: Read) -> None:
    content = bytearray(parquet(pl.DataFrame({"ds": range(1000), "y": np.random.default_rng(1).normal(size=1000)})))
    content[4:200] = b"\xff" * 196
    with pytest.raises(SeriesError, match="the Parquet file is damaged"):
        read(bytes(content), PARQUET)


def test_footer_tells_rows_columns_and_size(tmp_path: object) -> None:
    frame = pl.DataFrame({"ds": range(1000), "y": range(1000), "word": ["some text"] * 1000})
    path = tmp_path / "table.parquet"  # type: ignore[operator]
    frame.write_parquet(path, compression="uncompressed", row_group_size=300)
    footer = read_footer(path)
    assert (footer.rows, footer.columns) == (1000, 3)
    assert 0 < footer.uncompressed_bytes <= path.stat().st_size


def test_limits_are_held_against_the_footer(read: Read) -> None:
    content = parquet(pl.DataFrame({"ds": np.arange(2_000_000), "y": np.zeros(2_000_000)}))
    with pytest.raises(TooLargeError, match="the table has 2,000,000 rows; at most 1,000 are read"):
        read(content, PARQUET, limits=TableLimits(rows=1000))
    with pytest.raises(TooLargeError, match="the table has 2 columns; at most 1 are read"):
        read(content, PARQUET, limits=TableLimits(columns=1))
    with pytest.raises(TooLargeError, match=r"the table opens to 32,\d\d\d,\d\d\d bytes, at most 1,000,000 are read"):
        read(content, PARQUET, limits=TableLimits(expanded_bytes=1_000_000))


def test_long_text_is_refused(read: Read) -> None:
    frame = pl.DataFrame({"ds": [1, 2], "y": [1, 2], "note": ["short", "long " * 20]})
    with pytest.raises(TooLargeError, match="'note': the text in row 2 has more than 64 bytes, the most that is read"):
        read(parquet(frame), PARQUET, limits=TableLimits(field_bytes=64))


def test_a_table_without_rows_is_refused(read: Read) -> None:
    with pytest.raises(SeriesError, match="the table has no rows; it needs a column of times"):
        read(parquet(pl.DataFrame({"ds": [], "y": []}, schema={"ds": pl.Int64, "y": pl.Float64})), PARQUET)


@pytest.mark.parametrize("unit", ["ms", "us"])
def test_times_beyond_the_calendar_are_refused(read: Read, unit: str) -> None:
    far = pl.Series([0, 2**62], dtype=pl.Int64).cast(pl.Datetime(unit))  # type: ignore[arg-type]
    with pytest.raises(SeriesError, match=r"ds: row 2 .* cannot be read|the year \d+ in row 2"):
        read(parquet(pl.DataFrame({"ds": far, "y": [1, 2]})), PARQUET)


def test_booleans_and_times_of_day_are_no_times(read: Read) -> None:
    with pytest.raises(SeriesError, match="ds has the type Boolean; times are written 2026-01-31"):
        read(parquet(pl.DataFrame({"ds": [True, False], "y": [1, 2]})), PARQUET)
