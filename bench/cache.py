"""What becomes of a cache of 256 MB that 10,000 models go through? `make bench-cache`, about ten minutes.

Models of 100 kB with drawn weights, one API process, forecasts over HTTP of all of them in a random order, twice: nearly each request has
to load its model and to put another one out. BENCH_MODELS has fewer or more of them.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import torch

from app.forecasting.checkpoint import dump
from app.store.artifacts import LocalArtifacts
from app.store.database import Database
from app.store.keys import create_key, ensure_owner
from app.store.migrate import migrate
from bench.pinned import uvicorn
from bench.servers import CONTEXT
from bench.service import resident_mebibytes
from bench.serving import START, forecaster_of, model_row

MODELS = int(os.environ.get("BENCH_MODELS", "10000"))
UNITS = 72
"""Of one layer: with what else is in it, such a model has 100 kB."""

CACHE_BYTES = 256 * 2**20
CLIENTS = 8
PASSES = 2
SAMPLES = 8


def prepare(home: Path) -> str:
    """A home with many models, named by their numbers; a token."""
    url = f"sqlite:///{home / 'braidcast.db'}"
    migrate(url)
    database, artifacts, forecaster = Database(url), LocalArtifacts(home / "artifacts"), forecaster_of("lstm", layers=1, units=UNITS)
    size = 0
    with database.begin() as db:
        owner = ensure_owner(db, "bench")
        _, token = create_key(db, owner, "bench", ("read", "admin"))
        for number in range(MODELS):
            next(forecaster.network.parameters()).data.normal_(generator=torch.Generator().manual_seed(number))
            content = dump(forecaster)
            size = len(content)
            db.add(model_row(f"mdl_{number}", str(number), owner, artifacts.put(content), size))
    database.dispose()
    print(f"{MODELS:,} models of {size / 1000:.0f} kB", flush=True)
    return token


def ask(http: httpx.Client, number: int, body: bytes) -> tuple[float, bool]:
    """Seconds of a forecast by one model, and whether it came."""
    began_at = time.perf_counter()
    answer = http.post(f"/v1/models/{number}/forecasts", content=body, headers={"Content-Type": "application/json"})
    return time.perf_counter() - began_at, answer.is_success and answer.json()["model"] == f"mdl_{number}"


def parts() -> Iterator[np.ndarray]:
    """All models, in some parts of a random order, and again."""
    for turn in range(PASSES):
        yield from np.array_split(np.random.default_rng(turn).permutation(MODELS), SAMPLES // PASSES)


def main() -> None:
    """Prints a line for each part of the way, and what the cache has counted."""
    target = np.round(10 + np.random.default_rng(0).normal(size=CONTEXT), 3).tolist()
    body = json.dumps({"series": [{"start": START, "target": target}]}).encode()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        token = prepare(home)
        variables = {"BRAIDCAST_HOME": folder, "BRAIDCAST_BROKER_URL": f"redis+socket://{home / 'nobody.sock'}"}
        variables["BRAIDCAST_CACHE_BYTES"] = str(CACHE_BYTES)
        with (
            uvicorn("--factory", "app.main:create_app", ready="/health/ready", **variables) as server,
            httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers={"Authorization": f"Bearer {token}"}, timeout=60) as http,
            ThreadPoolExecutor(CLIENTS) as pool,
        ):
            print(f"{'forecasts':>10} {'failed':>7} {'p50 ms':>8} {'p99 ms':>8} {'a second':>9} {'resident MiB':>13}")
            asked = 0
            for part in parts():
                began_at = time.perf_counter()
                seen = list(pool.map(lambda number: ask(http, int(number), body), part))
                rate, asked = len(part) / (time.perf_counter() - began_at), asked + len(part)
                p50, p99 = np.quantile([seconds for seconds, _ in seen], [0.5, 0.99]) * 1000
                failed = sum(not came for _, came in seen)
                print(f"{asked:10,} {failed:7} {p50:8.1f} {p99:8.1f} {rate:9.0f} {resident_mebibytes()['API']:13.0f}", flush=True)
            print(*re.findall(r"^braidcast_forecaster_cache\S* \S+$", http.get("/metrics").text, re.MULTILINE), sep="\n")


if __name__ == "__main__":
    main()
