"""Lags and baselines are the target whole lags before, as far as it was observed, while learning as when forecasting."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from app.forecasting.batches import Windows
from app.forecasting.columns import reach_of
from app.forecasting.windows import WindowSource
from app.series.frequency import parse_frequency
from app.series.panel import Panel
from app.series.scaling import CovariateScaling
from app.spec.forecaster import ForecasterSpec
from app.spec.parse import parse_spec
from tests.app.forecasting.examples import START, forecaster_of, history_of

NAN = float("nan")
LAGGED = {"inputs": {"target": {"columns": ["y"], "lags": [2, 5]}}}
UNSCALED = {"scaling": {"target": "none"}}


def spec_of(**changes: Any) -> ForecasterSpec:
    document: dict[str, Any] = {"context": 4, "horizon": 3, "network": {"kind": "lstm", "units": 4}, "decoder": {"kind": "forking"}}
    return parse_spec(document | UNSCALED | changes)


def source_of(spec: ForecasterSpec, y: np.ndarray, offsets: tuple[int, ...] = (0, 20, 40)) -> WindowSource:
    starts = np.full(len(offsets) - 1, START)
    panel = Panel(tuple(map(str, range(len(starts)))), parse_frequency("D"), starts, np.array(offsets), {"y": y})
    return WindowSource(spec, panel, CovariateScaling({}, {}), torch.device("cpu"))


def window_of(spec: ForecasterSpec, y: np.ndarray, cutoff: int, *, is_forked: bool = False) -> Windows:
    return source_of(spec, y).batch(np.array([cutoff]), is_forked=is_forked)


def test_a_column_of_the_context_is_the_target_so_many_steps_before() -> None:
    windows = window_of(spec_of(**LAGGED), np.arange(40.0), 12)
    assert windows.inputs["target"][0].T.tolist() == [[8, 9, 10, 11], [6, 7, 8, 9], [3, 4, 5, 6]]


def test_a_horizon_step_has_the_newest_value_whole_lags_before_it() -> None:
    windows = window_of(spec_of(**LAGGED), np.arange(40.0), 12)
    assert windows.future[0].T.tolist() == [[10, 11, 10], [7, 8, 9]]


def test_lags_of_a_decoder_are_of_the_horizon_alone() -> None:
    windows = window_of(spec_of(decoder={"kind": "forking", "lags": [2]}), np.arange(40.0), 12)
    assert windows.inputs["target"].shape == (1, 4, 1)
    assert windows.future[0].T.tolist() == [[10, 11, 10]]


def test_every_step_that_is_learnt_at_has_lags_of_its_own() -> None:
    windows = window_of(spec_of(**LAGGED), np.arange(40.0), 12, is_forked=True)
    assert windows.future[:, :, 0].tolist() == [[7, 8, 7], [8, 9, 8], [9, 10, 9], [10, 11, 10]]


def test_what_the_series_does_not_reach_back_to_is_of_the_shorter_lag_and_then_the_mean() -> None:
    windows = window_of(spec_of(**LAGGED), np.arange(40.0), 24)
    mean = (20 + 21 + 22 + 23) / 4
    assert windows.inputs["target"][0, :, 1].tolist() == [mean, mean, 20, 21]
    assert windows.inputs["target"][0, :, 2].tolist() == [mean, mean, 20, 21]


def test_what_is_missing_is_the_last_value_before_it() -> None:
    y = np.arange(40.0)
    y[[6, 7]] = NAN
    windows = window_of(spec_of(**LAGGED), y, 12)
    assert windows.inputs["target"][0, :, 1].tolist() == [5, 5, 8, 9]


@pytest.mark.parametrize(
    ("baseline", "expected"), [({"baseline": "last"}, [11, 11, 11]), ({"baseline": "season", "season": 2}, [10, 11, 10])]
)
def test_targets_are_counted_from_the_baseline_and_forecasts_given_back_with_it(baseline: dict[str, Any], expected: list[float]) -> None:
    y = np.arange(40.0) ** 1.5
    windows = window_of(spec_of(scaling={"target": "standard"} | baseline), y, 12)
    counted = y[np.array(expected, dtype=int)]
    zeros = torch.zeros(1, 3)
    np.testing.assert_allclose(windows.together(zeros)[0].numpy(), counted, rtol=1e-9)
    np.testing.assert_allclose(windows.together(windows.target)[0].numpy(), y[12:15], rtol=1e-6)
    np.testing.assert_allclose(windows.target[0].numpy() * windows.scale.item(), y[12:15] - counted, rtol=1e-5)


def test_a_baseline_is_that_of_each_step_that_is_learnt_at() -> None:
    y = np.arange(40.0) ** 1.5
    windows = window_of(spec_of(scaling={"target": "standard", "baseline": "last"}), y, 12, is_forked=True)
    expected = np.stack([y[at + 1 : at + 4] - y[at] for at in (8, 9, 10, 11)])
    np.testing.assert_allclose(windows.target.numpy() * windows.scale.item(), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        LAGGED | UNSCALED,
        {"decoder": {"kind": "direct", "lags": [3, 8]}},
        {"scaling": {"target": "standard", "baseline": "season", "season": 5}},
        LAGGED | {"decoder": {"kind": "recursive", "paths": 7}, "head": {"kind": "normal"}},
    ],
)
def test_a_history_is_read_as_far_as_lags_reach_and_no_further(changes: dict[str, Any]) -> None:
    forecaster, history = forecaster_of(**changes), history_of(length=40)
    reach = reach_of(forecaster.spec)
    (whole,) = forecaster.predict([history])
    cut = replace(
        history,
        start=START + np.timedelta64(40 - reach, "D"),
        columns={name: values[-reach:] for name, values in history.columns.items()},
    )
    assert np.array_equal(forecaster.predict([cut])[0].mean, whole.mean)
    changed = history.columns["y"].copy()
    changed[:-reach] += 9.0
    assert np.array_equal(forecaster.predict([replace(history, columns={**history.columns, "y": changed})])[0].mean, whole.mean)


def test_a_shorter_history_beside_a_longer_one_is_forecast_as_alone() -> None:
    forecaster = forecaster_of(decoder={"kind": "direct", "lags": [3, 20]}, min_context=4)
    short, long = history_of("short", length=5), history_of("long", length=60, seed=1)
    (alone,) = forecaster.predict([short])
    together = forecaster.predict([long, short])[1]
    np.testing.assert_allclose(together.mean, alone.mean, rtol=1e-5)
    padded = replace(
        short,
        start=START - np.timedelta64(9, "D"),
        columns={name: np.append(np.full(9, NAN), short.columns[name]) for name in short.columns},
    )
    np.testing.assert_array_equal(forecaster.predict([padded])[0].mean, alone.mean)


def test_the_scale_is_the_logarithm_of_what_a_window_is_divided_by_at_every_step() -> None:
    inputs = {"target": {"columns": ["y"], "scale": True}}
    windows = window_of(spec_of(inputs=inputs, scaling={"target": "mean_abs"}), np.arange(40.0), 12)
    np.testing.assert_allclose(windows.inputs["target"][0, :, 1].numpy(), np.full(4, np.log(9.5)), rtol=1e-6)
    recursive: dict[str, Any] = {"decoder": {"kind": "recursive", "paths": 5}, "head": {"kind": "normal"}}
    (forecast,) = forecaster_of(inputs=inputs, **recursive).predict([history_of(length=20)], paths=5)
    assert np.isfinite(forecast.paths).all()


def test_a_path_reads_its_own_samples_where_a_lag_lies_in_the_horizon() -> None:
    recursive: dict[str, Any] = {"decoder": {"kind": "recursive", "paths": 5}, "head": {"kind": "normal"}} | UNSCALED
    lagged = forecaster_of(inputs={"target": {"columns": ["y"], "lags": [1]}}, **recursive)
    plain = forecaster_of(inputs={"target": {"columns": ["y"]}}, **recursive)
    # Beside a value stands what is known of the step after it: its lag of one step is the value itself.
    weights = lagged.network.state_dict()
    (name,) = (name for name in weights if name.endswith("input_weight"))
    plain.network.load_state_dict(weights | {name: weights[name].sum(dim=1, keepdim=True)})
    history = history_of(length=20)
    expected = plain.predict([history], paths=5)[0].paths
    np.testing.assert_allclose(lagged.predict([history], paths=5)[0].paths, expected, rtol=1e-5)
