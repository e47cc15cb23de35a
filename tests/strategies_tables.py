"""Tables as people have them: panels, the CSV they write, and bytes that are nearly tables."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl
from hypothesis import strategies as st

START = datetime(2024, 1, 1)  # noqa: DTZ001 - a dataset without a zone
STEPS = {"h": timedelta(hours=1), "D": timedelta(days=1), "W": timedelta(days=7), "15min": timedelta(minutes=15)}
IDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)
NUMBERS = st.none() | st.floats(-1e9, 1e9).map(lambda value: round(value, 3))


@dataclass(frozen=True)
class RegularTable:
    """A regular panel, and its frequency.

    Attributes:
        frame: unique_id, ds, y; sorted, gapless, with at least one observed value.
        freq: its frequency's text.
    """

    frame: pl.DataFrame
    freq: str

    def csv(self) -> bytes:
        """The panel as a CSV."""
        file = io.BytesIO()
        self.frame.write_csv(file, datetime_format="%Y-%m-%dT%H:%M:%S")
        return file.getvalue()


@st.composite
def regular_tables(draw: st.DrawFn) -> RegularTable:
    """Panels of one to four series, each of three to twelve steps."""
    freq = draw(st.sampled_from(sorted(STEPS)))
    ids = sorted(draw(st.lists(IDS, min_size=1, max_size=4, unique=True)))
    rows = []
    for unique_id in ids:
        first = draw(st.integers(0, 5))
        values = draw(st.lists(NUMBERS, min_size=3, max_size=12))
        rows += [(unique_id, START + STEPS[freq] * (first + step), value) for step, value in enumerate(values)]
    rows[0] = (*rows[0][:2], 1.0)
    schema = {"unique_id": pl.String(), "ds": pl.Datetime("us"), "y": pl.Float64()}
    return RegularTable(pl.DataFrame(rows, schema=schema, orient="row"), freq)


FRAGMENTS = st.sampled_from([
    b"ds", b"y", b"unique_id", b"a", b"2024-01-01", b"2024-01-02", b"2024-01-03T00:00:00Z", b"01/02/2024", b"2024 Q1", b"2024-13-45",
    b"1", b"2", b"3.5", b"-1", b"1e400", b"NaN", b"inf", b"null", b"9999999-01-01", b"99999999999999999999", b"1,5", b"12:30", b",",
    b",", b";", b"\t", b"\n", b"\n", b"\n", b"\r\n", b"\r", b'"', b'""', b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b" ", b"=1+1",
    "é".encode(), "\u2028".encode(), b"\x1c", b"2020", b"20240101", b"{", b"}", b"[", b"]", b":", b'{"ds": 1, "y": 2}',
    b'{"ds": "2024-01-01", "y": 2}\n', b'"ds"', b'"y"', b"true", b"PAR1",
])  # fmt: skip
"""Pieces of which nearly tables are made."""

nearly_tables = st.lists(FRAGMENTS, max_size=40).map(b"".join) | st.binary(max_size=200)


@st.composite
def grids_of_fragments(draw: st.DrawFn) -> bytes:
    """CSVs with the right number of fields per row and anything in them."""
    width = draw(st.integers(1, 4))
    cells = FRAGMENTS.filter(lambda piece: not set(piece) & set(b'\n\r"\0\xff\t;,'))
    header = draw(st.lists(cells, min_size=width, max_size=width))
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=6))
    return b"\n".join(b",".join(row) for row in [header, *rows])


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes with some of them cut off, changed, or put in."""
    at = draw(st.integers(0, max(len(content) - 1, 0)))
    piece = draw(FRAGMENTS | st.binary(min_size=1, max_size=4))
    return draw(st.sampled_from([content[:at], content[:at] + piece + content[at:], content[:at] + piece + content[at + len(piece) :]]))
