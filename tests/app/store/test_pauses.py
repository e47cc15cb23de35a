"""A job that waits because its owner wants it to, on both databases."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from app.errors import ConflictError
from app.store.database import Database
from app.store.jobs import cancel_job, get_job, list_attempts, pause_job, resume_job, retry_job
from app.store.leases import Claim, Orders, claim, fail, release, renew
from app.store.progress import list_events
from app.store.sweep import fail_exhausted, finish_paused, requeue_expired, undispatched
from app.store.tables import JobRow

Add = Callable[..., str]
Take = Callable[..., Claim]


def states(database: Database, owner: str, job: str) -> list[str]:
    with database.read() as db:
        return [event.data["status"] for event in list_events(db, owner, job, 0, 100, ("state",))]


def test_a_waiting_job_is_paused_at_once_and_nobody_gets_it(database: Database, owner: str, add_job: Add) -> None:
    job = add_job()
    with database.begin() as db:
        assert pause_job(db, owner, job).status == pause_job(db, owner, job).status == "paused"
        assert claim(db, job, worker="w", lease_seconds=60) is None
        assert undispatched(db, 0) == []
        assert resume_job(db, owner, job).status == resume_job(db, owner, job).status == "queued"
        assert [waiting.job_id for waiting in undispatched(db, 60)] == [job]
    assert states(database, owner, job) == ["queued", "paused", "queued"]


def test_a_running_job_is_paused_by_its_worker_without_burning_the_attempt(
    database: Database, owner: str, add_job: Add, take: Take
) -> None:
    job = add_job(max_attempts=1)
    lease = take(job).lease
    with database.begin() as db:
        assert pause_job(db, owner, job).status == pause_job(db, owner, job).status == "pausing"
        assert renew(db, lease, 60) == Orders(cancel=False, pause=True)
        release(db, lease)
        assert get_job(db, owner, job).status == "paused"
        assert [attempt.outcome for attempt in list_attempts(db, owner, job)] == ["paused"]
        resume_job(db, owner, job)
    assert take(job).lease.attempt == 2
    assert states(database, owner, job) == ["queued", "running", "pausing", "paused", "queued", "running"]


def test_a_pause_that_is_taken_back_before_the_worker_hears_of_it_was_none(
    database: Database, owner: str, add_job: Add, take: Take
) -> None:
    job = add_job()
    lease = take(job).lease
    with database.begin() as db:
        pause_job(db, owner, job)
        assert resume_job(db, owner, job).status == "running"
        assert renew(db, lease, 60) == Orders(cancel=False)


def test_a_worker_that_stops_for_a_pause_that_was_taken_back_puts_the_job_back(
    database: Database, owner: str, add_job: Add, take: Take
) -> None:
    job = add_job()
    lease = take(job).lease
    with database.begin() as db:
        pause_job(db, owner, job)
        resume_job(db, owner, job)
        release(db, lease)
    assert states(database, owner, job)[-1] == "queued"


def test_a_job_whose_last_worker_was_lost_while_it_was_to_be_paused_can_be_resumed(
    database: Database, owner: str, add_job: Add, take: Take
) -> None:
    job = add_job(max_attempts=1)
    take(job, lease_seconds=-1)
    with database.begin() as db:
        pause_job(db, owner, job)
        assert (requeue_expired(db), fail_exhausted(db), finish_paused(db)) == ([], [], [job])
        resume_job(db, owner, job)
    assert take(job).lease.attempt == 2


def test_a_paused_job_can_be_cancelled_and_an_ended_one_not_paused(database: Database, owner: str, add_job: Add) -> None:
    job = add_job()
    with database.begin() as db:
        pause_job(db, owner, job)
        assert cancel_job(db, owner, job).status == "cancelled"
        for order, sentence in ((pause_job, "only a job that waits or runs"), (resume_job, "only a paused job")):
            with pytest.raises(ConflictError, match=sentence):
                order(db, owner, job)


def test_a_retry_that_is_asked_for_twice_happens_once(database: Database, owner: str, add_job: Add, take: Take) -> None:
    job = add_job()
    lease = take(job).lease
    with database.begin() as db:
        fail(db, lease, code="worker_lost", message="gone", retryable=True)
        assert retry_job(db, owner, job).max_attempts == retry_job(db, owner, job).max_attempts == 4
    take(job)
    with database.begin() as db:
        assert retry_job(db, owner, job).status == "running"
    assert states(database, owner, job) == ["queued", "running", "failed", "queued", "running"]


def test_what_helps_a_search_waits_and_goes_on_with_it(database: Database, owner: str, add_job: Add, take: Take) -> None:
    search = add_job(kind="search", helpers=2)
    with database.read() as db:
        helpers = db.scalars(sa.select(JobRow.id).where(JobRow.parent_id == search).order_by(JobRow.id)).all()

    def helping() -> list[str]:
        with database.read() as db:
            return list(db.scalars(sa.select(JobRow.status).where(JobRow.parent_id == search).order_by(JobRow.id)))

    take(helpers[0])
    for order, after in (
        (pause_job, ["pausing", "paused"]),
        (resume_job, ["running", "queued"]),
        (cancel_job, ["cancelling", "cancelled"]),
    ):
        with database.begin() as db:
            order(db, owner, search)
        assert helping() == after
    with database.begin() as db:
        retry_job(db, owner, search)
    assert helping() == ["cancelling", "queued"]
