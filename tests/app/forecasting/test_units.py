"""Units over the series are those that numpy measures of all before the cutoff, whichever way a series comes to be forecast."""

from typing import Any

import numpy as np
import pytest
import torch

from app.forecasting.carried import Carrier
from app.forecasting.forecaster import Forecaster
from app.forecasting.histories import whole_units
from app.forecasting.newest import newest_history
from app.forecasting.observations import Observation
from app.forecasting.rolling import history_at
from app.nets.smoothing import Smoothing
from app.series.frequency import parse_frequency
from app.series.panel import Panel
from app.series.scaling import TargetScaling, WindowScaling
from tests.app.forecasting.examples import START, forecaster_of
from tests.strategies_specs import stack
from worker.training.first_weights import begin_series
from worker.training.material import prepare

LENGTHS = (40, 5, 23)
"""Of three series; the second is shorter than the context."""

each_kind = pytest.mark.parametrize("kind", ["mean_abs", "standard", "log", "standard_log"])
each_level = pytest.mark.parametrize("level", [3.0, 1e8])


def panel_of(level: float) -> Panel:
    """Small swings about a level, some values missing: the first of a series among them, and nearly a whole context."""
    generator = np.random.default_rng(2)
    columns = {name: generator.random(sum(LENGTHS)) for name in ("y", "x", "z")}
    columns["y"] += level
    columns["y"][[0, 1, 7, 41, 46, 60]] = np.nan
    columns["y"][20:25] = np.nan
    offsets = np.cumsum([0, *LENGTHS])
    return Panel(("a", "b", "c"), parse_frequency("D"), np.full(3, START), offsets, columns)


def model_of(kind: str, **changes: Any) -> Forecaster:
    plain: dict[str, Any] = {"inputs": {"target": {"columns": ["y"], "lags": [2], "scale": True}}, "min_context": 2}
    return forecaster_of(**plain | {"scaling": {"target": kind, "over": "series"}} | changes)


def check(shift: np.ndarray | torch.Tensor, scale: np.ndarray | torch.Tensor, values: list[np.ndarray], kind: TargetScaling) -> None:
    """Whether these are the units of these values, one row each."""
    for row, one in enumerate(values):
        expected = WindowScaling.fit(one[None], kind)
        np.testing.assert_allclose(shift[row].item(), expected.shift[0], rtol=1e-13)
        np.testing.assert_allclose(scale[row].item(), expected.scale[0], rtol=1e-10)


@each_level
@each_kind
def test_histories_that_are_sent_stored_or_cut_at_a_cutoff_are_measured_whole(kind: TargetScaling, level: float) -> None:
    forecaster, panel = model_of(kind), panel_of(level)
    newest = [newest_history(forecaster.spec, panel, series) for series in range(3)]
    windows = forecaster.gather(newest)[1]
    check(windows.shift, windows.scale, [panel.values(series) for series in range(3)], kind)
    cutoffs = [(0, 31), (0, 12), (1, 43), (2, 60)]
    cut = [history_at(forecaster, panel, *cutoff) for cutoff in cutoffs]
    before = [panel.columns["y"][panel.offsets[series] : position] for series, position in cutoffs]
    windows = forecaster.gather(cut)[1]
    check(windows.shift, windows.scale, before, kind)


@each_level
@each_kind
def test_windows_to_learn_from_are_measured_as_their_history_is(kind: TargetScaling, level: float) -> None:
    forecaster = model_of(kind)
    material = prepare(forecaster.spec, panel_of(level), torch.device("cpu"))
    padded, cutoffs = material.panel, material.split.whole.position
    assert set(material.split.whole.series) == {0, 1, 2}
    firsts = padded.offsets[material.split.whole.series]
    windows = material.source.batch(cutoffs)
    check(windows.shift, windows.scale, [padded.columns["y"][first:at] for first, at in zip(firsts, cutoffs, strict=True)], kind)
    forks = material.source.batch(cutoffs, is_forked=True)
    assert torch.equal(forks.shift, windows.shift)
    shorter = material.source.reading(3).batch(cutoffs)
    assert torch.equal(shorter.scale, windows.scale)
    assert torch.equal(shorter.inputs["target"], windows.inputs["target"][:, -3:])


@each_level
@each_kind
def test_a_session_keeps_the_units_of_the_history_that_it_was_opened_with(kind: TargetScaling, level: float) -> None:
    panel, carrier = panel_of(level), Carrier(model_of(kind))
    histories = [newest_history(carrier.forecaster.spec, panel, series) for series in range(3)]
    state = carrier.open(histories)
    check(state["shift"], state["scale"], [panel.values(series) for series in range(3)], kind)
    for opened, alone in zip(carrier.forecast(state, panel.ids), carrier.forecaster.predict(histories), strict=True):
        np.testing.assert_allclose(opened.mean, alone.mean, rtol=1e-6, atol=1e-7 * level)
    moved = carrier.observe(state, [Observation(np.full(4, 2 * level))] * 3)
    for name in ("shift", "scale"):
        np.testing.assert_array_equal(moved[name], state[name])


def test_parameters_of_a_series_are_fitted_in_the_units_that_its_forecast_is_in() -> None:
    smooth = {"kind": "smooth", "form": "additive", "seasons": [2], "series": 3, "from": "target"}
    changes: dict[str, Any] = {"inputs": {"target": {"columns": ["y"]}}, "network": stack(smooth, {"kind": "gru", "units": 3})}
    forecaster, panel = model_of("standard", **changes), panel_of(3.0)
    panel.columns["y"][:12] *= 50.0  # before what a fit reads of the first series
    material = prepare(forecaster.spec, panel, torch.device("cpu"))
    begin_series(forecaster.spec, forecaster.network, material)
    ends = material.panel.offsets[1:] - material.split.holdout
    learnt = [history_at(forecaster, material.panel, series, int(ends[series])) for series in (0, 2)]
    known = forecaster._known(learnt, whole_units(forecaster.spec, learnt))
    assert known is not None
    assert known.fitted is not None
    layer = forecaster.network.series
    assert isinstance(layer, Smoothing)
    torch.testing.assert_close(layer.table[[0, 2]], known.fitted)
    of_themselves = forecaster._known(learnt)
    assert of_themselves is not None
    assert of_themselves.fitted is not None
    assert not torch.allclose(of_themselves.fitted[0], known.fitted[0])
