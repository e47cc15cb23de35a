"""How good are our forecasts beside those of other libraries, and at what cost? `make bench-peers`: the same data, splits and scores.

The libraries are installed into `.venv-peers` on first use, by bench/peers/requirements.txt. Each method is a process of its own with one
thread; its seconds and memory are those of the whole process. Ours are those of the service's processes from the upload to the last
forecast, by `bench.accuracy`; the memory is that of the largest process.

    make bench-peers
    make bench-peers OPTIONS="--sets hospital weekly --peers ets dot lstm --skip-ours"
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl

from app.demo.service import OwnService
from app.series.scores import mae
from bench.accuracy import BIKE_COLUMNS, PANELS, bikes, check_baselines, measures, panel, row, run_bikes, run_panel
from bench.environment import interpreter
from bench.gallery import Values
from bench.peers import measured

HERE = Path(__file__).parent
HISTORY = 400
"""Rows before a cutoff that are sent of the bike rentals."""

NAMES = {
    "naive": "seasonal naive (statsforecast)",
    "ets": "AutoETS (statsforecast)",
    "theta": "Theta (statsforecast)",
    "dot": "dynamic optimised Theta (statsforecast)",
    "mstl": "MSTL (statsforecast)",
    "keras": "LSTM 64 and a dense layer (Keras)",
    "lstm": "LSTM (neuralforecast)",
    "lstm-columns": "LSTM with columns (neuralforecast)",
}
SEEDED = ("keras", "lstm", "lstm-columns")
OF_SETS = {
    "hourly": ("naive", "ets", "theta", "dot", "mstl", "keras", "lstm"),
    "weekly": ("naive", "ets", "theta", "dot", "keras", "lstm"),
    "hospital": ("naive", "ets", "theta", "dot", "keras", "lstm"),
    "bikes": ("naive", "keras", "lstm", "lstm-columns"),
}
CONTEXTS = {"hourly": 168, "weekly": 52, "hospital": 24, "bikes": 168}
CALENDAR = {"hour": pl.col("ds").dt.hour(), "weekday": pl.col("ds").dt.weekday(), "month": pl.col("ds").dt.month()}


@dataclass(frozen=True)
class Task:
    """A set as the peers get it, and how it is scored.

    Attributes:
        title: in the table.
        asked: for `asked.json`.
        tables: by the names of their files.
        score: of forecasts, a row a series.
        ours: one training and its forecasts by the service, by what is said of the training.
    """

    title: str
    asked: dict[str, Any]
    tables: dict[str, pl.DataFrame]
    score: Callable[[Values], dict[str, float]]
    ours: Callable[[httpx.Client, dict[str, Any]], dict[str, float]]


def of_panel(name: str) -> Task:
    """A panel, its series numbered in their order and its steps too: every library sorts them alike."""
    case = panel(*PANELS[name])
    check_baselines(case)
    ids = [f"{number:05}" for number, history in enumerate(case.histories) for _ in history]
    steps = np.concatenate([np.arange(len(history)) for history in case.histories])
    learnt = pl.DataFrame({"unique_id": ids, "ds": steps, "y": np.concatenate(case.histories)})
    asked = {"horizon": case.actual.shape[1], "season": case.season, "seasons": [24, 168], "freq": 1, "columns": []}
    return Task(
        case.title,
        asked | {"context": CONTEXTS[name]},
        {"learnt": learnt},
        lambda found: measures(case, found, {}),
        lambda http, training: run_panel(http, case, training),
    )


def of_bikes() -> Task:
    """The bike rentals: each cutoff is a series of its own when it is forecast."""
    frame, cutoffs, actual = bikes()
    frame = frame.with_columns(**CALENDAR)
    histories = pl.concat([_named(frame[cutoff - HISTORY : cutoff], cutoff) for cutoff in cutoffs])
    future = pl.concat([_named(frame[cutoff : cutoff + 24], cutoff) for cutoff in cutoffs]).drop("y")
    asked = {"horizon": 24, "season": 168, "freq": "h", "columns": [*BIKE_COLUMNS, *CALENDAR], "context": CONTEXTS["bikes"]}
    return Task(
        "bike sharing",
        asked,
        {"learnt": frame[: cutoffs[0]], "histories": histories, "future": future},
        lambda found: {"MAE": mae(actual, found)},
        run_bikes,
    )


def _named(rows: pl.DataFrame, cutoff: int) -> pl.DataFrame:
    return rows.with_columns(pl.lit(f"{cutoff:05}").alias("unique_id"))


def run_peer(python: Path, peer: str, task: Task, seed: int) -> dict[str, float]:
    """Scores and cost of one run of a peer."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        (folder / "asked.json").write_text(json.dumps(task.asked | {"seed": seed}))
        for name, table in task.tables.items():
            table.write_parquet(folder / f"{name}.parquet")
        command = [str(python), str(HERE / "forecast.py"), peer, str(folder)]
        spent = measured.run(command, folder, folder / "log.txt", {"KERAS_BACKEND": "jax", "CUDA_VISIBLE_DEVICES": ""})
        return task.score(np.load(folder / "forecast.npy", allow_pickle=False)) | spent


def run_ours(task: Task, seeds: int) -> list[dict[str, float]]:
    """Scores and costs of the service, started anew for the set."""
    with tempfile.TemporaryDirectory() as home, OwnService(Path(home)) as service, closing(service.client()) as http:
        found = [measured.of_children(partial(task.ours, http, {"seed": seed})) for seed in range(seeds)]
    kept = ("sMAPE", "MASE", "OWA", "MAE", "wall s", "CPU s", "peak MiB")
    return [{name: run[name] for name in kept if name in run} for run in found]


def main() -> None:
    """The sets and the peers that are asked for."""
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("--sets", nargs="*", choices=list(OF_SETS), default=list(OF_SETS))
    said.add_argument("--peers", nargs="*", choices=list(NAMES), default=list(NAMES))
    said.add_argument("--seeds", type=int, default=1, help="runs of whatever begins at random")
    said.add_argument("--skip-ours", action="store_true")
    asked = said.parse_args()
    python = interpreter(".venv-peers", HERE / "requirements.txt")
    for name in asked.sets:
        task = of_bikes() if name == "bikes" else of_panel(name)
        if not asked.skip_ours:
            print(row(task.title, "Braidcast, one network", run_ours(task, asked.seeds)), flush=True)
        for peer in OF_SETS[name]:
            if peer in asked.peers:
                runs = [run_peer(python, peer, task, seed) for seed in range(asked.seeds if peer in SEEDED else 1)]
                print(row(task.title, NAMES[peer], runs), flush=True)


if __name__ == "__main__":
    main()
