"""Which parts that the service can do without for a while are well? Asked seldom, and never waited for long.

broker      away: jobs are accepted and kept, and start once it answers
workers     none heard of: the same
artifacts   not writable: uploads and trainings fail, forecasts of models in memory go on
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from types import MappingProxyType

from app.api.services import Services
from app.store.workers import list_workers

FRESH_SECONDS = 5.0
"""How long an answer is told again: anybody may ask for it, and each look at an object store is two requests."""

PATIENCE_SECONDS = 2.0
"""How long a part may take to answer; whoever checks the service waits meanwhile."""

SENTENCES = MappingProxyType(
    {
        "broker": "the broker does not answer; jobs are accepted and kept, and start once it does",
        "workers": "no worker was heard of for a minute; jobs are accepted and kept, and start once one is there: `braidcast worker`",
        "artifacts": "artifacts cannot be written; uploads and trainings fail until they can: look at the disk or the bucket",
    }
)
"""What it means that a part is not well."""


class Probes:
    """Looks at the parts.

    Args:
        services: what they are of.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._looks: Mapping[str, Callable[[], bool]] = {
            "broker": services.queue.is_answering,
            "workers": self._has_worker,
            "artifacts": self._is_writable,
        }
        self._pool = ThreadPoolExecutor(len(self._looks), thread_name_prefix="probe")
        self._running: dict[str, Future[bool]] = {}
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._found: dict[str, bool] = {}

    def parts(self) -> Mapping[str, bool]:
        """Whether each part is well, as of some seconds ago at most."""
        with self._lock:
            if time.monotonic() - self._looked_at > FRESH_SECONDS:
                self._found = self._look()
                self._looked_at = time.monotonic()
            return self._found

    def close(self) -> None:
        """Look no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _look(self) -> dict[str, bool]:
        for part, look in self._looks.items():
            # A part that has not answered the last time is not asked twice at once.
            if part not in self._running or self._running[part].done():
                self._running[part] = self._pool.submit(look)
        ends_at = time.monotonic() + PATIENCE_SECONDS
        return {part: _answer(self._running[part], ends_at - time.monotonic()) for part in self._looks}

    def _has_worker(self) -> bool:
        with self._services.database.read() as db:
            return any(not worker.is_silent for worker in list_workers(db))

    def _is_writable(self) -> bool:
        artifacts = self._services.artifacts
        artifacts.delete(artifacts.put(secrets.token_bytes(16)))
        return True


def _answer(asked: Future[bool], seconds: float) -> bool:
    try:
        return asked.result(max(0.0, seconds))
    except NotYetError:
        return False
    except Exception:  # noqa: BLE001 whatever a part's library raises, the part is not well
        return False
