"""How do the parts of the service live and end together?

One loop in one thread: it reads along what the parts write, buries those that died and starts them again after a pause that grows, and
tells the guard what there is to end. They end in the reverse of the order in which they were started.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from app.embedded.children import Child, Command
from app.embedded.guard import Guard, Mortal, remove
from app.embedded.logs import Log
from app.embedded.signals import EndRequest
from app.errors import BraidcastError

TICK_SECONDS = 0.1

DEATHS_AT_MOST = 3
"""A part that dies this often before the service was ever ready is not tried again: something is wrong with it, not with the moment."""

LINES_OF_A_FAILURE = 15

Echo = Callable[[str, str], None]
"""Shows a line of the part that is named first."""

OWN_NAME = "up"


class Supervisor:
    """Keeps parts alive until it is asked to end; a context manager that ends them all.

    Args:
        logs: folder of the parts' logs.
        lock_descriptor: of the lock on the home.
        borrowed: paths outside the home that go with the last part.
        request: whether to end.
        echo: where lines are shown.

    Attributes:
        children: the parts, in the order in which they were started.
        guard: who ends them should this process be killed.
        has_been_ready: whether the service was ever ready; a part that dies is then started again for ever.
    """

    def __init__(self, logs: Path, lock_descriptor: int, borrowed: list[Path], request: EndRequest, echo: Echo) -> None:
        self.has_been_ready = False
        self._logs = logs
        self._borrowed = borrowed
        self._request = request
        self._echo = echo
        self.children: list[Child] = []
        self.guard = Guard(lock_descriptor)

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        for child in reversed(self.children):
            self._end(child)
        for path in self._borrowed:
            remove(path)
        self.guard.keep([], [])
        self.guard.dismiss()

    def start(self, command: Command) -> None:
        """Starts a part."""
        child = Child(command, Log(self._logs / f"{command.name}.log"))
        self.children.append(child)
        child.start()
        self._tell_guard()

    def run_until(self, condition: Callable[[], bool]) -> bool:
        """Keeps the parts alive until the condition holds.

        Returns:
            Whether it holds; otherwise somebody asked to end.

        Raises:
            BraidcastError: a part cannot be started.
        """
        while not self._request.is_made:
            self._tick()
            if condition():
                return True
            time.sleep(TICK_SECONDS)
        return False

    def _tick(self) -> None:
        for child in self.children:
            self._show_lines(child)
            ended = child.bury()
            if ended:
                self._show_lines(child)
                self._echo(OWN_NAME, ended)
                self._give_up_on_hopeless(child)
            if child.is_due:
                child.start()
        self._tell_guard()

    def _show_lines(self, child: Child) -> None:
        for line in child.log.new_lines():
            self._echo(child.command.name, line)

    def _give_up_on_hopeless(self, child: Child) -> None:
        if self.has_been_ready or child.deaths < DEATHS_AT_MOST:
            return
        tail = "\n".join(child.log.last_lines(LINES_OF_A_FAILURE))
        raise BraidcastError(f"{child.command.name} does not start; the last lines of {child.log.path} are:\n{tail}", code="start_failed")

    def _tell_guard(self) -> None:
        mortals = [Mortal(child.pid, child.command.grace_seconds) for child in reversed(self.children) if child.pid is not None]
        self.guard.keep(mortals, self._borrowed)

    def _end(self, child: Child) -> None:
        by_itself = child.end(is_hurried=lambda: self._request.is_hurried)
        self._show_lines(child)
        if not by_itself and not self._request.is_hurried:
            self._echo(OWN_NAME, f"{child.command.name} did not end within {child.command.grace_seconds:g} s and was killed.")
