"""Which trained forecasters does an owner have? An id or a name finds one; of several of one name, the newest."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import ConflictError, NotFoundError
from app.store.pages import Page, page_of
from app.store.tables import LIVE_STATES, JobRow, ModelRow


def get_model(db: Session, owner: str, id_or_name: str) -> ModelRow:
    """The owner's model.

    Raises:
        NotFoundError: the owner has no such model.
    """
    named = sa.or_(ModelRow.id == id_or_name, ModelRow.name == id_or_name)
    row = db.scalar(sa.select(ModelRow).where(ModelRow.owner_id == owner, named).order_by(ModelRow.id.desc()).limit(1))
    if row is None:
        raise NotFoundError(f"{id_or_name} is not a model of yours; GET /v1/models lists them")
    return row


def hold_model(db: Session, owner: str, model_id: str, *, exclusively: bool = False) -> ModelRow:
    """The owner's model, which stays until the transaction ends; held exclusively, nobody else holds it meanwhile.

    Raises:
        NotFoundError: the owner has no such model.
    """
    held = sa.select(ModelRow).where(ModelRow.id == get_model(db, owner, model_id).id).with_for_update(read=not exclusively)
    row = db.scalar(held.execution_options(populate_existing=True))
    if row is None:
        raise NotFoundError(f"{model_id} was deleted just now")
    return row


def find_model_of(db: Session, owner: str, job_id: str) -> ModelRow | None:
    """The model that a job has made; None where it has none, or it was deleted since."""
    return db.scalar(sa.select(ModelRow).where(ModelRow.owner_id == owner, ModelRow.job_id == job_id))


def list_models(db: Session, owner: str, *, limit: int = 50, after: str | None = None) -> Page[ModelRow]:
    """The owner's models, newest first."""
    return page_of(db, sa.select(ModelRow).where(ModelRow.owner_id == owner), ModelRow.id, limit, after)


def change_model(db: Session, owner: str, model_id: str, *, name: str | None, tags: list[str] | None) -> ModelRow:
    """The model under its new name or tags; None leaves them.

    Raises:
        NotFoundError: the owner has no such model.
    """
    row = get_model(db, owner, model_id)
    row.name = row.name if name is None else name
    row.tags = row.tags if tags is None else tags
    db.flush()
    return row


def delete_model(db: Session, owner: str, model_id: str) -> list[str]:
    """Forget a model; the digests that no model points at any more, to be deleted after the commit.

    Raises:
        NotFoundError: the owner has no such model.
        ConflictError: a live job starts from it.
    """
    row = hold_model(db, owner, model_id, exclusively=True)
    live = db.scalar(sa.select(JobRow.id).where(JobRow.origin_id == row.id, JobRow.status.in_(LIVE_STATES)).limit(1))
    if live is not None:
        raise ConflictError(f"{live} starts from {row.id}; cancel it first, or wait until it has ended")
    db.delete(row)
    db.flush()
    shared = db.scalar(sa.select(ModelRow.id).where(ModelRow.digest == row.digest).limit(1))
    return [] if shared else [row.digest]
