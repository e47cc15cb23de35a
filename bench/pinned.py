"""A server on one core of its own, so that clients on another do not compete with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import httpx

from app.demo.service import free_port

SERVICE_CORE = max(os.sched_getaffinity(0))
READY_SECONDS = 60


@contextmanager
def uvicorn(*arguments: str, ready: str, **environment: str) -> Iterator[int]:
    """The port of a service on one core, ended with the block.

    Raises:
        SystemExit: it does not answer.
    """
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", *arguments, "--port", str(port), "--log-level", "warning", "--no-access-log"]
    with running(command, f"http://127.0.0.1:{port}{ready}", environment):
        yield port


@contextmanager
def running(command: Sequence[str], ready: str, environment: Mapping[str, str]) -> Iterator[None]:
    """A server and what it starts, all on one core, ended with the block.

    Raises:
        SystemExit: it does not answer.
    """
    pinned = ["taskset", "--cpu-list", str(SERVICE_CORE), *command]
    process = subprocess.Popen(pinned, env={**os.environ, "OMP_NUM_THREADS": "1", **environment}, start_new_session=True)
    try:
        ends_at = time.monotonic() + READY_SECONDS
        while not _answers(ready):
            if time.monotonic() > ends_at:
                raise SystemExit(f"{command} does not answer")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()
        with suppress(ProcessLookupError):  # children that it has left behind
            os.killpg(process.pid, signal.SIGKILL)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
