"""How does a worker end without losing what its jobs have learnt?

    SIGTERM or SIGINT   main process: takes no more messages, tells each child   child: checkpoint at the next batch, job back to `queued`
    once more           main process: kills the children                         their jobs come back when their leases run out

Celery has an answer of its own that does not do here: its soft shutdown tells the children nothing and sleeps its whole timeout, even when
they are done after a second. So these handlers stand before Celery's: they ask for its warm shutdown, which waits for running tasks and
acknowledges their messages, and see to it that the tasks end. `worker_soft_shutdown_timeout` bounds it: whatever still runs then is killed.

The main process tells a child by SIGTERM, again and again, as one that is only starting its task may not listen yet. With
REMAP_SIGTERM=SIGQUIT in the environment a child that has no task ignores it, so that a SIGTERM to the whole process group harms nobody.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import FrameType

TELL_SECONDS = 0.2

log = logging.getLogger(__name__)

drain_requested = threading.Event()
"""In a pool child: whether its worker is to end."""


def listen_for_drain() -> threading.Event:
    """In a pool child, at the start of each task: let SIGTERM ask for a drain. Billiard has set its own handler when the child started.

    Returns:
        What is set when the worker is to end.
    """
    signal.signal(signal.SIGTERM, _note_drain)
    return drain_requested


def _note_drain(number: int, frame: FrameType | None) -> None:
    drain_requested.set()


class Drain:
    """In the main process: ends it as the module's docstring says.

    Args:
        stop_taking: asks Celery for a warm shutdown; called in a signal handler.
        children: the pool's process ids, as long as it has any.
        timeout_seconds: how long jobs may take.
    """

    def __init__(self, stop_taking: Callable[[], None], children: Callable[[], Iterable[int]], timeout_seconds: float) -> None:
        self._stop_taking = stop_taking
        self._children = children
        self._timeout_seconds = timeout_seconds
        self._is_hurried = False
        self._thread = threading.Thread(target=self._tell_children, name="drain", daemon=True)

    def install(self) -> None:
        """Stand before Celery's own handlers; in the main thread."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._thread.ident is None:
            self._stop_taking()
            self._thread.start()
        else:
            self._is_hurried = True

    def _tell_children(self) -> None:
        log.warning("The worker ends: running jobs write a checkpoint and go back to the queue, within %.0f s.", self._timeout_seconds)
        ends_at = time.monotonic() + self._timeout_seconds
        while children := list(self._children()):
            is_over = self._is_hurried or time.monotonic() > ends_at
            for child in children:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL if is_over else signal.SIGTERM)
            time.sleep(TELL_SECONDS)
