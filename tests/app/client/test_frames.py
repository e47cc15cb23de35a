"""Data frames of either library become the same request, and forecasts a frame of the library that was sent."""

import gzip
import io
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import polars as pl
import pytest

from app.client.frames import frame_of, series_of, upload_of

NAMES = {"id_column": "unique_id", "time_column": "ds"}
ROWS: dict[str, list[Any]] = {
    "unique_id": ["b", "b", "a"],
    "ds": [datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)],
    "y": [1.0, None, 3.0],
    "warmth": [4, 5, 6],
    "town": ["x", "x", "z"],
}
AHEAD: dict[str, list[Any]] = {"unique_id": ["b"], "ds": [datetime(2024, 1, 3, tzinfo=UTC)], "warmth": [7]}


@pytest.mark.parametrize("library", [pl, pd])
def test_a_history_is_told_series_by_series_in_the_order_of_the_frame(library: Any) -> None:
    series = series_of(library.DataFrame(ROWS), library.DataFrame(AHEAD), ["town"], target="y", **NAMES)
    assert series == [
        {
            "unique_id": "b",
            "start": "2024-01-01T00:00:00Z",
            "target": [1.0, None],
            "past": {"warmth": [4.0, 5.0]},
            "future": {"warmth": [7.0]},
            "static": {"town": "x"},
        },
        {
            "unique_id": "a",
            "start": "2024-01-01T00:00:00Z",
            "target": [3.0],
            "past": {"warmth": [6.0]},
            "future": {},
            "static": {"town": "z"},
        },
    ]


def test_a_frame_without_ids_is_one_series_and_may_count_its_steps() -> None:
    (one,) = series_of(pl.DataFrame({"ds": [5, 6], "y": [1, 2]}), None, [], target="y", **NAMES)
    assert (one["unique_id"], one["start"], one["target"]) == ("series", 5, [1.0, 2.0])


def test_an_index_of_times_goes_along() -> None:
    frame = pd.DataFrame({"y": [1.0, 2.0]}, index=pd.Index(pd.to_datetime(["2024-01-01", "2024-01-02"]), name="ds"))
    content, headers = upload_of(frame)
    assert gzip.decompress(content).decode().splitlines() == ["ds,y", "2024-01-01,1.0", "2024-01-02,2.0"]
    assert headers == {"Content-Type": "text/csv", "Content-Encoding": "gzip"}
    (one,) = series_of(frame, None, [], target="y", **NAMES)
    assert (one["start"], one["target"]) == ("2024-01-01T00:00:00", [1.0, 2.0])


def test_a_frame_of_polars_is_uploaded_as_it_is() -> None:
    frame = pl.DataFrame(ROWS)
    content, headers = upload_of(frame)
    assert headers == {"Content-Type": "application/vnd.apache.parquet"}
    assert pl.read_parquet(io.BytesIO(content)).equals(frame)
    with pytest.raises(TypeError, match="not list"):
        upload_of([1, 2])
    with pytest.raises(TypeError, match="not dict"):
        series_of({}, None, [], target="y", **NAMES)


def test_forecasts_are_rows_with_a_column_for_each_quantile() -> None:
    told = [{"unique_id": "a", "timestamps": ["2024-01-02T00:00:00Z"], "mean": [2.0], "quantiles": {"0.1": [1.0], "0.9": [None]}}]
    polars, pandas = (frame_of(told, like_pandas=wanted, **NAMES) for wanted in (False, True))
    assert polars.to_dicts() == [{"unique_id": "a", "ds": datetime(2024, 1, 2, tzinfo=UTC), "mean": 2.0, "q0.1": 1.0, "q0.9": None}]
    assert list(pandas.columns) == ["unique_id", "ds", "mean", "q0.1", "q0.9"]
    assert pandas["ds"][0] == pd.Timestamp("2024-01-02", tz="UTC")
    assert frame_of([], like_pandas=False, **NAMES).columns == ["unique_id", "ds", "mean"]
