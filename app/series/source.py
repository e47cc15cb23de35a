"""What do all readers give? Columns that are not yet understood, and a way back to the line in the file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import polars as pl

from app.errors import SeriesError

SAMPLE_ROWS = 1000
"""Rows that formats and kinds of columns are guessed from; all rows are then held against the guess."""

EXAMPLES = 20
"""Examples of one finding in the audit."""


UNNAMED = "\x01"
"""How the names begin that columns without a name have until they are left out; no column may be called so."""

NAME_AT_MOST = 128
"""Characters of a column's name."""


class Source(Protocol):
    """A file whose bytes were checked."""

    @property
    def sample(self) -> pl.DataFrame:
        """Its first rows; text where the file is text."""
        ...

    @property
    def found(self) -> dict[str, object]:
        """What the file turned out to be, for the audit."""
        ...

    @property
    def unit(self) -> Literal["line", "row"]:
        """What its owner counts: lines of a text, rows of a table."""
        ...

    @property
    def decimal_comma(self) -> bool:
        """Whether numbers in its text are written 2,6."""
        ...

    def read(self, text: Collection[str]) -> pl.LazyFrame:
        """All columns, those of `text` as the text that stands in the file, if it is text."""
        ...

    def locate(self, rows: Sequence[int]) -> list[int]:
        """The numbers by which the file's owner finds these rows (counted from 0 here)."""
        ...


@dataclass(frozen=True, eq=False)
class FrameSource:
    """A table that had to be read whole.

    Attributes:
        frame: its columns.
        found: what the file turned out to be.
        unit: what its owner counts.
        lines: for text, the line of each row; else rows count from 1.
    """

    frame: pl.DataFrame
    found: dict[str, object]
    unit: Literal["line", "row"] = "row"
    lines: Sequence[int] | None = None
    decimal_comma: bool = False

    @property
    def sample(self) -> pl.DataFrame:
        """The first rows."""
        return self.frame.head(SAMPLE_ROWS)

    def read(self, text: Collection[str]) -> pl.LazyFrame:
        """All columns; types are the file's own."""
        del text
        return self.frame.lazy()

    def locate(self, rows: Sequence[int]) -> list[int]:
        """Lines of a text, row numbers from 1 of a table."""
        return [self.lines[row] if self.lines is not None else row + 1 for row in rows]


def places(source: Source, rows: Sequence[int], count: int | None = None) -> str:
    """The rows in words: `line 7`, `lines 7, 9 and 11`, `lines 7, 9, 11 and 1,234 more`."""
    shown = [f"{number:,}" for number in source.locate(list(rows[:3]))]
    total = len(rows) if count is None else count
    if total == 1:
        return f"{source.unit} {shown[0]}"
    if total > len(shown):
        return f"{source.unit}s {', '.join(shown)} and {total - len(shown):,} more"
    return f"{source.unit}s {', '.join(shown[:-1])} and {shown[-1]}"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence, the first twenty of them."""
    shown = ", ".join(repr(name) for name in names[:20])
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown


def check_names(names: Sequence[str], place: str) -> None:
    """Refuses names that stand twice, or that no reader would recognise.

    Raises:
        SeriesError: with the columns' numbers.
    """
    seen: dict[str, int] = {}
    for position, raw in enumerate(names, start=1):
        name = raw.strip()
        if name in seen:
            raise SeriesError(
                f"{place}: the column name {name!r} stands twice (columns {seen[name]} and {position}); give each column its own name",
                code="duplicate_column",
            )
        if len(name) > NAME_AT_MOST or not name.isprintable():
            raise SeriesError(
                f"{place}: the name of column {position} ({name[:40]!r}) is longer than {NAME_AT_MOST} characters or has control "
                f"characters",
                code="column_name",
            )
        if name:
            seen[name] = position
