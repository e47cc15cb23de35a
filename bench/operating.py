"""What does it cost the database that jobs cannot be lost? `make bench-operating`, on a PostgreSQL of its own with fsync.

Milliseconds of each transaction of a worker or a reconciler, with 10,000 jobs that wait, of 50 owners, and 200 that run; then how many
claims a second several workers at once get. docs/operations.md reckons with these figures.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.demo.service import free_port
from app.store.database import Database
from app.store.datasets import NewDataset, insert_dataset
from app.store.jobs import NewJob, insert_job, mark_dispatched
from app.store.keys import ensure_owner
from app.store.leases import Lease, finish, renew
from app.store.measures import Counter, add_counts
from app.store.migrate import migrate
from app.store.progress import Point, record_checkpoint, record_points
from app.store.queues import depths, job_states
from app.store.sweep import fail_exhausted, finish_cancelled, requeue_expired, undispatched
from app.store.turns import claim_next
from tests.services import debian_postgres, wait_for_postgres

OWNERS, WAITING, RUNNING = 50, 10_000, 200
REPEATS = 200
AT_ONCE = 8

SPEC = {"text": "x" * 4_000}
"""About as long as a document is."""


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A server with PostgreSQL's own defaults, but for where it listens."""
    programs, port = debian_postgres(), free_port()
    if programs is None:
        sys.exit("this needs Debian's PostgreSQL: apt-get install postgresql")
    subprocess.run(["chown", "postgres", str(folder)], check=True)
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
    subprocess.run(
        [*as_user, str(programs / "initdb"), "-D", str(folder / "data"), "-A", "trust", "-U", "postgres"], check=True, capture_output=True
    )
    options = ["-p", str(port), "-h", "127.0.0.1", "-k", str(folder)]
    server = subprocess.Popen([*as_user, str(programs / "postgres"), "-D", str(folder / "data"), *options], stderr=subprocess.DEVNULL)
    try:
        url = f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
        wait_for_postgres(url)
        yield url
    finally:
        server.terminate()
        server.wait()


def fill(database: Database) -> list[str]:
    """Jobs that wait; their ids."""
    jobs = []
    for number in range(OWNERS):
        with database.begin() as db:
            owner = ensure_owner(db, f"owner {number}")
            dataset = insert_dataset(db, owner, NewDataset("data", "a" * 64, 1, "D", 7, "y", [], {}, {})).id
            jobs += [insert_job(db, owner, NewJob("train", "waits", {}, SPEC, dataset, 1)).id for _ in range((WAITING + RUNNING) // OWNERS)]
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("analyze"))
    return jobs


def told(name: str, database: Database, step: Callable[[Session, int], object], repeats: int = REPEATS) -> None:
    """Prints how long a transaction takes."""
    taken = []
    for number in range(repeats):
        began_at = time.perf_counter()
        with database.begin() as db:
            step(db, number)
        taken.append(1000 * (time.perf_counter() - began_at))
    centiles = statistics.quantiles(taken, n=20)
    print(f"{name:42} median {statistics.median(taken):7.2f} ms  p95 {centiles[18]:7.2f} ms")


def claim_one(database: Database, announced: str) -> Lease:
    """One claim of whichever job's turn it is."""
    with database.begin() as db:
        claimed = claim_next(db, announced, worker="bench:1:1", lease_seconds=3600)
    if claimed is None:
        sys.exit("a job that waits could not be claimed")
    return claimed.lease


def measure(database: Database) -> None:
    """Prints every figure."""
    jobs = fill(database)
    leases: list[Lease] = []

    def claim(db: Session, _: int) -> None:
        claimed = claim_next(db, jobs[0], worker="bench:1:1", lease_seconds=3600)
        leases.extend([claimed.lease] if claimed else [])

    def beat(db: Session, number: int) -> None:
        renew(db, leases[number], 3600)
        add_counts(db, "bench:1", {Counter("heartbeats", "outcome=renewed"): 1.0, Counter("training_steps"): 50.0})

    def points(number: int) -> list[Point]:
        return [Point(100 * number + step, {"train_loss": 1.0, "grad_norm": 1.0}) for step in range(1, 51)]

    told("claim, 10,000 waiting", database, claim)
    told("heartbeat", database, beat)
    told("flush of 50 points", database, lambda db, n: record_points(db, leases[n], points(n), {"step": n}))
    told("checkpoint's row", database, lambda db, n: record_checkpoint(db, leases[n], "a" * 64, 1, n, False))
    told("announcement's note", database, lambda db, n: mark_dispatched(db, jobs[-1 - n]))
    told("reconciler: lost, exhausted, cancelled", database, lambda db, _: (requeue_expired(db), fail_exhausted(db), finish_cancelled(db)))
    told("reconciler: 500 to announce", database, lambda db, _: undispatched(db, 60, 500), 50)
    told("scrape: jobs by state, queues", database, lambda db, _: (job_states(db), depths(db)), 50)
    told("a job's end", database, lambda db, n: finish(db, leases[n]))
    began_at = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda _: claim_one(database, jobs[0]), range(4 * REPEATS)))
    print(f"{f'claims by {AT_ONCE} workers at once':42} {4 * REPEATS / (time.perf_counter() - began_at):7.0f} a second")


def main() -> None:
    """Measures on a server of its own."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, postgres(Path(folder)) as url:
        migrate(url)
        database = Database(url)
        measure(database)
        database.dispose()


if __name__ == "__main__":
    main()
