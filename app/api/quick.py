"""How is a forecast answered where a millisecond counts? Before the framework, where nothing has to be waited for but its batch.

    POST /v1/models/{model_id}/forecasts, in JSON of a told length, by a key and of a model that were asked for a moment ago
        a few series, sent as they should be    answered from here
    anything else                               on to its route, which answers as if this were not here

The framework takes four times as long for a request as all that is done here: it matches routes, solves dependencies, and stands in a
dozen layers around the endpoint. The event loop reads no more than a request's head. Its body is read with its batch, each step of that
for all bodies before the next step: code that has just run takes a third of the time of code that another has driven out of the caches.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace
from typing import NamedTuple

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.access import known_reader
from app.api.forecasts import MOST_READ_AT_ONCE, Asked, ForecastRequest, FoundModel, asked_of, forecasts_body, forecasts_told
from app.api.histories import sent_histories
from app.api.patience import answer_of
from app.api.problems import CLIENT_GONE, problem
from app.api.services import Services
from app.errors import BraidcastError
from app.forecasting.forecaster import Forecaster
from app.forecasting.histories import History
from app.logs import bound

ASKED = re.compile(r"/v1/models/(?P<model_id>[^/\0]+)/forecasts")

ROUTE = SimpleNamespace(path="/v1/models/{model_id}/forecasts")

MOST_BYTES = 256 * 1024
"""Of a body: reading a longer one would keep those waiting whose batches are computed by the same thread."""

log = logging.getLogger(__name__)


class QuickForecasts:
    """Answers forecasts for which nothing has to be read.

    Args:
        app: what comes after it.
        services: of the process.
    """

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request."""
        began_at = time.perf_counter()
        known = self._known(scope)
        if known is None:
            await self._app(scope, receive, send)
            return
        messages = [await receive()]
        while messages[-1].get("more_body", False):
            messages.append(await receive())
        sent = _Sent(b"".join(message.get("body", b"") for message in messages), began_at, time.perf_counter())
        try:
            told = await answer_of(receive, self._services.batcher.ask(known, sent, partial(_told, known)))
        except (BraidcastError, ClientDisconnect) as error:
            scope["route"] = ROUTE
            answer = problem(Request(scope), error) if isinstance(error, BraidcastError) else Response(status_code=CLIENT_GONE)
            await answer(scope, receive, send)
            return
        except Exception:
            with bound(request_id=scope["state"]["request_id"]):
                log.exception("A forecast failed before its route, which is asked now")
            told = None
        if told is None:
            await self._app(scope, _replayed(messages, receive), send)
            return
        scope["route"] = ROUTE
        headers = [(b"content-length", b"%d" % len(told)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": told})

    def _known(self, scope: Scope) -> _Known | None:
        """The model that is asked, if it and who asks are known and the body can be read here."""
        asked = ASKED.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if asked is None:
            return None
        services, headers = self._services, dict(reversed(scope["headers"]))  # of several of one name the first counts, as everywhere
        length = headers.get(b"content-length", b"")
        most = min(MOST_BYTES, services.max_json_bytes)
        if headers.get(b"content-type") != b"application/json" or not length.isdigit() or int(length) > most:
            return None
        reader = known_reader(services, headers.get(b"authorization", b"").decode("latin-1"))
        model: FoundModel | None = services.recent.known_still(("model", reader.owner, asked["model_id"])) if reader else None
        forecaster = services.forecasters.ready(model.digest) if model else None
        return None if model is None or forecaster is None else _Known(model, forecaster)


class _Known(NamedTuple):
    """A model, and its forecaster."""

    model: FoundModel
    forecaster: Forecaster


class _Sent(NamedTuple):
    """A body, when its request came, and when it was asked of the batcher, both on the performance counter."""

    content: bytes
    began_at: float
    asked_at: float


def _told(known: _Known, sent: Sequence[_Sent]) -> list[bytes | None]:
    """The answers to some bodies that are about the same model; None where the route has to give it.

    Raises:
        ForecastError: a series cannot be forecast. More bodies than one are asked again each alone, and then the error is its own.
    """
    alike: dict[Asked, dict[int, list[History]]] = {}
    for place, body in enumerate([_read(one.content) for one in sent]):
        if body is not None:
            alike.setdefault(asked_of(body), {})[place] = sent_histories(known.forecaster, body.series or [])
    told: list[bytes | None] = [None] * len(sent)
    for asked, histories in alike.items():
        found = forecasts_told(known.forecaster, asked, [(own, None) for own in histories.values()])
        for place, forecasts in zip(histories, found, strict=True):
            one = sent[place]
            told[place] = forecasts_body(known.model.id, known.forecaster, forecasts, one.began_at, one.asked_at)
    return told


def _read(content: bytes) -> ForecastRequest | None:
    """A body, if it is as it should be and brings a few series."""
    try:
        # By orjson first: two thirds of the time of pydantic's own reader.
        body = ForecastRequest.model_validate(orjson.loads(content))
    except ValueError:  # no JSON, or not as it should be
        return None
    return body if body.series is not None and len(body.series) <= MOST_READ_AT_ONCE else None


def _replayed(messages: list[Message], receive: Receive) -> Receive:
    """Gives messages that were received once more, and then what comes."""

    async def receive_again() -> Message:
        return messages.pop(0) if messages else await receive()

    return receive_again
