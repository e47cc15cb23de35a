"""How is a dataset read that need not fit into memory? Some whole series after others, in the order in which they are stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from app.series.table import scan_arrow

ROWS_AT_ONCE = 262_144
"""Read at once, but of a single series that is longer: some 10 MB of a dataset with a few columns."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some whole series.

    Attributes:
        frame: their rows.
        end: the row of the dataset that the next chunk begins with.
        rows: of the dataset.
    """

    frame: pl.DataFrame
    end: int
    rows: int


def chunks_of(path: Path, columns: Sequence[str], most_series: int, begin: int = 0, rows_at_once: int = ROWS_AT_ONCE) -> Iterator[Chunk]:
    """The series of a stored dataset; where chunks end depends on the dataset and the arguments alone.

    Args:
        path: what `write_arrow` wrote.
        columns: that are read, beside `unique_id`.
        most_series: of a chunk.
        begin: the row to begin with, at which a chunk has ended.
        rows_at_once: of a chunk, but of a single series that has more.
    """
    scan = scan_arrow(path).select("unique_id", *columns)
    rows = int(scan.select(pl.len()).collect().item())
    while begin < rows:
        frame = _whole_series(scan, begin, rows - begin, most_series, rows_at_once)
        begin += frame.height
        yield Chunk(frame, begin, rows)


def _whole_series(scan: pl.LazyFrame, begin: int, left: int, most_series: int, rows: int) -> pl.DataFrame:
    while True:
        frame = scan.slice(begin, rows).collect()
        # Where a series begins; the last may go on behind what was read.
        firsts = np.append(_firsts(frame["unique_id"]), [left] if frame.height == left else [])
        whole = min(len(firsts) - 1, most_series)
        if whole:
            return frame.head(int(firsts[whole]))
        rows *= 2


def _firsts(ids: pl.Series) -> npt.NDArray[np.int64]:
    return np.flatnonzero((ids != ids.shift(1)).fill_null(value=True).to_numpy())
