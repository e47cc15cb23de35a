"""Which keys does an owner have? A key's token is told once, when it is made."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from app.api.access import Asker
from app.api.bodies import Id, Name, StrictBody
from app.api.pages import DEFAULT_LIMIT, After, Limit, PageOf, page_body
from app.api.services import Served
from app.errors import ForbiddenError
from app.store.keys import create_key, list_keys, revoke_key
from app.store.pages import Page
from app.store.tables import KeyRow

router = APIRouter(tags=["keys"])

Scope = Literal["read", "write", "admin"]


class KeyBody(BaseModel):
    """A key, without what would let somebody use it."""

    id: str
    name: str
    scopes: list[Scope]
    created_at: datetime
    revoked_at: datetime | None


class NewKeyBody(KeyBody):
    """A key that was made just now. `token` goes into `Authorization: Bearer ...`; it is never shown again."""

    token: str


class KeyRequest(StrictBody):
    """A key to be made."""

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1)]


@router.get("/v1/keys")
def list_all(services: Served, asker: Asker, limit: Limit = DEFAULT_LIMIT, after: After = None) -> PageOf[KeyBody]:
    """Your keys, oldest first, revoked ones too."""
    with services.database.read() as db:
        rows = [row for row in list_keys(db, asker.owner) if after is None or row.id > after]
    has_more = len(rows) > limit
    return page_body(Page(rows[:limit], has_more, rows[limit - 1].id if has_more else None), key_body)


@router.post("/v1/keys", status_code=201)
def create(body: KeyRequest, services: Served, asker: Asker) -> NewKeyBody:
    """Make a key of yours. It may have the scopes that the asking key has, and no others.

    Raises:
        ForbiddenError: a scope that the asking key has not.
    """
    missing = sorted(set(body.scopes) - asker.scopes)
    if missing:
        held = ", ".join(sorted(asker.scopes))
        raise ForbiddenError(
            f"scopes: a key cannot give {', '.join(missing)}, which it has not itself; yours has: {held}",
            code="scope_missing",
            pointer="#/scopes",
        )
    with services.database.begin() as db:
        row, token = create_key(db, asker.owner, body.name, body.scopes)
        return NewKeyBody(token=token, **key_body(row).model_dump())


@router.delete("/v1/keys/{key_id}", status_code=204, response_class=Response)
def revoke(key_id: Id, services: Served, asker: Asker) -> None:
    """End a key at once."""
    with services.database.begin() as db:
        revoke_key(db, asker.owner, key_id)


def key_body(row: KeyRow) -> KeyBody:
    """A key as it is answered."""
    return KeyBody.model_validate(row, from_attributes=True)
