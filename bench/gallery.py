"""Do the published forecasters of the gallery learn something worth having? `make bench-gallery`: each on three real data sets, by the API.

Everything goes the way of a user: `braidcast up`, an upload, a job that names `gallery:NAME`, forecasts of series that are sent. What is
forecast was never uploaded; the error is MASE, beside that of repeating the last season.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import polars as pl

from app.demo.road import ask
from app.demo.service import OwnService
from app.errors import BraidcastError
from app.series.baselines import seasonal_naive
from app.series.scores import mase, seasonal_error
from app.spec.gallery import GALLERY

DATA = Path(__file__).parents[2] / "shared" / "data"
TRAINING: dict[str, Any] = {
    "epochs": 20,
    "steps_per_epoch": 100,
    "batch_size": 32,
    "lr": 0.003,
    "schedule": "cosine",
    "clip_norm": 1.0,
    "patience": 10,
    "refit": True,
}
TEXTBOOK = ("stacked", "connected")
LONGER: dict[str, Any] = {"epochs": 60}
"""Of the documents that learn at each cutoff alone and know no season, where it is strong."""

POLL_SECONDS = 0.5
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cutoff:
    """One forecast to be made: the rows before it, and what came then."""

    history: pl.DataFrame
    actual: Values


@dataclass(frozen=True, eq=False)
class Case:
    """A data set.

    Attributes:
        title: what it is called in the table.
        learnt: what is uploaded.
        cutoffs: what is forecast.
        season: steps.
        horizon: steps to forecast.
        context: steps to look back.
        beside: a column that a document with a second input reads there.
        seasons: as a job says them.
        is_strong: whether the season is much of each series, so that the textbook's documents, which know none, are counted from it.
    """

    title: str
    learnt: pl.DataFrame
    cutoffs: list[Cutoff]
    season: int
    horizon: int
    context: int
    seasons: tuple[int, ...]
    beside: str = "y"
    is_strong: bool = False


def bikes() -> Case:
    """One long series; its last four months, a forecast every 101 hours."""
    frame = pl.read_parquet(DATA / "bike_sharing.parquet").sort("ds").select(pl.lit("bikes").alias("unique_id"), "ds", "y", "temp", "split")
    learnt = frame.filter(pl.col("split") != "test").drop("split")
    values, horizon = frame["y"].to_numpy(), 24
    at = range(learnt.height, frame.height - horizon, 101)
    cutoffs = [Cutoff(frame[:cutoff].drop("split"), values[cutoff : cutoff + horizon]) for cutoff in at]
    return Case("bike sharing", learnt, cutoffs, 24, horizon, 168, (24, 168), beside="temp")


def panel(title: str, file: str, seasons: tuple[int, ...], context: int, every: int) -> Case:
    """Every n-th of many series; the end of each, as whoever published them has set it apart."""
    frame = pl.read_parquet(DATA / file).sort("unique_id", "ds")
    ids = frame["unique_id"].unique().sort().gather_every(every)
    frame = frame.filter(pl.col("unique_id").is_in(ids.to_list()))
    kept = [part.partition_by("split", as_dict=True, include_key=False) for _, part in frame.group_by("unique_id", maintain_order=True)]
    cutoffs = [Cutoff(parts["train",], parts["test",]["y"].to_numpy()) for parts in kept]
    learnt = frame.filter(pl.col("split") == "train").drop("split")
    return Case(title, learnt, cutoffs, seasons[0], len(cutoffs[0].actual), context, seasons, is_strong=seasons[0] == 24)


def upload(http: httpx.Client, case: Case) -> str:
    """The id of a case's data set."""
    content = io.BytesIO()
    case.learnt.write_parquet(content)
    headers = {"Content-Type": "application/vnd.apache.parquet"}
    return str(ask(http, "POST", "/v1/datasets", params={"name": case.title}, content=content.getvalue(), headers=headers)["id"])


def submit(http: httpx.Client, case: Case, name: str, dataset: str) -> str:
    """The id of the job of a document on a data set."""
    inputs = list(GALLERY[name].spec.inputs)
    columns = {key: ["y"] if number == 0 else [case.beside] for number, key in enumerate(inputs)} if len(inputs) > 1 else {}
    said = {"kind": "train", "dataset": dataset, "architecture": f"gallery:{name}", "season": list(case.seasons), "training": TRAINING}
    if case.is_strong and name in TEXTBOOK:
        said["scaling"] = {"baseline": "season"}
    if case.is_strong and name in (*TEXTBOOK, "segrnn"):
        said["training"] = TRAINING | LONGER
    return str(ask(http, "POST", "/v1/jobs", json=said | {"horizon": case.horizon, "context": case.context, "columns": columns})["id"])


def finished(http: httpx.Client, job: str) -> dict[str, Any]:
    """The job, once it has ended.

    Raises:
        BraidcastError: it made no model.
    """
    while True:
        found: dict[str, Any] = ask(http, "GET", f"/v1/jobs/{job}")
        if found["status"] == "succeeded":
            return found
        if found["status"] in {"failed", "cancelled"}:
            raise BraidcastError(found["error"]["message"])
        time.sleep(POLL_SECONDS)


def forecasts(http: httpx.Client, case: Case, model: str) -> Values:
    """[cutoffs, horizon], from histories that are sent."""
    series = [_sent(cutoff.history, case.beside) for cutoff in case.cutoffs]
    found = ask(http, "POST", f"/v1/models/{model}/forecasts", json={"series": series, "levels": []})
    return np.array([one["mean"] for one in found["forecasts"]], dtype=np.float64)


def _sent(history: pl.DataFrame, beside: str) -> dict[str, Any]:
    start = history["ds"][0]
    past = {beside: history[beside].to_list()} if beside != "y" else {}
    moment = start if isinstance(start, int) else start.isoformat()
    return {"unique_id": history["unique_id"][0], "start": moment, "target": history["y"].to_list(), "past": past}


def naive(case: Case) -> Values:
    """The last season of each history, again and again; [cutoffs, horizon]."""
    return np.array([seasonal_naive(cutoff.history["y"].to_numpy(), case.season, case.horizon) for cutoff in case.cutoffs])


def error(case: Case, forecast: Values) -> float:
    """MASE over all cutoffs."""
    scales = np.array([seasonal_error(cutoff.history["y"].to_numpy().astype(np.float64), case.season) for cutoff in case.cutoffs])
    return mase(np.array([cutoff.actual for cutoff in case.cutoffs]), forecast, scales)


def row(http: httpx.Client, case: Case, name: str, job: str) -> str:
    """One line of the table."""
    try:
        model = str(finished(http, job)["model"])
        found = error(case, forecasts(http, case, model))
    except BraidcastError as failure:
        return f"| `{name}` | {case.title} | {failure} | | |"
    seconds = ask(http, "GET", f"/v1/models/{model}")["lineage"]["seconds"]
    return f"| `{name}` | {case.title} | {found:.3f} | {error(case, naive(case)):.3f} | {seconds:.0f} |"


def table(http: httpx.Client, cases: Sequence[Case], names: Sequence[str]) -> None:
    """The table, a line at a time; all jobs are asked for first, and run as workers are free."""
    datasets = [upload(http, case) for case in cases]
    jobs = [(case, name, submit(http, case, name, dataset)) for name in names for case, dataset in zip(cases, datasets, strict=True)]
    print("| document | data | MASE | seasonal naive | seconds |\n|---|---|---|---|---|", flush=True)
    for case, name, job in jobs:
        print(row(http, case, name, job), flush=True)


def main() -> None:
    """All documents, or those that are named."""
    cases = [
        bikes(),
        panel("hospital", "hospital.parquet", (12,), 24, 1),
        panel("M4 Hourly 1 of 4", "m4_hourly.parquet", (24, 168), 168, 4),
    ]
    with tempfile.TemporaryDirectory() as home, OwnService(Path(home)) as service, closing(service.client()) as http:
        table(http, cases, sys.argv[1:] or list(GALLERY))


if __name__ == "__main__":
    main()
