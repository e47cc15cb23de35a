"""A whole service for a test: `braidcast up` in a process tree of its own, on a home and a port of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

READY_SECONDS = 180


@dataclass(frozen=True)
class Service:
    """A running service.

    Attributes:
        home: its folder.
        port: where it listens on 127.0.0.1.
        process: `braidcast up`.
        http: a client with its key.
    """

    home: Path
    port: int
    process: subprocess.Popen[bytes]
    http: httpx.Client

    def upload(self, csv: str, name: str) -> str:
        """The id of a new dataset of this CSV."""
        answer = self.http.post("/v1/datasets", params={"name": name}, content=csv.encode(), headers={"Content-Type": "text/csv"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def train(self, request: Mapping[str, object]) -> str:
        """The id of a new training job."""
        answer = self.http.post("/v1/jobs", json={"kind": "train", **request})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def job(self, job: str) -> dict[str, Any]:
        return dict(self.http.get(f"/v1/jobs/{job}").raise_for_status().json())

    def wait(self, job: str, *, status: str, seconds: float = 240) -> dict[str, Any]:
        """The job once it has this status.

        Raises:
            AssertionError: it ended otherwise, or took too long.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            row = self.job(job)
            if row["status"] == status:
                return row
            assert row["status"] not in {"failed", "succeeded", "cancelled"}, row
            time.sleep(0.2)
        raise AssertionError(f"{job} is still not {status}: {self.job(job)}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(home: Path, environment: Mapping[str, str] | None = None) -> Iterator[Service]:
    """A service that is ready, ended by SIGTERM when the block is left."""
    port = free_port()
    command = [sys.executable, "-m", "app.cli", "up", "--home", str(home), "--port", str(port)]
    log = home.parent / f"{home.name}-up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})})
    try:
        _wait_until_ready(process, port, log)
        key = (home / "key").read_text().strip()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"}, timeout=30) as http:
            yield Service(home, port, process, http)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=90)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"not ready after {READY_SECONDS} s:\n{log.read_text()}")
