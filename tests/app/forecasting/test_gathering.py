"""What a forecast reads of histories is what a network learnt from: the windows of a panel that has them."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from app.forecasting.batches import Windows
from app.forecasting.forecaster import Forecaster
from app.forecasting.histories import History, whole_units
from app.forecasting.windows import WindowSource
from app.nets.build import build
from app.series.frequency import parse_frequency
from app.series.panel import TARGET, Panel
from app.series.scaling import CovariateScaling
from app.spec.parse import parse_spec

CONTEXT, HORIZON = 6, 4
STARTS = {"D": np.datetime64("2024-01-01", "us"), "ME": np.datetime64("2024-01-31", "us")}
INPUTS: dict[str, Any] = {
    "target": {"columns": ["y"], "lags": [1, 4, 9], "scale": True, "age": True},
    "weather": {"columns": ["x"], "known": "future", "features": ["day_of_week", "month_of_year"]},
    "shop": {"columns": ["region"], "known": "static", "embed": 2, "categories": {"region": ["north", "south"]}},
}
DECODERS: list[dict[str, Any]] = [{"kind": "direct"}, {"kind": "forking", "lags": [2, 7], "units": 8}, {"kind": "recursive"}]
SCALINGS = [
    {"target": target, "over": over, **({"baseline": baseline} if baseline else {})}
    for target, over, baseline in product(
        ["none", "mean_abs", "standard", "log", "standard_log"], ["window", "series"], [None, "last", "season"]
    )
    if target != "none" or over == "window"
]


def forecaster_of(freq: str = "D", **changes: Any) -> Forecaster:
    document = {"context": CONTEXT, "min_context": 3, "horizon": HORIZON, "inputs": INPUTS, "network": {"kind": "gru", "units": 2}}
    spec = parse_spec({**document, "head": {"kind": "normal"}, **changes})
    return Forecaster(spec, build(spec).eval(), freq, 7, "naive", CovariateScaling({"x": 1.0}, {"x": 2.0}), series=("a", "b"))


def histories_of(freq: str) -> list[History]:
    """As long as two contexts, longer with gaps and a late first value, shorter than a context; all with gaps in their covariate."""
    found = []
    for number, (length, missing) in enumerate([(2 * CONTEXT, []), (40, [*range(5), 28, 33, 34, 35, 38]), (CONTEXT - 2, [1])]):
        random = np.random.default_rng(number)
        columns = {TARGET: 5 + random.random(length), "x": random.normal(size=length), "region": np.full(length, number % 2 + 1.0)}
        columns[TARGET][missing], columns["x"][random.random(length) < 0.3] = np.nan, np.nan
        ahead = random.normal(size=HORIZON)
        ahead[1] = np.nan
        start = parse_frequency(freq).shift(np.array([STARTS[freq]]), 3 * number)[0]
        found.append(History("abc"[number], start, columns, {"x": ahead}))
    return found


def of_a_panel(forecaster: Forecaster, histories: list[History]) -> Windows:
    """The windows that end with the histories, gathered by index from a panel of all that there is of them."""
    before, frequency = forecaster.reach, parse_frequency(forecaster.freq)
    beside = {TARGET: np.ones(HORIZON), "region": np.full(HORIZON, np.nan)}
    pad = np.full(before, np.nan)
    columns = {
        name: np.concatenate([part for one in histories for part in (pad, one.columns[name], beside.get(name, one.future.get(name)))])
        for name in (TARGET, "x", "region")
    }
    lengths = np.array([len(one.columns[TARGET]) for one in histories])
    offsets = np.concatenate([[0], np.cumsum(before + lengths + HORIZON)])
    starts = frequency.shift(np.array([one.start for one in histories]), -np.full(len(histories), before))
    panel = Panel(tuple(one.unique_id for one in histories), frequency, starts, offsets, columns)
    known = forecaster._known(histories, whole_units(forecaster.spec, histories))
    source = WindowSource(forecaster.spec, panel, forecaster.scaling, forecaster.device, known)
    return source.batch(offsets[1:] - HORIZON)


def check(forecaster: Forecaster) -> None:
    histories = histories_of(forecaster.freq)
    found, expected = forecaster.gather(histories)[1], of_a_panel(forecaster, histories)
    assert found.inputs.keys() == expected.inputs.keys()
    for name, values in expected.inputs.items():
        torch.testing.assert_close(found.inputs[name], values, rtol=1e-5, atol=1e-6)
    for name in ("future", "shift", "scale"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=1e-5, atol=1e-6)
    assert (found.is_log, found.steps) == (expected.is_log, expected.steps)
    assert (found.outlook is None) == (expected.outlook is None)
    if found.outlook is not None and expected.outlook is not None:
        torch.testing.assert_close(found.outlook.offset, expected.outlook.offset, rtol=1e-5, atol=1e-6)
        assert torch.equal(found.outlook.factor, expected.outlook.factor)


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder["kind"])
@pytest.mark.parametrize("scaling", SCALINGS, ids=lambda scaling: "-".join(scaling.values()))
def test_a_forecast_reads_what_a_panel_has(decoder: dict[str, Any], scaling: dict[str, Any]) -> None:
    if "baseline" in scaling:
        if decoder["kind"] == "recursive":
            decoder = DECODERS[0]  # counts nothing from a baseline
        scaling = {**scaling, **({"season": 5} if scaling["baseline"] == "season" else {})}
    check(forecaster_of(decoder=decoder, scaling=scaling))


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder["kind"])
def test_months_are_counted_by_the_calendar(decoder: dict[str, Any]) -> None:
    inputs = {**INPUTS, "weather": {**INPUTS["weather"], "features": ["month_of_year", "quarter_of_year"]}}
    check(forecaster_of("ME", decoder=decoder, inputs=inputs))


def test_a_layer_with_parameters_of_each_series_is_told_whose_windows_they_are() -> None:
    smooth = {"kind": "smooth", "form": "additive", "seasons": [3], "series": 2, "from": "target"}
    network = {"kind": "stack", "blocks": [smooth, {"kind": "gru", "units": 2}]}
    inputs = {"target": {"columns": ["y"]}}
    forecaster = forecaster_of("ME", network=network, inputs=inputs)
    histories = histories_of("ME")
    found, expected = forecaster.gather(histories)[1].about, of_a_panel(forecaster, histories).about
    assert found is not None
    assert expected is not None
    assert found.rows.tolist() == expected.rows.tolist() == [0, 1, -1]
    assert found.first.tolist() == expected.first.tolist()
    torch.testing.assert_close(found.fitted, expected.fitted)
