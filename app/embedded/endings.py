"""How does a process end, and everything it started with it?

Every child leads a process group of its own, so what it started can be found after it is gone. Standard library only: the guard must be
there at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

POLL_SECONDS = 0.05


def is_running(pid: int) -> bool:
    """Whether the process is there and has not ended; one that nobody has waited for has ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return not Path("/proc/self").exists()  # no /proc: not Linux; a missing entry: it has ended meanwhile
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}


def end(pid: int, grace_seconds: float, *, is_alive: Callable[[], bool], is_hurried: Callable[[], bool] = lambda: False) -> bool:
    """Asks a process to end, waits, and then ends whatever is left of its group.

    Args:
        pid: a process that leads its group.
        grace_seconds: how long it may take.
        is_alive: whether it is still there.
        is_hurried: whether waiting should stop.

    Returns:
        Whether it ended by itself.
    """
    deadline = time.monotonic() + grace_seconds
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    while is_alive() and time.monotonic() < deadline and not is_hurried():
        time.sleep(POLL_SECONDS)
    by_itself = not is_alive()
    end_group(pid)
    return by_itself


def end_group(pid: int) -> None:
    """Ends at once whatever is left of the group that the process led."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of ended processes
        os.killpg(pid, signal.SIGKILL)
