"""How do data frames travel? polars as Parquet, pandas as CSV; what comes back is of the library that was sent."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import polars as pl

Record = dict[str, Any]


def is_pandas(frame: object) -> bool:
    """Whether this is a data frame of pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(frame, pandas.DataFrame)


def upload_of(frame: Any) -> tuple[bytes, dict[str, str]]:
    """A data frame as a body and its headers.

    An index of pandas that is more than numbers of rows goes along as columns.

    Raises:
        TypeError: it is of neither library.
    """
    if isinstance(frame, pl.DataFrame):
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        return buffer.getvalue(), {"Content-Type": "application/vnd.apache.parquet"}
    if is_pandas(frame):
        text = _without_index(frame).to_csv(index=False)
        return gzip.compress(text.encode(), 1), {"Content-Type": "text/csv", "Content-Encoding": "gzip"}
    raise TypeError(f"a data frame of polars or pandas is wanted, not {type(frame).__name__}")


def series_of(history: Any, future: Any | None, static: Sequence[str], *, id_column: str, time_column: str, target: str) -> list[Record]:
    """Histories as a forecast's request has them, in the order in which they begin in the frame.

    Args:
        history: a data frame: a row a step, rising within a series; without `id_column` it is one series.
        future: a data frame of the columns that are known ahead, from the step after the history on.
        static: columns that never change within a series.
        id_column: whose a row is.
        time_column: its time.
        target: what is forecast.

    Raises:
        TypeError: these are no data frames.
    """
    ahead = _grouped(future, id_column) if future is not None else {}
    own = {id_column, time_column}
    series = []
    for unique_id, rows in _grouped(history, id_column).items():
        past = [name for name in rows[0] if name not in own | {target} | set(static)]
        known = [name for name in ahead.get(unique_id, [{}])[0] if name not in own]
        series.append(
            {
                "unique_id": unique_id,
                "start": _moment(rows[0][time_column]),
                "target": _column(rows, target),
                "past": {name: _column(rows, name) for name in past},
                "future": {name: _column(ahead[unique_id], name) for name in known},
                "static": {name: rows[0][name] for name in static},
            }
        )
    return series


def frame_of(forecasts: Sequence[Mapping[str, Any]], *, like_pandas: bool, id_column: str, time_column: str) -> Any:
    """Forecasts as a data frame: `id_column`, `time_column`, `mean` and a column `q0.1` for each quantile, a row a step.

    Times are datetimes, in UTC where the data's have a zone, or whole numbers.
    """
    columns: dict[str, list[Any]] = {id_column: [], time_column: [], "mean": []}
    columns |= {f"q{level}": [] for level in (forecasts[0]["quantiles"] if forecasts else ())}
    for one in forecasts:
        columns[id_column] += [one["unique_id"]] * len(one["mean"])
        columns[time_column] += [_read(moment) for moment in one["timestamps"]]
        columns["mean"] += one["mean"]
        for level, values in one["quantiles"].items():
            columns[f"q{level}"] += values
    if like_pandas:
        return sys.modules["pandas"].DataFrame(columns)
    return pl.DataFrame(columns)


def _grouped(frame: Any, id_column: str) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for row in _records(frame):
        groups.setdefault(str(row.get(id_column, "series")), []).append(row)
    return groups


def _records(frame: Any) -> list[Record]:
    if is_pandas(frame):
        return [{str(name): value for name, value in row.items()} for row in _without_index(frame).to_dict("records")]
    if isinstance(frame, pl.DataFrame):
        return frame.to_dicts()
    raise TypeError(f"a data frame of polars or pandas is wanted, not {type(frame).__name__}")


def _without_index(frame: Any) -> Any:
    """A data frame of pandas whose index, where it is more than numbers of rows, has become columns."""
    return frame if type(frame.index).__name__ == "RangeIndex" else frame.reset_index()


def _column(rows: Sequence[Record], name: str) -> list[float | None]:
    """Numbers, None where missing; NaN is what does not equal itself."""
    values = (row[name] for row in rows)
    return [None if value is None or value != value else float(value) for value in values]


def _moment(value: Any) -> str | int:
    if isinstance(value, (date, datetime)):
        text = value.isoformat() if isinstance(value, datetime) else f"{value.isoformat()}T00:00:00"
        return text.replace("+00:00", "Z")
    return value if isinstance(value, str) else int(value)


def _read(moment: str | int) -> datetime | int:
    return datetime.fromisoformat(moment) if isinstance(moment, str) else moment
