"""An API process for a benchmark: uvicorn on a free loopback port, on a home of its own, with a key."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.demo.service import free_port
from app.store.database import Database
from app.store.keys import create_key, ensure_owner
from app.store.migrate import migrate

READY_SECONDS = 60

PARTS = {"training": b"billiard.spawn", "API": b"uvicorn", "worker": b"celery", "Redis": b"redis-server"}
"""Of a service, with what is in their command lines; the first that fits."""


@dataclass(frozen=True)
class ApiProcess:
    """A running API.

    Attributes:
        http: a client with a key.
        pid: its process.
    """

    http: httpx.Client
    pid: int

    def resident_mebibytes(self) -> float:
        """Memory that it has now; from here on `peak_mebibytes` counts."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return _mebibytes(Path(f"/proc/{self.pid}"), "VmRSS")

    def peak_mebibytes(self) -> float:
        """The most memory that it had since."""
        return _mebibytes(Path(f"/proc/{self.pid}"), "VmHWM")


@contextmanager
def serving(home: Path) -> Iterator[ApiProcess]:
    """An API on an empty home, ended with the block. Linux alone tells how much memory another process has."""
    database_url = f"sqlite:///{home / 'braidcast.db'}"
    migrate(database_url)
    database = Database(database_url)
    with database.begin() as db:
        _, token = create_key(db, ensure_owner(db, "bench"), "bench", ("read", "write", "admin"))
    database.dispose()
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "app.main:create_app", "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen(command, env={"OMP_NUM_THREADS": "1", **os.environ, "BRAIDCAST_HOME": str(home)})
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}, timeout=120) as http:
            _wait_until_ready(http)
            yield ApiProcess(http, process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(http: httpx.Client) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        try:
            if http.get("/health/ready").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    sys.exit("the API was not ready in time")


def forget_worker_peaks() -> None:
    """From here on `worker_peak_mebibytes` counts."""
    for process in _worker_processes():
        (process / "clear_refs").write_text("5")


def worker_peak_mebibytes() -> float:
    """The most memory that a training process of a service below this process had; 0 where there is none."""
    return max((_mebibytes(process, "VmHWM") for process in _worker_processes()), default=0.0)


def worker_own_peak_mebibytes() -> float:
    """The same without what is mapped of files, libraries for the most part, of which the kernel maps more or less as it likes."""
    peaks = (_mebibytes(process, "VmHWM") - _mebibytes(process, "RssFile") for process in _worker_processes())
    return max(peaks, default=0.0)


def resident_mebibytes() -> dict[str, float]:
    """Memory of each part of a service below this process that it has now."""
    found: dict[str, float] = {}
    for process, command in _below():
        part = next((part for part, mark in PARTS.items() if mark in command), None)
        if part is not None:
            found[part] = found.get(part, 0.0) + _mebibytes(process, "VmRSS")
    return found


def _mebibytes(process: Path, name: str) -> float:
    with suppress(OSError):  # it has ended
        found = re.search(rf"^{name}:\s+(\d+) kB", (process / "status").read_text(), re.MULTILINE)
        return int(found[1]) / 1024 if found else 0.0
    return 0.0


def _worker_processes() -> list[Path]:
    return [process for process, command in _below() if PARTS["training"] in command]


def _below() -> list[tuple[Path, bytes]]:
    """All processes that descend from this one, with what they were started with."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            children.setdefault(int(stat.read_text().rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
    below, found = [os.getpid()], []
    while below:
        pid = below.pop()
        below += children.get(pid, [])
        process = Path(f"/proc/{pid}")
        with suppress(OSError):
            found.append((process, (process / "cmdline").read_bytes()))
    return found
