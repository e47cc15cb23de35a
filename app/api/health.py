"""Is the service alive, can it work, and does anything ail it? Dead is 503, degraded is 200 with what is not well."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from app.api.probes import SENTENCES, Probes
from app.api.problems import database_away
from app.api.services import Served
from app.errors import UnavailableError
from app.store.migrate import is_at_head

router = APIRouter(tags=["service"])


class PartBody(BaseModel):
    """A part that is not well, and what that means."""

    part: str
    detail: str


class HealthBody(BaseModel):
    """How the service is; that it cannot work is a problem with status 503. `degraded`: it can, but for what the parts in the list do."""

    status: Literal["live", "ready", "degraded"]
    degraded: list[PartBody] = []


async def probes_of(request: Request) -> Probes:
    """The probes that `app.main` put together."""
    probes = request.app.state.probes
    assert isinstance(probes, Probes)  # noqa: S101 for the type checker: a state has no types
    return probes


@router.get("/health/live")
def get_live() -> HealthBody:
    """Whether the process answers."""
    return HealthBody(status="live")


@router.get("/health/ready")
def get_ready(services: Served, probes: Annotated[Probes, Depends(probes_of)]) -> HealthBody:
    """Whether the database answers and has the schema of this version, and which other parts are not well.

    Raises:
        UnavailableError: it does not, or has not.
    """
    try:
        is_current = is_at_head(services.database)
    except SQLAlchemyError as error:
        away = database_away()
        raise away from error
    if not is_current:
        raise UnavailableError("the database has the schema of another version; run `braidcast migrate`", code="schema")
    degraded = [PartBody(part=part, detail=SENTENCES[part]) for part, is_well in probes.parts().items() if not is_well]
    return HealthBody(status="degraded" if degraded else "ready", degraded=degraded)
