"""Which processes of a test still run?"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from app.embedded.endings import is_running


def processes_where(is_meant: Callable[[bytes, bytes], bool]) -> list[int]:
    """Those that run, but for this one, whose command line and environment are meant; both have zero bytes between words."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            told = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
            if int(entry.name) != os.getpid() and is_meant(*told) and is_running(int(entry.name)):
                found.append(int(entry.name))
    return found
