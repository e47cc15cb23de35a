"""How long does a request wait for its batch? Until it has run, or until nobody is there any more to be told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

WATCH_SECONDS = 0.1
"""Who has waited through so long is asked whether they are still there; most answers are there sooner."""

GONE = "the client has gone"

Result = TypeVar("Result")


class Watch:
    """Gives up what nobody waits for any more: one for all requests of an event loop, where a timer for each would cost more than it."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[Any], Receive] = {}
        self._seen: set[asyncio.Future[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None

    def begin(self, waiting: asyncio.Future[Any], receive: Receive) -> None:
        """From now on its client may go."""
        self._waiting[waiting] = receive
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WATCH_SECONDS, self._look)

    def end(self, waiting: asyncio.Future[Any]) -> None:
        """It has been waited for."""
        del self._waiting[waiting]

    def _look(self) -> None:
        old = [waiting for waiting in self._waiting if waiting in self._seen]
        self._seen = set(self._waiting)
        loop = asyncio.get_running_loop()
        if old and (self._asking is None or self._asking.done()):
            self._asking = loop.create_task(self._ask(old))
        self._timer = loop.call_later(WATCH_SECONDS, self._look) if self._seen else None

    async def _ask(self, old: Sequence[asyncio.Future[Any]]) -> None:
        for waiting in old:
            receive = self._waiting.get(waiting)
            if receive is not None and await Request({"type": "http"}, receive).is_disconnected():
                waiting.cancel(GONE)


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, Watch] = WeakKeyDictionary()


async def answer_of(receive: Receive, waiting: asyncio.Future[Result]) -> Result:
    """The result of what was asked; given up when its client has gone, as messages of its request tell.

    Raises:
        CancelledError: who asked was given up.
        ClientDisconnect: it has gone.
    """
    loop = asyncio.get_running_loop()
    watch = _watches.get(loop) or _watches.setdefault(loop, Watch())
    watch.begin(waiting, receive)
    try:
        return await waiting
    except asyncio.CancelledError as error:
        if error.args == (GONE,):
            raise ClientDisconnect from None
        raise
    finally:
        watch.end(waiting)
