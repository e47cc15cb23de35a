"""How long does a million-row upload take over HTTP, and how much memory does it cost the server?

`make bench-upload`. Budget for the plain CSV: 1.5 s and 400 MiB over the idle server on two cores. Each way of writing the table is sent
to a server of its own, which has answered one small upload before, from a process of its own on the same machine.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import polars as pl

from bench.service import ApiProcess, serving

ROWS = 1_000_000
SERIES = 100
REPEATS = 5
SECONDS_AT_MOST, MEBIBYTES_AT_MOST = 1.5, 400
MEDIA_TYPES = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet", "ndjson": "application/x-ndjson"}
SMALL = "ds,y\n" + "".join(f"2024-01-{day:02d},{day}\n" for day in range(1, 29))


def panel() -> pl.DataFrame:
    """A hundred hourly series: 38 MB as a CSV."""
    steps = ROWS // SERIES
    first = datetime(2020, 1, 1)  # noqa: DTZ001 - a dataset without a zone
    hours = pl.datetime_range(first, first + timedelta(hours=steps - 1), "1h", eager=True)
    ids = np.repeat([f"series-{number:03d}" for number in range(SERIES)], steps)
    values = np.random.default_rng(0).normal(100, 10, ROWS).round(4)
    return pl.DataFrame({"unique_id": ids, "ds": pl.concat([hours] * SERIES), "y": values})


def write(frame: pl.DataFrame, name: str, path: Path) -> None:
    """One way of writing the table."""
    match name.split(" "):
        case ["parquet", *_]:
            frame.write_parquet(path)
        case ["ndjson", *_]:
            frame.with_columns(pl.col("ds").dt.to_string("iso")).write_ndjson(path)
        case ["csv", "quoted"]:
            frame.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S", quote_style="non_numeric")
        case ["csv", "shuffled"]:
            frame.sample(fraction=1.0, shuffle=True, seed=1).write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S")
        case ["csv", "words"]:
            text = pl.when(pl.int_range(pl.len()) % 1000 == 0).then(pl.lit("NA")).otherwise(pl.col("y").cast(pl.String))
            frame.with_columns(text.alias("y")).write_csv(path, datetime_format="%d/%m/%Y %H:%M")
        case _:
            frame.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S")


def send(api: ApiProcess, content: bytes, media_type: str) -> float:
    """Uploads a table; seconds until its answer."""
    started = time.perf_counter()
    answer = api.http.post("/v1/datasets", content=content, headers={"Content-Type": media_type})
    seconds = time.perf_counter() - started
    if answer.status_code != httpx.codes.CREATED:
        sys.exit(answer.text)
    return seconds


def measure(content: bytes, media_type: str) -> tuple[list[float], float]:
    """Seconds of each upload, and the most memory over the idle server in MiB."""
    with tempfile.TemporaryDirectory() as home, serving(Path(home)) as api:
        send(api, SMALL.encode(), "text/csv")
        idle = api.resident_mebibytes()
        seconds = [send(api, content, media_type) for _ in range(REPEATS)]
        return seconds, api.peak_mebibytes() - idle


def main() -> None:
    """Measures every way of writing the table; exit code 1 when the plain CSV is over budget."""
    frame = panel()
    is_within = True
    print(f"{ROWS:,} rows, median of {REPEATS} uploads (fastest to slowest), most memory over the idle server")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("csv", "csv quoted", "csv shuffled", "csv words", "parquet", "ndjson"):
            path = Path(folder) / "upload"
            write(frame, name, path)
            seconds, mebibytes = measure(path.read_bytes(), MEDIA_TYPES[name.split(" ")[0]])
            median = statistics.median(seconds)
            spread = f"({min(seconds):.2f} to {max(seconds):.2f})"
            print(f"{name:14} {path.stat().st_size / 1e6:6.1f} MB  {median:6.2f} s {spread}  {mebibytes:5.0f} MiB", flush=True)
            is_within &= name != "csv" or (median <= SECONDS_AT_MOST and mebibytes <= MEBIBYTES_AT_MOST)
    sys.exit(0 if is_within else f"a plain CSV has {SECONDS_AT_MOST} s and {MEBIBYTES_AT_MOST} MiB")


if __name__ == "__main__":
    main()
