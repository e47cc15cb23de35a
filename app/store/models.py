"""Which trained forecasters does an owner have? An id or a name finds one; of several of one name, the newest."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import NotFoundError
from app.store.pages import Page, page_of
from app.store.tables import ModelRow


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
    """
    row = get_model(db, owner, model_id)
    db.delete(row)
    db.flush()
    shared = db.scalar(sa.select(ModelRow.id).where(ModelRow.digest == row.digest).limit(1))
    return [] if shared else [row.digest]
