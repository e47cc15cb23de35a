"""How long does a request wait for its batch? Until it has run, or until nobody is there any more to be told."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

UNWATCHED_SECONDS = 0.05
"""Most answers are there by then, and nobody has to be asked whether they are still waited for."""

WATCH_SECONDS = 0.25

Result = TypeVar("Result")


async def answer_of(request: Request, waiting: asyncio.Future[Result]) -> Result:
    """The result of what was asked; given up when its client has gone.

    Raises:
        ClientDisconnect: it has.
    """
    patience = UNWATCHED_SECONDS
    while not (await asyncio.wait({waiting}, timeout=patience))[0]:
        if await request.is_disconnected():
            waiting.cancel()
            raise ClientDisconnect
        patience = WATCH_SECONDS
    return waiting.result()
