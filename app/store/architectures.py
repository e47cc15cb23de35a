"""Which documents has an owner named? They are immutable; a document's identity is the sha256 of its canonical form."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import NotFoundError
from app.store.ids import new_id
from app.store.pages import Page, page_of
from app.store.tables import ArchitectureRow


def insert_architecture(
    db: Session, owner: str, *, name: str, digest: str, spec: dict[str, Any], parameters: int
) -> tuple[ArchitectureRow, bool]:
    """The owner's architecture of this document, and whether it is new: where the same document was named before, that one."""
    found = db.scalar(sa.select(ArchitectureRow).where(ArchitectureRow.owner_id == owner, ArchitectureRow.digest == digest))
    if found is not None:
        return found, False
    row = ArchitectureRow(id=new_id("arc"), owner_id=owner, name=name, digest=digest, spec=spec, parameters=parameters)
    db.add(row)
    db.flush()
    return row, True


def get_architecture(db: Session, owner: str, architecture_id: str) -> ArchitectureRow:
    """The owner's architecture.

    Raises:
        NotFoundError: the owner has no such architecture.
    """
    row = db.scalar(sa.select(ArchitectureRow).where(ArchitectureRow.id == architecture_id, ArchitectureRow.owner_id == owner))
    if row is None:
        raise NotFoundError(f"{architecture_id} is not an architecture of yours; GET /v1/architectures lists them")
    return row


def list_architectures(db: Session, owner: str, *, limit: int = 50, after: str | None = None) -> Page[ArchitectureRow]:
    """The owner's architectures, newest first."""
    return page_of(db, sa.select(ArchitectureRow).where(ArchitectureRow.owner_id == owner), ArchitectureRow.id, limit, after)


def delete_architecture(db: Session, owner: str, architecture_id: str) -> None:
    """Forget an architecture; jobs and models keep their own copy.

    Raises:
        NotFoundError: the owner has no such architecture.
    """
    db.delete(get_architecture(db, owner, architecture_id))
