"""Does the service stay right under mixed load? `make bench-soak`, ten minutes: forecasts, sessions, uploads and trainings at once.

`braidcast up` as a user has it. Every forecast, of a history and of a session, is compared with a direct computation from the model's
artifact in this process; every upload is counted again; every training has the same seed and must end with the same bytes. The memory of
each part is read every five seconds. BENCH_SECONDS makes it shorter or longer.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import torch

from app.demo.service import OwnService
from app.forecasting.carried import Carrier
from app.forecasting.checkpoint import load
from app.forecasting.forecaster import Forecaster
from app.forecasting.forecasts import Forecast
from app.forecasting.histories import History
from app.forecasting.observations import Observation
from bench.servers import CONTEXT, HORIZON
from bench.service import resident_mebibytes
from bench.serving import UNITS

SECONDS = float(os.environ.get("BENCH_SECONDS", "600"))
START = np.datetime64("2024-01-01", "us")
LEVELS = (0.1, 0.9)
NEAR = 1e-5
FORECASTERS, SESSION_USERS = 6, 3
SAMPLE_SECONDS = 5.0
POLL_SECONDS = 0.2
MOST_SERIES = 8
Values = npt.NDArray[np.float64]


@dataclass
class Tally:
    """What users have seen, by what they asked for."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failed: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, what: str, http: httpx.Client, method: str, path: str, **more: Any) -> Any:
        """An answer's content, read as JSON where it is; one that is no success is counted, and None."""
        began_at = time.perf_counter()
        try:
            answer = http.request(method, path, **more)
        except httpx.TransportError:
            answer = httpx.Response(599)
        with self.lock:
            self.seconds[what].append(time.perf_counter() - began_at)
            self.failed[what] += not answer.is_success
        if not answer.is_success:
            return None
        return answer.json() if answer.content.startswith(b"{") else answer.content

    def compare(self, what: str, *, is_right: bool) -> None:
        """Counts an answer that is not what was computed beside it."""
        with self.lock:
            self.wrong[what] += not is_right


@dataclass(frozen=True)
class Soak:
    """What every user has.

    Attributes:
        service: it.
        model: whose forecasts are asked for.
        forecaster: the same model, in this process.
        tally: of what is seen.
        until: when users leave.
    """

    service: OwnService
    model: str
    forecaster: Forecaster
    tally: Tally
    until: float

    def goes_on(self) -> bool:
        """Whether users still ask."""
        return time.monotonic() < self.until


def is_equal(said: dict[str, Any], found: Forecast) -> bool:
    """Whether an answer is the forecast: its mean, both quantiles, and its series."""
    columns = [said["mean"], *(said["quantiles"][f"{level:g}"] for level in LEVELS)]
    direct = [found.mean, *(found.quantiles[level] for level in LEVELS)]
    return said["unique_id"] == found.unique_id and bool(np.allclose(columns, direct, rtol=NEAR, atol=NEAR))


def drawn(random: np.random.Generator, steps: int) -> Values:
    """A series around a level of its own."""
    level, noise = float(np.exp(random.normal(2, 1))), random.normal(size=steps) / 5
    values: Values = np.round(level * (3 + np.sin(np.arange(steps) * np.pi / 12) + noise), 4)
    return values


def ask_for_forecasts(soak: Soak, http: httpx.Client, random: np.random.Generator) -> None:
    """Some series of some lengths in one request, each with its own answer."""
    histories = [
        History(f"{number}-{random.integers(10**9)}", START, {"y": drawn(random, int(random.integers(CONTEXT, 3 * CONTEXT)))}, {})
        for number in range(int(random.integers(1, MOST_SERIES + 1)))
    ]
    series = [{"unique_id": one.unique_id, "start": str(START), "target": one.columns["y"].tolist()} for one in histories]
    said = soak.tally.ask("forecasts", http, "POST", f"/v1/models/{soak.model}/forecasts", json={"series": series})
    if said is not None:
        pairs = zip(said["forecasts"], soak.forecaster.predict(histories, LEVELS), strict=True)
        soak.tally.compare("forecasts", is_right=all(is_equal(*pair) for pair in pairs))


def keep_a_session(soak: Soak, http: httpx.Client, random: np.random.Generator) -> None:
    """A history, then values as they come, with a forecast behind each."""
    carrier, target, name = Carrier(soak.forecaster), drawn(random, 2 * CONTEXT), f"meter {random.integers(10**9)}"
    state = carrier.open([History(name, START, {"y": target}, {})])
    series = {"unique_id": name, "start": str(START), "target": target.tolist()}
    session = soak.tally.ask("begin a session", http, "POST", f"/v1/models/{soak.model}/sessions", json={"series": series})
    sequence = 0
    while session is not None and sequence < CONTEXT and soak.goes_on():
        said = soak.tally.ask("forecast of a session", http, "GET", f"/v1/sessions/{session['id']}/forecast")
        if said is not None:
            soak.tally.compare("forecast of a session", is_right=is_equal(said, carrier.forecast(state, [name], LEVELS)[0]))
        new = target[-1] + random.normal(size=int(random.integers(1, 4)))
        state = carrier.observe(state, [Observation(new)])
        body = {"sequence": sequence + 1, "target": new.tolist()}
        session = soak.tally.ask("values into a session", http, "POST", f"/v1/sessions/{session['id']}/observations", json=body)
        sequence += len(new)
        if session is not None:
            soak.tally.compare("values into a session", is_right=session["sequence"] == sequence)
    if session is not None:
        soak.tally.ask("end a session", http, "DELETE", f"/v1/sessions/{session['id']}")


def upload(soak: Soak, http: httpx.Client, random: np.random.Generator) -> None:
    """A table, which is counted again and deleted."""
    content, rows = table(random, int(random.integers(2, 20)), 500)
    said = soak.tally.ask("uploads", http, "POST", "/v1/datasets", params={"name": "soak"}, content=content, headers=CSV)
    if said is not None:
        soak.tally.compare("uploads", is_right=said["rows"] == rows)
        soak.tally.ask("deletions", http, "DELETE", f"/v1/datasets/{said['id']}")


CSV = {"Content-Type": "text/csv"}


def table(random: np.random.Generator, series: int, steps: int) -> tuple[bytes, int]:
    """A CSV of hourly series, and its rows."""
    times = np.datetime_as_string(START + np.arange(steps) * np.timedelta64(1, "h"), unit="s")
    rows = [f"s{number},{at},{value}" for number in range(series) for at, value in zip(times, drawn(random, steps), strict=True)]
    return "\n".join(["unique_id,ds,y", *rows]).encode(), len(rows)


def train(tally: Tally, http: httpx.Client, dataset: str) -> tuple[str, bytes] | None:
    """A model's id and weights, by a job that always does the same."""
    layers = [{"kind": "lstm", "units": UNITS}, {"kind": "lstm", "units": UNITS}]
    inputs = {"target": {"columns": ["y"], "features": ["hour_of_day"]}}
    document = {"inputs": inputs, "network": {"kind": "stack", "blocks": layers}, "head": {"kind": "point"}}
    training = {"epochs": 4, "steps_per_epoch": 25, "batch_size": 32, "seed": 1}
    asked = {"kind": "train", "dataset": dataset, "horizon": HORIZON, "context": CONTEXT, "architecture": document, "training": training}
    job = tally.ask("jobs", http, "POST", "/v1/jobs", json=asked)
    while job is not None and job["status"] in {"queued", "running"}:
        time.sleep(POLL_SECONDS)
        job = tally.ask("polls of a job", http, "GET", f"/v1/jobs/{job['id']}")
    if job is None or job["status"] != "succeeded":
        tally.compare("jobs", is_right=False)
        return None
    weights = tally.ask("weights", http, "GET", f"/v1/models/{job['model']}/weights")
    return None if weights is None else (job["model"], weights)


def keep_training(soak: Soak, dataset: str, weights: bytes) -> Callable[[Soak, httpx.Client, np.random.Generator], None]:
    """A user who trains the first model again and again."""

    def again(_: Soak, http: httpx.Client, __: np.random.Generator) -> None:
        found = train(soak.tally, http, dataset)
        if found is not None:
            soak.tally.compare("jobs", is_right=found[1] == weights)
            soak.tally.ask("deletions", http, "DELETE", f"/v1/models/{found[0]}")

    return again


def live(soak: Soak, seed: int, does: Callable[[Soak, httpx.Client, np.random.Generator], None]) -> None:
    """One user, until the end."""
    random = np.random.default_rng(seed)
    with closing(soak.service.client()) as http:
        while soak.goes_on():
            does(soak, http, random)


def watch(soak: Soak) -> list[dict[str, float]]:
    """The memory of the service's parts, every few seconds."""
    seen = []
    while soak.goes_on():
        seen.append(resident_mebibytes())
        time.sleep(SAMPLE_SECONDS)
    return seen


def report(tally: Tally, seen: list[dict[str, float]]) -> None:
    """Both tables."""
    print(f"{'what':24} {'asked':>8} {'failed':>7} {'wrong':>6} {'p50 ms':>8} {'p99 ms':>8}")
    for what, seconds in sorted(tally.seconds.items()):
        p50, p99 = np.quantile(seconds, [0.5, 0.99]) * 1000
        print(f"{what:24} {len(seconds):8,} {tally.failed[what]:7} {tally.wrong[what]:6} {p50:8.1f} {p99:8.1f}")
    print(f"\n{'resident MiB of':24} {'second fifth':>13} {'last fifth':>11} {'most':>7}")
    fifth = max(len(seen) // 5, 1)
    for part in sorted({part for sample in seen for part in sample}):
        early, late = (np.median([sample.get(part, 0.0) for sample in some]) for some in (seen[fifth : 2 * fifth], seen[-fifth:]))
        print(f"{part:24} {early:13.0f} {late:11.0f} {max(sample.get(part, 0.0) for sample in seen):7.0f}")


def main() -> None:
    """Prints what was seen.

    Raises:
        SystemExit: a request failed or an answer was wrong.
    """
    torch.set_num_threads(1)
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder, OwnService(Path(folder)) as service, closing(service.client()) as http:
        content, _ = table(np.random.default_rng(0), 20, 500)
        dataset = str(tally.ask("uploads", http, "POST", "/v1/datasets", params={"name": "soak"}, content=content, headers=CSV)["id"])
        first = train(tally, http, dataset)
        if first is None:
            raise SystemExit("the first training failed")
        soak = Soak(service, first[0], load(first[1]), tally, time.monotonic() + SECONDS)
        users = [ask_for_forecasts] * FORECASTERS + [keep_a_session] * SESSION_USERS + [upload, keep_training(soak, dataset, first[1])]
        with ThreadPoolExecutor(len(users)) as pool:
            lives = [pool.submit(live, soak, seed, does) for seed, does in enumerate(users)]
            seen = watch(soak)
        for one in lives:
            one.result()  # a user who fell over saw nothing
    report(tally, seen)
    raise SystemExit(int(tally.failed.total() + tally.wrong.total() > 0))


if __name__ == "__main__":
    main()
