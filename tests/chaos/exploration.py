"""Every state that a job can come to, by every order of steps: the store's own functions on an SQLite in memory, under a clock of its own.

A step is a transaction of anybody: an owner, a reconciler, or an attempt, which may be one that was lost long ago and does not know it.
States that differ in nothing that decides what may follow are one.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

from app.errors import ConflictError, LeaseLostError
from app.store.database import Database
from app.store.datasets import NewDataset, insert_dataset
from app.store.jobs import NewJob, cancel_job, insert_job, mark_dispatched, pause_job, resume_job, retry_job
from app.store.keys import ensure_owner
from app.store.leases import Lease, NewModel, claim, confirm_cancel, fail, release, renew, succeed
from app.store.progress import Point, record_points
from app.store.sweep import fail_exhausted, finish_cancelled, finish_paused, requeue_expired, undispatched
from app.store.tables import AttemptRow, EventRow, JobRow, MetricPointRow, ModelRow

LEASE_SECONDS = 10.0
REDISPATCH_SECONDS = 30.0
MODEL = NewModel("m", "b" * 64, 1, {}, "c" * 64, 10, "MS", {}, {})
ROUNDS = 12
"""Of a reconciler, after which every job must have ended: more than it has attempts."""

COUNTED = 2
"""Attempts that are left: more differ in nothing but how long it takes to lose them."""

WAL_FLAGS = slice(18, 20)
"""Of an SQLite file's header: a database in memory has no write-ahead log."""


@dataclass(frozen=True)
class State:
    """A database, the time there, and the attempts that have not heard that they are over."""

    content: bytes
    now: datetime
    alive: tuple[int, ...]


@dataclass(frozen=True)
class Facts:
    """What a state is, for whoever compares: equal facts, equal futures."""

    status: str
    attempt: int
    attempts_left: int
    lease: str
    is_announced: bool
    open_attempts: tuple[int, ...]
    succeeded: int
    models: int
    has_points: bool
    has_gaps: bool
    alive: tuple[int, ...]


Act = Callable[[Session], object]


class World:
    """One job, in a migrated database.

    Args:
        template: of the database.
        max_attempts: of the job.
    """

    def __init__(self, template: Path, max_attempts: int) -> None:
        self.now = datetime(2024, 1, 1, tzinfo=UTC)
        self.database = Database("sqlite://")
        event.listen(self.database.engine, "connect", self._set_clock)
        content = bytearray(template.read_bytes())
        content[WAL_FLAGS] = b"\x01\x01"
        self._raw().deserialize(bytes(content))
        with self.database.begin() as db:
            self.owner = ensure_owner(db, "local")
            dataset = insert_dataset(db, self.owner, NewDataset("data", "a" * 64, 1, "MS", 12, "y", [], {}, {})).id
            self.job = insert_job(db, self.owner, NewJob("train", "job", {}, {}, dataset, 1, max_attempts=max_attempts)).id

    def _set_clock(self, connection: sqlite3.Connection, _: object) -> None:
        def strftime(pattern: str, when: str, shift: str) -> str:
            moment = self.now + timedelta(seconds=float(shift.removesuffix(" seconds")))
            return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"

        connection.create_function("strftime", 3, strftime)

    def _raw(self) -> sqlite3.Connection:
        connection = self.database.engine.raw_connection().driver_connection
        assert isinstance(connection, sqlite3.Connection)
        return connection

    def save(self, alive: tuple[int, ...]) -> State:
        return State(self._raw().serialize(), self.now, alive)

    def load(self, state: State) -> None:
        self._raw().deserialize(state.content)
        self.now = state.now

    def row(self) -> JobRow:
        with self.database.read() as db:
            return db.get_one(JobRow, self.job)

    def facts(self, alive: tuple[int, ...]) -> Facts:
        """Of the database as it is now."""
        with self.database.read() as db:
            row = db.get_one(JobRow, self.job)
            attempts = db.scalars(sa.select(AttemptRow).where(AttemptRow.job_id == self.job)).all()
            numbers = [*db.scalars(sa.select(EventRow.seq)), *db.scalars(sa.select(MetricPointRow.seq))]
            models = len(db.scalars(sa.select(ModelRow.id)).all())
        lease = "none" if row.lease_until is None else "over" if row.lease_until < self.now else "held"
        return Facts(
            status=row.status, attempt=row.attempt, attempts_left=min(row.max_attempts - row.attempt, COUNTED), lease=lease,
            is_announced=row.dispatched_at is not None, open_attempts=tuple(one.attempt for one in attempts if one.ended_at is None),
            succeeded=sum(one.outcome == "succeeded" for one in attempts), models=models,
            has_points=row.last_step > 0, has_gaps=sorted(numbers) != list(range(1, row.last_seq + 1)), alive=alive,
        )  # fmt: skip

    def lease_of(self, attempt: int) -> Lease:
        return Lease(self.job, self.owner, attempt)

    def claim(self) -> int | None:
        with self.database.begin() as db:
            taken = claim(db, self.job, worker="w", lease_seconds=LEASE_SECONDS)
        return None if taken is None else taken.lease.attempt


@dataclass(frozen=True)
class Step:
    """From one state to another; `attempt` is whose step it was, if it was one's, and `is_refused` whether it was told that it is over."""

    name: str
    attempt: int | None
    before: Facts
    after: Facts
    is_refused: bool


def reconcile(world: World) -> None:
    with world.database.begin() as db:
        for sweep in (requeue_expired, fail_exhausted, finish_cancelled, finish_paused):
            sweep(db)


def by_anybody(world: World) -> dict[str, Act]:
    """What owners and reconcilers do, each in a transaction."""
    orders = {"cancel": cancel_job, "pause": pause_job, "resume": resume_job, "retry": retry_job}
    sweeps = {"requeue": requeue_expired, "fail": fail_exhausted, "end the cancelled": finish_cancelled, "end the paused": finish_paused}
    owners: dict[str, Act] = {name: partial(_ordered, order, world) for name, order in orders.items()}
    return {**owners, **sweeps, "announce": lambda db: mark_dispatched(db, world.job)}


def _ordered(order: Callable[[Session, str, str], object], world: World, db: Session) -> None:
    try:
        order(db, world.owner, world.job)
    except ConflictError:
        db.rollback()


def by_attempt(lease: Lease, status: str, *, is_newest: bool) -> dict[str, Act]:
    """What an attempt does, which ends it where it is an end. It confirms a cancel only once it has heard of one."""
    ends: dict[str, Act] = {
        "succeed": lambda db: succeed(db, lease, MODEL),
        "fail": lambda db: fail(db, lease, code="internal", message="no"),
        "release": lambda db: release(db, lease),
    }
    if status == "cancelling" or not is_newest:
        ends["confirm"] = lambda db: confirm_cancel(db, lease)
    return {"renew": partial(_renewed, lease), "measure": partial(_measured, lease), **ends}


def _renewed(lease: Lease, db: Session) -> None:
    if renew(db, lease, LEASE_SECONDS) is None:
        raise LeaseLostError("the lease is another's")


def _measured(lease: Lease, db: Session) -> None:
    record_points(db, lease, [Point(1, {"loss": 1.0})], {})  # what is there already is not written again


def explore(world: World, most_attempts: int, see: Callable[[State, Facts], None]) -> Iterator[Step]:
    """Every step from every state, breadth first.

    Args:
        world: as it begins.
        most_attempts: states with more are not gone on from.
        see: told of each state once.
    """
    first = world.facts(())
    waiting, seen = deque([(world.save(()), first)]), {first}
    while waiting:
        state, before = waiting.popleft()
        see(state, before)
        for name, attempt, after_state, is_refused in _followers(world, state, before, most_attempts):
            is_same = (after_state.content, after_state.now) == (state.content, state.now)
            after = replace(before, alive=after_state.alive) if is_same else world.facts(after_state.alive)
            yield Step(name, attempt, before, after, is_refused)
            if after not in seen:
                seen.add(after)
                waiting.append((after_state, after))


def _followers(world: World, state: State, before: Facts, most: int) -> Iterator[tuple[str, int | None, State, bool]]:
    world.load(state)
    world.now += timedelta(seconds=LEASE_SECONDS + 1)
    yield "time passes", None, world.save(state.alive), False
    if before.attempt < most:
        world.load(state)
        taken = world.claim()
        # Of those that are lost one is enough: what is refused to it is refused to all.
        alive = state.alive if taken is None else (*state.alive[-1:], taken)
        yield "claim", None, world.save(alive), False
    for name, act in by_anybody(world).items():
        world.load(state)
        with world.database.begin() as db:
            act(db)
        yield name, None, world.save(state.alive), False
    for attempt in state.alive:
        acts = by_attempt(world.lease_of(attempt), before.status, is_newest=attempt == before.attempt)
        for name, act in acts.items():
            world.load(state)
            is_refused = _is_refused(world.database, act)
            is_over = is_refused or name not in {"renew", "measure"}
            alive = tuple(other for other in state.alive if other != attempt or not is_over)
            yield name, attempt, world.save(alive), is_refused


def _is_refused(database: Database, act: Act) -> bool:
    try:
        with database.begin() as db:
            act(db)
    except LeaseLostError:
        return True
    return False


def ends_by_itself(world: World, state: State) -> bool:
    """Whether a job ends, or waits for its owner, once all attempts at it are dead and only reconcilers and new workers are there."""
    world.load(state)
    for _ in range(ROUNDS):
        world.now += timedelta(seconds=100 * REDISPATCH_SECONDS)
        reconcile(world)
        with world.database.read() as db:
            found: list[Any] = list(undispatched(db, REDISPATCH_SECONDS))
        attempt = world.claim() if found else None
        if attempt is not None:
            with world.database.begin() as db:
                succeed(db, world.lease_of(attempt), MODEL)
        if world.row().status in {"succeeded", "failed", "cancelled", "paused"}:
            return True
    return False
