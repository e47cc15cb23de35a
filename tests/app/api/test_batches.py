"""Many requests at once share batches, and each gets its own; too many are told so, and nobody computes for who has gone."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from app.api import forecasts, patience, quick
from app.api.problems import CLIENT_GONE
from app.forecasting import batcher as batcher_module
from tests.app.api.conftest import Api, problem_of
from tests.app.api.trained import add_model

START = "2025-03-01T00:00:00"


def request_of(number: int, **changes: Any) -> dict[str, Any]:
    target = [float((number + step) % 7 + number) for step in range(9)]
    return {"series": [{"unique_id": f"s{number}", "start": START, "target": target} | changes]}


def test_requests_that_come_together_get_their_own_answers(api: Api) -> None:
    model = add_model(api)
    path = f"/v1/models/{model}/forecasts"
    alone = [api.client.post(path, json=request_of(number)).json()["forecasts"] for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda number: api.client.post(path, json=request_of(number)).json()["forecasts"], range(24)))
    for (one,), (other,) in zip(alone, together, strict=True):
        assert other["unique_id"] == one["unique_id"]
        assert other["mean"] == pytest.approx(one["mean"], rel=1e-5)
    assert api.services.batcher.counts().requests == 48


def test_a_bad_request_among_good_ones_fails_alone_and_at_its_place(api: Api) -> None:
    path = f"/v1/models/{add_model(api)}/forecasts"
    requests = [request_of(number, **({"target": [1.0]} if number == 3 else {})) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda request: api.client.post(path, json=request), requests))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 422, 200, 200, 200, 200]
    assert problem_of(answers[3], 422)["errors"][0]["pointer"] == "#/series/0/target"


def test_too_many_are_told_when_to_come_back(api: Api) -> None:
    path = f"/v1/models/{add_model(api)}/forecasts"
    api.services.batcher.close()
    answer = api.client.post(path, json=request_of(1))
    assert problem_of(answer, 503)["detail"].endswith("ask again")
    assert answer.headers["retry-after"] == str(batcher_module.RETRY_SECONDS)


def receiving(messages: list[dict[str, Any]]) -> Receive:
    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else await asyncio.Event().wait()  # type: ignore[return-value]

    return receive


def test_what_nobody_waits_for_any_more_is_given_up() -> None:
    async def left() -> bool:
        waiting: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        with pytest.raises(ClientDisconnect):
            await patience.answer_of(receiving([{"type": "http.disconnect"}]), waiting)
        return waiting.cancelled()

    assert asyncio.run(left())


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8"])
def test_who_hangs_up_is_no_failure_of_ours(api: Api, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    async def gone(receive: Receive, waiting: asyncio.Future[Any]) -> Any:
        waiting.cancel()
        raise ClientDisconnect

    path = f"/v1/models/{add_model(api)}/forecasts"
    assert api.client.post(path, json=request_of(1)).status_code == 200
    monkeypatch.setattr(quick if kind == "application/json" else forecasts, "answer_of", gone)
    assert api.client.post(path, json=request_of(1), headers={"Content-Type": kind}).status_code == CLIENT_GONE


def test_an_answer_that_takes_long_is_waited_for_by_who_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "WATCH_SECONDS", 0.001)

    async def answered() -> int:
        waiting: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.05, waiting.set_result, 3)
        return await patience.answer_of(receiving([]), waiting)

    assert asyncio.run(answered()) == 3
