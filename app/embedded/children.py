"""What is one part of the service, as a process: started, watched, started again?"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.embedded.endings import end, end_group
from app.embedded.logs import Log

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0

STEADY_SECONDS = 60.0
"""A child that ran this long starts again at once when it dies; before that, each death doubles the pause."""


@dataclass(frozen=True)
class Command:
    """How a part is started and how long it may take to end.

    Attributes:
        name: what its log is called.
        arguments: program and arguments.
        environment: its whole environment.
        grace_seconds: from being asked to end to being ended.
    """

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    grace_seconds: float


class Child:
    """A part that is kept alive.

    Args:
        command: how it is started.
        log: where its lines go.
    """

    def __init__(self, command: Command, log: Log) -> None:
        self.command = command
        self.log = log
        self.deaths = 0
        self._started_at = 0.0
        self._due_at = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its process while it runs."""
        return self._process.pid if self._process is not None else None

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts its process, at the head of a group of its own."""
        output = self.log.open_for_child()
        try:
            self._process = subprocess.Popen(  # noqa: S603 the commands are ours
                self.command.arguments,
                env=dict(self.command.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        finally:
            os.close(output)
        self._started_at = time.monotonic()

    def end(self, is_hurried: Callable[[], bool] = lambda: False) -> bool:
        """Ends it and what it started, by force once its time is over.

        Args:
            is_hurried: whether its time is over already.

        Returns:
            Whether it ended by itself.
        """
        if self._process is None:
            return True
        by_itself = end(self._process.pid, self.command.grace_seconds, is_alive=lambda: self.is_alive, is_hurried=is_hurried)
        self._process.wait()
        self._process = None
        return by_itself

    def bury(self) -> str | None:
        """Notices that the process has ended, and ends what it has left behind.

        Returns:
            How it ended and what follows, in a sentence; None while it runs or is waiting to start again.
        """
        if self._process is None or self._process.poll() is None:
            return None
        end_group(self._process.pid)
        status = self._process.returncode
        self._process = None
        now = time.monotonic()
        self.deaths = 1 if now - self._started_at > STEADY_SECONDS else self.deaths + 1
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (self.deaths - 1))
        self._due_at = now + pause
        return f"{self.command.name} {_how_it_ended(status)}; it starts again in {pause:g} s."

    @property
    def is_due(self) -> bool:
        """Whether it should be started again now."""
        return self._process is None and time.monotonic() >= self._due_at


def _how_it_ended(status: int) -> str:
    if status >= 0:
        return f"ended with exit code {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
