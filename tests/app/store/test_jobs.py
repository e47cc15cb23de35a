"""The life of a job, on both databases."""

import threading
from collections.abc import Callable, Sequence

import pytest

from app.errors import ConflictError, LeaseLostError, NotFoundError
from app.store.database import Database
from app.store.datasets import NewDataset, delete_dataset, hold_dataset, insert_dataset
from app.store.jobs import NewJob, cancel_job, get_job, insert_job, list_attempts, list_jobs, mark_dispatched, retry_job
from app.store.keys import ensure_owner
from app.store.leases import Claim, Lease, NewModel, claim, confirm_cancel, fail, finish, release, renew, succeed
from app.store.models import change_model, delete_model, get_model, list_models
from app.store.progress import Point, list_events, list_points, record_checkpoint, record_event, record_points
from app.store.sweep import Waiting, fail_exhausted, finish_cancelled, requeue_expired, undispatched

Add = Callable[..., str]
Take = Callable[..., Claim]

MODEL = NewModel("m", "b" * 64, 1, {}, "c" * 64, 10, "MS", {}, {})


def status(database: Database, owner: str, job: str) -> str:
    with database.read() as db:
        return get_job(db, owner, job).status


def together(count: int, work: Callable[[int], object]) -> None:
    threads = [threading.Thread(target=work, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def numbers(database: Database, owner: str, job: str) -> Sequence[int]:
    with database.read() as db:
        events, points = list_events(db, owner, job, 0, 1000), list_points(db, owner, job, 0, 1000)
    return sorted([event.seq for event in events] + [point.seq for point in points])


def test_of_many_claims_at_once_one_gets_the_job(database: Database, add_job: Add) -> None:
    job, got = add_job(), []

    def try_it(n: int) -> None:
        with database.begin() as db:
            got.append(claim(db, job, worker=f"w{n}", lease_seconds=60))

    together(6, try_it)
    assert len([claimed for claimed in got if claimed]) == 1


def test_a_claim_has_what_the_worker_needs(add_job: Add, take: Take, owner: str) -> None:
    job = add_job(spec={"version": 1}, max_runtime_seconds=9)
    got = take(job)
    assert got.lease == Lease(job, owner, 1)
    assert (got.dataset_digest, got.freq, got.season, got.checkpoint, got.max_runtime_seconds) == ("a" * 64, "MS", 12, None, 9)
    assert got.spec == {"version": 1}


def test_an_expired_lease_is_queued_again_and_its_attempt_can_write_nothing(
    database: Database, owner: str, add_job: Add, take: Take
) -> None:
    job = add_job()
    lost = take(job, lease_seconds=-1).lease
    with database.begin() as db:
        assert requeue_expired(db) == [job]
        assert requeue_expired(db) == []
        assert renew(db, lost, 60) is None
    for write in (
        lambda db: record_points(db, lost, [Point(1, {})], {}),
        lambda db: record_event(db, lost, "log", {}),
        lambda db: record_checkpoint(db, lost, "d" * 64, 1, 1, False),
        lambda db: succeed(db, lost, MODEL),
        lambda db: finish(db, lost),
        lambda db: fail(db, lost, code="internal", message="x"),
        lambda db: release(db, lost),
        lambda db: confirm_cancel(db, lost),
    ):
        with pytest.raises(LeaseLostError), database.begin() as db:
            write(db)
    assert take(job).lease.attempt == 2
    with database.read() as db:
        assert [attempt.outcome for attempt in list_attempts(db, owner, job)] == ["lost", None]


def test_a_lease_that_ran_out_can_be_claimed_before_it_is_swept(add_job: Add, take: Take) -> None:
    job = add_job()
    take(job, lease_seconds=-1)
    assert take(job).lease.attempt == 2


def test_a_job_whose_worker_is_lost_every_time_fails(database: Database, owner: str, add_job: Add, take: Take) -> None:
    job = add_job(max_attempts=2)
    take(job, lease_seconds=-1)
    take(job, lease_seconds=-1)
    with database.begin() as db:
        assert requeue_expired(db) == []
        assert fail_exhausted(db) == [job]
        assert claim(db, job, worker="w", lease_seconds=1) is None
    with database.read() as db:
        row = get_job(db, owner, job)
        assert row.status == "failed"
        assert row.error is not None
        assert row.error["code"] == "worker_lost"


def test_steps_are_recorded_once_over_attempts_and_numbers_have_no_gap(database: Database, owner: str, add_job: Add, take: Take) -> None:
    job = add_job()
    first = take(job, lease_seconds=-1).lease
    with database.begin() as db:
        record_points(db, first, [Point(step, {"train_loss": 1.0 / step}) for step in (1, 2, 3)], {"epoch": 3})
        record_checkpoint(db, first, "d" * 64, 1, 2, False)
    second = take(job)
    assert second.checkpoint is not None
    assert second.checkpoint.step == 2
    with database.begin() as db:
        record_points(db, second.lease, [Point(step, {"train_loss": 1.0 / step}) for step in (3, 4)], {"epoch": 4})
    with database.read() as db:
        assert [point.step for point in list_points(db, owner, job, 0, 100)] == [1, 2, 3, 4]
        assert get_job(db, owner, job).metrics == {"train_loss": 0.25}
    found = numbers(database, owner, job)
    assert found == list(range(1, len(found) + 1))


def test_writers_at_once_number_without_gaps(database: Database, owner: str, add_job: Add, take: Take) -> None:
    job = add_job()
    lease = take(job).lease

    def write(n: int) -> None:
        for _ in range(5):
            with database.begin() as db:
                record_event(db, lease, "log", {"n": n})

    together(4, write)
    assert numbers(database, owner, job) == list(range(1, 23))


def test_the_last_two_checkpoints_and_the_best_are_kept(database: Database, add_job: Add, take: Take) -> None:
    lease = take(add_job()).lease
    dropped = []
    with database.begin() as db:
        for step, name in enumerate("abcd", start=1):
            dropped.append(record_checkpoint(db, lease, name * 64, 1, step, name == "a"))
    assert dropped == [[], [], [], ["b" * 64]]


def test_a_drained_job_waits_again_without_having_burnt_an_attempt(database: Database, owner: str, add_job: Add, take: Take) -> None:
    job = add_job(max_attempts=1)
    lease = take(job).lease
    with database.begin() as db:
        release(db, lease)
    assert status(database, owner, job) == "queued"
    assert take(job).lease.attempt == 2


def test_success_stores_the_model_and_ends_the_job_in_one(database: Database, owner: str, add_job: Add, take: Take) -> None:
    job = add_job()
    lease = take(job).lease
    with database.begin() as db:
        model = succeed(db, lease, MODEL)
    with database.begin() as db:
        row = get_job(db, owner, job)
        assert (row.status, row.model_id) == ("succeeded", model)
        assert row.finished_at is not None
        assert get_model(db, owner, "m").id == get_model(db, owner, model).id == list_models(db, owner).rows[0].id
        assert change_model(db, owner, model, name="n", tags=["t"]).tags == ["t"]
        assert change_model(db, owner, model, name=None, tags=None).name == "n"
        assert delete_model(db, owner, model) == ["b" * 64]
        with pytest.raises(NotFoundError, match="is not a model of yours"):
            get_model(db, owner, model)


def test_a_job_may_succeed_without_a_model(database: Database, owner: str, add_job: Add, take: Take) -> None:
    job = add_job()
    lease = take(job).lease
    with database.begin() as db:
        finish(db, lease)
    with database.read() as db:
        row = get_job(db, owner, job)
        assert (row.status, row.model_id, row.lease_until) == ("succeeded", None, None)
        assert row.finished_at is not None
        assert [attempt.outcome for attempt in list_attempts(db, owner, job)] == ["succeeded"]
        assert list_events(db, owner, job, 0, 10)[-1].data == {"status": "succeeded", "model": None}
        assert list_models(db, owner).rows == []


def test_cancelling_ends_a_waiting_job_at_once_and_asks_a_running_one(database: Database, owner: str, add_job: Add, take: Take) -> None:
    waiting, running = add_job(), add_job()
    lease = take(running).lease
    with database.begin() as db:
        assert cancel_job(db, owner, waiting).status == "cancelled"
        assert cancel_job(db, owner, running).status == "cancelling"
        assert cancel_job(db, owner, running).status == "cancelling"
        orders = renew(db, lease, 60)
        assert orders is not None
        assert orders.cancel
        assert finish_cancelled(db) == []
        confirm_cancel(db, lease)
        assert cancel_job(db, owner, running).status == "cancelled"


def test_a_drain_while_cancelling_ends_the_job(database: Database, owner: str, add_job: Add, take: Take) -> None:
    job = add_job()
    lease = take(job).lease
    with database.begin() as db:
        cancel_job(db, owner, job)
        release(db, lease)
    assert status(database, owner, job) == "cancelled"


def test_a_cancelled_job_that_nobody_runs_is_ended_by_the_sweep(database: Database, owner: str, add_job: Add, take: Take) -> None:
    job = add_job()
    take(job, lease_seconds=-1)
    with database.begin() as db:
        cancel_job(db, owner, job)
        assert finish_cancelled(db) == [job]
    assert status(database, owner, job) == "cancelled"


def test_only_what_has_ended_without_a_model_can_be_retried(database: Database, owner: str, add_job: Add, take: Take) -> None:
    job = add_job()
    with pytest.raises(ConflictError, match="is queued; only a failed or cancelled job"), database.begin() as db:
        retry_job(db, owner, job)
    lease = take(job).lease
    with database.begin() as db:
        fail(db, lease, code="diverged", message="the loss is not a number")
    with database.begin() as db:
        row = retry_job(db, owner, job)
        assert (row.status, row.error, row.max_attempts) == ("queued", None, 4)


def test_jobs_that_the_queue_forgot_are_found_at_growing_intervals(database: Database, add_job: Add) -> None:
    job = add_job(queue="gpu", priority=6)
    with database.begin() as db:
        assert undispatched(db, 60, 10) == [Waiting(job, "gpu", 6, 0)]
        mark_dispatched(db, job)
        assert undispatched(db, 60, 10) == []
    with database.read() as db:
        assert [waiting.job_id for waiting in undispatched(db, -1, 10)] == [job]


def test_another_owner_finds_nothing(database: Database, add_job: Add, owner: str) -> None:
    job = add_job()
    with database.begin() as db:
        for ask in (get_job, cancel_job, retry_job):
            with pytest.raises(NotFoundError, match=f"{job} is not a job of yours"):
                ask(db, "own_other", job)
        assert list_jobs(db, "own_other").rows == []
        assert list_attempts(db, "own_other", job) == []
        assert [row.id for row in list_jobs(db, owner, status="queued", kind="train").rows] == [job]


def test_pages_follow_each_other_newest_first(database: Database, add_job: Add, owner: str) -> None:
    jobs = [add_job() for _ in range(3)]
    with database.read() as db:
        first = list_jobs(db, owner, limit=2)
        second = list_jobs(db, owner, limit=2, after=first.next_after)
    assert [row.id for row in (*first.rows, *second.rows)] == sorted(jobs, reverse=True)
    assert (first.has_more, second.has_more, second.next_after) == (True, False, None)


def test_a_dataset_that_a_job_is_being_made_of_is_not_deleted_meanwhile(database: Database) -> None:
    with database.begin() as db:
        owner = ensure_owner(db, "somebody")
        dataset = insert_dataset(db, owner, NewDataset("d", "a" * 64, 1, "D", 7, "y", [], {}, {})).id
    outcomes: list[str] = []

    def delete() -> None:
        try:
            with database.begin() as db:
                delete_dataset(db, owner, dataset)
            outcomes.append("deleted")
        except ConflictError:
            outcomes.append("refused")

    deleting = threading.Thread(target=delete)
    with database.begin() as db:
        hold_dataset(db, owner, dataset)
        deleting.start()
        deleting.join(0.5)
        assert deleting.is_alive()
        insert_job(db, owner, NewJob("train", "n", {}, {}, dataset, 1))
    deleting.join(20)
    assert outcomes == ["refused"]
