"""Who does a job? The attempt of its kind, under a lease.

    message -> claim -> attempt of the job's kind (worker/train.py) -> the job's end

Whatever goes wrong ends as data in the job's row; a lost lease ends without a word, as the job is somebody else's.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType

from app.logs import bound
from app.store.jobs import HELPER, STAGE
from app.store.leases import Claim, claim
from app.store.measures import wait_counts
from app.traces import Attributes
from worker.attempt import Attempt, Workplace, attempt_at
from worker.backtest import BacktestAttempt
from worker.counting import Counts, process_name
from worker.forecast import ForecastAttempt
from worker.heartbeat import DATABASE_AWAY
from worker.memory import give_back_freed_memory
from worker.shared import SharedAttempt, StageAttempt

ATTEMPTS: Mapping[str, type[Attempt]] = MappingProxyType(
    {
        "backtest": BacktestAttempt,
        "forecast": ForecastAttempt,
        "train": SharedAttempt,
        STAGE: StageAttempt,
    }
)
"""By the kind of a job; see `_attempt_of` for those of searches."""

log = logging.getLogger(__name__)


def run_job(job_id: str, workplace: Workplace, drain: threading.Event, take: Callable[..., Claim | None] = claim) -> None:
    """Runs a job, if one is to be had; otherwise does nothing.

    Args:
        job_id: what the message named.
        workplace: what to run it with.
        drain: set when the worker is to end.
        take: which job the message gets: the named one, or the one whose turn it is (app/store/turns.py).
    """
    with bound(job_id=job_id):
        claimed = _claim(job_id, workplace, take)
    if claimed is None:
        return
    told: Attributes = {
        "braidcast.job_id": claimed.lease.job_id,
        "braidcast.attempt": claimed.lease.attempt,
        "braidcast.queue": claimed.queue,
    }
    traces, parent = workplace.traces, claimed.trace_parent
    if claimed.waited_seconds is not None:
        traces.past("wait", "consumer", told, parent, claimed.waited_seconds)
    with (
        bound(job_id=claimed.lease.job_id, attempt=claimed.lease.attempt),
        traces.span(f"job {claimed.kind}", "consumer", told, parent),
    ):
        _run(claimed, workplace, drain)
    traces.flush()


def _claim(job_id: str, workplace: Workplace, take: Callable[..., Claim | None]) -> Claim | None:
    try:
        with workplace.database.begin() as db:
            claimed = take(db, job_id, worker=process_name(), lease_seconds=workplace.lease_seconds)
    except DATABASE_AWAY as error:
        log.warning("Job %s: not claimed, the database does not answer; it will be announced again: %s", job_id, error)
        return None
    if claimed is None:
        log.info("Job %s is not to be had: it runs elsewhere, or has ended.", job_id)
    return claimed


def _run(claimed: Claim, workplace: Workplace, drain: threading.Event) -> None:
    _count_claim(claimed, workplace.counts)
    try:
        attempt_at(_attempt_of(claimed.kind), claimed, workplace, drain)
    finally:
        _write_counts(workplace)
        give_back_freed_memory()


def _attempt_of(kind: str) -> type[Attempt]:
    if kind not in {"search", HELPER}:
        return ATTEMPTS[kind]
    from worker.search import HelperAttempt, SearchAttempt  # noqa: PLC0415 optuna takes 12 MiB, which no other job needs

    return SearchAttempt if kind == "search" else HelperAttempt


def _count_claim(claimed: Claim, counts: Counts) -> None:
    if claimed.waited_seconds is not None:
        counts.add_all(wait_counts(claimed.queue, claimed.waited_seconds))
    else:
        counts.add("lease_losses", "outcome=taken_over")


def _write_counts(workplace: Workplace) -> None:
    with suppress(*DATABASE_AWAY):  # they are kept, and go with the next job's
        workplace.counts.write(workplace.database.begin)
