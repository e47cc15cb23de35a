"""What may an uploader say about a table, and how large may it be?"""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class TableOptions:
    """What the uploader says; everything that is left out is inferred, and the audit says how.

    Attributes:
        time_column: the column of times.
        id_column: the column that names the series, or several with commas between; empty says that all rows are one series.
        target: the column to forecast.
        freq: the distance between observations (`h`, `15min`, `MS`, `1`).
    """

    time_column: str | None = None
    id_column: str | None = None
    target: str | None = None
    freq: str | None = None


@dataclass(frozen=True)
class TableLimits:
    """What a deployment lets in.

    Attributes:
        rows: observations, the inserted missing ones included.
        series: different ids.
        columns: columns.
        field_bytes: bytes of one value of text.
        expanded_bytes: bytes of the whole table in memory.
    """

    rows: int = 20_000_000
    series: int = 100_000
    columns: int = 256
    field_bytes: int = 65_536
    expanded_bytes: int = 2048 * MEBIBYTE
