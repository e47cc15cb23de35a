"""Do the defaults suit panels that nobody chose them on? `make bench-derived`: sums and parts of the sets, of other frequencies and sizes.

Daily loads of a few weeks, quarters, years, counts that are mostly zero, two years and a half of months, seven sensors: each is trained by
`{"kind": "train", "dataset", "horizon"}` and a seed alone, and forecast once, beside the last season, Theta and ETS.

    make bench-derived
    make bench-derived OPTIONS="--seeds 3 --sets daily yearly"
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from app.demo.service import OwnService
from app.series.baselines import seasonal_naive
from app.series.statistical import METHODS, Method, statistical_forecast
from bench.accuracy import Panel, measures, row, run_panel
from bench.gallery import DATA, Values

Series = dict[str, Values]

BEGIN = datetime(2000, 1, 1)  # noqa: DTZ001 a day like any other: what the sets were measured on is not told
YEARS = 60
SHARE = 0.03
"""Of a hospital's patients, drawn at random: most months have none."""


def whole(file: str) -> Series:
    """All values of each series, what is set apart for a test too."""
    parts = pl.read_parquet(DATA / file).sort("unique_id", "ds").partition_by("unique_id", as_dict=True, maintain_order=True)
    return {str(key[0]): part["y"].to_numpy().astype(np.float64) for key, part in parts.items()}


def sensors() -> Series:
    """The seven channels of ETTh1, each a series."""
    frame = pl.read_csv(DATA / "ETTh1.csv.gz").drop("date")
    return {column.name: column.to_numpy().astype(np.float64) for column in frame}


def sums(series: Series, steps: int, least: int = 0) -> Series:
    """Sums of so many steps, to the last one, of the series that have at least so many of these."""
    summed = {name: values[len(values) % steps :].reshape(-1, steps).sum(axis=1) for name, values in series.items()}
    return {name: values for name, values in summed.items() if len(values) >= least}


def newest(series: Series, steps: int) -> Series:
    """The newest steps of each."""
    return {name: values[-steps:] for name, values in series.items()}


def thinned(series: Series) -> Series:
    """Counts of which a small share is kept."""
    generator = np.random.default_rng(0)
    return {name: generator.binomial(values.astype(int), SHARE).astype(np.float64) for name, values in series.items()}


def panel_of(title: str, series: Series, horizon: int, season: int, every: str) -> Panel:
    """A panel whose last steps are set apart, with times that are `every` apart; whole numbers where that is empty."""
    times = pl.datetime_range(BEGIN, BEGIN.replace(year=BEGIN.year + YEARS), every, eager=True) if every else pl.Series(range(500_000))
    histories = {name: values[:-horizon] for name, values in series.items()}
    parts = [pl.DataFrame({"unique_id": name, "ds": times[: len(values)], "y": values}) for name, values in histories.items()]
    actual = np.array([values[-horizon:] for values in series.values()])
    return Panel(title, pl.concat(parts), list(series), list(histories.values()), actual, season)


CASES: Mapping[str, Callable[[], Panel]] = {
    "daily": lambda: panel_of("M4 Hourly by days", sums(whole("m4_hourly.parquet"), 24), 7, 7, "1d"),
    "six-hourly": lambda: panel_of("M4 Hourly by six hours", sums(whole("m4_hourly.parquet"), 6), 12, 4, ""),
    "four-weekly": lambda: panel_of("M4 Weekly by four weeks", sums(whole("m4_weekly.parquet"), 4), 6, 1, ""),
    "yearly": lambda: panel_of("M4 Weekly by years", sums(whole("m4_weekly.parquet"), 52, 12), 4, 1, "1y"),
    "quarterly": lambda: panel_of("hospital by quarters", sums(whole("hospital.parquet"), 3), 4, 4, "1q"),
    "short": lambda: panel_of("hospital, 30 months", newest(whole("hospital.parquet"), 30), 6, 12, "1mo"),
    "intermittent": lambda: panel_of("hospital, 3 % of all", thinned(whole("hospital.parquet")), 12, 12, "1mo"),
    "sensors": lambda: panel_of("ETTh1, 8,000 hours", newest(sensors(), 8000), 48, 24, "1h"),
    "sensors-daily": lambda: panel_of("ETTh1 by days", sums(sensors(), 24), 14, 7, "1d"),
}


def by_statistics(case: Panel, method: Method) -> dict[str, float]:
    """Scores of a statistical method; of the last season where it has no numbers for a series."""
    horizon = case.actual.shape[1]
    found = []
    for history in case.histories:
        season = case.season if len(history) > 2 * case.season else 1
        forecast = statistical_forecast(method, history, season, horizon, ())
        found.append(seasonal_naive(history, case.season, horizon) if forecast is None else forecast[0.5])
    return measures(case, np.array(found), {})


def main() -> None:
    """The panels that are asked for."""
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("--seeds", type=int, default=2)
    said.add_argument("--sets", nargs="*", choices=list(CASES), default=list(CASES))
    asked = said.parse_args()
    with tempfile.TemporaryDirectory() as home, OwnService(Path(home)) as service, closing(service.client()) as http:
        for name in asked.sets:
            case = CASES[name]()
            lengths = [len(history) for history in case.histories]
            naive = np.array([seasonal_naive(history, case.season, case.actual.shape[1]) for history in case.histories])
            print(f"{case.title}: {len(lengths)} series of {min(lengths)} to {max(lengths)} steps")
            print(row(case.title, "the last season", [measures(case, naive, {})]), flush=True)
            for method in METHODS:
                print(row(case.title, method, [by_statistics(case, method)]), flush=True)
            runs = [run_panel(http, case, {"seed": seed}) for seed in range(asked.seeds)]
            print(row(case.title, "Braidcast, one network", runs), flush=True)


if __name__ == "__main__":
    main()
