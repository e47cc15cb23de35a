"""Padding a shorter series changes nothing: any document forecasts as if missing steps before a history were not there."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.forecasting.forecaster import Forecaster
from app.forecasting.histories import History
from app.nets.build import build
from app.series.scaling import CovariateScaling
from app.spec.forecaster import ForecasterSpec
from app.spec.parse import parse_spec
from tests.app.forecasting.examples import START
from tests.strategies_specs import documents

NAN = float("nan")


def forecaster_of(spec: ForecasterSpec) -> Forecaster:
    torch.manual_seed(0)
    network = build(spec)
    network.initialise()
    network.eval().requires_grad_(requires_grad=False)
    return Forecaster(spec, network, "D", 7, "naive", CovariateScaling({"x": 0.5}, {"x": 2.0}))


def history_of(unique_id: str, length: int, horizon: int, seed: int) -> History:
    generator = np.random.default_rng(seed)
    columns = {name: 5 + generator.random(length) for name in ("y", "x", "z")} | {name: np.ones(length) for name in ("region", "size")}
    return History(unique_id, START, columns, {name: generator.random(horizon) for name in ("x", "z")})


def padded(history: History, steps: int) -> History:
    """The same after steps of which nothing is known but what never changes."""
    fixed = ("region", "size")
    columns = {
        name: np.concatenate([np.full(steps, values[0] if name in fixed else NAN), values]) for name, values in history.columns.items()
    }
    return replace(history, start=START - np.timedelta64(steps, "D"), columns=columns)


@pytest.mark.no_cover
@settings(max_examples=60)
@given(documents(), st.integers(1, 9))
def test_missing_steps_before_a_history_change_no_forecast_nor_does_a_longer_one_beside_it(document: dict[str, Any], steps: int) -> None:
    spec = parse_spec({**document, "min_context": 2})
    forecaster, horizon = forecaster_of(spec), spec.horizon or 1
    short = history_of("short", max(2, (spec.context or 1) - 2), horizon, 1)
    (alone,) = forecaster.predict([short], (0.1, 0.9))
    (behind,) = forecaster.predict([padded(short, steps)], (0.1, 0.9))
    beside = forecaster.predict([history_of("long", 40, horizon, 2), short], (0.1, 0.9))[1]
    for found in (behind, beside):
        np.testing.assert_allclose(found.mean, alone.mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found.quantiles[0.9], alone.quantiles[0.9], rtol=1e-4, atol=1e-5)
