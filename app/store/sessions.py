"""What is carried of a series between requests? A state, moved on only by who knows the number of the newest observation in it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, defer

from app.errors import ConflictError, GoneError, NotFoundError
from app.store.database import utc_in, utc_now
from app.store.ids import new_id
from app.store.pages import Page, page_of
from app.store.tables import ModelRow, SessionRow

REMEMBERED_SECONDS = 86_400.0
"""How long it is known of an expired session that there was one."""

FADING = 0.9


class Carried(NamedTuple):
    """A session, and the artifact of its model."""

    id: str
    model_id: str
    digest: str
    unique_id: str
    sequence: int
    state: bytes
    expires_at: datetime
    created_at: datetime
    is_expired: bool
    is_fading: bool


def create_session(db: Session, owner: str, model_id: str, unique_id: str, state: bytes, idle_seconds: float) -> SessionRow:
    """A new session; long expired ones of anybody are forgotten on the way."""
    db.execute(sa.delete(SessionRow).where(SessionRow.expires_at < utc_in(-REMEMBERED_SECONDS)))
    row = SessionRow(
        id=new_id("ses"), owner_id=owner, model_id=model_id, unique_id=unique_id, sequence=0, state=state, expires_at=utc_in(idle_seconds)
    )
    db.add(row)
    db.flush()
    return row


def get_session(db: Session, owner: str, session_id: str, idle_seconds: float = 0.0) -> Carried:
    """The owner's session.

    Args:
        db: a transaction.
        owner: whose it is.
        session_id: which.
        idle_seconds: how long it is kept; with more than a tenth of it gone it is fading, and a use is worth a write.

    Raises:
        NotFoundError: the owner has no such session.
        GoneError: nobody used it for too long.
    """
    late = (SessionRow.expires_at < utc_now(), SessionRow.expires_at < utc_in(FADING * idle_seconds))
    columns = (SessionRow.id, SessionRow.model_id, ModelRow.digest, SessionRow.unique_id, SessionRow.sequence, SessionRow.state)
    query = sa.select(*columns, SessionRow.expires_at, SessionRow.created_at, *late)
    mine = query.join(ModelRow, ModelRow.id == SessionRow.model_id).where(SessionRow.id == session_id, SessionRow.owner_id == owner)
    found = db.execute(mine).one_or_none()
    if found is None:
        raise NotFoundError(f"{session_id} is not a session of yours; POST /v1/models/{{id}}/sessions makes one")
    session = Carried._make(found)
    if session.is_expired:
        raise GoneError(f"{session_id} was not used until {session.expires_at:%Y-%m-%d %H:%M:%S} UTC and has expired; make another")
    return session


def list_sessions(db: Session, owner: str, model_id: str, *, limit: int, after: str | None) -> Page[SessionRow]:
    """One page of the owner's sessions with a model, without those that have expired; their states are not read."""
    mine = sa.and_(SessionRow.owner_id == owner, SessionRow.model_id == model_id, SessionRow.expires_at >= utc_now())
    return page_of(db, sa.select(SessionRow).where(mine).options(defer(SessionRow.state)), SessionRow.id, limit, after)


def move_session(db: Session, session: Carried, sequence: int, state: bytes, idle_seconds: float) -> datetime:
    """Put a session behind further observations; when it expires now.

    Args:
        db: a transaction.
        session: as it was when the observations were folded in.
        sequence: number of the newest observation.
        state: behind it.
        idle_seconds: how long it is kept.

    Raises:
        ConflictError: somebody else has moved it on meanwhile.
    """
    query = sa.update(SessionRow).where(SessionRow.id == session.id, SessionRow.sequence == session.sequence)
    moved = query.values(sequence=sequence, state=state, expires_at=utc_in(idle_seconds)).returning(SessionRow.expires_at)
    expires_at = db.scalar(moved.execution_options(synchronize_session=False))
    if expires_at is None:
        raise ConflictError(f"{session.id} was moved on or deleted by another request just now; GET it for its sequence", code="sequence")
    return expires_at


def keep_session(db: Session, session: Carried, idle_seconds: float) -> None:
    """Note that a session was used."""
    query = sa.update(SessionRow).where(SessionRow.id == session.id).values(expires_at=utc_in(idle_seconds))
    db.execute(query.execution_options(synchronize_session=False))


def delete_session(db: Session, owner: str, session_id: str) -> None:
    """Forget a session.

    Raises:
        NotFoundError: the owner has no such session.
    """
    query = sa.delete(SessionRow).where(SessionRow.id == session_id, SessionRow.owner_id == owner).returning(SessionRow.id)
    if db.scalar(query) is None:
        raise NotFoundError(f"{session_id} is not a session of yours; POST /v1/models/{{id}}/sessions makes one")
