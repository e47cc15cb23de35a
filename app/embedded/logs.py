"""Where do the children's lines go? Each appends to a file under `logs`; the parent reads along for the terminal and keeps the file short.

A child writes to the file itself, not through a pipe: a terminal that is held up, or a parent that was killed, never holds up the service.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

LIMIT_BYTES = 8 * 1024 * 1024
"""A file that is longer becomes `NAME.1`, and its place is empty again; so each child keeps 16 MiB at most."""

CHUNK_BYTES = 256 * 1024


class Log:
    """One child's file.

    Args:
        path: the file; its folder is made.
        limit_bytes: the length at which it is turned over.
    """

    def __init__(self, path: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._limit_bytes = limit_bytes
        self._offset = path.stat().st_size if path.exists() else 0
        self._rest = b""

    def open_for_child(self) -> int:
        """A descriptor that appends, so that the child goes on at the start of a file that was turned over."""
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def new_lines(self) -> Iterator[str]:
        """The complete lines since the last call."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._offset)
            fresh = file.read(CHUNK_BYTES)
        self._offset += len(fresh)
        *lines, self._rest = (self._rest + fresh).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", errors="replace")
        if len(fresh) < CHUNK_BYTES and self._offset > self._limit_bytes:
            self._turn_over()

    def _turn_over(self) -> None:
        # The child holds the file open: copy it and cut it, as a rename would take the child along.
        shutil.copyfile(self.path, self.path.with_name(self.path.name + ".1"))
        os.truncate(self.path, 0)
        self._offset = 0

    def last_lines(self, count: int) -> list[str]:
        """The newest lines, for a sentence about what went wrong."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - CHUNK_BYTES))
            return file.read().decode("utf-8", errors="replace").splitlines()[-count:]
