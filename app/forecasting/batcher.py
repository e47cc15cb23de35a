"""Who computes, when many ask at once? One thread, greedily: it takes what waits for the same network and runs it as one batch.

Nobody waits for others to come: what has come while the last batch ran is the next one. A queue has an end, and beyond it a request is
told to come back; one that has been given up is dropped; what makes a batch fail fails alone. Who waits on an event loop is told together
with the rest of its batch: one by one, the two threads would hand the interpreter to each other as often. And the loop goes first: it sends
the answers and reads who has asked meanwhile, or else half of all would wait while the other half runs, in twice as many batches.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from app.errors import UnavailableError

MOST_AT_ONCE = 64
"""Requests of one batch."""

MOST_WAITING = 1024
"""Requests in the queue: at a hundred microseconds each, a tenth of a second's work."""

RETRY_SECONDS = 1

PASSES = 3
"""Of an event loop that was told: answers are sent in the first, what was asked meanwhile is read in the next, and is here after it."""

LONGEST_PASSES_SECONDS = 0.01
"""A loop that is busy with something else is not waited for."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class BatchCounts:
    """What the batcher has done since it was made; `waiting` is what it has before it now.

    `sizes` has, by powers of two, how many batches were so large: of one request, of two, of three and four, and so on.
    """

    requests: int = 0
    batches: int = 0
    shed: int = 0
    dropped: int = 0
    failed: int = 0
    waited_seconds: float = 0.0
    waiting: int = 0
    sizes: tuple[int, ...] = (0,) * (MOST_AT_ONCE.bit_length())


@dataclass(slots=True, eq=False)
class _Asked:
    key: Hashable
    item: Any
    run: Callable[[Sequence[Any]], Sequence[Any]]
    future: Future[Any] | asyncio.Future[Any]
    since: float

    def begin(self) -> bool:
        """Whether it is still waited for."""
        return self.future.set_running_or_notify_cancel() if isinstance(self.future, Future) else not self.future.cancelled()


class _Answer(NamedTuple):
    future: Future[Any] | asyncio.Future[Any]
    result: Any
    error: BaseException | None = None

    def tell(self) -> None:
        """Tells who waits, unless nobody does any more."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Batcher:
    """One thread that runs what is asked of it.

    Args:
        most_waiting: requests in the queue.
    """

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self._most_waiting = most_waiting
        self._waiting: deque[_Asked] = deque()
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._counts = BatchCounts()

    def submit(self, key: Hashable, item: Item, run: Callable[[Sequence[Item]], Sequence[Result]]) -> Future[Result]:
        """The result of an item, once its batch has run; for a thread to wait for.

        Args:
            key: items of equal keys may run together.
            item: what is asked for.
            run: gives as many results as it gets items, in their order.

        Raises:
            UnavailableError: too many wait already.
        """
        future: Future[Result] = Future()
        self._put(_Asked(key, item, run, future, time.monotonic()))
        return future

    def ask(self, key: Hashable, item: Item, run: Callable[[Sequence[Item]], Sequence[Result]]) -> asyncio.Future[Result]:
        """As `submit`, for a task of the running event loop to wait for."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._put(_Asked(key, item, run, future, time.monotonic()))
        return future

    def _put(self, asked: _Asked) -> None:
        with self._condition:
            if self._is_closed or len(self._waiting) >= self._most_waiting:
                self._counts.shed += 1
                sentence = f"{len(self._waiting)} requests wait for this process already; ask again"
                raise UnavailableError(sentence, code="overloaded", retry_after_seconds=RETRY_SECONDS)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
                self._thread.start()
            self._waiting.append(asked)
            self._condition.notify()

    def counts(self) -> BatchCounts:
        """What it has done so far, and what waits."""
        with self._condition:
            return replace(self._counts, waiting=len(self._waiting))

    def close(self) -> None:
        """End once what waits has run."""
        with self._condition:
            self._is_closed = True
            self._condition.notify()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while batch := self._take():
            alive = [asked for asked in batch if asked.begin()]
            with self._condition:
                self._note(alive, len(batch) - len(alive))
            if alive:
                self._run(alive)

    def _take(self) -> list[_Asked]:
        """The oldest request and those that can run with it; none once the batcher has ended."""
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or self._is_closed)
            if not self._waiting:
                return []
            key = self._waiting[0].key
            batch = [asked for asked in self._waiting if asked.key == key][:MOST_AT_ONCE]
            if len(batch) == len(self._waiting):
                self._waiting.clear()
            else:
                taken = set(map(id, batch))
                self._waiting = deque(asked for asked in self._waiting if id(asked) not in taken)
            return batch

    def _note(self, alive: Sequence[_Asked], dropped: int) -> None:
        counts, now = self._counts, time.monotonic()
        counts.dropped += dropped
        if alive:
            counts.requests += len(alive)
            counts.batches += 1
            counts.waited_seconds += sum(now - asked.since for asked in alive)
            size = (len(alive) - 1).bit_length()
            counts.sizes = tuple(count + (place == size) for place, count in enumerate(counts.sizes))

    def _run(self, batch: Sequence[_Asked]) -> None:
        try:
            results = batch[0].run([asked.item for asked in batch])
        except BaseException as error:  # noqa: BLE001 whoever waits gets the error
            if len(batch) > 1:
                for asked in batch:
                    self._run([asked])
                return
            with self._condition:
                self._counts.failed += 1
            _tell([_Answer(batch[0].future, None, error)])
            return
        _tell([_Answer(asked.future, result) for asked, result in zip(batch, results, strict=True)])


def _tell(answers: Sequence[_Answer]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Answer]] = {}
    for answer in answers:
        if isinstance(answer.future, Future):
            answer.tell()
        else:
            by_loop.setdefault(answer.future.get_loop(), []).append(answer)
    for loop, own in by_loop.items():
        with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
            have_passed = threading.Event()
            loop.call_soon_threadsafe(_tell_all, own, loop, have_passed)
            have_passed.wait(LONGEST_PASSES_SECONDS)


def _tell_all(answers: Sequence[_Answer], loop: asyncio.AbstractEventLoop, have_passed: threading.Event) -> None:
    for answer in answers:
        answer.tell()
    loop.call_soon(_pass, loop, PASSES, have_passed)


def _pass(loop: asyncio.AbstractEventLoop, passes: int, have_passed: threading.Event) -> None:
    if passes > 1:
        loop.call_soon(_pass, loop, passes - 1, have_passed)
    else:
        have_passed.set()
