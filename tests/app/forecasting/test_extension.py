"""Beyond the trained horizon a model goes on from its own forecasts; up to it nothing changes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.errors import ForecastError
from app.forecasting.extension import MOST_HORIZONS, extended
from app.forecasting.forecaster import Forecaster
from app.forecasting.histories import History
from tests.app.forecasting.examples import HORIZON, forecaster_of, history_of

LEVELS = (0.1, 0.5, 0.9)
AHEAD: dict[str, Any] = {
    "inputs": {"target": {"columns": ["y"], "features": ["day_of_week"]}, "weather": {"columns": ["x"], "known": "future"}}
}
STEPS = 2 * HORIZON + 1


def model_of(**changes: Any) -> Forecaster:
    return forecaster_of(**AHEAD, **changes)


def known(history: History, steps: int, seed: int = 1) -> History:
    return replace(history, future={"x": np.random.default_rng(seed).normal(size=steps)})


def test_the_trained_horizon_is_forecast_as_it_is() -> None:
    forecaster, histories = model_of(), [known(history_of("a"), STEPS), known(history_of("b", seed=2), STEPS)]
    for one, other in zip(extended(forecaster, histories, LEVELS, STEPS), forecaster.predict(histories, LEVELS), strict=True):
        assert one.unique_id == other.unique_id
        assert (one.times[:HORIZON] == other.times).all()
        np.testing.assert_array_equal(one.mean[:HORIZON], other.mean)
        for level in LEVELS:
            np.testing.assert_array_equal(one.quantiles[level][:HORIZON], other.quantiles[level])
    short = extended(forecaster, histories, LEVELS, 2)
    np.testing.assert_array_equal(short[0].mean, forecaster.predict(histories, LEVELS, 2)[0].mean)


@pytest.mark.parametrize("over", ["window", "series"])
def test_later_steps_are_those_of_a_history_that_had_gone_so(over: str) -> None:
    forecaster, history = model_of(scaling={"over": over}), known(history_of(), STEPS)
    (found,) = extended(forecaster, [history], (), STEPS)
    assert len(found.mean) == STEPS
    observed = {
        "y": np.append(history.columns["y"], found.mean[:HORIZON]),
        "x": np.append(history.columns["x"], history.future["x"][:HORIZON]),
    }
    (later,) = forecaster.predict([History("a", history.start, observed, {"x": history.future["x"][HORIZON:]})])
    np.testing.assert_allclose(found.mean[HORIZON : 2 * HORIZON], later.mean, rtol=1e-6)
    assert (found.times[HORIZON : 2 * HORIZON] == later.times).all()
    assert (np.diff(found.times) == np.timedelta64(1, "D")).all()


def test_a_quantile_goes_on_along_itself_and_quantiles_never_cross() -> None:
    forecaster, history = model_of(head={"kind": "normal"}), known(history_of(), STEPS)
    (found,) = extended(forecaster, [history], LEVELS, STEPS)
    assert (np.diff(np.stack([found.quantiles[level] for level in LEVELS]), axis=0) >= 0).all()
    (alone,) = extended(forecaster, [history], (0.9,), STEPS)
    observed = {
        "y": np.append(history.columns["y"], alone.quantiles[0.9][:HORIZON]),
        "x": np.append(history.columns["x"], history.future["x"][:HORIZON]),
    }
    (later,) = forecaster.predict([History("a", history.start, observed, {"x": history.future["x"][HORIZON:]})], (0.9,))
    np.testing.assert_allclose(alone.quantiles[0.9][HORIZON : 2 * HORIZON], later.quantiles[0.9], rtol=1e-6)


def test_another_future_moves_later_steps() -> None:
    forecaster, history = model_of(), history_of()
    one, other = known(history, STEPS), known(history, STEPS)
    other.future["x"][HORIZON:] += 5.0
    (first,), (second,) = (extended(forecaster, [each], (), STEPS) for each in (one, other))
    np.testing.assert_array_equal(first.mean[:HORIZON], second.mean[:HORIZON])
    assert (first.mean[HORIZON:] != second.mean[HORIZON:]).all()


@pytest.mark.parametrize(
    ("forecaster", "steps", "known_steps", "pointer", "sentence"),
    [
        (model_of(), STEPS, HORIZON, "#/series/0/future/x", "a horizon of 7 needs as many"),
        (forecaster_of(), STEPS, STEPS, "#/extend", "'z', which nobody knows after the history"),
        (model_of(), MOST_HORIZONS * HORIZON + 1, STEPS, "#/horizon", f"at most {MOST_HORIZONS} times the trained 3 steps"),
    ],
)
def test_what_cannot_be_extended_is_refused(forecaster: Forecaster, steps: int, known_steps: int, pointer: str, sentence: str) -> None:
    with pytest.raises(ForecastError) as caught:
        extended(forecaster, [known(history_of(), known_steps)], LEVELS, steps)
    assert caught.value.pointer == pointer
    assert sentence in caught.value.detail
