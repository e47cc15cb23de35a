"""A series' age counts from its first observed value: of a whole panel while learning, of what is sent when forecasting."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from app.forecasting.batches import Windows
from app.forecasting.histories import History
from app.forecasting.windows import WindowSource
from app.series.frequency import parse_frequency
from app.series.panel import Panel
from app.series.scaling import CovariateScaling
from app.spec.parse import parse_spec
from tests.app.forecasting.examples import START, forecaster_of, history_of

INPUTS: dict[str, Any] = {"target": {"columns": ["y"], "age": True}}


def window_of(y: np.ndarray, cutoff: int, **changes: Any) -> Windows:
    document = {"context": 4, "horizon": 3, "inputs": INPUTS, "network": {"kind": "lstm", "units": 4}, "scaling": {"target": "none"}}
    panel = Panel(("a", "b"), parse_frequency("D"), np.full(2, START), np.array([0, 20, 40]), {"y": y})
    return WindowSource(parse_spec(document | changes), panel, CovariateScaling({}, {}), torch.device("cpu")).batch(np.array([cutoff]))


def test_age_is_the_logarithm_of_the_steps_since_the_first_value_and_known_ahead() -> None:
    windows = window_of(np.arange(40.0), 32)
    np.testing.assert_allclose(windows.inputs["target"][0, :, 1].exp().numpy(), [9, 10, 11, 12], rtol=1e-6)
    np.testing.assert_allclose(windows.future[0, :, 0].exp().numpy(), [13, 14, 15], rtol=1e-6)


def test_a_series_is_born_with_its_first_observed_value() -> None:
    y = np.arange(40.0)
    y[20:26] = np.nan
    np.testing.assert_allclose(window_of(y, 32).inputs["target"][0, :, 1].exp().numpy(), [3, 4, 5, 6], rtol=1e-6)
    np.testing.assert_allclose(window_of(y, 28).inputs["target"][0, :, 1].exp().numpy(), [1, 1, 1, 2], rtol=1e-6)


def test_a_series_with_nothing_observed_is_born_at_its_end() -> None:
    panel = Panel(("a", "b"), parse_frequency("D"), np.full(2, START), np.array([0, 3, 6]), {"y": np.array([np.nan] * 3 + [1.0] * 3)})
    assert panel.births.tolist() == [3, 3]


def test_a_forecast_counts_from_the_first_value_that_is_sent() -> None:
    forecaster = forecaster_of(inputs=INPUTS)
    whole = history_of(length=60)

    def last(steps: int) -> History:
        return replace(whole, columns={name: values[-steps:] for name, values in whole.columns.items()})

    (old,), (young,), (younger,) = (forecaster.predict([one]) for one in (whole, last(30), last(20)))
    assert not np.allclose(old.mean, young.mean)
    assert not np.allclose(young.mean, younger.mean)
    unread = np.concatenate([np.full(30, np.nan), whole.columns["y"][-30:]])
    (padded,) = forecaster.predict([replace(whole, columns={**whole.columns, "y": unread})])
    np.testing.assert_allclose(padded.mean, young.mean, rtol=1e-6)


def test_a_path_grows_older_with_every_sample() -> None:
    recursive: dict[str, Any] = {"decoder": {"kind": "recursive", "paths": 5}, "head": {"kind": "normal"}}
    forecaster = forecaster_of(inputs=INPUTS, **recursive)
    weights = forecaster.network.state_dict()
    (name,) = (name for name in weights if name.endswith("input_weight"))
    (before,) = forecaster.predict([history_of(length=30)], paths=5)
    # Without the target the paths see their age alone.
    forecaster.network.load_state_dict(weights | {name: torch.stack([torch.zeros_like(weights[name][:, 0]), weights[name][:, 1]], dim=1)})
    (after,) = forecaster.predict([history_of(length=30)], paths=5)
    assert np.isfinite(before.paths).all()
    assert not np.allclose(before.paths, after.paths)
