"""Who asks? A bearer key `bc_<public id>_<secret>`, of which only the sha256 of the secret is kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import InputError, NotFoundError
from app.store.database import utc_now
from app.store.ids import new_id
from app.store.tables import KeyRow, OwnerRow

SCOPES = ("read", "write", "admin")
_TOKEN = re.compile(r"^bc_([0-9a-f]{16})_([0-9a-f]{64})$")


@dataclass(frozen=True)
class Principal:
    """Who asks, and what they may do.

    Attributes:
        owner: the owner's id.
        owner_name: the owner's name.
        key_id: the key that was shown.
        scopes: of `SCOPES`.
    """

    owner: str
    owner_name: str
    key_id: str
    scopes: frozenset[str]


def ensure_owner(db: Session, name: str) -> str:
    """The id of the owner of this name, made if there is none."""
    found = db.scalar(sa.select(OwnerRow.id).where(OwnerRow.name == name))
    if found is not None:
        return found
    row = OwnerRow(id=new_id("own"), name=name)
    db.add(row)
    db.flush()
    return row.id


def create_key(db: Session, owner: str, name: str, scopes: Iterable[str]) -> tuple[KeyRow, str]:
    """A new key and its token, which is shown this once.

    Raises:
        InputError: a scope that does not exist, or none.
    """
    wanted = sorted(set(scopes), key=lambda scope: SCOPES.index(scope) if scope in SCOPES else -1)
    if not wanted or not set(wanted) <= set(SCOPES):
        raise InputError(f"scopes are {', '.join(wanted) or 'empty'}; choose of {', '.join(SCOPES)}", pointer="#/scopes")
    public, secret = secrets.token_hex(8), secrets.token_hex(32)
    row = KeyRow(id=new_id("key"), owner_id=owner, public_id=public, secret_sha256=_sha256(secret), name=name, scopes=wanted)
    db.add(row)
    db.flush()
    return row, f"bc_{public}_{secret}"


def authenticate(db: Session, token: str) -> Principal | None:
    """Whose token it is; None where it is malformed, unknown, wrong or revoked."""
    match = _TOKEN.match(token)
    if match is None:
        return None
    query = sa.select(KeyRow, OwnerRow.name).join(OwnerRow, OwnerRow.id == KeyRow.owner_id)
    found = db.execute(query.where(KeyRow.public_id == match[1], KeyRow.revoked_at.is_(None))).one_or_none()
    stored = found[0].secret_sha256 if found else "0" * 64
    # Compared in constant time, also against nothing, so that an answer's delay tells nobody which ids exist.
    if not hmac.compare_digest(_sha256(match[2]), stored) or found is None:
        return None
    key, owner_name = found
    return Principal(key.owner_id, owner_name, key.id, frozenset(key.scopes))


def list_keys(db: Session, owner: str) -> Sequence[KeyRow]:
    """The owner's keys, revoked ones too, oldest first."""
    return db.scalars(sa.select(KeyRow).where(KeyRow.owner_id == owner).order_by(KeyRow.id)).all()


def revoke_key(db: Session, owner: str, key_id: str) -> None:
    """End a key at once.

    Raises:
        NotFoundError: the owner has no such key.
    """
    query = sa.update(KeyRow).where(KeyRow.id == key_id, KeyRow.owner_id == owner, KeyRow.revoked_at.is_(None)).values(revoked_at=utc_now())
    if db.execute(query.returning(KeyRow.id)).one_or_none() is None:
        raise NotFoundError(f"{key_id} is not a key of yours; GET /v1/keys lists them")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
