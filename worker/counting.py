"""What does a worker's process count, until it is written down beside something else that it writes?

Counting costs no transaction of its own while a job runs: the heartbeat that renews its lease takes the counts along.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from sqlalchemy.orm import Session

from app.store.measures import Counter, add_counts


def worker_name(main_process: int) -> str:
    """What a worker is called: its host, and the id of its main process."""
    return f"{socket.gethostname()}:{main_process}"


def process_name() -> str:
    """What a process of a worker's pool is called: its worker, and its own id."""
    return f"{worker_name(os.getppid())}:{os.getpid()}"


class Counts:
    """Counters of one process, safe to use in its threads.

    Args:
        source: whose they are: the worker's name.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._pending: defaultdict[Counter, float] = defaultdict(float)
        self._lock = threading.Lock()

    def add(self, name: str, labels: str = "", value: float = 1.0) -> None:
        """Counts something."""
        self.add_all({Counter(name, labels): value})

    def add_all(self, counts: Mapping[Counter, float]) -> None:
        """Counts several things."""
        with self._lock:
            for counter, value in counts.items():
                self._pending[counter] += value

    def write(self, begin: Callable[[], AbstractContextManager[Session]], also: Callable[[Session], None] | None = None) -> None:
        """Writes down what was counted since the last time; if it cannot be written, it is kept.

        Args:
            begin: begins a writing transaction.
            also: what else belongs into it.
        """
        with self._lock:
            taken, self._pending = self._pending, defaultdict(float)
        is_written = False
        try:
            with begin() as db:
                if also is not None:
                    also(db)
                add_counts(db, self._source, taken)
            is_written = True
        finally:
            if not is_written:
                self.add_all(taken)
