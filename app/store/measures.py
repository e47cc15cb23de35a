"""What have the workers counted? Each adds to rows of its own; their sums only grow, whoever comes and goes (docs/decisions/0025)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.store.operating_tables import MeasureRow

GONE = ""
"""The source that keeps what workers counted that are no more."""

WAIT_BOUNDS_SECONDS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0)
"""Upper bounds of the buckets of waits."""


class Counter(NamedTuple):
    """What is counted: a name, and what tells its counts apart, such as `queue=cpu,le=5`."""

    name: str
    labels: str = ""


def add_counts(db: Session, source: str, counts: Mapping[Counter, float]) -> None:
    """Add to what a source has counted."""
    insert = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    # Always in the same order: processes of one worker write the same rows, and must not wait for each other in a circle.
    for counter, value in sorted(counts.items()):
        query = insert(MeasureRow).values(source=source, name=counter.name, labels=counter.labels, value=value)
        sum_ = {"value": MeasureRow.value + query.excluded.value}
        db.execute(query.on_conflict_do_update(index_elements=["source", "name", "labels"], set_=sum_))


def keep_counts(db: Session, source: str) -> None:
    """Keep what a source has counted that is no more."""
    gone = sa.delete(MeasureRow).where(MeasureRow.source == source).returning(MeasureRow.name, MeasureRow.labels, MeasureRow.value)
    counted = {Counter(name, labels): value for name, labels, value in db.execute(gone).all()}
    add_counts(db, GONE, counted)


def total_counts(db: Session) -> dict[Counter, float]:
    """What all sources have counted, together."""
    query = sa.select(MeasureRow.name, MeasureRow.labels, sa.func.sum(MeasureRow.value)).group_by(MeasureRow.name, MeasureRow.labels)
    totals: dict[Counter, float] = defaultdict(float)
    totals.update({Counter(name, labels): float(value) for name, labels, value in db.execute(query)})
    return totals


def wait_counts(queue: str, seconds: float) -> dict[Counter, float]:
    """The counts that a wait in a queue adds: one in the bucket it belongs to, and its length."""
    bound = next((f"{bound:g}" for bound in WAIT_BOUNDS_SECONDS if seconds <= bound), "+Inf")
    return {Counter("queue_wait", f"queue={queue},le={bound}"): 1.0, Counter("queue_wait_seconds", f"queue={queue}"): seconds}
