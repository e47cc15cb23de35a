"""Was this request made before? A key, scoped by its owner, remembers the body it came with and the answer it got.

The key's row and the job's row are written in one transaction, so that one exists exactly when the other does: of equal requests at
the same time one inserts, and the others wait for its commit and read what it wrote.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import ConflictError, InputError
from app.store.tables import IdempotencyRow


@dataclass(frozen=True)
class Answered:
    """What the first request of a key was answered with."""

    status: int
    answer: dict[str, Any]


def replay(db: Session, owner: str, key: str, body: bytes) -> Answered | None:
    """The answer of the first request under this key; None where there was none.

    Raises:
        InputError: the key was used with another body.
        ConflictError: the first request has not been answered yet.
    """
    row = db.get(IdempotencyRow, (owner, key), populate_existing=True)
    if row is None:
        return None
    if row.body_sha256 != hashlib.sha256(body).hexdigest():
        raise InputError(
            "this Idempotency-Key came with another body before; send the same body, or a new key", code="idempotency_key_reused"
        )
    if row.status is None or row.answer is None:
        raise ConflictError("the first request under this Idempotency-Key is still at work; ask again", retry_after_seconds=1)
    return Answered(row.status, row.answer)


def remember(db: Session, owner: str, key: str, body: bytes, *, job_id: str, status: int, answer: dict[str, Any]) -> bool:
    """Keep an answer under its key, in the job's own transaction; False where another request was faster, which must then be replayed."""
    taken = db.scalar(sa.select(IdempotencyRow.key).where(IdempotencyRow.owner_id == owner, IdempotencyRow.key == key))
    if taken is not None:
        return False
    row = IdempotencyRow(owner_id=owner, key=key, body_sha256=hashlib.sha256(body).hexdigest(), job_id=job_id, status=status, answer=answer)
    try:
        with db.begin_nested():
            db.add(row)
    except sa.exc.IntegrityError:
        return False
    return True
