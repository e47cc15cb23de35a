"""A forecast is written as its schema says, from the numbers of many."""

import numpy as np
import orjson
import pytest

from app.api.forecasts import ForecastBody, forecast_bodies
from app.forecasting.forecasts import Forecasts, Values

SERIES, STEPS = 3, 2


def forecasts(levels: tuple[float, ...], paths: int) -> Forecasts:
    draw = np.random.default_rng(0)

    def some(*shape: int) -> Values:
        return draw.normal(size=shape)

    mean, quantiles = some(SERIES, STEPS), some(SERIES, STEPS, len(levels))
    mean[1, 1] = np.nan
    times = np.datetime64("2026-01-01", "us") + np.arange(SERIES * STEPS).reshape(SERIES, STEPS) * np.timedelta64(1, "D")
    return Forecasts.of(["a", '"%s', "ü"], times, mean, quantiles, levels, some(SERIES, paths, STEPS))


@pytest.mark.parametrize("paths", [0, 1, 3])
@pytest.mark.parametrize("levels", [(), (0.5,), (0.025, 1 / 3, 0.9)], ids=str)
def test_a_body_has_what_was_forecast(levels: tuple[float, ...], paths: int) -> None:
    found = forecasts(levels, paths)
    for body, one in zip(forecast_bodies(found, "zoned"), found, strict=True):
        told = ForecastBody.model_validate(orjson.loads(body))
        assert told.unique_id == one.unique_id
        assert told.timestamps == [f"{moment}Z" for moment in one.times.astype("datetime64[s]")]
        assert told.mean == [None if value != value else value for value in one.mean.tolist()]
        assert told.quantiles == {f"{level:g}": values.tolist() for level, values in one.quantiles.items()}
        assert told.paths == one.paths.tolist()
