"""The scores give the published rows of M4 (Makridakis et al. 2020) and of the Monash archive's hospital set."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.series.baselines import naive2, seasonal_naive
from app.series.frequency import parse_frequency
from app.series.panel import Panel, panel_of
from app.series.scores import mase, seasonal_error, smape
from app.series.statistical import is_installed, statistical_forecast

DATA = Path(__file__).parents[4] / "shared" / "data"

pytestmark = [pytest.mark.bench, pytest.mark.skipif(not DATA.is_dir(), reason=f"the benchmark data is not at {DATA}")]


def panel(name: str, part: str) -> Panel:
    frame = pl.read_parquet(DATA / f"{name}.parquet").filter(pl.col("split").cast(pl.String) == part)
    return panel_of(frame.sort(pl.col("unique_id").cast(pl.String), "ds"), parse_frequency("1"), [])


@pytest.mark.parametrize(
    ("name", "season", "baseline", "expected"),
    [
        ("m4_hourly", 24, naive2, (18.383, 2.395)),
        ("m4_hourly", 24, seasonal_naive, (13.912, 1.193)),
        ("m4_weekly", 1, naive2, (9.161, 2.777)),
        ("hospital", 12, seasonal_naive, (None, 0.921)),
    ],
)
def test_published_rows_are_reproduced(name: str, season: int, baseline: object, expected: tuple[float | None, float]) -> None:
    history, future = panel(name, "train"), panel(name, "test")
    assert history.ids == future.ids
    assert callable(baseline)
    everyone = range(len(history.ids))
    actual = np.stack([future.values(series) for series in everyone])
    forecast = np.stack([baseline(history.values(series), season, actual.shape[1]) for series in everyone])
    scales = np.array([seasonal_error(history.values(series), season) for series in everyone])
    if expected[0] is not None:
        assert round(smape(actual, forecast), 3) == expected[0]
    assert round(mase(actual, forecast, scales), 3) == expected[1]


@pytest.mark.no_cover
@pytest.mark.skipif(not is_installed(), reason="statsforecast, an optional extra, is not installed")
@pytest.mark.parametrize(("name", "season", "expected"), [("m4_hourly", 24, (18.138, 2.455)), ("hospital", 12, (None, 0.761))])
def test_theta_is_the_published_one(name: str, season: int, expected: tuple[float | None, float]) -> None:
    history, future = panel(name, "train"), panel(name, "test")
    everyone = range(len(history.ids))
    actual = np.stack([future.values(series) for series in everyone])
    found = [statistical_forecast("theta", history.values(series), season, actual.shape[1], (0.95,)) for series in everyone]
    forecast = np.stack([one[0.5] for one in found if one is not None])
    scales = np.array([seasonal_error(history.values(series), season) for series in everyone])
    if expected[0] is not None:
        assert smape(actual, forecast) == pytest.approx(expected[0], rel=1e-3)
    assert mase(actual, forecast, scales) == pytest.approx(expected[1], rel=1e-3)
