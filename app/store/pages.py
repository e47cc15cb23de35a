"""How is a long list read? In pages by id: what comes after an id stays where it is while rows are added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session


class HasId(Protocol):
    """A row with an id."""

    id: Any


Row = TypeVar("Row", bound=HasId)


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows, newest first.

    Attributes:
        rows: at most as many as were asked for.
        has_more: whether older rows follow.
        next_after: the id to ask for them with.
    """

    rows: Sequence[Row]
    has_more: bool
    next_after: str | None


def page_of(db: Session, query: sa.Select[Row], id_column: Any, limit: int, after: str | None) -> Page[Row]:
    """One page of a query.

    Args:
        db: the session.
        query: without order and limit.
        id_column: what the rows are ordered by, descending.
        limit: rows at most.
        after: the last id of the page before.
    """
    if after is not None:
        query = query.where(id_column < after)
    rows = db.scalars(query.order_by(id_column.desc()).limit(limit + 1)).all()
    kept = rows[:limit]
    has_more = len(rows) > limit
    return Page(kept, has_more, str(kept[-1].id) if has_more else None)
