"""Who tries what in a search? Trials are rows that attempts take, one at a time: at the search itself, or at a job that helps it.

    free -> running -> complete | pruned | refused | failed
                       running -> running under another attempt, which goes on after the windows that are done

Every write holds the search's row first and then the writer's own: numbers are given once, and nobody writes for a search that has ended
or an attempt that is lost (docs/decisions/0022).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import LeaseLostError
from app.store.database import utc_now
from app.store.leases import Lease
from app.store.progress import append_event, hold
from app.store.tables import HELD_STATES, LIVE_STATES, AttemptRow, JobRow, TrialRow

MOST_LOSSES = 2
"""Workers that one trial may cost: a search has three attempts, and is to survive a network that no worker has the memory for."""


class Pull(Enum):
    """Why there is no trial to be had."""

    WAIT = "others are at the last ones"
    OVER = "all have ended"
    RETRY = "somebody was faster"
    STOPPED = "the search has ended, or is to end"


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Attributes:
        state: `complete`, `pruned` (no better than the others so far), `refused` (no network), or `failed` (in training).
        score: mean over the windows that were done.
        standard_error: of the score.
        reason: why it went no further.
    """

    state: str
    score: float | None = None
    standard_error: float | None = None
    reason: str | None = None


def list_trials(db: Session, owner: str, search_id: str) -> Sequence[TrialRow]:
    """All trials of a search, in the order in which they were drawn."""
    query = sa.select(TrialRow).where(TrialRow.job_id == search_id, TrialRow.owner_id == owner).order_by(TrialRow.number)
    return db.scalars(query.execution_options(populate_existing=True)).all()


def is_live(db: Session, search_id: str) -> bool:
    """Whether a search has not ended and is not to end."""
    query = sa.select(JobRow.id).where(JobRow.id == search_id, JobRow.status.in_(LIVE_STATES), JobRow.status != "cancelling")
    return db.scalar(query) is not None


def take_trial(
    db: Session, lease: Lease, search_id: str, *, drawn: Mapping[str, Any] | None, number: int, parameters: int | None
) -> TrialRow | Pull:
    """The trial that an attempt is to do next: one that another has left, or a new one.

    Args:
        db: a writing transaction.
        lease: of the attempt.
        search_id: whose trials they are.
        drawn: values of a new trial; None where there are to be no more.
        number: of the new trial: that of the trials that its values were drawn after.
        parameters: of its network, where it is one.

    Raises:
        LeaseLostError: the attempt is not the job's any more.
    """
    if not _hold_both(db, lease, search_id):
        return Pull.STOPPED
    trials = list_trials(db, lease.owner, search_id)
    running = [trial for trial in trials if trial.state == "running"]
    left = next((trial for trial in running if not _is_held(db, trial) or _is_of(trial, lease)), None)
    if left is not None:
        return _take_over(db, lease, left)
    if drawn is None:
        return Pull.WAIT if running else Pull.OVER
    if number != len(trials) + 1:
        return Pull.RETRY
    row = TrialRow(
        job_id=search_id, number=number, owner_id=lease.owner, holder_id=lease.job_id, holder_attempt=lease.attempt, state="running",
        drawn=dict(drawn), windows=[], parameters=parameters,
    )  # fmt: skip
    db.add(row)
    db.flush()
    return row


def _take_over(db: Session, lease: Lease, left: TrialRow) -> TrialRow | Pull:
    left.losses += _was_lost(db, left)
    left.holder_id, left.holder_attempt = lease.job_id, lease.attempt
    db.flush()
    if left.losses < MOST_LOSSES:
        return left
    reason = (
        f"its worker was lost {left.losses} times; the network may need more memory than a worker has: use fewer units, or a smaller batch"
    )
    _end(db, left, Outcome("failed", left.score, left.standard_error, reason))
    return Pull.RETRY


def record_window(db: Session, lease: Lease, search_id: str, number: int, window: Mapping[str, Any]) -> TrialRow | None:
    """A window of a trial is done; None where the trial, or the whole search, is not the attempt's any more.

    Raises:
        LeaseLostError: the attempt is not the job's any more.
    """
    row = _mine(db, lease, search_id, number)
    if row is not None:
        row.windows = [*row.windows, dict(window)]
        db.flush()
    return row


def end_trial(db: Session, lease: Lease, search_id: str, number: int, outcome: Outcome) -> TrialRow | None:
    """A trial is done, and an event of the search says so; None as above.

    Raises:
        LeaseLostError: the attempt is not the job's any more.
    """
    row = _mine(db, lease, search_id, number)
    if row is not None:
        _end(db, row, outcome)
    return row


def _end(db: Session, row: TrialRow, outcome: Outcome) -> None:
    row.state, row.score, row.standard_error, row.reason = outcome.state, outcome.score, outcome.standard_error, outcome.reason
    db.flush()
    mine = sa.and_(TrialRow.job_id == row.job_id, TrialRow.number == row.number)
    db.execute(sa.update(TrialRow).where(mine).values(ended_at=utc_now()).execution_options(synchronize_session=False))
    told = {"trial": row.number, "state": row.state, "score": row.score, "standard_error": row.standard_error, "reason": row.reason}
    append_event(db, row.job_id, "trial", {**told, "drawn": row.drawn, "parameters": row.parameters})


def _mine(db: Session, lease: Lease, search_id: str, number: int) -> TrialRow | None:
    if not _hold_both(db, lease, search_id):
        return None
    row = db.get(TrialRow, (search_id, number), populate_existing=True)
    return row if row is not None and row.state == "running" and _is_of(row, lease) else None


def _hold_both(db: Session, lease: Lease, search_id: str) -> bool:
    """Lock the search's row and then the attempt's own; whether the search is live.

    Raises:
        LeaseLostError: the attempt is not the job's any more.
    """
    found = db.scalar(sa.select(JobRow.status).where(JobRow.id == search_id, JobRow.owner_id == lease.owner).with_for_update())
    if lease.job_id == search_id and found is None:
        raise LeaseLostError(f"{search_id} is gone")
    hold(db, lease)
    return found in LIVE_STATES and found != "cancelling"


def _is_of(trial: TrialRow, lease: Lease) -> bool:
    return (trial.holder_id, trial.holder_attempt) == (lease.job_id, lease.attempt)


def _is_held(db: Session, trial: TrialRow) -> bool:
    """Whether the attempt that has taken a trial is still at it."""
    holder = sa.and_(JobRow.id == trial.holder_id, JobRow.attempt == trial.holder_attempt)
    alive = sa.and_(JobRow.status.in_(HELD_STATES), JobRow.lease_until >= utc_now())
    return db.scalar(sa.select(JobRow.id).where(holder, alive)) is not None


def _was_lost(db: Session, trial: TrialRow) -> bool:
    """Whether the attempt that has left a trial did not end by an order."""
    query = sa.select(AttemptRow.outcome).where(AttemptRow.job_id == trial.holder_id, AttemptRow.attempt == trial.holder_attempt)
    return db.scalar(query) not in {"released", "paused", "cancelled"}
