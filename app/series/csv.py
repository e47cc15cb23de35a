"""How is a CSV read? Sniffed on its first line, checked byte by byte (see csv_scan.py), then parsed by polars with every type given."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import polars as pl

from app.errors import SeriesError, TooLargeError
from app.series.csv_scan import Rows, check_text, record_lines
from app.series.numbers import Kind, kind_of
from app.series.options import TableLimits
from app.series.source import SAMPLE_ROWS, UNNAMED, check_names

HEADER_BYTES_AT_MOST = 1024 * 1024
DELIMITERS = ",;\t"
COMMA_DECIMAL = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True, eq=False)
class CsvSource:
    """A CSV whose bytes were checked.

    Attributes:
        path: the file.
        start: bytes of its byte order mark.
        delimiter: between fields.
        names: of the columns; the unnamed ones have a number.
        rows: what the pass over the bytes found.
    """

    path: Path
    start: int
    delimiter: str
    names: tuple[str, ...]
    rows: Rows

    unit: Literal["line", "row"] = "line"

    @cached_property
    def sample(self) -> pl.DataFrame:
        """The first rows as text.

        Raises:
            SeriesError: when polars cannot make rows of them.
        """
        try:
            return self._scan(dict.fromkeys(self.names, pl.String()), decimal_comma=False).head(SAMPLE_ROWS).collect()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise SeriesError(f"the table cannot be read: {str(error).splitlines()[0][:200]}", code="unreadable") from error

    @cached_property
    def decimal_comma(self) -> bool:
        """Whether numbers are written 2,6: only where the delimiter is not the comma itself, and one of the first rows is written so."""
        if self.delimiter == ",":
            return False
        return any(COMMA_DECIMAL.fullmatch(value) for column in self.sample for value in column.drop_nulls().unique().to_list())

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """What each column seems to hold."""
        return {name: kind_of(self.sample[name], decimal_comma=self.decimal_comma) for name in self.names}

    @property
    def found(self) -> dict[str, object]:
        """How the file is written."""
        return {
            "format": "csv",
            "delimiter": self.delimiter,
            "decimal": "," if self.decimal_comma else ".",
            "newline": self.rows.newline,
            "byte_order_mark": self.start > 0,
        }

    def read(self, text: Collection[str]) -> pl.LazyFrame:
        """All columns: numbers where the first rows are nothing but numbers, text elsewhere."""
        schema: dict[str, pl.DataType] = {
            name: pl.Float64() if self.kinds[name] == "number" and name not in text else pl.String() for name in self.names
        }
        return self._scan(schema, decimal_comma=self.decimal_comma)

    def locate(self, rows: Sequence[int]) -> list[int]:
        """Lines of the file; the header is line 1."""
        return record_lines(self.path, self.start, self.delimiter, list(rows)) if self.rows.has_long_records else [row + 2 for row in rows]

    def _scan(self, schema: dict[str, pl.DataType], *, decimal_comma: bool) -> pl.LazyFrame:
        # polars takes the number of columns from the first row, which may be blank; check_text has counted every row's fields.
        return pl.scan_csv(
            self.path,
            separator=self.delimiter,
            has_header=False,
            skip_rows=1,
            schema=schema,
            decimal_comma=decimal_comma,
            missing_columns="insert",
            extra_columns="ignore",
            glob=False,
        )


def open_csv(path: Path, limits: TableLimits) -> CsvSource:
    """Sniffs a CSV and checks all of it.

    Raises:
        SeriesError: when it is no table.
        TooLargeError: when it is over a limit.
    """
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES_AT_MOST)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SeriesError("byte 0: the file is UTF-16; save it as UTF-8", code="encoding")
    start = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    first = head[start:].split(b"\n", 1)[0]
    if not head[start:].strip():
        raise SeriesError("the file is empty; a table has a header line and rows, such as `ds,y` and `2026-01-01,3.5`", code="empty")
    if len(first) > limits.field_bytes and len(first) == len(head) - start:
        raise TooLargeError(f"line 1: the header has more than {len(first):,} bytes; name at most {limits.columns} columns", code="field")
    if not first.strip():
        raise SeriesError("line 1 is blank; the first line of a CSV names its columns, such as `ds,y`", code="header")
    delimiter = _delimiter(first)
    _check_line_ends(head)
    if first.count(delimiter.encode()) > 4 * limits.columns:
        raise TooLargeError(f"line 1: the header has more than {limits.columns:,} columns, the most that are read", code="columns")
    names = _names(_header(head[start:], delimiter), limits)
    rows = check_text(path, start, delimiter, len(names), limits)
    if rows.records == 0:
        raise SeriesError("the table has a header and no rows; a series needs at least two observations", code="too_short")
    return CsvSource(path, start, delimiter, names, rows)


def _delimiter(first: bytes) -> str:
    """The delimiter that the header has most of, outside quotes."""
    bare = re.sub(rb'"[^"]*"', b"", first)
    counts = {candidate: bare.count(candidate.encode()) for candidate in DELIMITERS}
    return max(counts, key=lambda candidate: counts[candidate])


def _check_line_ends(head: bytes) -> None:
    """Refuses the line ends of old Macs, which would make one long line of the table.

    Raises:
        SeriesError: when there are no others.
    """
    if b"\n" not in head and b"\r" in head.rstrip(b"\r"):
        raise SeriesError("line 1: the lines end with a carriage return alone; save the file with LF or CRLF line ends", code="newline")


def _header(head: bytes, delimiter: str) -> list[str]:
    """The first record; a quoted name may hold a newline.

    Raises:
        SeriesError: when its quotes do not match.
    """
    lines = io.StringIO(head.decode("utf-8", errors="replace"), newline="")
    try:
        return next(csv.reader(lines, delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration) as error:
        raise SeriesError(
            f"line 1: the header cannot be read ({error}); quote names that hold {delimiter!r} or quotes", code="header"
        ) from error


def _names(header: list[str], limits: TableLimits) -> tuple[str, ...]:
    if len(header) > limits.columns:
        raise TooLargeError(f"line 1: the header has {len(header):,} columns; at most {limits.columns:,} are read", code="columns")
    check_names(header, "line 1")
    stripped = [name.strip() for name in header]
    return tuple(name or f"{UNNAMED}{position}" for position, name in enumerate(stripped, start=1))
