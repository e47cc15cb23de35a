"""How fast is a forecast, against the floor and the plain service, and what does a session save? `make bench-serving`, about seven minutes.

An LSTM of 2 x 64 units, context 96, horizon 24, over HTTP on the loopback: each service is on one core, the clients on another.
Then the compute alone of one observation into a session, beside encoding the whole history again, for histories of 100 to 100,000 values.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from app.forecasting.carried import Carrier
from app.forecasting.checkpoint import dump, load
from app.forecasting.forecaster import Forecaster
from app.forecasting.histories import History
from app.forecasting.observations import Observation
from app.forecasting.states import Arrays
from app.nets.build import build
from app.nets.cells import ElmanCell, GruCell, LstmCell, Recurrence
from app.nets.heads import RESIDUAL_LEVELS
from app.nets.packed_cell import pack_cells
from app.series.scaling import CovariateScaling
from app.spec.parse import parse_spec
from app.store.artifacts import LocalArtifacts
from app.store.database import Database
from app.store.keys import create_key, ensure_owner
from app.store.migrate import migrate
from app.store.tables import ModelRow
from bench.load import Load, measure
from bench.pinned import Server, uvicorn
from bench.servers import CONTEXT, HORIZON, bentoml, litserve, trace

UNITS = 64
CLIENTS = (1, 8, 32, 64)
SECONDS = float(os.environ.get("BENCH_SECONDS", "1.5"))
ROUNDS = 5
HISTORIES = (100, 1_000, 10_000, 100_000)
ECHO, PLAIN = "a bare echo", "endpoint + torch"
START = "2024-01-01T00:00:00"


def forecaster_of(cell: str, layers: int = 2, units: int = UNITS) -> Forecaster:
    """A forecaster with drawn weights: how fast it is does not depend on them."""
    network = {"kind": "stack", "blocks": [{"kind": cell, "units": units}] * layers}
    inputs = {"target": {"columns": ["y"], "features": ["hour_of_day"]}}
    spec = parse_spec({"context": CONTEXT, "horizon": HORIZON, "inputs": inputs, "network": network, "head": {"kind": "point"}})
    built = build(spec)
    torch.manual_seed(0)
    built.initialise()
    residuals = torch.linspace(-1, 1, len(RESIDUAL_LEVELS)).expand(HORIZON, -1).clone()
    built.eval().requires_grad_(requires_grad=False)
    return Forecaster(spec, built, "h", 24, "naive", CovariateScaling({}, {}), residuals)


def prepare(home: Path, cells: tuple[str, ...]) -> tuple[str, dict[str, Path]]:
    """A home with models that are called by their cells; a token, and where their artifacts lie."""
    url = f"sqlite:///{home / 'braidcast.db'}"
    migrate(url)
    database, artifacts = Database(url), LocalArtifacts(home / "artifacts")
    paths = {}
    with database.begin() as db:
        owner = ensure_owner(db, "bench")
        _, token = create_key(db, owner, "bench", ("read", "write"))
        for number, cell in enumerate(cells):
            content = dump(forecaster_of(cell))
            digest = artifacts.put(content)
            db.add(model_row(f"mdl_{number}", cell, owner, digest, len(content)))
            with artifacts.open_local(digest) as path:
                paths[cell] = path
    database.dispose()
    return token, paths


def model_row(model_id: str, name: str, owner: str, digest: str, size: int) -> ModelRow:
    """A model of no job."""
    nothing: dict[str, object] = {}
    told = {"spec": nothing, "scores": nothing, "lineage": nothing, "tags": [], "spec_digest": digest, "freq": "h", "parameters": 1}
    return ModelRow(id=model_id, name=name, owner_id=owner, digest=digest, size_bytes=size, job_id=model_id, dataset_id="ds_", **told)


class Asked(NamedTuple):
    """What is asked of a service.

    Attributes:
        start: the service, on a core of its own.
        path: where it is asked.
        body: what it is sent.
    """

    start: Callable[[], AbstractContextManager[Server]]
    path: str
    body: bytes


def everyone(home: Path) -> tuple[str, dict[str, Asked]]:
    """A token of ours, and every service: the floor, the plain one, two installed servers, and ours with each model."""
    token, paths = prepare(home, ("lstm", "gru"))
    target = np.round(10 + np.random.default_rng(0).normal(size=CONTEXT), 3).tolist()
    series = json.dumps({"series": [{"start": START, "target": target}]}).encode()
    plain = json.dumps({"target": target}).encode()
    variables = {"BRAIDCAST_HOME": str(home), "BRAIDCAST_BROKER_URL": f"redis+socket://{home / 'nobody.sock'}"}
    traced = home / "traced.pt"
    trace(load(paths["lstm"].read_bytes()).network, traced)
    other = partial(uvicorn, "bench.plain:app", ready="/openapi.json", BENCH_WEIGHTS=str(paths["lstm"]))
    own = partial(uvicorn, "--factory", "app.main:create_app", ready="/health/ready", **variables)
    return token, {
        ECHO: Asked(other, "/echo", plain),
        PLAIN: Asked(other, "/forecast", plain),
        "LitServe": Asked(partial(litserve, traced), "/forecast", plain),
        "BentoML": Asked(partial(bentoml, traced), "/forecast", json.dumps({"target": [target]}).encode()),
        "Braidcast, lstm": Asked(own, "/v1/models/lstm/forecasts", series),
        "Braidcast, gru": Asked(own, "/v1/models/gru/forecasts", series),
    }


def over_http(home: Path) -> None:
    """Latencies and throughput of all services."""
    token, asked = everyone(home)
    with ExitStack() as stack:
        servers = {start: stack.enter_context(start()) for start in dict.fromkeys(one.start for one in asked.values())}
        for server in servers.values():
            server.sleep()
        for clients in CLIENTS:
            # In turns, and the best of each: what else the machine does comes and goes.
            rounds = [{name: _measured(servers[one.start], one, token, clients) for name, one in asked.items()} for _ in range(ROUNDS)]
            for name in asked:
                _row(name, clients, max((seen[name] for seen in rounds), key=lambda load: load.a_second))
            for name in (name for name in asked if name.startswith("Braidcast")):
                _beside(name, clients, rounds)
            longer = [seen["Braidcast, lstm"].a_second / seen["Braidcast, gru"].a_second for seen in rounds]
            print(f"{'Braidcast, gru':20} {clients:8} takes {_spread(longer)} times as long as the lstm", flush=True)


def _measured(server: Server, asked: Asked, token: str, clients: int) -> Load:
    with server.awake():
        return measure(server.port, asked.path, asked.body, token, clients, SECONDS)


def _row(name: str, clients: int, seen: Load) -> None:
    figures = f"{seen.p50:8.2f} {seen.p95:8.2f} {seen.p99:8.2f} {seen.a_second:9.0f} {seen.failures:9}"
    print(f"{name:20} {clients:8} {figures}", flush=True)


def _beside(name: str, clients: int, rounds: Sequence[Mapping[str, Load]]) -> None:
    """One of ours beside the echo and the plain service of the same round: medians over the rounds, with their range."""
    above = [seen[name].p50 - seen[ECHO].p50 for seen in rounds]
    echo, plain = ([seen[name].a_second / seen[other].a_second for seen in rounds] for other in (ECHO, PLAIN))
    told = f"p50 {_spread(above)} ms above the echo, {_spread(echo)} of its answers, {_spread(plain)} times the plain service's"
    print(f"{name:20} {clients:8} {told}", flush=True)


def _spread(values: Sequence[float]) -> str:
    return f"{np.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def sessions(cell: str) -> None:
    """Compute of an observation into a session, and of a forecast out of it, beside encoding the history again."""
    forecaster = load(dump(forecaster_of(cell)))
    pack_cells(forecaster.network)
    carrier, observation = Carrier(forecaster), [Observation(np.array([10.0]))]
    for length in HISTORIES:
        history = History("a", np.datetime64(START, "us"), {"y": 10 + np.random.default_rng(0).normal(size=length)}, {})
        states = [carrier.open([history])]

        def observe(states: list[Arrays] = states) -> None:
            states[0] = carrier.observe(states[0], observation)  # on and on, as a session goes

        def forecast(states: list[Arrays] = states) -> None:
            carrier.forecast(states[0], ["a"])

        runs = (observe, forecast, partial(forecaster.predict, [history]))
        taken = [*(_microseconds(run) for run in runs), _whole(forecaster, length)]
        print(f"{cell:8} {length:10,} {' '.join(f'{one:12.0f}' for one in taken)}", flush=True)


def _whole(forecaster: Forecaster, length: int) -> float:
    """One pass of the network over all of a history."""
    inputs = {"target": torch.randn(1, length, 3)}

    def encode() -> None:
        with torch.inference_mode():
            forecaster.network.encode(inputs)

    return _microseconds(encode, 20 if length > HISTORIES[1] else 200)


def layers() -> None:
    """Compute of one layer of 64 units over a context of one series: by torch's kernel, and as it serves."""
    print(f"\n{'layer':8} {'torch us':>12} {'served us':>12}")
    for name, cell in (("lstm", LstmCell(UNITS, UNITS)), ("gru", GruCell(UNITS, UNITS)), ("elman", ElmanCell(UNITS, UNITS, "tanh"))):
        cell.initialise()
        cell.eval().requires_grad_(requires_grad=False)
        served = nn.Sequential(cell)
        pack_cells(served)
        sequence = torch.randn(1, CONTEXT, UNITS)
        with torch.inference_mode():
            taken = [_microseconds(partial(_over, one, sequence)) for one in (cell, cast(Recurrence, served[0]))]
        print(f"{name:8} {' '.join(f'{one:12.0f}' for one in taken)}", flush=True)


def _over(layer: Recurrence, sequence: Tensor) -> object:
    return layer(sequence, layer.start(sequence))


def _microseconds(run: Callable[[], object], times: int = 500) -> float:
    run()
    taken = []
    for _ in range(times):
        began_at = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began_at)
    # The fastest tenth: what else the machine does is no part of it.
    return float(np.quantile(taken, 0.1)) * 1e6


def main() -> None:
    """Prints the tables."""
    torch.set_num_threads(1)
    allowed = os.sched_getaffinity(0)
    print(f"{'service':20} {'clients':>8} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8} {'a second':>9} {'failures':>9}")
    with tempfile.TemporaryDirectory() as home:
        # The clients keep to one core and each service to the other.
        if len(allowed) > 1:
            os.sched_setaffinity(0, {min(allowed)})
        over_http(Path(home))
    layers()
    print(f"\n{'cell':8} {'history':>10} {'observe us':>12} {'forecast us':>12} {'window us':>12} {'encode us':>12}")
    for cell in ("lstm", "gru"):
        sessions(cell)


if __name__ == "__main__":
    if os.environ.get("OMP_NUM_THREADS") != "1":
        # As a service's processes have it; numpy reads it when it is imported.
        os.execve(sys.executable, [sys.executable, "-m", "bench.serving"], {**os.environ, "OMP_NUM_THREADS": "1"})  # noqa: S606 ourselves
    main()
