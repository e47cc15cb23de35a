"""Windows are gathered by index, scaled as numpy says, and filled from within themselves alone."""

import numpy as np
import pytest
import torch

from app.errors import SeriesError
from app.forecasting.batches import Windows
from app.forecasting.columns import forks_of
from app.forecasting.windows import WindowSource, covariates_of, future_columns_of
from app.series.calendar import calendar_features
from app.series.frequency import parse_frequency
from app.series.panel import Panel
from app.series.scaling import CovariateScaling, TargetScaling, WindowScaling
from app.spec.forecaster import ForecasterSpec
from app.spec.parse import parse_spec
from tests.app.forecasting.examples import CONTEXT, DOCUMENT, HORIZON, START

NAN = float("nan")


def panel(**replaced: np.ndarray) -> Panel:
    generator = np.random.default_rng(0)
    columns = {name: generator.normal(size=50) for name in ("y", "x", "z")} | replaced
    starts = np.array([START, START + np.timedelta64(5, "D")])
    return Panel(("a", "b"), parse_frequency("D"), starts, np.array([0, 30, 50]), columns)


def spec_with(target: str = "mean_abs", over: str = "window") -> ForecasterSpec:
    return parse_spec({**DOCUMENT, "scaling": {"target": target, "over": over}})


def windows_of(panel: Panel, cutoffs: list[int], target: str = "mean_abs", over: str = "window") -> Windows:
    scaling = CovariateScaling({"x": 1.0, "z": 0.0}, {"x": 2.0, "z": 1.0})
    return WindowSource(spec_with(target, over), panel, scaling, torch.device("cpu")).batch(np.array(cutoffs))


@pytest.mark.parametrize("kind", ["mean_abs", "standard", "log", "standard_log", "none"])
@pytest.mark.parametrize("over", ["window", "series"])
@pytest.mark.parametrize(("gap", "level"), [(False, 5.0), (True, 5.0), (True, 1e8)])
def test_scaling_is_that_of_numpy(kind: TargetScaling, over: str, gap: bool, level: float) -> None:
    y = level + np.random.default_rng(1).normal(size=50)
    if gap:
        y[[0, 8, 12, 13, 30, 40]] = NAN
    cutoffs = np.array([10, 15, 41])
    windows = windows_of(panel(y=y), cutoffs.tolist(), kind, over)
    context = np.stack([y[at - CONTEXT : at] for at in cutoffs])
    firsts = cutoffs - CONTEXT if over == "window" else [0, 0, 30]
    expected = joined([WindowScaling.fit(y[None, first:at], kind) for first, at in zip(firsts, cutoffs, strict=True)])
    np.testing.assert_allclose(windows.shift.numpy(), expected.shift, rtol=1e-12)
    np.testing.assert_allclose(windows.scale.numpy(), expected.scale, rtol=1e-12)
    seen = np.isfinite(context)
    found = windows.inputs["target"][..., 0].numpy()[seen]
    np.testing.assert_allclose(found, expected.apply(context)[seen], rtol=1e-5, atol=1e-6)
    actual = np.stack([y[at : at + HORIZON] for at in cutoffs])
    np.testing.assert_array_equal(windows.observed.numpy(), np.isfinite(actual))
    told = np.nan_to_num(expected.apply(actual))
    np.testing.assert_allclose(windows.target.numpy(), told, rtol=1e-5, atol=1e-6)


def joined(parts: list[WindowScaling]) -> WindowScaling:
    return WindowScaling(np.concatenate([one.shift for one in parts]), np.concatenate([one.scale for one in parts]), parts[0].is_log)


def test_inputs_hold_their_columns_and_their_calendar_and_the_future_what_is_known_ahead() -> None:
    data = panel()
    windows = windows_of(data, [20, 44])
    assert {name: values.shape[2] for name, values in windows.inputs.items()} == {"target": 3, "weather": 1, "past": 1}
    turns = calendar_features(data.times(1), ["day_of_week"])
    np.testing.assert_allclose(windows.inputs["target"][1, :, 1:].numpy(), turns[14 - CONTEXT : 14], atol=1e-6)
    np.testing.assert_allclose(windows.future[1, :, :2].numpy(), turns[14 : 14 + HORIZON], atol=1e-6)
    np.testing.assert_allclose(windows.future[1, :, 2].numpy(), (data.columns["x"][44 : 44 + HORIZON] - 1.0) / 2.0, rtol=1e-5)
    np.testing.assert_allclose(windows.inputs["weather"][0, :, 0].numpy(), (data.columns["x"][14:20] - 1.0) / 2.0, rtol=1e-5)


def test_a_missing_value_is_the_last_observed_one_of_its_own_window() -> None:
    y = np.arange(50.0) + 1
    y[[14, 15, 18]] = NAN
    windows = windows_of(panel(y=y), [20, 36], "none")
    mean = (17 + 18 + 20) / 3
    np.testing.assert_allclose(windows.inputs["target"][0, :, 0].numpy(), [mean, mean, 17, 18, 18, 20])
    assert windows.inputs["target"][1, 0, 0] == 31


@pytest.mark.parametrize(("target", "over"), [("none", "window"), ("mean_abs", "series"), ("standard", "series")])
def test_nothing_of_the_series_before_is_seen(target: str, over: str) -> None:
    data = panel()
    changed = panel(y=np.concatenate([1e9 * data.columns["y"][:30] + 100, data.columns["y"][30:]]))
    for name, values in windows_of(data, [36], target, over).inputs.items():
        assert torch.equal(values, windows_of(changed, [36], target, over).inputs[name])


def test_what_lies_before_the_context_of_a_window_moves_its_units_over_the_series_alone() -> None:
    data = panel()
    changed = panel(y=np.concatenate([data.columns["y"][:12] + 100, data.columns["y"][12:]]))
    for over in ("window", "series"):
        before, after = (windows_of(one, [20], "standard", over) for one in (data, changed))
        assert torch.equal(before.scale, after.scale) == torch.equal(before.shift, after.shift) == (over == "window")


@pytest.mark.parametrize("target", ["mean_abs", "standard", "log", "standard_log"])
def test_nothing_after_a_cutoff_moves_units_over_the_series(target: str) -> None:
    y = 5 + np.random.default_rng(3).random(50)
    y[[2, 16, 25]] = NAN
    for cutoff in (6, 20, 29, 36, 47):
        later = np.where(np.arange(50) < cutoff, y, 1e6 * y)
        before, after = (windows_of(panel(y=one), [cutoff], target, "series") for one in (y, later))
        assert torch.equal(before.shift, after.shift)
        assert torch.equal(before.scale, after.scale)
        assert all(torch.equal(values, after.inputs[name]) for name, values in before.inputs.items())


@pytest.mark.parametrize("over", ["window", "series"])
def test_values_after_a_cutoff_change_no_input(over: str) -> None:
    data = panel()
    changed = panel(
        y=np.concatenate([data.columns["y"][:20], data.columns["y"][20:] + 100]), z=np.append(data.columns["z"][:20], np.zeros(30))
    )
    before, after = windows_of(data, [20], over=over), windows_of(changed, [20], over=over)
    assert torch.equal(before.scale, after.scale)
    assert torch.equal(before.future, after.future)
    assert all(torch.equal(before.inputs[name], after.inputs[name]) for name in before.inputs)
    assert not torch.equal(before.target, after.target)


def test_step_numbers_have_no_calendar() -> None:
    numbered = Panel(("a",), parse_frequency("1"), np.array([0]), np.array([0, 50]), panel().columns)
    with pytest.raises(SeriesError, match="day_of_week"):
        windows_of(numbered, [20])


def test_columns_are_named_once_in_document_order() -> None:
    inputs = {"a": {"columns": ["z", "y"]}, "b": {"columns": ["x", "z"], "known": "future"}}
    spec = parse_spec({**DOCUMENT, "inputs": inputs})
    assert covariates_of(spec) == ("z", "x")
    assert future_columns_of(spec) == ("x", "z")


def test_forked_windows_have_the_horizon_after_every_step_in_the_units_of_their_window() -> None:
    data = panel(y=np.where(np.arange(50) == 18, NAN, 5 + np.random.default_rng(1).normal(size=50)))
    scaling = CovariateScaling({"x": 1.0, "z": 0.0}, {"x": 2.0, "z": 1.0})
    source = WindowSource(spec_with("standard"), data, scaling, torch.device("cpu"))
    cutoffs = np.array([20, 44])
    plain, forked = source.batch(cutoffs), source.batch(cutoffs, is_forked=True)
    assert forked.target.shape == (2 * CONTEXT, HORIZON)
    for window, cutoff in enumerate(cutoffs):
        for step in range(CONTEXT):
            row, first = window * CONTEXT + step, cutoff - CONTEXT + step + 1
            actual = data.columns["y"][first : first + HORIZON]
            expected = (actual - plain.shift[window].item()) / plain.scale[window].item()
            np.testing.assert_allclose(forked.target[row].numpy(), np.nan_to_num(expected), rtol=1e-5)
            np.testing.assert_array_equal(forked.observed[row].numpy(), np.isfinite(actual))
            known = (data.columns["x"][first : first + HORIZON] - 1.0) / 2.0
            np.testing.assert_allclose(forked.future[row, :, 2].numpy(), known, rtol=1e-5)
    features = torch.randn(2, CONTEXT, 3)
    assert torch.equal(forked.newest(features)[CONTEXT - 1 :: CONTEXT], plain.newest(features))


@pytest.mark.parametrize(
    ("context", "horizon", "first", "apart"),
    [(20, 7, 0, 1), (24, 8, 1, 2), (24, 12, 2, 3), (30, 4, 1, 2), (30, 100, 2, 3), (168, 1, 6, 7), (168, 48, 11, 12), (720, 720, 89, 90)],
)
def test_a_context_is_forked_at_evenly_spread_steps_and_its_last(context: int, horizon: int, first: int, apart: int) -> None:
    assert forks_of(context, horizon, torch.device("cpu")).tolist() == list(range(first, context, apart))
    assert forks_of(context, horizon, torch.device("cpu"))[-1] == context - 1
