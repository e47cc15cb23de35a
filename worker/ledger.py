"""What does an attempt write about itself? Points, checkpoints and its end; every write is fenced by the lease.

While the database is away points and events are kept and checkpoints are let go, as they are while the storage takes none: training need
not wait. A lost lease ends everything, at once.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session

from app.errors import LeaseLostError
from app.store.artifacts import STORAGE_REFUSES, ArtifactStore
from app.store.database import Database
from app.store.leases import Lease
from app.store.progress import Point, list_events, record_checkpoint, record_event, record_part, record_points
from worker.heartbeat import DATABASE_AWAY, Heartbeat

FLUSH_SECONDS = 1.0
FLUSH_POINTS = 500

CHECKPOINT_SECONDS = 2.0
"""What a kill costs at most, where checkpoints are small."""

CHECKPOINT_SHARE = 0.05
"""Large checkpoints are written less often: they may take this share of the time."""

RETRY_SECONDS = 0.5

MOST_EVENTS = 10_000
"""Of a job that are looked through for those that were written without an answer."""

STORAGE_SECONDS = 60.0
"""How long a finished training waits for room."""

Written = TypeVar("Written")

log = logging.getLogger(__name__)


class Ledger:
    """An attempt's writing.

    Args:
        database: where rows go.
        artifacts: where checkpoints go.
        lease: the attempt's.
        heartbeat: knows whether the lease is still ours.
    """

    def __init__(self, database: Database, artifacts: ArtifactStore, lease: Lease, heartbeat: Heartbeat) -> None:
        self._database = database
        self._artifacts = artifacts
        self._lease = lease
        self._heartbeat = heartbeat
        self._points: list[Point] = []
        self._untold: list[tuple[str, dict[str, object]]] = []
        self._is_unsure = False
        self._progress: dict[str, object] = {}
        self._step: int | None = None
        self._flushed_at = 0.0
        self._checkpoint_due_at = time.monotonic() + CHECKPOINT_SECONDS

    def note(self, progress: dict[str, object], *points: Point) -> None:
        """Takes down how far the attempt is and what it measured; written once a second or every 500 points."""
        self._count_steps(progress.get("step"))
        self._progress = progress
        self._points.extend(points)
        if len(self._points) >= FLUSH_POINTS or self.is_note_due:
            self.flush()

    @property
    def is_note_due(self) -> bool:
        """Whether enough time has passed for the next note to be written."""
        return time.monotonic() - self._flushed_at >= FLUSH_SECONDS

    def _count_steps(self, step: object) -> None:
        if isinstance(step, int):
            if self._step is not None and step > self._step:
                self._heartbeat.counts.add("training_steps", value=step - self._step)
            self._step = step

    def flush(self) -> bool:
        """Writes what was taken down.

        Returns:
            Whether it is written; not while the database is away.

        Raises:
            LeaseLostError: the job is another attempt's.
        """
        self._flushed_at = time.monotonic()
        if not self._try(self._record):
            return False
        self._points, self._untold, self._is_unsure = [], [], False
        return True

    def _record(self, db: Session) -> None:
        """Points first: the end of a phase comes after what was measured in it."""
        if self._progress or self._points:
            record_points(db, self._lease, self._points, self._progress)
        kinds = [kind for kind, _ in self._untold]
        # The answer to a commit may be what was lost.
        told = list_events(db, self._lease.owner, self._lease.job_id, 0, MOST_EVENTS, kinds) if self._is_unsure and kinds else []
        before = [(event.kind, event.data) for event in told]
        for kind, data in self._untold:
            if (kind, data) not in before:
                record_event(db, self._lease, kind, data)

    def tell(self, kind: str, data: Mapping[str, object]) -> bool:
        """Writes an event of the attempt; one that cannot be written is kept, and goes with the next flush or with the end.

        Returns:
            Whether it is written; not while the database is away.

        Raises:
            LeaseLostError: the job is another attempt's.
        """
        self._untold.append((kind, json.loads(json.dumps(data))))  # as the database has it
        return self.flush()

    @property
    def is_checkpoint_due(self) -> bool:
        """Whether enough time has passed since the last one."""
        return time.monotonic() >= self._checkpoint_due_at

    def checkpoint(self, state: Callable[[], bytes], step: int, *, is_best: bool) -> bool:
        """Stores where the attempt can go on from. Points come first: a resumed attempt records only what lies after its checkpoint.

        Args:
            state: makes the checkpoint.
            step: the last step in it.
            is_best: whether it has the best weights so far as its newest.

        Returns:
            Whether it is stored; not while the database is away, or the storage takes nothing.

        Raises:
            LeaseLostError: the job is another attempt's.
        """
        began_at = time.monotonic()
        is_written = self.flush() and self._store_checkpoint(state(), step, is_best)
        took_seconds = time.monotonic() - began_at
        self._checkpoint_due_at = time.monotonic() + max(CHECKPOINT_SECONDS, took_seconds / CHECKPOINT_SHARE)
        return is_written

    def _store_checkpoint(self, content: bytes, step: int, is_best: bool) -> bool:
        try:
            digest = self._artifacts.put(content)
        except STORAGE_REFUSES as error:
            log.warning("Job %s: no checkpoint, the storage does not take it: %s", self._lease.job_id, error)
            return False
        unneeded: list[str] = []

        def record(db: Session) -> None:
            unneeded.extend(record_checkpoint(db, self._lease, digest, len(content), step, is_best))

        if not self._try(record):
            return False
        for old in unneeded:
            self._artifacts.delete(old)
        return True

    def keep(self, content: bytes, step: int) -> str:
        """Stores a part of the attempt's result, however long the database is away; its digest.

        Raises:
            LeaseLostError: the job is another attempt's.
            STORAGE_REFUSES: the storage takes nothing.
        """
        digest = self.store(content)
        self.settle(lambda db: record_part(db, self._lease, digest, len(content), step))
        return digest

    def store(self, content: bytes | Path) -> str:
        """Stores what the attempt ends with, for which a storage that takes nothing gets a minute; its digest.

        Raises:
            LeaseLostError: the job is another attempt's.
            STORAGE_REFUSES: it takes nothing still.
        """
        ends_at = time.monotonic() + STORAGE_SECONDS
        while True:
            try:
                return self._artifacts.put(content)
            except STORAGE_REFUSES as error:
                if time.monotonic() > ends_at:
                    raise
                log.warning("Job %s: not stored, the storage does not take it: %s", self._lease.job_id, error)
            self._heartbeat.raise_if_lost()
            time.sleep(RETRY_SECONDS)

    def end(self, write: Callable[[Session], Written]) -> Written:
        """Writes how the attempt ended, and before it the points and events that could not be written yet; see `settle`.

        Raises:
            LeaseLostError: the job is another attempt's.
        """

        def write_all(db: Session) -> Written:
            self._record(db)
            return write(db)

        return self.settle(write_all)

    def settle(self, write: Callable[[Session], Written]) -> Written:
        """Writes what the attempt cannot go on without, however long the database is away, as long as the lease may be ours.

        Raises:
            LeaseLostError: the job is another attempt's.
        """
        ended: list[Written] = []
        while not self._try(lambda db: ended.append(write(db))):
            time.sleep(RETRY_SECONDS)
        return ended[-1]

    def _try(self, write: Callable[[Session], object]) -> bool:
        if not self._heartbeat.may_commit:
            self._heartbeat.raise_if_lost()
            return False
        try:
            with self._database.begin() as db:
                write(db)
        except LeaseLostError:
            self._heartbeat.lose()
            raise
        except DATABASE_AWAY as error:
            self._is_unsure = True
            log.warning("Job %s: not written, the database does not answer: %s", self._lease.job_id, error)
            return False
        return True
