"""How long does a million-row CSV take from a spooled file to stored Arrow, and how much memory?

`make bench-upload`. Budget: 1 s and 400 MB over the idle process on two cores (an upload has 1.5 s with its transfer). Each way of
writing the table is read three times in a process of its own; the best time and the highest memory count.
"""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from app.series.table import TableLimits, TableOptions, read_table, write_arrow

ROWS = 1_000_000
SERIES = 100
REPEATS = 3
SECONDS_AT_MOST, MEBIBYTES_AT_MOST = 1.0, 400
MEDIA_TYPES = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet", "ndjson": "application/x-ndjson"}


def panel() -> pl.DataFrame:
    """A hundred hourly series: 40 MB as a CSV."""
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


def peak_mebibytes() -> float:
    """The most memory this process had so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform != "darwin" else peak / 1024**2


def measure(path: Path, media_type: str) -> None:
    """Reads, checks and stores one file; prints seconds and extra memory as JSON."""
    pl.read_csv(io.BytesIO(b"a\n1\n"))  # starts polars' threads
    idle = peak_mebibytes()
    started = time.perf_counter()
    table = read_table(path, media_type, TableOptions(), TableLimits())
    write_arrow(table, path.with_suffix(".arrow"))
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "mebibytes": peak_mebibytes() - idle, "rows": table.frame.height}))


def main() -> None:
    """Measures every way of writing the table; exit code 1 when the plain CSV is over budget."""
    frame = panel()
    is_within = True
    with tempfile.TemporaryDirectory() as folder:
        for name in ("csv", "csv quoted", "csv shuffled", "csv words", "parquet", "ndjson"):
            path = Path(folder) / "upload"
            write(frame, name, path)
            command = [sys.executable, "-m", "bench.upload", str(path), MEDIA_TYPES[name.split(" ")[0]]]
            runs = [json.loads(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(REPEATS)]
            seconds, mebibytes = min(run["seconds"] for run in runs), max(run["mebibytes"] for run in runs)
            print(f"{name:14} {path.stat().st_size / 1e6:6.1f} MB  {seconds:6.2f} s  {mebibytes:5.0f} MiB more  {runs[0]['rows']:,} rows")
            is_within &= name != "csv" or (seconds <= SECONDS_AT_MOST and mebibytes <= MEBIBYTES_AT_MOST)
    sys.exit(0 if is_within else f"a plain CSV has {SECONDS_AT_MOST} s and {MEBIBYTES_AT_MOST} MiB")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]), sys.argv[2])
    else:
        main()
