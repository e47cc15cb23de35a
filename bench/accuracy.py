"""How good are forecasts that nobody has tuned? `make bench-accuracy`: M4 Hourly, M4 Weekly, hospital and bike sharing, by the API.

Everything goes the way of a user: `braidcast up`, an upload, a job, forecasts. The panels are trained by `{"kind": "train", "dataset",
"horizon"}` and a seed alone; bike sharing names its columns that are known ahead. Before anything else the published rows of the baselines
are computed with the same metrics, and must come out.

    make bench-accuracy                                     all sets, five seeds of one network, one ensemble of five
    make bench-accuracy OPTIONS="--seeds 2 --sets weekly"
    make bench-accuracy OPTIONS="--seeds 1 --ensembles 0 --sets hourly weekly --architecture gallery:es-rnn"
    make bench-accuracy OPTIONS="--seeds 0 --sets hospital --contexts 12 18"
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl

from app.demo.road import ask
from app.demo.service import OwnService
from app.errors import BraidcastError
from app.series.baselines import naive2, seasonal_naive
from app.series.scores import coverage, mae, mase, msis, seasonal_error, smape
from bench.gallery import DATA, Values, finished
from bench.service import forget_worker_peaks, worker_own_peak_mebibytes, worker_peak_mebibytes

ENSEMBLE = 5
LEVELS = (80, 95)
PUBLISHED = {"M4 Hourly": (18.383, 2.395), "M4 Weekly": (9.161, 2.777)}
"""sMAPE and MASE of Naive2."""

PANELS = {
    "hourly": ("M4 Hourly", "m4_hourly.parquet", 24),
    "weekly": ("M4 Weekly", "m4_weekly.parquet", 1),
    "hospital": ("hospital", "hospital.parquet", 12),
}
BIKE_WEATHER = ["mist", "rain"]
"""Words of the data's column `weather`, each as a column of 0 and 1; else it is clear."""

BIKE_COLUMNS = ["holiday", "workingday", "temp", "hum", "windspeed", *BIKE_WEATHER]
BIKE_DOCUMENT: dict[str, Any] = {
    "inputs": {
        "target": {"columns": ["y"], "lags": [24, 168]},
        "calendar": {"features": ["hour_of_day", "day_of_week", "day_of_year"]},
        "known": {"columns": BIKE_COLUMNS, "known": "future"},
    },
    "scaling": {"target": "standard"},
    "network": {"kind": "lstm", "units": 64, "dropout": 0.2},
    "decoder": {"kind": "sequence", "units": 64, "lags": [24, 168]},
    "head": {"kind": "quantiles"},
    "training": {"epochs": 30, "steps_per_epoch": 100, "lr": 0.003, "patience": 8, "refit": True},
}


@dataclass(frozen=True, eq=False)
class Panel:
    """A data set: what is uploaded, and what came then.

    Attributes:
        title: in the table.
        learnt: what is uploaded.
        ids: of the series, in the order of `actual`.
        histories: of each, what is uploaded of it.
        actual: [series, horizon].
        season: that the published metrics have.
    """

    title: str
    learnt: pl.DataFrame
    ids: list[str]
    histories: list[Values]
    actual: Values
    season: int


def panel(title: str, file: str, season: int) -> Panel:
    """A set whose last steps its publishers have set apart."""
    frame = pl.read_parquet(DATA / file).sort("unique_id", "ds")
    learnt = frame.filter(pl.col("split") == "train").drop("split")
    parts = {str(key[0]): part for key, part in frame.partition_by("unique_id", as_dict=True, maintain_order=True).items()}
    actual = np.array([part.filter(pl.col("split") == "test")["y"].to_numpy() for part in parts.values()], dtype=np.float64)
    histories = [part.filter(pl.col("split") == "train")["y"].to_numpy().astype(np.float64) for part in parts.values()]
    return Panel(title, learnt, list(parts), histories, actual, season)


def measures(case: Panel, mean: Values, quantiles: dict[str, Values]) -> dict[str, float]:
    """sMAPE, MASE and OWA of a point forecast; coverage and MSIS of the intervals, where there are any."""
    scales = np.array([seasonal_error(history, case.season) for history in case.histories])
    found = {"sMAPE": smape(case.actual, mean), "MASE": mase(case.actual, mean, scales)}
    if case.title in PUBLISHED:
        found["OWA"] = (found["sMAPE"] / PUBLISHED[case.title][0] + found["MASE"] / PUBLISHED[case.title][1]) / 2
    if quantiles:
        found["80 %"] = 100 * coverage(case.actual, quantiles["0.1"], quantiles["0.9"])
        found["95 %"] = 100 * coverage(case.actual, quantiles["0.025"], quantiles["0.975"])
        found["MSIS"] = msis(case.actual, quantiles["0.025"], quantiles["0.975"], scales, 0.95)
    return found


def check_baselines(case: Panel) -> dict[str, float]:
    """Scores of seasonal naive, once Naive2 has its published ones.

    Raises:
        BraidcastError: it has not, and nothing else would be worth comparing.
    """
    horizon = case.actual.shape[1]
    if case.title in PUBLISHED:
        found = measures(case, np.array([naive2(history, case.season, horizon) for history in case.histories]), {})
        wrong = max(abs(found[name] - value) for name, value in zip(("sMAPE", "MASE"), PUBLISHED[case.title], strict=True))
        if wrong > 0.001:
            raise BraidcastError(f"Naive2 on {case.title} has {found}, and {PUBLISHED[case.title]} are published")
    return measures(case, np.array([seasonal_naive(history, case.season, horizon) for history in case.histories]), {})


def trained(http: httpx.Client, table: pl.DataFrame, asked: dict[str, Any]) -> str:
    """The id of a model of an uploaded table."""
    content = io.BytesIO()
    table.write_parquet(content)
    headers = {"Content-Type": "application/vnd.apache.parquet"}
    dataset = ask(http, "POST", "/v1/datasets", params={"name": "bench"}, content=content.getvalue(), headers=headers)["id"]
    job = ask(http, "POST", "/v1/jobs", json={"kind": "train", "dataset": dataset, **asked})["id"]
    return str(finished(http, job)["model"])


def run_panel(http: httpx.Client, case: Panel, training: dict[str, Any], more: dict[str, Any] | None = None) -> dict[str, float]:
    """One training by the defaults, or by what else a job says, its scores, and the seconds from the upload to the last forecast."""
    began_at = time.monotonic()
    model = trained(http, case.learnt, {"horizon": case.actual.shape[1], "training": training, **(more or {})})
    found = ask(http, "POST", f"/v1/models/{model}/forecasts", json={"unique_ids": case.ids, "levels": [*LEVELS], "quantiles": [0.5]})
    seconds = time.monotonic() - began_at
    quantiles = {level: np.array([one["quantiles"][level] for one in found["forecasts"]]) for level in found["forecasts"][0]["quantiles"]}
    return measures(case, quantiles["0.5"], quantiles) | {"seconds": seconds}


def bikes() -> tuple[pl.DataFrame, range, Values]:
    """Bike rentals, the rows before which a day is forecast, and what came then; rows before the first are learnt from."""
    frame = pl.read_parquet(DATA / "bike_sharing.parquet").sort("ds").with_columns(pl.lit("bikes").alias("unique_id"))
    learnt = frame.filter(pl.col("split") != "test").height
    weather = [(pl.col("weather").cast(pl.String) == word).cast(pl.Float64).alias(word) for word in BIKE_WEATHER]
    frame = frame.with_columns(weather).select("unique_id", "ds", "y", *BIKE_COLUMNS)
    cutoffs = range(learnt, frame.height - 23, 24)
    values = frame["y"].to_numpy().astype(np.float64)
    return frame, cutoffs, np.array([values[cutoff : cutoff + 24] for cutoff in cutoffs])


def run_bikes(http: httpx.Client, training: dict[str, Any], *, has_columns: bool = True) -> dict[str, float]:
    """Bike sharing: forecasts of each day of the last months, with the weather as known, or by the same network without these columns."""
    frame, cutoffs, actual = bikes()
    began_at = time.monotonic()
    inputs = {name: group for name, group in BIKE_DOCUMENT["inputs"].items() if has_columns or name != "known"}
    document = BIKE_DOCUMENT | {"inputs": inputs, "training": BIKE_DOCUMENT["training"] | training}
    model = trained(http, frame[: cutoffs[0]], {"horizon": 24, "context": 168, "architecture": document})
    series = [_bikes_before(frame, cutoff) for cutoff in cutoffs]
    found = ask(http, "POST", f"/v1/models/{model}/forecasts", json={"series": series, "quantiles": [0.5]})
    seconds = time.monotonic() - began_at
    median = np.array([one["quantiles"]["0.5"] for one in found["forecasts"]])
    return {"MAE": mae(actual, median), "seconds": seconds}


def _bikes_before(frame: pl.DataFrame, cutoff: int) -> dict[str, Any]:
    history, ahead = frame[cutoff - 400 : cutoff], frame[cutoff : cutoff + 24]
    return {
        "unique_id": f"bikes {cutoff}",
        "start": history["ds"][0].isoformat(),
        "target": history["y"].to_list(),
        "past": {name: history[name].to_list() for name in BIKE_COLUMNS},
        "future": {name: ahead[name].to_list() for name in BIKE_COLUMNS},
    }


def row(title: str, what: str, runs: Sequence[dict[str, float]]) -> str:
    """Mean and standard deviation of each measure."""
    cells = []
    for name in runs[0]:
        values = [run[name] for run in runs]
        spread = f" ({statistics.stdev(values):.3f})" if len(values) > 1 else ""
        cells.append(f"{name} {statistics.mean(values):.3f}{spread}")
    return f"| {title} | {what} | {' | '.join(cells)} |"


def weighed(run: Callable[[dict[str, Any]], dict[str, float]], training: dict[str, Any]) -> dict[str, float]:
    """A run, with the most memory that the training process had in its course."""
    forget_worker_peaks()
    return run(training) | {"peak MiB": worker_peak_mebibytes(), "own MiB": worker_own_peak_mebibytes()}


def compare(title: str, run: Callable[[dict[str, Any]], dict[str, float]], seeds: int, ensembles: int, more: dict[str, Any]) -> None:
    """The rows of a set: single networks, and ensembles with what more is said of their training."""
    if seeds:
        print(row(title, "one network", [weighed(run, {"seed": seed}) for seed in range(seeds)]), flush=True)
    if ensembles:
        found = [weighed(run, {"seed": 100 + seed, "members": ENSEMBLE, **more}) for seed in range(ensembles)]
        print(row(title, f"{ENSEMBLE} networks", found), flush=True)


def main() -> None:
    """The sets that are asked for."""
    said = argparse.ArgumentParser(description=__doc__)
    said.add_argument("--seeds", type=int, default=5)
    said.add_argument("--ensembles", type=int, default=1)
    said.add_argument("--architecture", help="of the panels, such as gallery:es-rnn; the service's own choice where it is left out")
    said.add_argument("--sets", nargs="*", default=["hourly", "weekly", "hospital", "bikes"])
    said.add_argument(
        "--contexts", type=int, nargs="*", help="shorter ones that an ensemble's members have in turn after the service's own"
    )
    asked = said.parse_args()
    ensemble = {"contexts": asked.contexts} if asked.contexts else {}
    more = {"architecture": asked.architecture} if asked.architecture else {}
    with tempfile.TemporaryDirectory() as home, OwnService(Path(home)) as service, closing(service.client()) as http:
        for name in asked.sets:
            if name == "bikes":
                compare("bike sharing", partial(run_bikes, http), asked.seeds, asked.ensembles, ensemble)
                compare("bike sharing, without columns", partial(run_bikes, http, has_columns=False), asked.seeds, 0, {})
                continue
            case = panel(*PANELS[name])
            print(row(case.title, "seasonal naive", [check_baselines(case)]), flush=True)
            compare(case.title, partial(run_panel, http, case, more=more), asked.seeds, asked.ensembles, ensemble)


if __name__ == "__main__":
    main()
