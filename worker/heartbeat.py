"""Is this attempt still the job's, and what is it told to do?

A thread renews the lease every sixth of it and brings back what the job's row asks for. The training loop reads `order` at every batch: an
attribute, nothing more.

    database away        go on training, but write nothing once a whole lease has passed without a renewal
    lease lost           LOST: stop at once, write nothing more
    cancel asked         CANCEL
    pause asked          PAUSE, even where it is taken back: the attempt may be stopping already
    worker is to end     DRAIN
    parent process gone  leave the process at once: nobody would hear of what it does
    told and still here  leave the process after a while: training hangs, and the reconciler takes the job
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextvars import copy_context
from enum import Enum
from types import TracebackType

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.errors import LeaseLostError
from app.store.database import Database
from app.store.leases import Lease, Orders, renew
from worker.counting import Counts, worker_name

BEATS_PER_LEASE = 6
"""Five renewals may fail before the lease is lost."""

LONGEST_PAUSE_SECONDS = 1.0
"""How often the parent process is looked for, however long the lease is."""

PATIENCE_SECONDS = 30.0
"""How long an attempt that was told to stop may take before its process ends."""

EXIT_ORPHANED = 70
EXIT_UNRESPONSIVE = 71

DATABASE_AWAY = (DBAPIError, PoolTimeoutError)
"""What SQLAlchemy raises when the database does not answer."""

log = logging.getLogger(__name__)


class Order(Enum):
    """What an attempt is to do."""

    GO_ON = "go on"
    DRAIN = "drain"
    PAUSE = "pause"
    CANCEL = "cancel"
    LOST = "lost"


class Heartbeat:
    """Keeps a lease; a context manager around the attempt.

    Args:
        database: where the lease is.
        lease: the attempt's.
        lease_seconds: how long it lasts from each renewal.
        drain: set when this worker is to end.
        patience_seconds: how long the attempt may take to follow an order.
        counts: what is written down with each renewal.
    """

    def __init__(
        self,
        database: Database,
        lease: Lease,
        lease_seconds: float,
        drain: threading.Event,
        patience_seconds: float = PATIENCE_SECONDS,
        counts: Counts | None = None,
    ) -> None:
        self.counts = counts or Counts(worker_name(os.getppid()))
        self._database = database
        self._lease = lease
        self._lease_seconds = lease_seconds
        self.drain = drain
        self._patience_seconds = patience_seconds
        self._parent = os.getppid()
        self._renewed_at = time.monotonic()
        self._told_at: float | None = None
        self._answer = Order.GO_ON
        self._is_away = False
        self._stop = threading.Event()
        # Its lines bear the attempt's ids too.
        self._thread = threading.Thread(target=copy_context().run, args=(self._beat,), name=f"heartbeat-{lease.job_id}", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def order(self) -> Order:
        """What the attempt is to do now. A lost lease goes before a cancel, a cancel before a pause, that before the worker's end."""
        if self._answer is Order.GO_ON and self.drain.is_set():
            return Order.DRAIN
        return self._answer

    @property
    def may_commit(self) -> bool:
        """Whether the lease can still be ours: it was renewed less than a lease ago, and nobody has said otherwise."""
        return self._answer is not Order.LOST and time.monotonic() - self._renewed_at < self._lease_seconds

    def lose(self) -> None:
        """Tells that a fenced write found the lease gone."""
        self._answer = Order.LOST

    def raise_if_lost(self) -> None:
        """Stops an attempt that must write nothing more.

        Raises:
            LeaseLostError: the job is another attempt's.
        """
        if self._answer is Order.LOST:
            raise LeaseLostError(f"Attempt {self._lease.attempt} of job {self._lease.job_id} is no longer the job's.")

    def _beat(self) -> None:
        try:
            self._beat_until_stopped()
        finally:
            if not self._stop.is_set():  # a bug ended the beat: without it the lease runs out
                self.lose()

    def _beat_until_stopped(self) -> None:
        interval = self._lease_seconds / BEATS_PER_LEASE
        while not self._stop.wait(min(interval, LONGEST_PAUSE_SECONDS)):
            self._leave_if_orphaned()
            self._leave_if_unresponsive()
            if self._answer is not Order.LOST and time.monotonic() - self._renewed_at >= interval:
                self._renew()

    def _renew(self) -> None:
        asked_at = time.monotonic()
        answers: list[Orders | None] = []
        try:
            self.counts.write(self._database.begin, lambda db: answers.append(renew(db, self._lease, self._lease_seconds)))
        except DATABASE_AWAY as error:
            self.counts.add("heartbeats", "outcome=unanswered")
            if not self._is_away:
                log.warning("Job %s: the database does not answer, training goes on: %s", self._lease.job_id, error)
            self._is_away = True
            return
        if self._is_away:
            log.warning("Job %s: the database answers again.", self._lease.job_id)
        self._is_away = False
        orders = answers[-1]
        self.counts.add("heartbeats", f"outcome={'lost' if orders is None else 'renewed'}")
        if orders is None:
            self._answer = Order.LOST
            return
        self._renewed_at = asked_at
        if orders.cancel:
            self._answer = Order.CANCEL
        elif orders.pause:
            self._answer = Order.PAUSE

    def _leave_if_orphaned(self) -> None:
        if os.getppid() != self._parent:
            log.error("Job %s: the worker's main process is gone, leaving.", self._lease.job_id)
            os._exit(EXIT_ORPHANED)

    def _leave_if_unresponsive(self) -> None:
        if self._answer is Order.GO_ON:
            return
        now = time.monotonic()
        self._told_at = self._told_at or now
        if now - self._told_at > self._patience_seconds:
            log.error("Job %s: told to stop %.0f s ago and still here, leaving.", self._lease.job_id, self._patience_seconds)
            os._exit(EXIT_UNRESPONSIVE)
