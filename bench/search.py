"""What does a search bring, and how long does it take? `make bench-search`: twenty trials on hospital, by the API, beside the defaults.

Everything goes the way of a user: `braidcast up` with as many workers as the machine has cores, an upload, a job, forecasts.

    make bench-search
    make bench-search OPTIONS="--trials 40 --sets weekly"
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from app.demo.road import ask
from app.demo.service import OwnService
from bench.accuracy import PANELS, Panel, check_baselines, measures, panel, row
from bench.gallery import finished


def searched(http: httpx.Client, case: Panel, request: dict[str, Any]) -> tuple[dict[str, float], dict[str, Any] | None]:
    """Scores of a job's model on what its data have not, the seconds from the upload to the model, and the report's search."""
    content = io.BytesIO()
    case.learnt.write_parquet(content)
    began_at = time.monotonic()
    headers = {"Content-Type": "application/vnd.apache.parquet"}
    dataset = ask(http, "POST", "/v1/datasets", params={"name": "bench"}, content=content.getvalue(), headers=headers)["id"]
    asked = {"dataset": dataset, "horizon": case.actual.shape[1], "season": case.season, **request}
    job = finished(http, ask(http, "POST", "/v1/jobs", json=asked)["id"])
    seconds = time.monotonic() - began_at
    found = ask(http, "POST", f"/v1/models/{job['model']}/forecasts", json={"unique_ids": case.ids, "quantiles": [0.5]})
    median = np.array([one["quantiles"]["0.5"] for one in found["forecasts"]])
    return measures(case, median, {}) | {"seconds": seconds}, ask(http, "GET", f"/v1/jobs/{job['id']}/report")["search"]


def leaderboard(found: dict[str, Any]) -> str:
    """The rows of a search, best first, and why the winner won."""
    lines = [
        f"{row['name']:<32} {row['state']:<9} {row['score'] if row['score'] is not None else float('nan'):8.4f} "
        f"{row['standard_error'] or float('nan'):7.4f} {row['parameters'] or 0:>9,} {row['seconds']:7.1f} s  {row['drawn']}"
        for row in found["leaderboard"]
    ]
    return "\n".join([*lines, found["sentence"]])


def main() -> None:
    """The sets that are asked for."""
    said = argparse.ArgumentParser(description=__doc__)
    said.add_argument("--trials", type=int, default=20)
    said.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    said.add_argument("--seed", type=int, default=0)
    said.add_argument("--sets", nargs="*", default=["hospital"])
    asked = said.parse_args()
    os.environ["BRAIDCAST_WORKERS"] = str(asked.workers)
    with tempfile.TemporaryDirectory() as home, OwnService(Path(home)) as service, closing(service.client()) as http:
        for name in asked.sets:
            case = panel(*PANELS[name])
            print(row(case.title, "seasonal naive", [check_baselines(case)]), flush=True)
            print(row(case.title, "the defaults", [searched(http, case, {"kind": "train", "seed": asked.seed})[0]]), flush=True)
            search = {"kind": "search", "trials": asked.trials, "workers": asked.workers, "seed": asked.seed}
            scores, found = searched(http, case, search)
            print(row(case.title, f"the winner of {asked.trials} trials, {asked.workers} workers", [scores]), flush=True)
            if found is not None:
                print(leaderboard(found), flush=True)


if __name__ == "__main__":
    main()
