"""What is common to all attempts at a job, whatever its kind? Its end as data, the orders that it heeds, the time that it may take."""

from __future__ import annotations

import logging
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

from app.errors import JobError, LeaseLostError, TimedOutError
from app.queue import Queue
from app.store.artifacts import ArtifactStore
from app.store.database import Database
from app.store.leases import Claim, confirm_cancel, fail, release
from app.traces import NO_TRACES, Traces
from worker.counting import Counts, worker_name
from worker.failures import failure_of
from worker.heartbeat import Heartbeat, Order
from worker.ledger import Ledger

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Workplace:
    """What a worker runs jobs with.

    Attributes:
        database: where the rows are.
        artifacts: where bytes are.
        lease_seconds: how long a claim lasts from each renewal.
        threads: that one training may use.
        counts: what this process counts.
        traces: where spans go.
        queue: where jobs are announced that an attempt makes; a reconciler does it otherwise, a little later.
    """

    database: Database
    artifacts: ArtifactStore
    lease_seconds: float
    threads: int
    counts: Counts = field(default_factory=lambda: Counts(worker_name(os.getppid())))
    traces: Traces = NO_TRACES
    queue: Queue | None = None


def attempt_at(
    kind: Callable[[Claim, Workplace, Heartbeat], Attempt], claimed: Claim, workplace: Workplace, drain: threading.Event
) -> None:
    """Do a job, under its lease; a lost one ends without a word, as the job is somebody else's.

    Args:
        kind: makes the attempt.
        claimed: the job.
        workplace: what to run it with.
        drain: set when the worker is to end.
    """
    log.info("Job %s: attempt %d begins.", claimed.lease.job_id, claimed.lease.attempt)
    try:
        with Heartbeat(workplace.database, claimed.lease, workplace.lease_seconds, drain, counts=workplace.counts) as heartbeat:
            kind(claimed, workplace, heartbeat).run()
    except LeaseLostError as error:
        log.warning("Job %s: %s", claimed.lease.job_id, error.detail)


class StoppedError(Exception):
    """The attempt was told to stop before its end.

    Args:
        order: why.
    """

    def __init__(self, order: Order) -> None:
        super().__init__(order.value)
        self.order = order


class Attempt(ABC):
    """One claim of a job, of any kind.

    Args:
        claimed: the job.
        workplace: what to run it with.
        heartbeat: keeps its lease.
    """

    def __init__(self, claimed: Claim, workplace: Workplace, heartbeat: Heartbeat) -> None:
        self._claim = claimed
        self._workplace = workplace
        self._heartbeat = heartbeat
        self._ledger = Ledger(workplace.database, workplace.artifacts, claimed.lease, heartbeat)
        self._began_at = time.monotonic()
        self._seconds_before = 0.0

    def run(self) -> None:
        """Does the work, or writes down why not.

        Raises:
            LeaseLostError: the job is another attempt's.
        """
        try:
            self._work()
        except StoppedError as stopped:
            put_back = confirm_cancel if stopped.order is Order.CANCEL else release
            self._ledger.end(lambda db: put_back(db, self._claim.lease))
        except LeaseLostError:
            raise
        except Exception as error:  # noqa: BLE001 an edge: whatever it was, the job's owner hears of it
            self._fail(failure_of(error, self._claim.lease.job_id))

    @abstractmethod
    def _work(self) -> None:
        """All that is to be done, up to the job's end."""

    def _fail(self, error: JobError) -> None:
        self._ledger.flush()
        pointer = error.pointer or None
        self._ledger.end(
            lambda db: fail(db, self._claim.lease, code=error.fault_code, message=error.detail, pointer=pointer, retryable=error.retryable)
        )

    def _heed(self, keep: Callable[[], object] | None = None) -> None:
        """Does what the heartbeat has been told, and keeps to the time the job may take.

        Args:
            keep: saves what was done until here, before the attempt stops by an order.

        Raises:
            LeaseLostError: the job is another attempt's.
            StoppedError: it was cancelled, or its worker is to end.
            TimedOutError: it ran longer than it may.
        """
        order = self._heartbeat.order
        self._heartbeat.raise_if_lost()
        if order is not Order.GO_ON:
            if keep is not None:
                keep()
            raise StoppedError(order)
        limit, took = self._claim.max_runtime_seconds, self._seconds()
        if limit is not None and took > limit:
            sentence = (
                f"the job ran {took:.0f} s and may take {limit} s; allow more in resources.max_runtime_seconds, or train for fewer epochs"
            )
            raise TimedOutError(sentence, pointer="#/resources/max_runtime_seconds")

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._began_at
