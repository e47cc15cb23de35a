"""What is kept of many forecasts until all are there, and what is made of it? Parts with numbers alone, and one table in a file.

part     [series, horizon, mean and quantiles], the first time of each series, and their names    safetensors
file     a row a step: unique_id, ds, mean, q0.1, ...                                              Parquet or CSV
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, assert_never

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from app.forecasting.checkpoint import pack, unpack
from app.series.frequency import parse_frequency
from app.series.time_values import TimeKind

Values = npt.NDArray[np.float64]
FileFormat = Literal["parquet", "csv"]

FORMULA = r"^[=+\-@\t\r]"
"""How a cell of text begins that a spreadsheet would compute (CWE-1236)."""

ROWS_OF_GROUP = 122_880
"""Of a row group: a reader that skips some reads the less the smaller they are."""


@dataclass(frozen=True, eq=False)
class Part:
    """Forecasts of some series.

    Attributes:
        ids: of the series.
        starts: int64 [series], time of each first step: microseconds since 1970, or a whole number.
        values: [series, horizon, 1 + levels], the mean and then the quantiles.
        told: what else is to be known of it, as JSON.
    """

    ids: tuple[str, ...]
    starts: npt.NDArray[np.int64]
    values: Values
    told: dict[str, Any]

    def dump(self) -> bytes:
        """The part as bytes."""
        tensors = {"starts": torch.from_numpy(self.starts), "values": torch.from_numpy(self.values)}
        return pack(tensors, {"ids": list(self.ids), "told": self.told})


def load_part(content: bytes) -> Part:
    """The part that `dump` made bytes of.

    Raises:
        ArtifactError: it is none.
    """
    tensors, document = unpack(content)
    return Part(tuple(document["ids"]), tensors["starts"].numpy(), tensors["values"].numpy(), document["told"])


def frame_of(part: Part, freq: str, kind: TimeKind, levels: Sequence[float]) -> pl.DataFrame:
    """A part as a table, a row a step; what is no finite number is null.

    Args:
        part: the forecasts.
        freq: of the series.
        kind: how their times are written.
        levels: of the quantiles.
    """
    series, steps = part.values.shape[:2]
    starts = part.starts if kind == "integer" else part.starts.astype("datetime64[us]")
    times = parse_frequency(freq).shift(starts[:, None], np.arange(steps, dtype=np.int64)).ravel()
    ds = pl.Series("ds", times)
    names = ["mean", *(f"q{level:g}" for level in levels)]
    flat = np.where(np.isfinite(part.values), part.values, np.nan).reshape(series * steps, len(names))
    return pl.DataFrame(
        [
            pl.Series("unique_id", part.ids, dtype=pl.String).gather(np.repeat(np.arange(series), steps)),
            ds.dt.replace_time_zone("UTC") if kind == "zoned" else ds,
            *(pl.Series(name, flat[:, place]).fill_nan(None) for place, name in enumerate(names)),
        ]
    )


def write_file(frames: Iterable[pl.DataFrame], path: Path, form: FileFormat) -> None:
    """Writes tables one below the other, of which only one at a time is in memory; equal tables give equal bytes.

    Args:
        frames: one at least, all with the same columns.
        path: of the file.
        form: of the file.
    """
    with tempfile.TemporaryDirectory(prefix="braidcast-") as folder:
        for number, frame in enumerate(frames):
            frame.write_ipc(Path(folder) / f"{number:08}.arrow", compression="uncompressed")
        whole = pl.scan_ipc(Path(folder) / "*.arrow")
        match form:
            case "parquet":
                whole.sink_parquet(path, compression="zstd", row_group_size=ROWS_OF_GROUP, maintain_order=True)
            case "csv":
                _written(whole).sink_csv(path, maintain_order=True)
            case _:
                assert_never(form)


def _written(whole: pl.LazyFrame) -> pl.LazyFrame:
    """The table as CSV has it: times as in every other answer, no text that a spreadsheet takes for a formula."""
    ids, times = pl.col("unique_id"), whole.collect_schema()["ds"]
    ids = pl.when(ids.str.contains(FORMULA)).then("'" + ids).otherwise(ids).alias("unique_id")
    ds = pl.col("ds")
    if isinstance(times, pl.Datetime):
        ds = ds.dt.strftime(f"%Y-%m-%dT%H:%M:%S%.f{'Z' if times.time_zone else ''}")
    return whole.select(ids, ds, pl.exclude("unique_id", "ds"))
