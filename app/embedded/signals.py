"""Has somebody asked this process to end, and are they in a hurry?"""

from __future__ import annotations

import os
import select
import signal
import time
from types import FrameType

ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

SECOND_THOUGHT_SECONDS = 1.0
"""Two signals closer together than this are one: a terminal and a wrapper such as make both pass on the same Ctrl-C."""


class EndRequest:
    """What the signals have said so far; a context manager that listens to them.

    Args:
        descriptor: of a pipe whose closing asks too, for a parent that may die without a word.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self.is_hurried = False
        self._descriptor = descriptor
        self._is_made = False
        self._made_at = 0.0
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> EndRequest:
        for number in ASKING:
            self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def is_made(self) -> bool:
        """Whether somebody has asked."""
        if self._descriptor is not None and select.select([self._descriptor], [], [], 0)[0] and not os.read(self._descriptor, 4096):
            self._descriptor = None
            self.make()
        return self._is_made

    def make(self) -> None:
        """Asks as a signal does."""
        now = time.monotonic()
        if not self._is_made:
            self._is_made = True
            self._made_at = now
        elif now - self._made_at > SECOND_THOUGHT_SECONDS:
            self.is_hurried = True

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self.make()
