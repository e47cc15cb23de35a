"""What does it bring to train layers and branches one after another? `make bench-phases`, on hourly bike rentals.

A stack of three layers, all together and layer by layer; a connection of demand and weather, all together and branch by branch; beside them
what the same time buys when everything is trained together for half as long. The learning rate is the best for joint training of 0.002,
0.005 and 0.01, but for the residual stack, which has that of the others. What is forecast are the data's last four months, from every hour,
which no training and no choice of weights has seen.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from app.forecasting.forecaster import Forecaster
from app.forecasting.windows import WindowSource
from app.nets.build import build
from app.series.frequency import parse_frequency
from app.series.panel import TARGET, Panel, panel_of
from app.spec.parse import parse_spec
from worker.training.fit import Training, fit
from worker.training.material import prepare

DATA = Path(__file__).parents[2] / "shared" / "data" / "bike_sharing.parquet"
SEEDS = 5
SEASON = 24
HORIZON = 24
TEST_FROM = datetime(2012, 9, 2)  # noqa: DTZ001 the data's times have no zone
CHUNK = 512
CPU = torch.device("cpu")

LSTM: dict[str, Any] = {"kind": "lstm", "units": 32}
STACK = {"kind": "stack", "blocks": [LSTM, LSTM, LSTM]}
RESIDUAL = {"kind": "stack", "blocks": [LSTM, {**LSTM, "residual": "add"}, {**LSTM, "residual": "add"}]}
CONNECTION = {"kind": "connect", "branches": [{**LSTM, "from": "demand"}, {"kind": "lstm", "units": 16, "from": "weather"}]}
LR = 0.01
FINE = 0.002


@dataclass(frozen=True)
class Case:
    """A network and how it learns."""

    network: dict[str, Any]
    phases: list[dict[str, Any]]
    training: dict[str, Any] = field(default_factory=lambda: {"schedule": "constant"})


def _joint(network: dict[str, Any], epochs: int) -> Case:
    return Case(network, [{"learn": "all", "epochs": epochs}], {"schedule": "cosine"})


CASES: dict[str, Case] = {
    "stack, all together": _joint(STACK, 12),
    "stack, all together, half as long": _joint(STACK, 6),
    "stack, layer by layer": Case(STACK, [{"learn": "layer by layer", "epochs": 4}]),
    "stack, layer by layer, then all": Case(STACK, [{"learn": "layer by layer", "epochs": 3}, {"learn": "all", "epochs": 1, "lr": FINE}]),
    "residual stack, all together": _joint(RESIDUAL, 12),
    "residual stack, all, half as long": _joint(RESIDUAL, 6),
    "residual stack, layers, then all": Case(
        RESIDUAL, [{"learn": "layer by layer", "epochs": 3}, {"learn": "all", "epochs": 1, "lr": FINE}]
    ),
    "connection, all together": _joint(CONNECTION, 12),
    "connection, all, half as long": _joint(CONNECTION, 6),
    "connection, each branch": Case(CONNECTION, [{"learn": "each branch", "epochs": 3}]),
    "connection, each branch, then all": Case(
        CONNECTION, [{"learn": "each branch", "epochs": 2}, {"learn": "all", "epochs": 2, "lr": FINE}]
    ),
    "connection, each branch, 3 folds": Case(CONNECTION, [{"learn": "each branch", "epochs": 3, "folds": 3}]),
}


@dataclass(frozen=True)
class Result:
    """What one run came to: CPU seconds, validation loss, and loss and MASE on the test months."""

    cpu_seconds: float
    val_loss: float
    test_loss: float
    mase: float


def panels() -> tuple[Panel, Panel]:
    """What is known when the training begins, and the whole series."""
    frame = pl.read_parquet(DATA).with_columns(pl.col("ds").cast(pl.Datetime("us")), pl.lit("bikes").alias("unique_id")).sort("ds")
    columns, freq = ["temp", "hum", "windspeed"], parse_frequency("h")
    return panel_of(frame.filter(pl.col("ds") < TEST_FROM), freq, columns), panel_of(frame, freq, columns)


def document(case: Case, seed: int) -> dict[str, Any]:
    """A case as a user would write it."""
    weather = {"columns": ["temp", "hum", "windspeed"]}
    return {
        "context": 72,
        "horizon": HORIZON,
        "inputs": {"demand": {"columns": ["y"], "features": ["hour_of_day", "day_of_week"]}, "weather": weather},
        "scaling": {"target": "mean_abs"},
        "network": case.network,
        "training": {
            "phases": case.phases, "batch_size": 64, "steps_per_epoch": 100, "lr": LR, "patience": None, "seed": seed, **case.training,
        },
    }  # fmt: skip


def run(known: Panel, whole: Panel, case: Case, seed: int) -> Result:
    """Trains on what is known and forecasts the rest."""
    spec = parse_spec(document(case, seed))
    material = prepare(spec, known, CPU)
    began_at = time.process_time()
    training = Training(spec, build(spec), material, CPU)
    for _ in fit(training):
        pass
    seconds = time.process_time() - began_at
    training.finish()
    forecaster = Forecaster(spec, training.network, "h", SEASON, "naive", material.scaling)
    source, values = WindowSource(spec, whole, material.scaling, CPU), whole.columns[TARGET]
    known_values = known.columns[TARGET]
    cutoffs = np.arange(len(known_values), len(values) - HORIZON + 1)
    errors, losses = [], []
    for chunk in np.array_split(cutoffs, -(-len(cutoffs) // CHUNK)):
        windows = source.batch(chunk)
        mean, _ = forecaster.forecast_windows(windows, (0.5,))
        errors.append(np.abs(values[chunk[:, None] + np.arange(HORIZON)] - mean))
        with torch.no_grad():
            raw = training.network(windows.inputs, windows.future)
            losses.append(len(chunk) * forecaster.head.loss(raw, windows.target, windows.observed, windows.scale).item())
    naive = float(np.nanmean(np.abs(known_values[SEASON:] - known_values[:-SEASON])))
    mase = float(np.nanmean(np.concatenate(errors))) / naive
    return Result(seconds, training.progress.outcomes[-1].val_loss or np.nan, sum(losses) / len(cutoffs), mase)


def main() -> None:
    """Prints a row for each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    asked = parser.parse_args()
    if not DATA.exists():
        sys.exit(f"{DATA} is not here")
    torch.set_num_threads(1)
    known, whole = panels()
    print(f"{'':36}CPU seconds       validation loss   test loss         test MASE   ({asked.seeds} seeds, mean and deviation, one thread)")
    for name, case in CASES.items():
        if asked.only in name:
            results = [run(known, whole, case, seed) for seed in range(asked.seeds)]
            columns = zip(*((one.cpu_seconds, one.val_loss, one.test_loss, one.mase) for one in results), strict=True)
            cells = [f"{statistics.mean(column):8.4f} ({statistics.stdev(column) if asked.seeds > 1 else 0.0:.4f})" for column in columns]
            print(f"{name:36}{'  '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
