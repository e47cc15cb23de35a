"""A forecaster takes histories and gives forecasts: in the series' own units, for each caller their own rows."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.errors import ForecastError
from app.forecasting.forecaster import LARGEST_BATCH, Forecaster
from app.forecasting.forecasts import Forecast
from app.forecasting.histories import History
from app.nets.packed_cell import pack_cells
from app.nets.steps import compile_stretch
from tests.app.forecasting.examples import CONTEXT, HORIZON, START, forecaster_of, history_of

LEVELS = (0.1, 0.5, 0.9)
QUANTILES = {"head": {"kind": "quantiles", "levels": [0.1, 0.5, 0.9]}}
POINT = {"head": {"kind": "point"}}
NETWORKS: list[dict[str, Any]] = [
    {"kind": "stack", "blocks": [{"kind": "lstm", "units": 5}, {"kind": "gru", "units": 5, "residual": "highway", "layer_norm": True}]},
    {"kind": "connect", "merge": "mean", "branches": [{"kind": "elman", "units": 3}, {"kind": "slstm", "units": 3, "from": "weather"}]},
]
each_head = pytest.mark.parametrize("head", [QUANTILES, POINT], ids=["quantiles", "point"])


def only(forecaster: Forecaster, history: History, **options: Any) -> Forecast:
    (forecast,) = forecaster.predict([history], LEVELS, **options)
    return forecast


@each_head
def test_a_forecast_has_a_time_a_mean_and_rising_quantiles_for_each_step(head: dict[str, Any]) -> None:
    forecast = only(forecaster_of(**head), history_of(length=10))
    assert forecast.times.tolist() == [(START + np.timedelta64(day, "D")).item() for day in (10, 11, 12)]
    assert forecast.mean.shape == (HORIZON,)
    assert (forecast.quantiles[0.1] < forecast.quantiles[0.5]).all()
    assert (forecast.quantiles[0.5] < forecast.quantiles[0.9]).all()


@each_head
def test_each_series_gets_the_same_forecast_whoever_else_is_asked_for(head: dict[str, Any]) -> None:
    forecaster = forecaster_of(**head)
    histories = [history_of(str(number), 6 + number % 5, number) for number in range(LARGEST_BATCH + 3)]
    together = forecaster.predict(histories, LEVELS)
    for place in (0, 7, LARGEST_BATCH, LARGEST_BATCH + 2):
        alone = only(forecaster, histories[place])
        assert together[place].unique_id == alone.unique_id
        np.testing.assert_allclose(together[place].mean, alone.mean, rtol=1e-5)
        np.testing.assert_allclose(together[place].quantiles[0.9], alone.quantiles[0.9], rtol=1e-5)


@pytest.mark.parametrize("series", [1, 3, 40])
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_packed_cells_forecast_the_same_of_few_series_and_of_many(network: dict[str, Any], series: int) -> None:
    histories = [history_of(str(number), CONTEXT + number % 3, number) for number in range(series)]
    plain, packed = forecaster_of(network=network), forecaster_of(network=network)
    pack_cells(packed.network)
    assert compile_stretch(packed.network) is not None
    for found, expected in zip(packed.predict(histories, LEVELS), plain.predict(histories, LEVELS), strict=True):
        np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-5)
        for level in LEVELS:
            np.testing.assert_allclose(found.quantiles[level], expected.quantiles[level], rtol=1e-5)


def test_a_target_in_other_units_is_forecast_in_those_units() -> None:
    forecaster, history = forecaster_of(scaling={"target": "standard"}), history_of()
    moved = replace(history, columns={**history.columns, "y": 1000 * history.columns["y"] - 7})
    np.testing.assert_allclose(only(forecaster, moved).mean, 1000 * only(forecaster, history).mean - 7, rtol=1e-5)


def test_only_the_context_counts() -> None:
    history = history_of(length=20)
    columns = {name: values[-CONTEXT:] for name, values in history.columns.items()}
    cut = replace(history, start=START + np.timedelta64(20 - CONTEXT, "D"), columns=columns)
    assert np.array_equal(only(forecaster_of(), cut).mean, only(forecaster_of(), history).mean)


def test_the_newest_observation_moves_every_step() -> None:
    forecaster, history = forecaster_of(scaling={"target": "none"}), history_of()
    newer = history.columns["y"].copy()
    newer[-1] += 1
    moved = only(forecaster, replace(history, columns={**history.columns, "y": newer})).mean
    assert (np.abs(moved - only(forecaster, history).mean) > 1e-6).all()


def test_a_shorter_horizon_is_the_beginning_of_the_longer_one() -> None:
    whole = only(forecaster_of(), history_of())
    part = only(forecaster_of(), history_of(), horizon=2)
    assert np.array_equal(part.mean, whole.mean[:2])
    assert len(part.times) == len(part.quantiles[0.1]) == 2


def test_more_paths_than_an_answer_can_hold_are_refused() -> None:
    with pytest.raises(ForecastError) as caught:
        forecaster_of().predict([history_of()] * 2, LEVELS, paths=200_000)
    assert caught.value.detail.startswith("200,000 paths of 3 steps for 2 series are 1,200,000 numbers; at most 1,000,000: ask")
    assert caught.value.pointer == "#/paths"


def test_missing_values_and_a_long_gap_still_give_a_forecast() -> None:
    history = history_of()
    y = history.columns["y"].copy()
    y[[-1, -2, -4]] = np.nan
    assert np.isfinite(only(forecaster_of(), replace(history, columns={**history.columns, "y": y})).mean).all()


@pytest.mark.parametrize(
    ("change", "horizon", "pointer", "sentence"),
    [
        ({}, 4, "#/horizon", "horizon is 4; this model was trained for 1 to 3 steps; train one for more"),
        ({}, 0, "#/horizon", "horizon is 0; this model was trained for 1 to 3 steps; train one for more"),
        ({"y": np.ones(5)}, 3, "#/series/0/target", "series 'a' has 5 steps; the model looks back 6: send at least so many"),
        ({"y": np.full(10, np.nan)}, 3, "#/series/0/target", "series 'a' has nothing observed in its last 6 steps; send some of them"),
        ({"z": None}, 3, "#/series/0/past", "series 'a' has no column 'z', which the model reads; send it under 'past'"),
        ({"z": np.ones(9)}, 3, "#/series/0/past/z", "column 'z' of series 'a' has 9 values and the target 10; make them equal"),
    ],
)
def test_a_history_that_does_not_do_is_refused_with_its_place(change: dict[str, Any], horizon: int, pointer: str, sentence: str) -> None:
    history = history_of()
    columns = {name: values for name, values in {**history.columns, **change}.items() if values is not None}
    with pytest.raises(ForecastError) as caught:
        forecaster_of().predict([replace(history, columns=columns)], LEVELS, horizon)
    assert (caught.value.detail, caught.value.pointer) == (sentence, pointer)


@pytest.mark.parametrize(
    ("future", "pointer", "sentence"),
    [
        ({}, "#/series/0/future", "series 'a' lacks the future of 'x', which the model reads; send 3 values under 'future'"),
        ({"x": np.ones(2)}, "#/series/0/future/x", "the future of 'x' in series 'a' has 2 values; a horizon of 3 needs as many"),
    ],
)
def test_a_future_that_is_missing_or_too_short_is_refused(future: dict[str, Any], pointer: str, sentence: str) -> None:
    with pytest.raises(ForecastError) as caught:
        forecaster_of().predict([replace(history_of(), future=future)], LEVELS)
    assert (caught.value.detail, caught.value.pointer) == (sentence, pointer)


def test_one_forecaster_serves_many_threads() -> None:
    forecaster = forecaster_of()
    histories = [history_of(str(number), 10, number) for number in range(40)]
    expected = [only(forecaster, history).mean for history in histories]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda history: only(forecaster, history).mean, histories * 5))
    assert all(np.array_equal(mean, expected[place % 40]) for place, mean in enumerate(found))
