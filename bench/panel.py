"""How long does a job take to forecast 100,000 series, and how much memory? `make bench-panel`, about three minutes.

An LSTM of 2 x 64 units with drawn weights, context 96, horizon 24, an interval; series of 200 hourly values. Each job runs in a process of
its own, as in a worker, with one thread; what it has in memory before it begins (libraries, above all torch) is part of the peak.
The resident peak counts pages of mapped files too, which the kernel takes back when it wants to; its own memory it cannot take back.

    make bench-panel OPTIONS=20000              so many series at most
    make bench-panel BENCH_LIMIT=1000000000     in a memory control group of so many bytes: as root, on Linux
"""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from app.forecasting.checkpoint import dump
from app.store.artifacts import LocalArtifacts
from app.store.database import Database
from app.store.datasets import NewDataset, insert_dataset
from app.store.jobs import NewJob, get_job, insert_job
from app.store.keys import ensure_owner
from app.store.migrate import migrate
from bench.servers import HORIZON
from bench.serving import forecaster_of
from worker.attempt import Workplace
from worker.runner import run_job

SIZES = (5_000, 20_000, 100_000)
LENGTH = 200
START = np.datetime64("2024-01-01", "us")
LEASE_SECONDS = 60.0
RUNS = 3


def write_panel(path: Path, series: int) -> None:
    """A dataset as the service stores it."""
    ids = pl.Series("unique_id", [f"series-{number:06}" for number in range(series)], dtype=pl.String)
    times = START + np.arange(LENGTH) * np.timedelta64(1, "h")
    steps = np.tile(np.arange(LENGTH), series)
    noise = np.random.default_rng(0).normal(size=series * LENGTH)
    columns = {"ds": np.tile(times, series), "y": 10 + np.sin(2 * np.pi * steps / 24) + 0.1 * noise}
    frame = pl.DataFrame({"unique_id": ids.gather(np.repeat(np.arange(series), LENGTH)), **columns})
    frame.write_ipc(path, compression="uncompressed")


def prepare(home: Path, series: int, form: str) -> tuple[str, str]:
    """A home with a dataset, a model's artifact and a job; the job's id and its owner."""
    url = f"sqlite:///{home / 'braidcast.db'}"
    migrate(url)
    database, artifacts = Database(url), LocalArtifacts(home / "artifacts")
    path = home / "panel.arrow"
    write_panel(path, series)
    new = NewDataset("panel", artifacts.put(path), path.stat().st_size, "h", 24, "y", [], {}, {})
    model = forecaster_of("lstm")
    digest = artifacts.put(dump(model))
    with database.begin() as db:
        owner = ensure_owner(db, "bench")
        dataset = insert_dataset(db, owner, new).id
        spec = model.spec.model_dump(mode="json", by_alias=True)
        asked = {"kind": "forecast", "format": form}
        job = NewJob("forecast", "panel", asked, spec, dataset, 1, origin_id="mdl_0", origin_digest=digest)
        job_id = insert_job(db, owner, job).id
    database.dispose()
    path.unlink()
    return job_id, owner


@dataclass(frozen=True)
class Run:
    """What one job took.

    Attributes:
        seconds: of it.
        peak: of resident memory, in mebibytes.
        own: the peak without the pages of files.
        size: of its file, in megabytes.
    """

    seconds: float
    peak: float
    own: float
    size: float


class OwnMemory:
    """Looks at this process's memory that no file stands behind, while the block runs."""

    def __init__(self) -> None:
        self.peak = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
            self.peak = max(self.peak, int(found[1]) / 1024 if found else 0.0)


@contextmanager
def confined(limit: str | None) -> Iterator[None]:
    """A block in which this process has so many bytes, as a memory control group counts them; more ends it. None for no limit."""
    if limit is None:
        yield
        return
    first = Path("/sys/fs/cgroup/memory")
    group, name = (first, "memory.limit_in_bytes") if first.is_dir() else (first.parent, "memory.max")
    own, process = group / f"braidcast-bench-{os.getpid()}", str(os.getpid())
    own.mkdir()
    (own / name).write_text(limit)
    (own / "cgroup.procs").write_text(process)
    try:
        yield
    finally:
        (group / "cgroup.procs").write_text(process)
        own.rmdir()


def work(home: Path, job_id: str, owner: str) -> Run:
    """One job, in this process.

    Raises:
        SystemExit: it did not succeed.
    """
    database, artifacts = Database(f"sqlite:///{home / 'braidcast.db'}"), LocalArtifacts(home / "artifacts")
    began_at = time.perf_counter()
    with confined(os.environ.get("BENCH_LIMIT")), OwnMemory() as memory:
        run_job(job_id, Workplace(database, artifacts, LEASE_SECONDS, 1), threading.Event())
    seconds = time.perf_counter() - began_at
    with database.read() as db:
        row = get_job(db, owner, job_id)
    if row.result_digest is None:
        raise SystemExit(f"the job is {row.status}: {row.error}")
    with artifacts.open_local(row.result_digest) as path:
        size = path.stat().st_size
    return Run(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, memory.peak, size / 1e6)


def measured(series: int, form: str) -> Run:
    """One job in a fresh process; see `work`."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        job_id, owner = prepare(home, series, form)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(work, (home, job_id, owner))


def main() -> None:
    """Prints the table."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else max(SIZES)
    print(f"{'series':>8} {'format':8} {'seconds':>20} {'peak MiB':>9} {'own MiB':>9} {'file MB':>8} {'series a second':>16}", flush=True)
    for series in (size for size in SIZES if size <= most):
        for form in ("parquet", "csv"):
            runs = [measured(series, form) for _ in range(RUNS if series < max(SIZES) else 1)]
            seconds = sorted(run.seconds for run in runs)
            middle = seconds[len(seconds) // 2]
            spread = f"{middle:.1f} ({seconds[0]:.1f} to {seconds[-1]:.1f})"
            memory = f"{max(run.peak for run in runs):9.0f} {max(run.own for run in runs):9.0f}"
            print(f"{series:8,} {form:8} {spread:>20} {memory} {runs[0].size:8.1f} {series / middle:16,.0f}", flush=True)
    print(f"series of {LENGTH} values, {HORIZON} steps ahead")


if __name__ == "__main__":
    if os.environ.get("OMP_NUM_THREADS") != "1":
        # As a worker's processes have it; numpy reads it when it is imported.
        os.execve(sys.executable, [sys.executable, "-m", "bench.panel", *sys.argv[1:]], {**os.environ, "OMP_NUM_THREADS": "1"})  # noqa: S606 ourselves
    main()
