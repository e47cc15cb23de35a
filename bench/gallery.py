"""Do the published forecasters of the gallery learn something worth having? `make bench-gallery`: each on three real data sets, by the API.

Everything goes the way of a user: `braidcast up`, an upload, a job that names `gallery:NAME`, its report. The scores are those of the last
horizon of each series, which training never saw, beside those of repeating the last season.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import polars as pl

from app.demo.road import ask
from app.demo.service import OwnService
from app.spec.gallery import GALLERY

DATA = Path(__file__).parents[2] / "shared" / "data"
TRAINING = {"epochs": 15, "steps_per_epoch": 80, "batch_size": 64, "lr": 0.002, "schedule": "cosine", "clip_norm": 1.0, "patience": 5}
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Case:
    """A data set, and what a job says of it.

    Attributes:
        title: what it is called in the table.
        file: where it is.
        columns: what is uploaded of it.
        horizon: steps to forecast.
        context: steps to look back; of a document that says its own, that is kept.
        series: how many of them, from the first on; all by default.
        beside: a column that a document with a second input reads there.
    """

    title: str
    file: str
    columns: tuple[str, ...]
    horizon: int
    context: int
    series: int | None = None
    beside: str = "y"
    job: dict[str, Any] = field(default_factory=dict)


CASES = (
    Case("bike sharing", "bike_sharing.parquet", ("ds", "y", "temp", "hum"), 24, 168, beside="temp"),
    Case("hospital", "hospital.parquet", ("unique_id", "ds", "y"), 12, 24),
    Case("M4 Hourly 60 series", "m4_hourly.parquet", ("unique_id", "ds", "y"), 48, 96, series=60, job={"season": 24}),
)


def upload(http: httpx.Client, case: Case) -> str:
    """The id of a case's data set."""
    frame = pl.read_parquet(DATA / case.file).select(case.columns)
    if case.series is not None:
        ids = frame["unique_id"].unique(maintain_order=True).head(case.series)
        frame = frame.filter(pl.col("unique_id").is_in(ids.to_list()))
    content = io.BytesIO()
    frame.write_parquet(content)
    headers = {"Content-Type": "application/vnd.apache.parquet"}
    return str(ask(http, "POST", "/v1/datasets", params={"name": case.title}, content=content.getvalue(), headers=headers)["id"])


def request(case: Case, name: str, dataset: str) -> dict[str, Any]:
    """The job of a document on a data set."""
    spec = GALLERY[name].spec
    inputs = {key: ["y"] if number == 0 else [case.beside] for number, key in enumerate(spec.inputs)} if len(spec.inputs) > 1 else {}
    context = {} if spec.context is not None else {"context": case.context}
    named = {"kind": "train", "dataset": dataset, "architecture": f"gallery:{name}", "horizon": case.horizon, "columns": inputs}
    return named | context | {"training": TRAINING} | case.job


def finished(http: httpx.Client, job: str) -> dict[str, Any]:
    """The job, once it has ended."""
    while True:
        found: dict[str, Any] = ask(http, "GET", f"/v1/jobs/{job}")
        if found["status"] in {"succeeded", "failed", "cancelled"}:
            return found
        time.sleep(POLL_SECONDS)


def row(http: httpx.Client, case: Case, name: str, dataset: str) -> str:
    """One line of the table."""
    try:
        job = finished(http, str(ask(http, "POST", "/v1/jobs", json=request(case, name, dataset))["id"]))
    except Exception as error:  # noqa: BLE001 the table says what went wrong, and goes on
        return f"| `{name}` | {case.title} | not trained: {error} | | |"
    if job["status"] != "succeeded":
        return f"| `{name}` | {case.title} | {job['error']['message']} | | |"
    scores = ask(http, "GET", f"/v1/models/{job['model']}")["scores"]
    seconds = ask(http, "GET", f"/v1/models/{job['model']}")["lineage"]["seconds"]
    model, naive = scores["model"]["mase"], scores["seasonal_naive"]["mase"]
    return f"| `{name}` | {case.title} | {model:.3f} | {naive:.3f} | {seconds:.0f} |"


def main() -> None:
    """The table, a line at a time; names of documents may be given."""
    names = sys.argv[1:] or list(GALLERY)
    print("| document | data | MASE | seasonal naive | seconds |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as home, OwnService(Path(home)) as service, closing(service.client()) as http:
        datasets = [(case, upload(http, case)) for case in CASES]
        for name in names:
            for case, dataset in datasets:
                print(row(http, case, name, dataset), flush=True)


if __name__ == "__main__":
    main()
