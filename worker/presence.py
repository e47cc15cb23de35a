"""How is a worker known to be there? Its main process says so every few seconds, and takes its leave when it ends."""

from __future__ import annotations

import logging
import threading

from app.store.database import Database
from app.store.workers import Presence, forget_silent, forget_worker, see_worker
from worker.counting import Counts
from worker.heartbeat import DATABASE_AWAY

LONGEST_BEAT_SECONDS = 10.0
"""A sixth of what others wait before they count a worker as silent."""

BEATS_PER_LEASE = 3
BEATS_PER_CLEARING = 6

STOP_SECONDS = 5.0

log = logging.getLogger(__name__)


class PresenceBeat:
    """The loop, as a thread of the worker's main process.

    Args:
        database: where workers are known.
        counts: what the main process counts.
        lease_seconds: how long leases last.
    """

    def __init__(self, database: Database, counts: Counts, lease_seconds: float) -> None:
        self._database = database
        self._counts = counts
        self._interval_seconds = min(LONGEST_BEAT_SECONDS, lease_seconds / BEATS_PER_LEASE)
        self._presence: Presence | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def start(self, presence: Presence) -> None:
        """Begin; a second call does nothing."""
        if self._presence is None:
            self._presence = presence
            self._thread.start()

    def stop(self) -> None:
        """End, and take leave."""
        self._stop.set()
        if self._presence is None:
            return
        self._thread.join(STOP_SECONDS)
        worker_id = self._presence.id
        try:
            self._counts.write(self._database.begin)
            with self._database.begin() as db:
                forget_worker(db, worker_id)
        except DATABASE_AWAY as error:
            log.warning("The worker could not take its leave, the database does not answer: %s", error)

    def _run(self) -> None:
        beats = 0
        while True:
            self._beat(is_clearing=beats % BEATS_PER_CLEARING == 0)
            beats += 1
            if self._stop.wait(self._interval_seconds):
                return

    def _beat(self, *, is_clearing: bool) -> None:
        presence = self._presence
        try:
            self._counts.write(self._database.begin, lambda db: see_worker(db, presence) if presence else None)
            if is_clearing:
                with self._database.begin() as db:
                    forget_silent(db)
        except DATABASE_AWAY as error:
            log.debug("The worker could not say that it is there: %s", error)
        except Exception:  # an edge: a thread that died would make the worker seem gone
            log.exception("A beat of the worker's presence failed.")
