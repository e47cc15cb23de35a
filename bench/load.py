"""What do many clients see of a service? Requests over kept-alive connections, one at a time each, by little Python.

Run as a process of its own, so that it does not compete with a service for an interpreter: `python -m bench.load` reads a plan on its
standard input and writes latencies.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Load:
    """What was seen.

    Attributes:
        p50: median latency in milliseconds.
        p95: nineteen of twenty were faster.
        p99: ninety-nine of a hundred were.
        a_second: answers.
        failures: answers that were not 2xx.
    """

    p50: float
    p95: float
    p99: float
    a_second: float
    failures: int


def measure(port: int, path: str, body: bytes, token: str, clients: int, seconds: float) -> Load:
    """The load of so many clients for so long, after a warm-up of a fifth of it."""
    plan = {"port": port, "path": path, "body": body.decode(), "token": token, "clients": clients, "seconds": seconds}
    done = subprocess.run([sys.executable, "-m", "bench.load"], input=json.dumps(plan), capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    p50, p95, p99 = np.quantile(found["latencies"], [0.5, 0.95, 0.99]) * 1000
    return Load(float(p50), float(p95), float(p99), len(found["latencies"]) / seconds, int(found["failures"]))


async def _client(port: int, request: bytes, begins_at: float, ends_at: float, latencies: list[float]) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    failures = 0
    # One answer at least, however slow the service is.
    while (sent_at := time.perf_counter()) < ends_at or not latencies:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        failures += head[9:10] != b"2"
        if sent_at >= begins_at:
            latencies.append(time.perf_counter() - sent_at)
    writer.close()
    return failures


async def _run(plan: dict[str, str | int | float]) -> dict[str, object]:
    body = str(plan["body"]).encode()
    head = (
        f"POST {plan['path']} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {plan['token']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    seconds, latencies = float(plan["seconds"]), list[float]()
    begins_at = time.perf_counter() + seconds / 5
    clients = [
        _client(int(plan["port"]), head.encode() + body, begins_at, begins_at + seconds, latencies) for _ in range(int(plan["clients"]))
    ]
    failures = await asyncio.gather(*clients)
    return {"latencies": latencies, "failures": sum(failures)}


if __name__ == "__main__":
    json.dump(asyncio.run(_run(json.load(sys.stdin))), sys.stdout)
