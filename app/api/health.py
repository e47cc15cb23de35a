"""Is the service alive, and can it work?"""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from app.api.problems import database_away
from app.api.services import Served
from app.errors import UnavailableError
from app.store.migrate import is_at_head

router = APIRouter(tags=["service"])


class HealthBody(BaseModel):
    """Good news; bad news is a problem with status 503."""

    status: Literal["live", "ready"]


@router.get("/health/live")
def get_live() -> HealthBody:
    """Whether the process answers."""
    return HealthBody(status="live")


@router.get("/health/ready")
def get_ready(services: Served) -> HealthBody:
    """Whether the database answers and has the schema of this version.

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
    return HealthBody(status="ready")
