"""Who may ask what? Every route wants a key, and a scope by its method; the exceptions stand here and nowhere else.

`authorize` is a dependency of the whole app, so a new route is closed until it says otherwise here. Whose key it is decides what is
seen: ids of other owners answer 404, as ids that do not exist.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from app.api.services import Services, services_of
from app.errors import ForbiddenError, UnauthorizedError
from app.store.keys import Principal, authenticate

OPEN_PATHS = frozenset(
    {
        "/health/live",
        "/health/ready",
        "/v2/health/live",
        "/v2/health/ready",
        "/docs",
        "/docs/oauth2-redirect",
        "/",
        "/dashboard/{name:path}",
    }
)
"""What needs no key: nothing of anybody's is in their answers."""

READING_POSTS = frozenset(
    {
        "/v1/architectures/validate",
        "/v1/models/{model_id}/forecasts",
        "/v1/session",
        "/v2/models/{model_id}/infer",
        "/compat/nixtla/v2/forecast",
        "/compat/nixtla/v2/cross_validation",
        "/compat/nixtla/v2/anomaly_detection",
    }
)
"""POST for the sake of a body, or of a cookie: they change nothing that is kept here."""

KEYS_PREFIX = "/v1/keys"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def scope_of(method: str, path: str) -> str | None:
    """The scope that a route wants.

    Args:
        method: of the request.
        path: the route's, with its parameters in braces.

    Returns:
        `read`, `write` or `admin`; None where no key is needed.
    """
    if path in OPEN_PATHS:
        return None
    if path.startswith(KEYS_PREFIX):
        return "admin"
    return "read" if method in SAFE_METHODS or path in READING_POSTS else "write"


async def authorize(request: Request) -> None:
    """Lets a request through to its endpoint, and notes whose it is.

    Raises:
        UnauthorizedError: no key, or one that is not known or was revoked.
        ForbiddenError: a key without the scope.
    """
    scope = scope_of(request.method, request.scope["route"].path)
    if scope is None:
        return
    principal = await _principal(services_of(request), shown_token(request))
    if principal is None:
        raise UnauthorizedError("the key is not known here, or was revoked; `braidcast key create` makes a new one")
    if scope not in principal.scopes:
        held = ", ".join(sorted(principal.scopes))
        raise ForbiddenError(f"this needs a key with the scope {scope!r}, and yours has: {held}; ask for another key", code="scope_missing")
    request.state.principal = principal


async def _principal(services: Services, token: str) -> Principal | None:
    """Whose token it is; a thread is asked only where it was not read a moment ago."""
    key = _key_of(token)
    known: Principal | None = services.recent.known(key)
    return known or await run_in_threadpool(services.recent.read, key, lambda db: authenticate(db, token))


def known_reader(services: Services, authorization: str) -> Principal | None:
    """Whose header it is, if that was read a moment ago and they may read; None where `authorize` has to say."""
    token = bearer_token(authorization)
    principal: Principal | None = services.recent.known_still(_key_of(token)) if token else None
    return principal if principal is not None and "read" in principal.scopes else None


def _key_of(token: str) -> tuple[str, bytes]:
    return "token", hashlib.sha256(token.encode()).digest()


def bearer_token(authorization: str) -> str:
    """The key in a header `Authorization`; empty where there is none."""
    kind, _, token = authorization.partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def shown_token(request: Request) -> str:
    """The key that a request shows: in its header, else in a browser's cookie.

    A cookie comes along whoever made the browser ask, so it counts only where the browser says that a page of ours did: by `Origin`, by
    `Sec-Fetch-Site`, and for whatever changes something by one of them at least.

    Raises:
        UnauthorizedError: no key.
        ForbiddenError: a cookie, and a request that is from elsewhere.
    """
    if token := bearer_token(request.headers.get("authorization", "")):
        return token
    kept = None if "authorization" in request.headers else request.cookies.get(cookie_name(request))
    if not kept:
        raise UnauthorizedError("send the header 'Authorization: Bearer bc_...'; `braidcast key create` makes a key")
    if not _is_from_here(request):
        raise ForbiddenError("a cookie counts only for requests of the dashboard itself; send a key in the header", code="cross_origin")
    return kept


def cookie_name(request: Request) -> str:
    """The name of the cookie: browsers share cookies between the ports of a host, so each port has one of its own."""
    return f"braidcast_{request.url.port or 'default'}"


def _is_from_here(request: Request) -> bool:
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if origin is not None and origin.partition("://")[2].lower() != request.headers.get("host", "").lower():
        return False
    if site is not None and site not in {"same-origin", "none"}:
        return False
    return request.method in SAFE_METHODS or origin is not None or site == "same-origin"


def principal_of(request: Request) -> Principal:
    """Whose request it is, after `authorize`."""
    principal = request.state.principal
    assert isinstance(principal, Principal)  # noqa: S101 for the type checker: a state has no types
    return principal


async def _asker(request: Request) -> Principal:
    # Async, as it waits for nothing: a thread would cost more than it does.
    return principal_of(request)


Asker = Annotated[Principal, Depends(_asker)]
"""An endpoint's parameter: who asks."""
