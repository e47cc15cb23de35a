"""How are failures told? As RFC 9457 `application/problem+json`, the framework's own and the unexpected included."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.errors import BraidcastError, Fault, UnavailableError, pointer_to, shown

MEDIA_TYPE = "application/problem+json"
DATABASE_RETRY_SECONDS = 2
CLIENT_GONE = 499
"""nginx's status for who has hung up: nobody reads it, but it is counted."""
UNREADABLE = "There was an error parsing the body"
"""The framework's words for a body that is neither JSON nor told to be wrong JSON."""

log = logging.getLogger(__name__)


class FaultBody(BaseModel):
    """One thing that is wrong: where, a code for programs, a sentence for readers."""

    pointer: str
    code: str
    detail: str


class Problem(BaseModel):
    """Every failure's body."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[FaultBody]


def problem(request: Request, error: BraidcastError, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a request that failed.

    Args:
        request: the request.
        error: what went wrong.
        headers: further ones.
    """
    extra = dict(headers or {})
    if error.retry_after_seconds is not None:
        extra["Retry-After"] = str(error.retry_after_seconds)
    if error.status == HTTPStatus.UNAUTHORIZED:
        extra["WWW-Authenticate"] = "Bearer"
    return _answer(request, error.status, error.code, error.title, error.detail, error.faults, extra)


def _answer(
    request: Request,
    status: int,
    kind: str,
    title: str,
    detail: str,
    faults: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    body = Problem(
        type=f"/problems/{kind}",
        title=title,
        status=status,
        detail=detail,
        instance=request.url.path,
        request_id=getattr(request.state, "request_id", ""),
        errors=[FaultBody(pointer=fault.pointer, code=fault.code, detail=fault.detail) for fault in faults],
    )
    return JSONResponse(body.model_dump(), status, dict(headers or {}), MEDIA_TYPE)


def answer_problems(app: FastAPI) -> None:
    """Have every failure of an app answered so."""
    app.add_exception_handler(BraidcastError, _braidcast_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(OperationalError, _database_away)
    app.add_exception_handler(PoolTimeoutError, _database_away)
    app.add_exception_handler(ClientDisconnect, _client_gone)
    app.add_exception_handler(Exception, _unexpected)


async def _braidcast_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, BraidcastError)  # noqa: S101 for the type checker
    return problem(request, error)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 for the type checker
    faults = [_fault(details) for details in error.errors()]
    if any(fault.code == "json_invalid" for fault in faults):
        return _answer(request, 400, "malformed", "The request cannot be read", f"the body is no JSON: {faults[0].detail}", faults)
    detail = "; ".join(fault.detail for fault in faults[:3])
    return _answer(request, 422, "validation", "The request cannot be carried out as it is written", detail, faults)


def _fault(details: Mapping[str, object]) -> Fault:
    location, code = details["loc"], str(details["type"])
    place, *path = location if isinstance(location, tuple) else (str(location),)
    name = ".".join(str(part) for part in path) or "the body"
    pointer = pointer_to("#", path) if place == "body" else f"?{name}"
    message = str(details["msg"])
    if code == "json_invalid":
        return Fault("#", code, f"{details.get('ctx', {})}"[:200])
    if code == "extra_forbidden":
        return Fault(pointer, code, f"{name}: is not a key here; leave it out")
    if code == "missing":
        return Fault(pointer, code, f"{name}: is missing and has no default")
    if code == "value_error":
        return Fault(pointer, code, message.removeprefix("Value error, "))
    return Fault(pointer, code, f"{name}: {message[:1].lower()}{message[1:]}, and is {shown(details.get('input'))}")


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 for the type checker
    status = HTTPStatus(error.status_code)
    details = {
        404: f"{request.url.path} is no path of this API; /docs lists them",
        405: f"{request.method} is not for {request.url.path}; /docs lists what is",
    }
    code = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 400: "malformed"}.get(status.value, "http")
    detail = details.get(status.value, str(error.detail))
    if detail == UNREADABLE:
        detail = "the body is no JSON in UTF-8, or is nested too deep to be read; send a JSON object"
    return _answer(request, status.value, code, status.phrase, detail, headers=error.headers)


def database_away() -> UnavailableError:
    """What is said while the database does not answer."""
    sentence = "the database does not answer just now; ask again"
    return UnavailableError(sentence, code="database_unavailable", retry_after_seconds=DATABASE_RETRY_SECONDS)


async def _database_away(request: Request, error: Exception) -> Response:
    log.warning("The database does not answer: %s", error)
    return problem(request, database_away())


async def _client_gone(_: Request, __: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)


async def _unexpected(request: Request, _: Exception) -> Response:
    # The server logs the traceback; whoever asked gets an id to quote.
    error = BraidcastError("something went wrong here, not in your request; quote the request_id when you report it")
    return problem(request, error)
