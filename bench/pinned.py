"""A server on one core of its own, so that clients on another do not compete with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass

import httpx

from app.demo.service import free_port

SERVICE_CORE = max(os.sched_getaffinity(0))
READY_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes:
        port: where it listens.
        group: of its processes.
    """

    port: int
    group: int

    def sleep(self) -> None:
        """Takes it off its core, which others are to have: some look for work all the time."""
        os.killpg(self.group, signal.SIGSTOP)

    @contextmanager
    def awake(self) -> Iterator[None]:
        """While it is asked."""
        os.killpg(self.group, signal.SIGCONT)
        try:
            yield
        finally:
            self.sleep()


def uvicorn(*arguments: str, ready: str, **environment: str) -> AbstractContextManager[Server]:
    """A service on one core, ended with the block.

    Raises:
        SystemExit: it does not answer.
    """
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", *arguments, "--port", str(port), "--log-level", "warning", "--no-access-log"]
    return running(command, port, ready, environment)


@contextmanager
def running(command: Sequence[str], port: int, ready: str, environment: Mapping[str, str]) -> Iterator[Server]:
    """A server and what it starts, all on one core, ended with the block.

    Args:
        command: starts it.
        port: where it will listen.
        ready: the path that answers 200 when it does.
        environment: of it, beside ours.

    Raises:
        SystemExit: it does not answer.
    """
    pinned = ["taskset", "--cpu-list", str(SERVICE_CORE), *command]
    process = subprocess.Popen(pinned, env={**os.environ, "OMP_NUM_THREADS": "1", **environment}, start_new_session=True)
    try:
        ends_at = time.monotonic() + READY_SECONDS
        while not _answers(f"http://127.0.0.1:{port}{ready}"):
            if time.monotonic() > ends_at:
                raise SystemExit(f"{command} does not answer")
            time.sleep(0.05)
        yield Server(port, process.pid)
    finally:
        os.killpg(process.pid, signal.SIGCONT)
        process.terminate()
        process.wait()
        with suppress(ProcessLookupError):  # children that it has left behind
            os.killpg(process.pid, signal.SIGKILL)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
