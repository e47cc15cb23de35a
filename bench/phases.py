"""What does it bring to train layers and branches one after another? `make bench-phases`, on hourly bike rentals.

A stack of three layers, all together and layer by layer; a connection of demand and weather, all together and branch by branch. The same
windows, the same epochs in all, five seeds; error on the last day (MASE) and on the validation windows (loss), and seconds of CPU.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from app.forecasting.forecaster import Forecaster
from app.nets.build import build
from app.series.frequency import parse_frequency
from app.series.panel import Panel, panel_of
from app.spec.parse import parse_spec
from worker.training.fit import Training, fit
from worker.training.material import prepare
from worker.training.verdict import score

DATA = Path(__file__).parents[2] / "shared" / "data" / "bike_sharing.parquet"
SEEDS = range(5)
SEASON = 24
CPU = torch.device("cpu")

STACK = {"kind": "stack", "blocks": [{"kind": "lstm", "units": 32}, {"kind": "lstm", "units": 32}, {"kind": "lstm", "units": 32}]}
CONNECTION = {
    "kind": "connect",
    "branches": [{"kind": "lstm", "units": 32, "from": "demand"}, {"kind": "lstm", "units": 16, "from": "weather"}],
}
EPOCHS = 12
CASES: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "stack, all together": (STACK, [{"learn": "all", "epochs": EPOCHS}]),
    "stack, layer by layer": (STACK, [{"learn": "layer by layer", "epochs": EPOCHS // 3}]),
    "stack, layer by layer, then all": (STACK, [{"learn": "layer by layer", "epochs": 3}, {"learn": "all", "epochs": 3, "lr": 3e-4}]),
    "connection, all together": (CONNECTION, [{"learn": "all", "epochs": EPOCHS}]),
    "connection, each branch": (CONNECTION, [{"learn": "each branch", "epochs": EPOCHS // 3}]),
    "connection, each branch, then all": (CONNECTION, [{"learn": "each branch", "epochs": 3}, {"learn": "all", "epochs": 3, "lr": 3e-4}]),
}


def panel() -> Panel:
    """The whole series; its last day is the test."""
    frame = pl.read_parquet(DATA).with_columns(pl.col("ds").cast(pl.Datetime("us")), pl.lit("bikes").alias("unique_id")).sort("ds")
    return panel_of(frame, parse_frequency("h"), ["temp", "hum", "windspeed"])


def document(network: dict[str, Any], phases: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    """One case as a user would write it."""
    weather = {"columns": ["temp", "hum", "windspeed"]}
    return {
        "context": 72,
        "horizon": 24,
        "inputs": {"demand": {"columns": ["y"], "features": ["hour_of_day", "day_of_week"]}, "weather": weather},
        "scaling": {"target": "mean_abs"},
        "network": network,
        "training": {"phases": phases, "batch_size": 64, "steps_per_epoch": 100, "lr": 2e-3, "patience": None, "seed": seed},
    }


def run(data: Panel, network: dict[str, Any], phases: list[dict[str, Any]], seed: int) -> tuple[float, float, float]:
    """Seconds of CPU, validation loss under the network's own decoder, and MASE on the last day."""
    spec = parse_spec(document(network, phases, seed))
    material = prepare(spec, data, CPU)
    began_at = time.process_time()
    training = Training(spec, build(spec), material, CPU)
    for _ in fit(training):
        pass
    seconds = time.process_time() - began_at
    training.finish()
    scores = score(Forecaster(spec, training.network, "h", SEASON, "naive", material.scaling), material, SEASON)
    return seconds, training.progress.outcomes[-1].val_loss or np.nan, scores["model"]["mase"] or np.nan


def main() -> None:
    """Prints a row for each case."""
    if not DATA.exists():
        sys.exit(f"{DATA} is not here")
    torch.set_num_threads(1)
    data = panel()
    print(f"{'':36} CPU seconds      validation loss    MASE, last day   ({len(SEEDS)} seeds, mean and standard deviation, one thread)")
    for name, (network, phases) in CASES.items():
        runs = list(zip(*(run(data, network, phases, seed) for seed in SEEDS), strict=True))
        cells = [f"{statistics.mean(values):8.3f} ({statistics.stdev(values):.3f})" for values in runs]
        print(f"{name:36} {'  '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
