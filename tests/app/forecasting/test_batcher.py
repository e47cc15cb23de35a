"""What waits for the same network runs at once; each gets its own; what fails, is given up or is too much harms nobody else."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from app.errors import InputError, UnavailableError
from app.forecasting.batcher import MOST_AT_ONCE, Batcher
from tests.app.api.waiting import until

SECONDS = 60


class Desk:
    """Runs batches that a test can hold up, and notes them."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Event()

    def run(self, items: Sequence[int]) -> list[int]:
        assert self.gate.wait(SECONDS)
        self.batches.append(list(items))
        if any(item < 0 for item in items):
            raise InputError(f"{min(items)} is below zero")
        return [item * item for item in items]


@pytest.fixture
def batcher() -> Any:
    made = Batcher(most_waiting=200)
    yield made
    made.close()


def held(batcher: Batcher, desk: Desk) -> None:
    """The thread is busy with a request of nobody's until the gate opens."""
    batcher.submit("first", 0, desk.run)
    until(lambda: batcher.counts().waiting == 0)


def test_each_gets_its_own_answer_in_whatever_order_they_came(batcher: Batcher) -> None:
    desk = Desk()
    held(batcher, desk)
    order = [7, 3, 5, 1, 9, 2]
    asked = [batcher.submit("a", item, desk.run) for item in order]
    desk.gate.set()
    assert [one.result(SECONDS) for one in asked] == [item * item for item in order]
    assert desk.batches == [[0], order]
    assert batcher.counts().sizes[3] == 1


def test_what_waits_for_another_network_runs_apart_and_nobody_starves(batcher: Batcher) -> None:
    desk = Desk()
    held(batcher, desk)
    asked = [batcher.submit(key, item, desk.run) for item, key in enumerate("abab", 1)]
    desk.gate.set()
    assert [one.result(SECONDS) for one in asked] == [1, 4, 9, 16]
    assert desk.batches == [[0], [1, 3], [2, 4]]


def test_a_batch_has_an_end(batcher: Batcher) -> None:
    desk = Desk()
    held(batcher, desk)
    asked = [batcher.submit("a", item, desk.run) for item in range(MOST_AT_ONCE + 3)]
    desk.gate.set()
    assert [one.result(SECONDS) for one in asked] == [item * item for item in range(MOST_AT_ONCE + 3)]
    assert [len(batch) for batch in desk.batches] == [1, MOST_AT_ONCE, 3]


def test_one_bad_request_fails_alone(batcher: Batcher) -> None:
    desk = Desk()
    held(batcher, desk)
    asked = [batcher.submit("a", item, desk.run) for item in (1, -2, 3)]
    desk.gate.set()
    assert (asked[0].result(SECONDS), asked[2].result(SECONDS)) == (1, 9)
    with pytest.raises(InputError, match="-2 is below zero"):
        asked[1].result(SECONDS)
    assert batcher.counts().failed == 1


def test_a_request_that_was_given_up_is_not_run(batcher: Batcher) -> None:
    desk = Desk()
    held(batcher, desk)
    asked = [batcher.submit("a", item, desk.run) for item in (1, 2, 3)]
    assert asked[1].cancel()
    desk.gate.set()
    assert (asked[0].result(SECONDS), asked[2].result(SECONDS)) == (1, 9)
    assert desk.batches == [[0], [1, 3]]
    assert batcher.counts().dropped == 1


def test_too_many_are_told_to_come_back() -> None:
    batcher, desk = Batcher(most_waiting=2), Desk()
    held(batcher, desk)
    asked = [batcher.submit("a", item, desk.run) for item in (1, 2)]
    with pytest.raises(UnavailableError) as caught:
        batcher.submit("a", 3, desk.run)
    assert caught.value.retry_after_seconds == 1
    assert batcher.counts().shed == 1
    desk.gate.set()
    assert [one.result(SECONDS) for one in asked] == [1, 4]
    batcher.close()


def test_what_waits_when_it_ends_is_still_answered() -> None:
    batcher, desk = Batcher(), Desk()
    asked = [batcher.submit("a", item, desk.run) for item in (1, 2)]
    desk.gate.set()
    batcher.close()
    assert [one.result(0) for one in asked] == [1, 4]
    with pytest.raises(UnavailableError):
        batcher.submit("a", 3, desk.run)


def test_who_waits_on_an_event_loop_is_told_together(batcher: Batcher, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, told = Desk(), list[int]()
    held(batcher, desk)

    async def ask() -> list[int | BaseException]:
        loop = asyncio.get_running_loop()
        call = loop.call_soon_threadsafe

        def note(run: Any, answers: Sequence[Any], *more: Any) -> asyncio.Handle:
            told.append(len(answers))
            return call(run, answers, *more)

        monkeypatch.setattr(loop, "call_soon_threadsafe", note)
        asked = [batcher.ask("a", item, desk.run) for item in (1, 2, 3, 4)]
        asked[2].cancel()
        failing = batcher.ask("b", -5, desk.run)
        desk.gate.set()
        return await asyncio.gather(*asked, failing, return_exceptions=True)

    *squares, failed = asyncio.run(ask())
    assert [squares[0], squares[1], squares[3]] == [1, 4, 16]
    assert isinstance(squares[2], asyncio.CancelledError)
    assert isinstance(failed, InputError)
    assert told == [3, 1]
    assert desk.batches == [[0], [1, 2, 4], [-5]]


def test_who_asks_again_at_once_is_waited_for(batcher: Batcher) -> None:
    desk = Desk()
    held(batcher, desk)

    async def client(number: int) -> None:
        for time in range(5):
            assert await batcher.ask("a", 10 * number + time, desk.run) == (10 * number + time) ** 2

    async def ask() -> None:
        clients = [asyncio.create_task(client(number)) for number in range(1, 9)]
        await asyncio.sleep(0)
        desk.gate.set()
        await asyncio.gather(*clients)

    asyncio.run(ask())
    assert desk.batches == [[0], *([10 * number + time for number in range(1, 9)] for time in range(5))]


def test_a_loop_that_is_busy_is_not_waited_for_long(batcher: Batcher) -> None:
    desk, has_run = Desk(), threading.Event()

    async def ask() -> None:
        told = batcher.ask("a", 1, desk.run)
        desk.gate.set()
        until(lambda: bool(desk.batches))  # the loop does something else meanwhile
        batcher.submit("b", 2, desk.run).add_done_callback(lambda _: has_run.set())
        assert has_run.wait(SECONDS)
        assert await told == 1

    asyncio.run(ask())


def test_a_loop_that_has_ended_is_not_told(batcher: Batcher) -> None:
    desk = Desk()

    async def ask() -> None:
        batcher.ask("a", 1, desk.run)

    asyncio.run(ask())
    desk.gate.set()
    assert batcher.submit("a", 2, desk.run).result(SECONDS) == 4
