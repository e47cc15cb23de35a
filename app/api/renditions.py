"""How is an answer that many want at once made once? The first who asks has it made, the others wait for it; it is kept for a while.

Rendering is work for a thread, and forty threads at it hold up the loop that every answer goes through for a second and more.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEPT_BYTES = 16 * 1024 * 1024
LONGEST_BYTES = 1024 * 1024
"""A longer answer is not kept: it would drive out all others."""


@dataclass(frozen=True)
class Rendition:
    """An answer as it goes out."""

    messages: tuple[Message, ...]

    @property
    def is_good(self) -> bool:
        """Whether it may be given to others who ask the same."""
        return bool(self.messages) and self.messages[0]["status"] == 200

    @property
    def size_bytes(self) -> int:
        """Of its body."""
        return sum(len(message.get("body", b"")) for message in self.messages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        for message in self.messages:
            # Who sends it on adds headers of its own.
            await send({**message, "headers": list(message["headers"])} if "headers" in message else message)


class Renditions:
    """Answers that were made, by what they answer; the ones used last, bounded by bytes."""

    def __init__(self) -> None:
        self._made: OrderedDict[Hashable, Rendition] = OrderedDict()
        self._bytes = 0
        self._making: dict[Hashable, asyncio.Future[Rendition | None]] = {}

    async def get(self, key: Hashable, app: ASGIApp, scope: Scope, receive: Receive) -> Rendition | None:
        """The answer to a request: one that was made, or is being made, or is made now; None where nobody could be given it.

        Args:
            key: requests with equal keys have equal answers.
            app: makes it.
            scope: of the request.
            receive: of the request.
        """
        if key in self._made:
            self._made.move_to_end(key)
            return self._made[key]
        if key in self._making:
            return await asyncio.shield(self._making[key])
        making = self._making[key] = asyncio.get_running_loop().create_future()
        made = None
        try:
            made = await _render(app, scope, receive)
        finally:
            making.set_result(made if made is not None and made.is_good else None)
            del self._making[key]
        self._keep(key, made)
        return made

    def _keep(self, key: Hashable, made: Rendition) -> None:
        if not made.is_good or made.size_bytes > LONGEST_BYTES:
            return
        self._made[key] = made
        self._bytes += made.size_bytes
        while self._bytes > KEPT_BYTES:
            _, oldest = self._made.popitem(last=False)
            self._bytes -= oldest.size_bytes


async def _render(app: ASGIApp, scope: Scope, receive: Receive) -> Rendition:
    messages: list[Message] = []

    async def collect(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, collect)
    return Rendition(tuple(messages))
