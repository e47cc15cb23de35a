"""How is JSON read? NDJSON line by line; a list of records whole, so it has to be short. Numbers are JSON's: no NaN, no Infinity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import polars as pl

from app.errors import SeriesError, TooLargeError
from app.series.options import MEBIBYTE, TableLimits
from app.series.source import FrameSource, check_names

RECORDS_BYTES_AT_MOST = 32 * MEBIBYTE
"""A list of records is decoded at once and takes about twenty times its size in memory."""

LINE_BYTES_AT_MOST = MEBIBYTE
BATCH_ROWS = 20_000
"""Objects that exist at a time: a million dictionaries would take 400 MB."""

Value = str | int | float | bool | None
Record = dict[str, Value]
NOT_JSON = ("NaN", "Infinity", "-Infinity", "nan", "inf", "-inf")


def open_ndjson(path: Path, limits: TableLimits) -> FrameSource:
    """Reads one JSON object per line; blank lines are skipped.

    Raises:
        SeriesError: with the line that is not an object of plain values.
        TooLargeError: when it is over a limit.
    """
    frames: list[pl.DataFrame] = []
    lines: list[int] = []
    for batch, numbers in _batches(_records(path), limits):
        frames.append(_frame(batch, numbers, "line", limits))
        lines.extend(numbers)
    if not frames:
        raise SeriesError('the file is empty; a line is an object such as {"ds": "2026-01-01", "y": 3.5}', code="empty")
    return FrameSource(_joined(frames, limits), {"format": "ndjson"}, "line", _compact(lines))


def open_records(path: Path, limits: TableLimits) -> FrameSource:
    """Reads a JSON list of objects.

    Raises:
        SeriesError: with the place that is not JSON, or the row that is not an object of plain values.
        TooLargeError: when it is over a limit.
    """
    if path.stat().st_size > RECORDS_BYTES_AT_MOST:
        raise TooLargeError(
            f"a JSON list of records may have {RECORDS_BYTES_AT_MOST:,} bytes; send NDJSON (application/x-ndjson), CSV or Parquet instead",
            code="json",
        )
    text = path.read_bytes()
    if not text.strip():
        raise SeriesError('the file is empty; send a list of objects such as [{"ds": "2026-01-01", "y": 3.5}]', code="empty")
    rows = _decode(text, 1)
    if not isinstance(rows, list):
        raise SeriesError("the document is not a list; send a list of objects, one per row", code="json")
    records = ((number, _record(row, f"row {number:,}")) for number, row in enumerate(rows, start=1))
    frames = [_frame(batch, numbers, "row", limits) for batch, numbers in _batches(records, limits)]
    if not frames:
        raise SeriesError("the list has no rows; a row is an object with a time and a number", code="empty")
    return FrameSource(_joined(frames, limits), {"format": "json"})


def _records(path: Path) -> Iterator[tuple[int, Record]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LINE_BYTES_AT_MOST + 1):
            number += 1
            if len(line) > LINE_BYTES_AT_MOST:
                raise TooLargeError(f"line {number:,} has more than {LINE_BYTES_AT_MOST:,} bytes; send one object per line", code="field")
            if line.strip():
                yield number, _record(_decode(line.rstrip(), number), f"line {number:,}")


def _decode(text: bytes, first_line: int) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        rest = text.decode("utf-8", errors="replace")[error.pos :]
        place = f"line {first_line + error.lineno - 1:,}, column {error.colno:,}"
        word = next((word for word in NOT_JSON if rest.startswith(word)), None)
        if word is not None:
            raise SeriesError(f"{place}: {word} is not JSON; write null where a value is missing", code="non_finite") from error
        raise SeriesError(f"{place}: this is not JSON ({error.msg})", code="json") from error


def _record(row: object, place: str) -> Record:
    if not isinstance(row, dict):
        raise SeriesError(f"{place}: a row is an object such as {{'ds': ..., 'y': ...}}, and this is {_called(row)}", code="json")
    for name, value in row.items():
        if isinstance(value, dict | list):
            raise SeriesError(
                f"{place}: {name[:128]!r} is {_called(value)}; a value is a number, a text, true, false or null", code="nested"
            )
    return row


def _batches(records: Iterator[tuple[int, Record]], limits: TableLimits) -> Iterator[tuple[list[Record], list[int]]]:
    batch: list[Record] = []
    numbers: list[int] = []
    total = 0
    for number, record in records:
        batch.append(record)
        numbers.append(number)
        if len(batch) == BATCH_ROWS:
            total += len(batch)
            if total > limits.rows:
                break
            yield batch, numbers
            batch, numbers = [], []
    if total + len(batch) > limits.rows:
        raise TooLargeError(f"the table has more than {limits.rows:,} rows, the most that is read; send it in parts", code="rows")
    if batch:
        yield batch, numbers


def _frame(batch: list[Record], numbers: list[int], unit: str, limits: TableLimits) -> pl.DataFrame:
    """Columns of some rows; a key that a row has not is null there.

    Raises:
        TooLargeError: on too many keys.
    """
    names = list(dict.fromkeys(name for record in batch for name in record))
    if len(names) > limits.columns:
        raise TooLargeError(f"the rows have {len(names):,} different keys; at most {limits.columns:,} columns are read", code="columns")
    return pl.DataFrame([_column(name, [record.get(name) for record in batch], numbers, unit, limits) for name in names], height=len(batch))


def _column(name: str, values: list[Value], numbers: list[int], unit: str, limits: TableLimits) -> pl.Series:
    kinds = set(map(type, values)) - {type(None)}
    if str in kinds:
        texts = [None if value is None else value if isinstance(value, str) else orjson.dumps(value).decode() for value in values]
        column = pl.Series(name, texts, dtype=pl.String)
        long = (column.str.len_bytes() > limits.field_bytes).arg_true()
        if len(long):
            raise TooLargeError(
                f"{unit} {numbers[long[0]]:,}: {name[:40]!r} has more than {limits.field_bytes:,} bytes, the longest that is read",
                code="field",
            )
        return column
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in values if not isinstance(value, str)):
        return pl.Series(name, values, dtype=pl.Int64)
    return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64)


def _joined(frames: list[pl.DataFrame], limits: TableLimits) -> pl.DataFrame:
    """All batches; a column that is text in one of them is text in all.

    Raises:
        TooLargeError: on too many keys.
    """
    if len(frames) > 1:
        texts = {name for frame in frames for name, dtype in frame.schema.items() if dtype == pl.String}
        frames = [frame.with_columns(pl.col(name).cast(pl.String) for name in frame.columns if name in texts) for frame in frames]
    frame = pl.concat(frames, how="diagonal_relaxed", rechunk=True)
    if frame.width > limits.columns:
        raise TooLargeError(f"the rows have {frame.width:,} different keys; at most {limits.columns:,} columns are read", code="columns")
    check_names(frame.columns, "the keys")
    return frame


def _compact(lines: list[int]) -> Sequence[int]:
    """Line numbers; a range where no line was skipped."""
    whole = range(1, len(lines) + 1)
    return whole if lines[-1] == len(lines) else lines


def _called(value: object) -> str:
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case None:
            return "null"
        case _:
            return f"the value {str(value)[:40]!r}"
