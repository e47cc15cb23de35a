"""What an attempt writes is whole, in order, and never another attempt's."""

import errno
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import LeaseLostError
from app.store.artifacts import ArtifactStore
from app.store.database import Database
from app.store.leases import Claim, claim, confirm_cancel
from app.store.progress import Point, list_events, list_points
from app.store.tables import CheckpointRow, JobRow
from tests.worker.stage import Stage, away, wait_until
from worker import ledger as ledger_module
from worker.heartbeat import Heartbeat, Order
from worker.ledger import FLUSH_POINTS, Ledger

LEASE_SECONDS = 20.0


def take(stage: Stage, job: str, lease_seconds: float = LEASE_SECONDS) -> Claim:
    with stage.database.begin() as db:
        got = claim(db, job, worker="w", lease_seconds=lease_seconds)
    assert got is not None
    return got


@contextmanager
def writing(stage: Stage, got: Claim, lease_seconds: float = LEASE_SECONDS) -> Iterator[Ledger]:
    with Heartbeat(stage.database, got.lease, lease_seconds, threading.Event()) as heartbeat:
        yield Ledger(stage.database, stage.artifacts, got.lease, heartbeat)


def steps(stage: Stage, job: str) -> list[int]:
    with stage.database.read() as db:
        return [point.step for point in list_points(db, stage.owner, job, 0, 10_000)]


def checkpoint_steps(database: Database) -> list[int]:
    with database.read() as db:
        return list(db.scalars(sa.select(CheckpointRow.step).order_by(CheckpointRow.step)))


def point(step: int) -> Point:
    return Point(step, {"loss": 1.0 / step})


def test_first_points_are_written_at_once_and_the_rest_when_a_second_has_passed(stage: Stage) -> None:
    got = take(stage, job := stage.add_job())
    with writing(stage, got) as ledger:
        ledger.note({"step": 1}, point(1))
        ledger.note({"step": 2}, point(2))
        assert steps(stage, job) == [1]
        time.sleep(1.05)
        ledger.note({"step": 3}, point(3))
        assert steps(stage, job) == [1, 2, 3]
    assert stage.job(job).progress == {"step": 3}


def test_many_points_do_not_wait_for_the_second(local_stage: Stage) -> None:
    got = take(local_stage, job := local_stage.add_job())
    with writing(local_stage, got) as ledger:
        for step in range(1, FLUSH_POINTS + 3):
            ledger.note({}, point(step))
        assert steps(local_stage, job) == list(range(1, FLUSH_POINTS + 2))


def test_points_come_before_their_checkpoint(stage: Stage) -> None:
    got = take(stage, job := stage.add_job())
    with writing(stage, got) as ledger:
        ledger.note({}, point(1))
        ledger.note({}, point(2))
        assert ledger.checkpoint(lambda: b"state", 2, is_best=True)
    assert (steps(stage, job), checkpoint_steps(stage.database)) == ([1, 2], [2])
    assert stage.artifacts.digests() >= {row.digest for row in checkpoints(stage)}


def checkpoints(stage: Stage) -> list[CheckpointRow]:
    with stage.database.read() as db:
        return list(db.scalars(sa.select(CheckpointRow)))


def test_old_checkpoints_leave_no_bytes_behind(local_stage: Stage) -> None:
    before = local_stage.artifacts.digests()
    got = take(local_stage, local_stage.add_job())
    with writing(local_stage, got) as ledger:
        for step in range(1, 6):
            assert ledger.checkpoint(lambda step=step: b"state %d" % step, step, is_best=step == 2)  # type: ignore[misc]
    assert checkpoint_steps(local_stage.database) == [2, 4, 5]
    assert local_stage.artifacts.digests() - before == {row.digest for row in checkpoints(local_stage)}


def test_checkpoint_is_due_when_its_time_has_come(local_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "CHECKPOINT_SECONDS", 0.3)
    got = take(local_stage, local_stage.add_job())
    with writing(local_stage, got) as ledger:
        assert not ledger.is_checkpoint_due
        wait_until(lambda: ledger.is_checkpoint_due)
        ledger.checkpoint(lambda: b"state", 1, is_best=False)
        assert not ledger.is_checkpoint_due


def test_nothing_is_lost_while_the_database_is_away(local_stage: Stage) -> None:
    got = take(local_stage, job := local_stage.add_job())
    with writing(local_stage, got) as ledger:
        with away(local_stage.database):
            ledger.note({}, point(1))
            ledger.note({}, point(2))
            assert not ledger.checkpoint(lambda: b"state", 2, is_best=True)
        assert ledger.checkpoint(lambda: b"state", 2, is_best=True)
    assert steps(local_stage, job) == [1, 2]


def test_end_is_written_once_the_database_is_back(local_stage: Stage) -> None:
    got = take(local_stage, job := local_stage.add_job())
    with writing(local_stage, got) as ledger:
        with away(local_stage.database):
            writer = threading.Thread(target=ledger.end, args=[lambda db: confirm_cancel(db, got.lease)])
            writer.start()
            time.sleep(0.7)
        writer.join(20)
    assert local_stage.job(job).status == "cancelled"


def test_end_has_the_points_that_could_not_be_written_before(local_stage: Stage) -> None:
    got = take(local_stage, job := local_stage.add_job())
    with writing(local_stage, got) as ledger:
        ledger.note({"step": 1}, point(1))
        with away(local_stage.database):
            ledger.note({"step": 2}, point(2))
            assert not ledger.tell("phase", {"losses": (0.1, None)})
        ledger.end(lambda db: confirm_cancel(db, got.lease))
    assert (steps(local_stage, job), local_stage.job(job).progress) == ([1, 2], {"step": 2})
    assert told(local_stage, job) == [{"losses": [0.1, None]}]


def test_event_whose_commit_was_not_answered_is_not_told_twice(local_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    got = take(local_stage, job := local_stage.add_job())
    with writing(local_stage, got) as ledger:
        begin = local_stage.database.begin

        @contextmanager
        def begin_and_lose_the_answer() -> Iterator[Session]:
            with begin() as db:
                yield db
            raise sa.exc.OperationalError("commit", {}, OSError("gone"))

        monkeypatch.setattr(local_stage.database, "begin", begin_and_lose_the_answer)
        assert not ledger.tell("phase", {"stage": 0})
        monkeypatch.undo()
        assert ledger.tell("phase", {"stage": 1})
    assert told(local_stage, job) == [{"stage": 0}, {"stage": 1}]


def told(stage: Stage, job: str) -> list[dict[str, object]]:
    with stage.database.read() as db:
        return [event.data for event in list_events(db, stage.owner, job, 0, 100, ["phase"])]


def full_for(times: int, artifacts: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """So often the storage takes nothing; then it does."""
    left, put = iter(range(times)), artifacts.put

    def put_or_refuse(content: bytes) -> str:
        if next(left, None) is None:
            return put(content)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(artifacts, "put", put_or_refuse)
    monkeypatch.setattr(ledger_module, "RETRY_SECONDS", 0.01)


def test_what_a_training_ends_with_waits_for_room(local_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    full_for(3, local_stage.artifacts, monkeypatch)
    with writing(local_stage, take(local_stage, local_stage.add_job())) as ledger:
        assert local_stage.artifacts.read(ledger.store(b"model")) == b"model"


def test_what_a_training_ends_with_does_not_wait_for_ever(local_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    full_for(1000, local_stage.artifacts, monkeypatch)
    monkeypatch.setattr(ledger_module, "STORAGE_SECONDS", 0.05)
    with writing(local_stage, take(local_stage, local_stage.add_job())) as ledger, pytest.raises(OSError, match="No space left"):
        ledger.store(b"model")


def test_lost_lease_writes_nothing_more(stage: Stage) -> None:
    got = take(stage, job := stage.add_job(), lease_seconds=0.0)
    with writing(stage, got) as ledger, stage.database.begin() as db:
        assert claim(db, job, worker="other", lease_seconds=60) is not None
        db.commit()
        with pytest.raises(LeaseLostError):
            ledger.note({}, point(1))
        with pytest.raises(LeaseLostError):
            ledger.checkpoint(lambda: b"state", 1, is_best=True)
        with pytest.raises(LeaseLostError):
            ledger.end(lambda db: confirm_cancel(db, got.lease))
    assert (steps(stage, job), stage.job(job).status) == ([], "running")


def test_lease_that_may_have_run_out_is_not_written_under(local_stage: Stage) -> None:
    got = take(local_stage, job := local_stage.add_job())
    with Heartbeat(local_stage.database, got.lease, 0.6, threading.Event()) as heartbeat:
        ledger = Ledger(local_stage.database, local_stage.artifacts, got.lease, heartbeat)
        with away(local_stage.database):
            wait_until(lambda: not heartbeat.may_commit)
            ledger.note({}, point(1))
        assert heartbeat.order is Order.GO_ON
        wait_until(ledger.flush)
    assert steps(local_stage, job) == [1]


def test_job_row_shows_how_far_it_is(local_stage: Stage) -> None:
    got = take(local_stage, job := local_stage.add_job())
    with writing(local_stage, got) as ledger:
        ledger.note({"phase": "preparing"})
    with local_stage.database.read() as db:
        assert db.scalar(sa.select(JobRow.progress).where(JobRow.id == job)) == {"phase": "preparing"}
