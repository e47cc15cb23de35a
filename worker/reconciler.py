"""Who brings home what was lost? A loop that is safe to run in any number of workers at once.

    lease expired, attempts left     -> queued          cancel asked, nobody running   -> cancelled
    lease expired, none left         -> failed          pause asked, nobody running    -> paused
                                                        queued, nobody was told        -> announced

Each step is a guarded UPDATE of its own; what another reconciler did first is no longer there to do.
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass, field

from app.errors import UnavailableError
from app.queue import Queue
from app.store.database import Database
from app.store.jobs import mark_dispatched
from app.store.sweep import fail_exhausted, finish_cancelled, finish_paused, requeue_expired, undispatched
from worker.counting import Counts, worker_name
from worker.heartbeat import DATABASE_AWAY

ANNOUNCED_AT_ONCE = 500
"""Jobs that one round announces; the next round comes soon."""

ROUNDS_PER_LEASE = 3
"""A lost job is found a third of a lease after its lease has run out, at the latest."""

STOP_SECONDS = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Round:
    """What one round found, as job ids.

    Attributes:
        requeued: their worker was lost.
        failed: the worker of their last attempt was lost.
        cancelled: they were to be cancelled and had nobody to do it.
        paused: the same of a pause.
        announced: nobody had been told of them, or not for long.
        again: those of them that had been announced before.
    """

    requeued: list[str]
    failed: list[str]
    cancelled: list[str]
    paused: list[str]
    announced: list[str]
    again: list[str] = field(default_factory=list)


def reconcile_once(database: Database, queue: Queue, *, redispatch_seconds: float) -> Round:
    """One round.

    Args:
        database: where the jobs are.
        queue: where they are announced.
        redispatch_seconds: how long an announced job may wait before it is announced again.

    Raises:
        UnavailableError: the queue does not answer; what the database alone could mend is mended.
    """
    with database.begin() as db:
        requeued = requeue_expired(db)
        failed = fail_exhausted(db)
        cancelled = finish_cancelled(db)
        paused = finish_paused(db)
    with database.read() as db:
        waiting = undispatched(db, redispatch_seconds, ANNOUNCED_AT_ONCE)
    for job_id, queue_name, priority, _ in waiting:
        queue.submit(job_id, queue_name, priority)
        with database.begin() as db:
            mark_dispatched(db, job_id)
    again = [job.job_id for job in waiting if job.dispatches]
    return Round(requeued, failed, cancelled, paused, [job.job_id for job in waiting], again)


class Reconciler:
    """The loop, as a thread of the worker's main process.

    Args:
        database: see `reconcile_once`.
        queue: see `reconcile_once`.
        lease_seconds: how long leases last.
        redispatch_seconds: see `reconcile_once`.
        counts: what this process counts.
    """

    def __init__(
        self, database: Database, queue: Queue, *, lease_seconds: float, redispatch_seconds: float, counts: Counts | None = None
    ) -> None:
        self._counts = counts or Counts(worker_name(os.getpid()))
        self._database = database
        self._queue = queue
        self._interval_seconds = lease_seconds / ROUNDS_PER_LEASE
        self._redispatch_seconds = redispatch_seconds
        self._trouble = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        """Begin; a second call does nothing."""
        if self._thread.ident is None:
            self._thread.start()

    def stop(self) -> None:
        """End after the present round."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while True:
            self._round()
            if self._stop.wait(self._interval_seconds):
                return

    def _round(self) -> None:
        try:
            found = reconcile_once(self._database, self._queue, redispatch_seconds=self._redispatch_seconds)
        except UnavailableError as error:
            self._say_once("The queue does not answer", error.__cause__)
        except DATABASE_AWAY as error:
            self._say_once("The database does not answer", error)
        except Exception:  # an edge: a thread that died would leave lost jobs lost
            log.exception("A round of the reconciler failed.")
        else:
            if self._trouble:
                log.warning("The reconciler is at work again.")
            self._trouble = ""
            self._count(found)
            if found.requeued or found.failed or found.cancelled or found.paused:
                log.warning("Brought home: %s", found)

    def _count(self, found: Round) -> None:
        self._counts.add("lease_losses", "outcome=queued", len(found.requeued))
        self._counts.add("lease_losses", "outcome=failed", len(found.failed))
        self._counts.add("redispatches", value=len(found.again))

    def _say_once(self, trouble: str, error: BaseException | None) -> None:
        # The same trouble every few seconds would bury everything else in the log.
        if trouble != self._trouble:
            log.warning("%s; the reconciler goes on trying: %s", trouble, error)
        self._trouble = trouble
