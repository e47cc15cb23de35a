"""Whose job a worker that wakes up takes, on both databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.store.database import Database
from app.store.datasets import insert_dataset
from app.store.jobs import NewJob, cancel_job, get_job, insert_job, mark_dispatched
from app.store.keys import ensure_owner
from app.store.leases import Claim, finish, release
from app.store.turns import claim_next
from tests.app.store.conftest import new_dataset

Add = Callable[..., str]


@pytest.fixture
def add(database: Database) -> Add:
    """Insert a job of an owner's, by the owner's name; its id."""

    def insert(owner_name: str, **changes: Any) -> str:
        with database.begin() as db:
            owner = ensure_owner(db, owner_name)
            dataset = insert_dataset(db, owner, new_dataset()).id
            plain: dict[str, Any] = {"kind": "train", "name": "job", "request": {}, "spec": {}, "dataset_id": dataset, "dataset_version": 1}
            return insert_job(db, owner, NewJob(**(plain | changes))).id

    return insert


def wake(database: Database, announced: str, lease_seconds: float = 60.0) -> Claim | None:
    with database.begin() as db:
        return claim_next(db, announced, worker="w", lease_seconds=lease_seconds)


def took(database: Database, announced: str) -> str:
    claimed = wake(database, announced)
    assert claimed is not None
    return claimed.lease.job_id


def end(database: Database, job: str, claimed: Claim) -> None:
    assert claimed.lease.job_id == job
    with database.begin() as db:
        finish(db, claimed.lease)


def test_a_long_queue_of_one_owner_does_not_hold_up_the_first_job_of_another(database: Database, add: Add) -> None:
    many = [add("many") for _ in range(500)]
    single = add("single")
    assert took(database, many[0]) == many[0]
    assert took(database, many[1]) == single
    assert took(database, many[2]) == many[1]


def test_owners_whose_jobs_end_at_once_take_turns(database: Database, add: Add) -> None:
    first, second = [add("a") for _ in range(3)], [add("b") for _ in range(3)]
    order = []
    for _ in range(6):
        claimed = wake(database, first[0])
        assert claimed is not None
        order.append(claimed.lease.job_id)
        end(database, order[-1], claimed)
    assert {frozenset(pair) for pair in zip(order[::2], order[1::2], strict=True)} == {
        frozenset(p) for p in zip(first, second, strict=True)
    }


def test_an_owner_with_more_running_jobs_waits_however_long_ago_they_began(database: Database, add: Add) -> None:
    long = [add("a") for _ in range(3)]
    assert [took(database, long[0]) for _ in range(2)] == long[:2]
    short = [add("b") for _ in range(2)]
    for job in short:
        claimed = wake(database, long[2])
        assert claimed is not None
        end(database, job, claimed)
    assert took(database, short[0]) == long[2]


def test_a_lost_job_does_not_count_as_running(database: Database, add: Add) -> None:
    lost, waiting = add("a"), add("a")
    assert wake(database, lost, lease_seconds=0.0) is not None
    other = [add("b") for _ in range(2)]
    assert took(database, other[0]) == other[0]
    assert took(database, other[0]) == waiting


def test_priorities_order_the_jobs_of_one_owner(database: Database, add: Add) -> None:
    low, middle, high = add("a", priority=9), add("a"), add("a", priority=0)
    assert [took(database, low) for _ in range(3)] == [high, middle, low]


def test_a_priority_gets_nobody_ahead_of_another_owner(database: Database, add: Add) -> None:
    urgent = [add("a", priority=0) for _ in range(2)]
    patient = add("b", priority=9)
    assert [took(database, urgent[0]) for _ in range(3)] == [urgent[0], patient, urgent[1]]


def test_jobs_of_another_queue_are_left_to_its_workers(database: Database, add: Add) -> None:
    on_gpu, on_cpu = add("a", queue="gpu"), add("a")
    assert took(database, on_cpu) == on_cpu
    assert wake(database, on_cpu) is None
    assert took(database, on_gpu) == on_gpu


def test_the_message_of_a_job_that_was_cancelled_starts_another(database: Database, add: Add) -> None:
    cancelled, waiting = add("a"), add("a")
    with database.begin() as db:
        cancel_job(db, ensure_owner(db, "a"), cancelled)
    assert took(database, cancelled) == waiting
    assert wake(database, cancelled) is None


def test_a_forged_message_starts_nothing(database: Database, add: Add) -> None:
    add("a")
    assert wake(database, "job_that_never_was") is None


def test_a_job_whose_lease_ran_out_is_taken_by_its_own_message(database: Database, add: Add) -> None:
    job = add("a")
    assert wake(database, job, lease_seconds=0.0) is not None
    again = wake(database, job)
    assert again is not None
    assert (again.lease.job_id, again.lease.attempt) == (job, 2)


def test_the_wait_of_a_job_begins_anew_whenever_it_is_queued(database: Database, add: Add) -> None:
    job = add("a")
    with database.read() as db:
        owner = ensure_owner(db, "a")
        first = get_job(db, owner, job).queued_at
    claimed = wake(database, job)
    assert claimed is not None
    with database.begin() as db:
        release(db, claimed.lease)
    with database.read() as db:
        second = get_job(db, owner, job).queued_at
    assert first is not None
    assert second is not None
    assert second > first


def test_many_workers_that_wake_at_once_take_every_job_once(database: Database, add: Add) -> None:
    jobs = [add(f"owner {number % 3}") for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda job: wake(database, job), jobs))
    assert sorted(claim.lease.job_id for claim in claims if claim is not None) == sorted(jobs)


def test_a_job_that_is_being_announced_is_waited_for(database: Database, add: Add) -> None:
    job = add("a")
    with ThreadPoolExecutor(1) as pool:
        with database.begin() as db:
            mark_dispatched(db, job)
            taking = pool.submit(wake, database, job)
            with pytest.raises(TimeoutError):
                taking.result(0.5)
        claimed = taking.result(60)
    assert claimed is not None
    assert claimed.lease.job_id == job
