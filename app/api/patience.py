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
        CancelledError: who asked was given up.
        ClientDisconnect: it has gone.
    """
    loop, watching = asyncio.get_running_loop(), list[asyncio.Task[None]]()
    # A timer that never goes off costs a tenth of a wait with a bound.
    timer = loop.call_later(UNWATCHED_SECONDS, lambda: watching.append(loop.create_task(_give_up_with_client(request, waiting))))
    try:
        return await waiting
    except asyncio.CancelledError:
        if any(task.done() for task in watching):
            raise ClientDisconnect from None
        raise
    finally:
        timer.cancel()
        for task in watching:
            task.cancel()


async def _give_up_with_client(request: Request, waiting: asyncio.Future[Result]) -> None:
    while not await request.is_disconnected():
        await asyncio.sleep(WATCH_SECONDS)
    waiting.cancel()
