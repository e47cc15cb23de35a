"""What does a Parquet file say about itself? Its footer, read before any page is: rows, columns, and bytes once decompressed.

The footer is a Thrift struct in the compact protocol (apache/parquet-format, `parquet.thrift`, and Thrift's `thrift-compact-protocol.md`);
only the numbers that limits need are looked at.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from app.errors import SeriesError, TooLargeError
from app.series.options import MEBIBYTE

MAGIC = b"PAR1"
FOOTER_BYTES_AT_MOST = 4 * MEBIBYTE
"""A footer of 160 row groups and ten columns has 0.25 MB."""

DEPTH_AT_MOST = 16
TRUE, FALSE, BYTE, SHORT, INT, LONG, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)

Field = int | bytes | float | list["Field"] | dict[int, "Field"]


@dataclass(frozen=True)
class Footer:
    """The numbers that limits need.

    Attributes:
        rows: of all row groups.
        columns: leaves of the schema.
        uncompressed_bytes: of all pages.
    """

    rows: int
    columns: int
    uncompressed_bytes: int


def read_footer(path: Path) -> Footer:
    """Reads the end of a Parquet file.

    Raises:
        SeriesError: when it is not a whole Parquet file.
        TooLargeError: on a footer of more than 4 MiB.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4)
        if head != MAGIC or size < 12:
            raise SeriesError("byte 0: a Parquet file begins with PAR1, and this does not; is its media type right?", code="parquet")
        file.seek(size - 8)
        length, magic = struct.unpack("<I4s", file.read(8))
        if magic != MAGIC or length > size - 12:
            raise SeriesError(f"byte {size - 4:,}: a Parquet file ends with PAR1, and this is cut off; send it whole", code="parquet")
        if length > FOOTER_BYTES_AT_MOST:
            raise TooLargeError(
                f"the Parquet footer has {length:,} bytes, at most {FOOTER_BYTES_AT_MOST:,}; write larger row groups", code="parquet"
            )
        file.seek(size - 8 - length)
        footer = file.read(length)
    try:
        return _footer(_Compact(footer).struct(0))
    except (IndexError, ValueError, TypeError, KeyError, struct.error) as error:
        raise SeriesError("the footer of the Parquet file is damaged; write the file again", code="parquet") from error


def _footer(fields: dict[int, Field]) -> Footer:
    schema, groups = _structs(fields[2]), _structs(fields[4])
    sizes = [max(_whole(group[2]), sum(_column_bytes(column) for column in _structs(group[1]))) for group in groups]
    rows = max(_whole(fields[3]), sum(_whole(group[3]) for group in groups))
    return Footer(rows, sum(1 for element in schema if not element.get(5)), sum(sizes))


def _column_bytes(column: dict[int, Field]) -> int:
    described = column[3]
    if not isinstance(described, dict):
        raise TypeError(described)
    return _whole(described[6])


def _structs(value: Field) -> list[dict[int, Field]]:
    if not isinstance(value, list):
        raise TypeError(value)
    return [item for item in value if isinstance(item, dict)]


def _whole(value: Field) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(value)
    return value


class _Compact:
    """A reader of Thrift's compact protocol; IndexError past the end."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def struct(self, depth: int) -> dict[int, Field]:
        """Fields by number.

        Raises:
            ValueError: on structs nested deeper than a footer has them.
        """
        if depth > DEPTH_AT_MOST:
            raise ValueError(depth)
        fields: dict[int, Field] = {}
        number = 0
        while header := self._byte():
            number = number + (header >> 4) if header >> 4 else self._zigzag()
            fields[number] = self._value(header & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Field:
        match kind:
            case 1 | 2:
                return int(kind == TRUE)
            case 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._zigzag()
            case 7:
                return float(struct.unpack("<d", self._bytes(8))[0])
            case 8:
                return self._bytes(self._varint())
            case _:
                return self._collection(kind, depth)

    def _collection(self, kind: int, depth: int) -> Field:
        if kind == STRUCT:
            return self.struct(depth + 1)
        if kind not in {LIST, SET}:  # a map stands nowhere in Parquet's footer
            raise ValueError(kind)
        header = self._byte()
        count = self._varint() if header >> 4 == 15 else header >> 4
        if count > len(self._content):
            raise ValueError(count)
        return [self._byte() if header & 15 in {TRUE, FALSE} else self._value(header & 15, depth + 1) for _ in range(count)]

    def _byte(self) -> int:
        self._at += 1
        return self._content[self._at - 1]

    def _bytes(self, count: int) -> bytes:
        if count > len(self._content) - self._at:
            raise IndexError(count)
        self._at += count
        return self._content[self._at - count : self._at]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError(value)

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
