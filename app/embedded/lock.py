"""Who runs on a home? One `up` at a time: two would share a Redis file and a database key.

The lock is the kernel's (`flock`), so a process that was killed leaves none behind. The file says who holds it, for the sentence that the
other one gets, and goes away with the lock.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

from app.embedded.endings import is_running
from app.errors import ConflictError


class HomeLock:
    """An exclusive lock on a home; a context manager.

    Args:
        home: the folder, which is made if it is missing.
        url: where the holder is to be reached.

    Raises:
        ConflictError: somebody else holds it.
    """

    def __init__(self, home: Path, url: str) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.path = home / "up.lock"
        self.descriptor = self._take()
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, json.dumps({"pid": os.getpid(), "url": url}).encode(), 0)

    def _take(self) -> int:
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                sentence = _who_holds(descriptor, self.path.parent)
                os.close(descriptor)
                raise ConflictError(sentence, code="home_in_use") from None
            if _is_same_file(descriptor, self.path):
                return descriptor
            os.close(descriptor)  # its holder removed it between our two calls: nobody else would see our lock

    def __enter__(self) -> HomeLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.path.unlink(missing_ok=True)
        os.close(self.descriptor)


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _who_holds(descriptor: int, home: Path) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return f"{home}: another Braidcast is starting on this home; wait for it, or choose another folder with --home."
    pid, url = holder["pid"], holder["url"]
    if is_running(pid):
        return f"{home}: another Braidcast runs on this home at {url} (process {pid}); stop it first, or choose another folder with --home."
    return f"{home}: the Braidcast that ran on this home (process {pid}) was killed and its parts are still ending; try again in a moment."
