"""Workers that come, fall silent and go, and what they have counted, on both databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from app.store.database import Database, utc_in
from app.store.leases import Claim, claim
from app.store.measures import GONE, Counter, add_counts, total_counts, wait_counts
from app.store.operating_tables import MeasureRow, WorkerRow
from app.store.queues import depths, job_states, usage_of
from app.store.tables import JobRow
from app.store.workers import FORGOTTEN_SECONDS, SILENT_SECONDS, Presence, forget_silent, forget_worker, list_workers, see_worker

STEPS = Counter("training_steps")


def present(worker_id: str = "host:1", queues: tuple[str, ...] = ("cpu", "gpu")) -> Presence:
    return Presence(worker_id, worker_id.partition(":")[0], queues, "cpu", 2, "0.1.0")


def see(database: Database, *workers: Presence) -> None:
    for worker in workers:
        with database.begin() as db:
            see_worker(db, worker)


def last_seen(database: Database, worker_id: str, seconds_ago: float) -> None:
    with database.begin() as db:
        db.execute(sa.update(WorkerRow).where(WorkerRow.id == worker_id).values(seen_at=utc_in(-seconds_ago)))


def test_a_worker_is_listed_once_however_often_it_is_seen(database: Database) -> None:
    see(database, present("b:1"), present("a:1"), present("b:1", ("gpu",)))
    with database.read() as db:
        found = list_workers(db)
    assert [worker.presence for worker in found] == [present("b:1", ("gpu",)), present("a:1")]
    assert all(worker.seen_at >= worker.started_at and not worker.is_silent for worker in found)


def test_a_worker_that_is_not_heard_of_is_silent_first_and_forgotten_later(database: Database) -> None:
    see(database, present("a:1"), present("b:1"))
    last_seen(database, "a:1", SILENT_SECONDS + 5)
    with database.begin() as db:
        assert [worker.is_silent for worker in list_workers(db)] == [True, False]
        assert forget_silent(db) == []
    last_seen(database, "a:1", FORGOTTEN_SECONDS + 5)
    with database.begin() as db:
        assert forget_silent(db) == ["a:1"]
        assert [worker.presence.id for worker in list_workers(db)] == ["b:1"]


def test_a_worker_is_seen_with_the_jobs_that_its_processes_have(database: Database, owner: str, add_job: Callable[..., str]) -> None:
    see(database, present("a:1"), present("a:10"))
    jobs = [add_job() for _ in range(4)]
    with database.begin() as db:
        for job, process in zip(jobs, ("a:1:7", "a:1:8", "b:9:9"), strict=False):
            assert claim(db, job, worker=process, lease_seconds=60) is not None
        assert claim(db, jobs[3], worker="a:10:11", lease_seconds=0) is not None
    with database.read() as db:
        assert [worker.running for worker in list_workers(db)] == [((owner, jobs[0]), (owner, jobs[1])), ()]


def test_what_a_worker_has_counted_outlives_it(database: Database) -> None:
    see(database, present("a:1"), present("b:1"))
    for source, steps in (("a:1", 3.0), ("b:1", 4.0), ("a:1", 5.0)):
        with database.begin() as db:
            add_counts(db, source, {STEPS: steps})
    with database.begin() as db:
        forget_worker(db, "a:1")
        assert total_counts(db)[STEPS] == 12
        forget_worker(db, "b:1")
        assert total_counts(db) == {STEPS: 12}
        assert db.scalars(sa.select(MeasureRow.source)).all() == [GONE]


def test_processes_that_count_at_once_lose_nothing(database: Database) -> None:
    counts = {Counter("heartbeats", f"outcome={name}"): 1.0 for name in ("renewed", "lost", "unanswered")}

    def add(number: int) -> None:
        with database.begin() as db:
            add_counts(db, "a:1", dict(sorted(counts.items(), reverse=number % 2 == 0)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(40)))
    with database.read() as db:
        assert total_counts(db) == dict.fromkeys(counts, 40.0)


@pytest.mark.parametrize(("seconds", "bound"), [(0.0, "0.1"), (0.1, "0.1"), (0.11, "0.5"), (14_400.0, "14400"), (14_401.0, "+Inf")])
def test_a_wait_belongs_to_the_first_bucket_that_holds_it(seconds: float, bound: str) -> None:
    assert wait_counts("cpu", seconds) == {
        Counter("queue_wait", f"queue=cpu,le={bound}"): 1.0,
        Counter("queue_wait_seconds", "queue=cpu"): seconds,
    }


def test_a_claim_tells_how_long_the_job_has_waited(database: Database, add_job: Callable[..., str], take: Callable[..., Claim]) -> None:
    job = add_job()
    with database.begin() as db:
        db.execute(sa.update(JobRow).where(JobRow.id == job).values(queued_at=utc_in(-100.0)))
    waited = take(job, 0.0).waited_seconds
    assert waited is not None
    assert 100 <= waited < 160
    assert take(job).waited_seconds is None


def test_queues_are_told_by_priority_with_their_oldest_wait(
    database: Database, owner: str, add_job: Callable[..., str], take: Callable[..., Claim]
) -> None:
    waits, runs = [add_job(priority=6), add_job(priority=6)], add_job(queue="gpu")
    with database.begin() as db:
        db.execute(sa.update(JobRow).where(JobRow.id == waits[1]).values(queued_at=utc_in(-100.0)))
    take(runs)
    with database.read() as db:
        waiting, running = depths(db)
        states, usage = job_states(db), usage_of(db, owner)
    assert (waiting.queue, waiting.priority, waiting.waiting, waiting.running) == ("cpu", 6, 2, 0)
    assert waiting.oldest_wait_seconds is not None
    assert 100 <= waiting.oldest_wait_seconds < 160
    assert (running.queue, running.priority, running.waiting, running.running, running.oldest_wait_seconds) == ("gpu", 3, 0, 1, None)
    assert states == {("cpu", "queued"): 2, ("gpu", "running"): 1}
    assert (usage.datasets, usage.dataset_bytes, usage.models, usage.jobs) == (1, 1, 0, {"queued": 2, "running": 1})
