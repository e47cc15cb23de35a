"""How good is `gallery:segrnn` where it was published? `make bench-etth1`: ETTh1, 96 steps of all seven channels, by the API.

The protocol of the field: the first twelve months of thirty days are learnt from, four are left out, and windows slide over the last
four, every value in units of its channel's mean and deviation over the first twelve. Each channel is a series; what is uploaded ends with
the twelve months, and every window is sent.

    make bench-etth1                                one seed, every window
    make bench-etth1 OPTIONS="--seeds 3 --stride 8"
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl

from app.demo.road import ask
from app.demo.service import OwnService
from bench.accuracy import trained
from bench.gallery import DATA, Values

MONTH, CONTEXT, HORIZON = 30 * 24, 720, 96
SERIES_A_REQUEST = 400
SEGMENT = 48
START = "2017-01-01T00:00:00"
"""Of every history that is sent: the document reads no calendar."""

DOCUMENT: dict[str, Any] = {
    "inputs": {"target": {"columns": ["y"]}},
    "scaling": {"target": "none"},
    "network": {
        "kind": "stack",
        "blocks": [
            {"kind": "instance_norm", "by": "last", "from": "target"},
            {"kind": "segment", "width": SEGMENT},
            {"kind": "dense", "units": 256, "activation": "relu"},
            {"kind": "gru", "units": 256},
            {"kind": "dropout", "rate": 0.3},
        ],
    },
    "decoder": {"kind": "segments", "width": SEGMENT},
    "head": {"kind": "point", "loss": "mae"},
    "training": {"epochs": 20, "steps_per_epoch": 100, "batch_size": 64, "lr": 0.001, "patience": 4, "refit": True},
}
"""`gallery:segrnn` with the segments and the context of the paper's ETTh1, and half of its width."""


def channels() -> tuple[pl.DataFrame, Values]:
    """What is uploaded, and all scaled values, [rows, channel]."""
    frame = pl.read_csv(DATA / "ETTh1.csv.gz", try_parse_dates=True)
    names = [name for name in frame.columns if name != "date"]
    raw = frame.select(names).to_numpy().astype(np.float64)[: 20 * MONTH]
    learnt = raw[: 12 * MONTH]
    values = (raw - learnt.mean(axis=0)) / learnt.std(axis=0)
    times = frame["date"][: 12 * MONTH]
    rows = 12 * MONTH
    tables = [pl.DataFrame({"unique_id": [name] * rows, "ds": times, "y": values[:rows, place]}) for place, name in enumerate(names)]
    return pl.concat(tables), values


def errors(http: httpx.Client, model: str, values: Values, stride: int) -> tuple[float, float]:
    """Mean squared and mean absolute error over windows of the last four months."""
    cutoffs = range(16 * MONTH, 20 * MONTH - HORIZON + 1, stride)
    places = [(cutoff, channel) for cutoff in cutoffs for channel in range(values.shape[1])]
    squares, sizes = [], []
    for first in range(0, len(places), SERIES_A_REQUEST):
        some = places[first : first + SERIES_A_REQUEST]
        histories = (values[cutoff - CONTEXT : cutoff, channel].tolist() for cutoff, channel in some)
        series = [{"unique_id": str(number), "start": START, "target": history} for number, history in enumerate(histories)]
        found = ask(http, "POST", f"/v1/models/{model}/forecasts", json={"series": series})
        actual = np.array([values[cutoff : cutoff + HORIZON, channel] for cutoff, channel in some])
        wrong = np.array([one["mean"] for one in found["forecasts"]]) - actual
        squares.append((wrong**2).mean(axis=1))
        sizes.append(np.abs(wrong).mean(axis=1))
    return float(np.concatenate(squares).mean()), float(np.concatenate(sizes).mean())


def main() -> None:
    """One line a seed, and the mean of several."""
    said = argparse.ArgumentParser(description=__doc__)
    said.add_argument("--seeds", type=int, default=1)
    said.add_argument("--stride", type=int, default=1)
    asked = said.parse_args()
    table, values = channels()
    found = []
    with tempfile.TemporaryDirectory() as home, OwnService(Path(home)) as service, closing(service.client()) as http:
        for seed in range(asked.seeds):
            began_at = time.monotonic()
            model = trained(http, table, {"horizon": HORIZON, "context": CONTEXT, "architecture": DOCUMENT, "seed": seed})
            seconds = time.monotonic() - began_at
            found.append(errors(http, model, values, asked.stride))
            print(f"| seed {seed} | MSE {found[-1][0]:.3f} | MAE {found[-1][1]:.3f} | {seconds:.0f} s |", flush=True)
    if len(found) > 1:
        squares, sizes = ([pair[place] for pair in found] for place in (0, 1))
        print(f"| mean | MSE {statistics.mean(squares):.3f} ({statistics.stdev(squares):.3f}) | MAE {statistics.mean(sizes):.3f} | |")


if __name__ == "__main__":
    main()
