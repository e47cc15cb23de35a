"""How does the demo get a service of its own? By the command that a user types, spoken to by the API that a user speaks to."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import httpx

from app.errors import BraidcastError

READY_SECONDS = 90.0
"""Longer than a loaded machine needs; on two idle cores it is ready in under 8 s."""

END_SECONDS = 90.0
ANSWER_SECONDS = 60.0


def free_port() -> int:
    """A loopback port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class OwnService:
    """`braidcast up` on a free port, for as long as the context lasts.

    Args:
        home: its home; its key is there.
    """

    def __init__(self, home: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._home = home
        self._process = subprocess.Popen(  # noqa: S603 our own command
            [sys.executable, "-P", "-m", "app.cli", "up", "--home", str(home), "--port", self.url.rpartition(":")[2], "--end-with-stdin"],
            stdin=subprocess.PIPE,  # it closes when the demo is gone, however it went, and the service ends with it
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,  # a sentence at most: its parts write to their logs
            start_new_session=True,
        )

    def __enter__(self) -> OwnService:
        return self

    def client(self) -> httpx.Client:
        """A client that is signed in with the home's key, once the service is ready.

        Raises:
            BraidcastError: the service does not start.
        """
        client = httpx.Client(base_url=self.url, timeout=ANSWER_SECONDS)
        deadline = time.monotonic() + READY_SECONDS
        while not _is_ready(client):
            if self._process.poll() is not None:
                raise BraidcastError(f"The service did not start: {self._complaint()}")
            if time.monotonic() > deadline:
                raise BraidcastError(f"The service was not ready within {READY_SECONDS:g} s; see the logs in {self._home / 'logs'}.")
            time.sleep(0.1)
        client.headers["Authorization"] = f"Bearer {(self._home / 'key').read_text().strip()}"
        return client

    def _complaint(self) -> str:
        said = self._process.stderr.read().decode(errors="replace").strip() if self._process.stderr is not None else ""
        return said or f"exit code {self._process.returncode}"

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        self._process.kill()  # its guard ends what it started, should it not have
        self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/health/ready").is_success
    except httpx.TransportError:
        return False
