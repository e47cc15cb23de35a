"""What happens to each request before any route sees it? It gets an id, its time is taken, and its body has a bound."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import problem
from app.errors import TooLargeError
from app.logs import bound
from app.store.ids import new_request_id
from app.traces import Traces

UPLOAD = ("POST", "/v1/datasets")

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


class Accounted:
    """Gives each request an id, in its state, its failures and the header `X-Request-Id`, and takes its time.

    The time is that until an answer begins; an event stream's end would say nothing.

    Args:
        app: what comes after it.
        observe: is told the method, the route's template, the status and the seconds.
    """

    def __init__(self, app: ASGIApp, observe: Callable[[str, str, int, float], None]) -> None:
        self._app = app
        self._observe = observe

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serves a request; neither here nor for a message is there a coroutine more."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        began_at, request_id = time.perf_counter(), new_request_id()
        scope.setdefault("state", {})["request_id"] = request_id

        def send_told(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                self._observe(method_of(scope), template_of(scope), message["status"], time.perf_counter() - began_at)
            return send(message)

        return self._app(scope, receive, send_told)


class Logged:
    """Has each line of the log that a request writes bear its id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request."""
        with bound(request_id=scope.get("state", {}).get("request_id")):
            await self._app(scope, receive, send)


class Traced:
    """Makes a span of each request, below the one that its sender names in `traceparent`.

    Args:
        app: what comes after it.
        traces: where spans go.
    """

    def __init__(self, app: ASGIApp, traces: Traces) -> None:
        self._app = app
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = {"http.request.method": method_of(scope), "braidcast.request_id": str(scope.get("state", {}).get("request_id", ""))}
        with self._traces.span(method_of(scope), "server", told, Headers(scope=scope).get("traceparent")) as span:

            async def send_told(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.rename(f"{method_of(scope)} {template_of(scope)}")
                    span.note({"http.route": template_of(scope), "http.response.status_code": message["status"]})
                await send(message)

            await self._app(scope, receive, send_told)


def method_of(scope: Scope) -> str:
    """The method, if it is one that is known: anybody may send any word."""
    return scope["method"] if scope["method"] in METHODS else "other"


def template_of(scope: Scope) -> str:
    """The path of a request's route with its parameters in braces; `none` where no route was found."""
    return str(getattr(scope.get("route"), "path", "none"))


class BodyLimit:
    """Refuses bodies over the deployment's bounds: at once where their length is told, else when they pass it.

    The framework's own limit answers in plain text, which no other failure here does.

    Args:
        app: what comes after it.
        upload_bytes: bound of an uploaded data set.
        other_bytes: bound of everything else.
    """

    def __init__(self, app: ASGIApp, upload_bytes: int, other_bytes: int) -> None:
        self._app = app
        self._upload_bytes = upload_bytes
        self._other_bytes = other_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._upload_bytes if (scope["method"], scope["path"]) == UPLOAD else self._other_bytes
        sentence = f"the body has more than {limit:,} bytes, the most that is read here; send less, or in parts"
        told = Headers(scope=scope).get("content-length", "")
        if told.isdecimal() and int(told) > limit:
            await problem(Request(scope), TooLargeError(sentence), {"Connection": "close"})(scope, receive, send)
            return
        received = 0

        async def receive_bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(TooLargeError.status, sentence, {"Connection": "close"})
            return message

        await self._app(scope, receive_bounded, send)
