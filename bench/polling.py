"""How long does a poller wait for a 304, among a thousand? `make bench-polling`. Budget: 100 ms at the 95th percentile, one API process.

A thousand connections follow 20 running jobs that have 2,000 points each: half of them ask for the job, half for its metrics, each with the
ETag of the answer before and as soon as `Retry-After` says. Each second one of the jobs gets a point, so that some answers are whole.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from app.store.database import Database
from app.store.datasets import NewDataset, insert_dataset
from app.store.jobs import NewJob, insert_job
from app.store.keys import ensure_owner
from app.store.leases import Lease, claim
from app.store.progress import Point, record_points
from bench.service import serving

POLLERS = 1_000
JOBS = 20
POINTS = 2_000
WARM_SECONDS = 20.0
SECONDS = 30.0
MILLISECONDS_AT_MOST = 100.0

Latencies = defaultdict[tuple[str, int], list[float]]


def running_jobs(database: Database) -> list[Lease]:
    """Jobs that run and have points."""
    leases = []
    with database.begin() as db:
        owner = ensure_owner(db, "bench")
        dataset = insert_dataset(db, owner, NewDataset("data", "a" * 64, 1, "D", 7, "y", [], {}, {})).id
    for _ in range(JOBS):
        with database.begin() as db:
            job = insert_job(db, owner, NewJob("train", "polled", {}, {}, dataset, 1)).id
            claimed = claim(db, job, worker="bench:1:1", lease_seconds=3600)
            assert claimed is not None  # noqa: S101 nobody else is there
            leases.append(claimed.lease)
            points = [Point(step, {"train_loss": 1 / step, "grad_norm": float(step)}) for step in range(1, POINTS + 1)]
            record_points(db, claimed.lease, points, {"phase": "train", "step": POINTS})
    return leases


def move_on(database: Database, leases: Sequence[Lease], stop: threading.Event) -> None:
    """Gives one job a point each second."""
    step = POINTS
    while not stop.wait(1.0):
        step += 1
        with database.begin() as db:
            record_points(db, leases[step % len(leases)], [Point(step, {"train_loss": 1 / step})], {"phase": "train", "step": step})


async def poll(address: tuple[str, int], path: str, token: str, ends_at: float, found: Latencies) -> None:
    """One poller: asks, waits as it is told, asks again with the ETag that it got; of metrics, from where it is on."""
    await asyncio.sleep(random.uniform(0, WARM_SECONDS / 2))  # noqa: S311 pollers begin when they like
    reader, writer = await asyncio.open_connection(*address)
    kind, etag, cursor = path.rpartition("/")[2].partition("_")[0], "", ""
    counted_from = ends_at - SECONDS
    while time.monotonic() < ends_at:
        asked_at = time.monotonic()
        known = f"If-None-Match: {etag}\r\n" if etag else ""
        writer.write(f"GET {path}{cursor} HTTP/1.1\r\nHost: bench\r\nAuthorization: {token}\r\n{known}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if asked_at > counted_from:
            found[kind, int(head[0].split()[1])].append(1000 * (time.monotonic() - asked_at))
        etag = headers["etag"]
        if body and kind == "metrics":
            moved = f"?after={orjson.loads(body)['last_seq']}"
            etag, cursor = (etag if moved == cursor else ""), moved
        await asyncio.sleep(float(headers.get("retry-after", "1")))
    writer.close()


async def poll_all(url: str, token: str, jobs: Sequence[str]) -> Latencies:
    """All pollers at once; milliseconds by what was asked for and the status."""
    parts, found = urlsplit(url), defaultdict[tuple[str, int], list[float]](list)
    ends_at = time.monotonic() + WARM_SECONDS + SECONDS
    paths = [f"/v1/jobs/{jobs[number % len(jobs)]}" + ("/metrics" if number % 2 else "") for number in range(POLLERS)]
    await asyncio.gather(*(poll((str(parts.hostname), int(parts.port or 80)), path, token, ends_at, found) for path in paths))
    return found


def processor_seconds(pid: int) -> float:
    """Time of processors that a process has taken."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measures; exit code 1 when a 304 takes longer than its budget."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as api:
        database = Database(f"sqlite:///{folder}/braidcast.db")
        leases, stop = running_jobs(database), threading.Event()
        writer = threading.Thread(target=move_on, args=(database, leases, stop), daemon=True)
        writer.start()
        token = str(api.http.headers["Authorization"])
        busy, began_at = processor_seconds(api.pid), time.monotonic()
        found = asyncio.run(poll_all(str(api.http.base_url), token, [lease.job_id for lease in leases]))
        share = (processor_seconds(api.pid) - busy) / (time.monotonic() - began_at)
        stop.set()
        writer.join()
        database.dispose()
    for (kind, status), taken in sorted(found.items()):
        middle, high = (statistics.quantiles(taken, n=100)[centile - 1] for centile in (50, 95))
        print(f"{kind:8}{status} {len(taken) / SECONDS:6.0f}/s  median {middle:6.1f} ms  p95 {high:6.1f} ms  max {max(taken):6.1f} ms")
    print(f"the API took {100 * share:.0f} % of a processor")
    slowest = max((statistics.quantiles(taken, n=100)[94] for (_, status), taken in found.items() if status == 304), default=math.inf)
    sys.exit(0 if slowest <= MILLISECONDS_AT_MOST else f"a 304 has {MILLISECONDS_AT_MOST:.0f} ms")


if __name__ == "__main__":
    main()
