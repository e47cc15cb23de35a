"""An attempt keeps its lease, hears what it is to do, and never outlives the one it reports to."""

import subprocess
import sys
import threading
import time

import pytest
import sqlalchemy as sa

from app.embedded.endings import is_running
from app.errors import LeaseLostError
from app.store.database import Database, utc_in
from app.store.jobs import cancel_job, pause_job
from app.store.leases import Claim, Lease, claim
from app.store.tables import JobRow
from tests.worker.stage import Stage, away, wait_until
from worker.heartbeat import EXIT_UNRESPONSIVE, Heartbeat, Order

LEASE_SECONDS = 1.5

BEATS = """
import sys, threading, time
from app.store.database import Database
from app.store.leases import Lease
from worker.heartbeat import Heartbeat
lease = Lease(sys.argv[2], sys.argv[3], int(sys.argv[4]))
with Heartbeat(Database(sys.argv[1]), lease, 0.9, threading.Event(), patience_seconds=0.3):
    print("here", flush=True)
    time.sleep(600)
"""

DIES_AFTER_STARTING = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", *sys.argv[1:]], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
"""


def claimed(stage: Stage, lease_seconds: float = LEASE_SECONDS) -> Claim:
    job = stage.add_job()
    with stage.database.begin() as db:
        got = claim(db, job, worker="w", lease_seconds=lease_seconds)
    assert got is not None
    return got


def heart(stage: Stage, lease: Lease, drain: threading.Event | None = None) -> Heartbeat:
    return Heartbeat(stage.database, lease, LEASE_SECONDS, drain or threading.Event())


def is_expired(database: Database, job_id: str) -> bool:
    with database.read() as db:
        return bool(db.scalar(sa.select(JobRow.lease_until < utc_in(0)).where(JobRow.id == job_id)))


def arguments(stage: Stage, lease: Lease) -> list[str]:
    return [stage.database.url.render_as_string(hide_password=False), lease.job_id, lease.owner, str(lease.attempt)]


def test_lease_outlasts_its_length_while_the_heart_beats(stage: Stage) -> None:
    lease = claimed(stage).lease
    with heart(stage, lease) as heartbeat:
        time.sleep(1.5 * LEASE_SECONDS)
        assert not is_expired(stage.database, lease.job_id)
        assert (heartbeat.order, heartbeat.may_commit) == (Order.GO_ON, True)
    time.sleep(1.2 * LEASE_SECONDS)
    assert is_expired(stage.database, lease.job_id)


def test_pause_arrives_and_a_cancel_after_it_too(stage: Stage) -> None:
    lease = claimed(stage).lease
    with heart(stage, lease) as heartbeat:
        with stage.database.begin() as db:
            pause_job(db, stage.owner, lease.job_id)
        wait_until(lambda: heartbeat.order is Order.PAUSE)
        assert heartbeat.may_commit
        with stage.database.begin() as db:
            cancel_job(db, stage.owner, lease.job_id)
        wait_until(lambda: heartbeat.order is Order.CANCEL)


def test_cancel_arrives_within_a_beat(stage: Stage) -> None:
    lease = claimed(stage).lease
    with heart(stage, lease) as heartbeat:
        with stage.database.begin() as db:
            cancel_job(db, stage.owner, lease.job_id)
        wait_until(lambda: heartbeat.order is Order.CANCEL)
        assert heartbeat.may_commit


def test_lease_of_another_attempt_is_lost(stage: Stage) -> None:
    lease = claimed(stage, lease_seconds=0.0).lease
    with stage.database.begin() as db:
        assert claim(db, lease.job_id, worker="other", lease_seconds=60) is not None
    with heart(stage, lease) as heartbeat:
        heartbeat.raise_if_lost()
        wait_until(lambda: heartbeat.order is Order.LOST)
        assert not heartbeat.may_commit
        with pytest.raises(LeaseLostError):
            heartbeat.raise_if_lost()


@pytest.fixture
def drain() -> threading.Event:
    return threading.Event()


def test_end_of_the_worker_is_an_order_and_a_cancel_goes_before_it(local_stage: Stage, drain: threading.Event) -> None:
    lease = claimed(local_stage).lease
    with heart(local_stage, lease, drain) as heartbeat:
        drain.set()
        assert heartbeat.order is Order.DRAIN
        with local_stage.database.begin() as db:
            cancel_job(db, local_stage.owner, lease.job_id)
        wait_until(lambda: heartbeat.order is Order.CANCEL)


def test_training_goes_on_without_a_database_and_commits_nothing_once_a_lease_has_passed(local_stage: Stage) -> None:
    lease = claimed(local_stage).lease
    with heart(local_stage, lease) as heartbeat:
        with away(local_stage.database):
            wait_until(lambda: not heartbeat.may_commit)
            assert heartbeat.order is Order.GO_ON
        wait_until(lambda: heartbeat.may_commit)


def test_beat_that_ends_by_a_bug_loses_the_lease(local_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", seen.append)
    lease = Lease(None, "", 1)  # type: ignore[arg-type]
    with Heartbeat(local_stage.database, lease, "a lease", threading.Event()) as heartbeat:  # type: ignore[arg-type]
        wait_until(lambda: heartbeat.order is Order.LOST)
    assert seen[0].exc_type is TypeError


def test_attempt_that_does_not_stop_is_ended(local_stage: Stage) -> None:
    lease = claimed(local_stage).lease
    with local_stage.database.begin() as db:
        cancel_job(db, local_stage.owner, lease.job_id)
    ended = subprocess.run([sys.executable, "-c", BEATS, *arguments(local_stage, lease)], capture_output=True, timeout=30, check=False)
    assert ended.returncode == EXIT_UNRESPONSIVE


def test_orphan_leaves(local_stage: Stage) -> None:
    lease = claimed(local_stage).lease
    command = [sys.executable, "-c", DIES_AFTER_STARTING, BEATS, *arguments(local_stage, lease)]
    orphan = int(subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30, check=True).stdout)
    wait_until(lambda: not is_running(orphan))
