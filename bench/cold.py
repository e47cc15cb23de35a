"""How long does the very first forecast take? `make bench-cold`, about three minutes.

From the start of a service until it is ready, and then its first forecast and its second: ours reads the model from its artifact at the
first, the others have theirs in memory by then. Each service is started anew, in turns.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import httpx
import numpy as np

from bench.serving import Asked, everyone

REPEATS = int(os.environ.get("BENCH_REPEATS", "5"))


def measure(asked: Asked, token: str) -> tuple[float, float, float]:
    """Seconds until a service is ready, and milliseconds of its first forecast and of its second.

    Raises:
        HTTPStatusError: a forecast failed.
    """
    began_at = time.perf_counter()
    with asked.start() as server:
        ready = time.perf_counter() - began_at
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers=headers) as http:
            first, second = _forecast(http, asked), _forecast(http, asked)
    return ready, first, second


def _forecast(http: httpx.Client, asked: Asked) -> float:
    began_at = time.perf_counter()
    http.post(asked.path, content=asked.body).raise_for_status()
    return (time.perf_counter() - began_at) * 1000


def main() -> None:
    """Prints a line for each service: medians, with the least and the most behind them."""
    seen = defaultdict(list)
    with tempfile.TemporaryDirectory() as home:
        token, services = everyone(Path(home))
        for _ in range(REPEATS):
            for name, asked in services.items():
                seen[name].append(measure(asked, token))
    print(f"{'service':20} {'ready s':>22} {'first ms':>22} {'second ms':>22}")
    for name, figures in seen.items():
        shown = [f"{np.median(one):.1f} ({min(one):.1f} to {max(one):.1f})" for one in zip(*figures, strict=True)]
        print(f"{name:20} {' '.join(f'{one:>22}' for one in shown)}")


if __name__ == "__main__":
    main()
