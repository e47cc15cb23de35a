"""An answer that many want is made once, and given to none but those who may have it."""

import asyncio
from typing import Any

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.renditions import KEPT_BYTES, LONGEST_BYTES, Rendition, Renditions
from tests.app.api.conftest import Api

SCOPE: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}


class Kitchen:
    """An app that counts how often it was asked, and answers when it may."""

    def __init__(self, status: int = 200, size: int = 10) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self._status, self._size = status, size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        await self.may_answer.wait()
        await Response(b"x" * self._size, self._status)(scope, receive, send)


async def nothing() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def test_those_who_ask_while_it_is_made_get_it_too_and_those_who_ask_later() -> None:
    async def run() -> tuple[list[Rendition | None], int]:
        kitchen, renditions = Kitchen(), Renditions()
        asking = [asyncio.create_task(renditions.get("a", kitchen, SCOPE, nothing)) for _ in range(5)]
        await asyncio.sleep(0)
        kitchen.may_answer.set()
        return [*await asyncio.gather(*asking), await renditions.get("a", kitchen, SCOPE, nothing)], kitchen.asked

    answers, asked = asyncio.run(run())
    assert asked == 1
    assert [answer.size_bytes for answer in answers if answer is not None] == [10] * 6


def test_a_failure_is_told_to_the_one_who_had_it_and_to_nobody_else() -> None:
    async def run() -> list[Rendition | None]:
        kitchen, renditions = Kitchen(status=422), Renditions()
        asking = [asyncio.create_task(renditions.get("a", kitchen, SCOPE, nothing)) for _ in range(3)]
        await asyncio.sleep(0)
        kitchen.may_answer.set()
        return list(await asyncio.gather(*asking))

    first, *others = asyncio.run(run())
    assert first is not None
    assert first.messages[0]["status"] == 422
    assert others == [None, None]


def test_a_bug_leaves_nobody_waiting() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("a bug")

    async def run() -> list[Any]:
        renditions = Renditions()
        return list(await asyncio.gather(*(renditions.get("a", broken, SCOPE, nothing) for _ in range(2)), return_exceptions=True))

    first, second = asyncio.run(run())
    assert isinstance(first, RuntimeError)
    assert second is None


def test_what_is_kept_is_bounded_and_the_longest_are_not_kept() -> None:
    async def run() -> tuple[int, int]:
        renditions = Renditions()
        small, large = Kitchen(size=LONGEST_BYTES), Kitchen(size=LONGEST_BYTES + 1)
        small.may_answer.set()
        large.may_answer.set()
        most = KEPT_BYTES // LONGEST_BYTES
        for key in range(most + 1):
            await renditions.get(key, small, SCOPE, nothing)
        for key in (most, 0):
            await renditions.get(key, small, SCOPE, nothing)
        for _ in range(2):
            await renditions.get("large", large, SCOPE, nothing)
        return small.asked - most, large.asked

    assert asyncio.run(run()) == (2, 2)


@pytest.mark.parametrize("path", ["", "/metrics"])
def test_an_answer_that_was_given_is_not_given_to_another_owner(api: Api, path: str) -> None:
    made = api.client.post("/v1/jobs", json={"kind": "train", "dataset": api.upload(), "horizon": 2, "context": 4}).json()
    url = f"/v1/jobs/{made['id']}{path}"
    mine = [api.client.get(url) for _ in range(2)]
    assert [answer.status_code for answer in mine] == [200, 200]
    assert mine[0].json() == mine[1].json()
    assert mine[0].headers["x-request-id"] != mine[1].headers["x-request-id"]
    assert api.client_of("somebody else").get(url).status_code == 404
    assert api.client_of("somebody", "write").get(url).status_code == 403
