"""What every decoder promises, whichever it is; the list is taken from the union. And what paths are."""

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch

from app.forecasting.batches import Windows
from app.forecasting.checkpoint import dump, load
from app.forecasting.forecaster import Forecaster
from app.forecasting.histories import History
from app.forecasting.windows import WindowSource
from app.nets.heads import stratified_ranks
from app.series.frequency import parse_frequency
from app.series.panel import Panel
from app.series.scaling import CovariateScaling
from app.spec.decoders import Decoder
from tests.app.forecasting.examples import CONTEXT, HORIZON, START, forecaster_of, history_of

DECODERS: dict[str, dict[str, Any]] = {
    "direct": {},
    "forking": {},
    "recursive": {"paths": 50},
    "segments": {"width": 2},
    "sequence": {"units": 6},
}
INPUTS = {
    "target": {"columns": ["y"], "features": ["day_of_week"]},
    "weather": {"columns": ["x"], "known": "future"},
}
LEVELS = (0.1, 0.5, 0.9)
each_decoder = pytest.mark.parametrize("kind", DECODERS)


def forecaster_with(kind: str, **changes: Any) -> Forecaster:
    plain: dict[str, Any] = {"inputs": INPUTS, "head": {"kind": "normal"}, "scaling": {"target": "none"}}
    return forecaster_of(**plain | {"decoder": {"kind": kind, **DECODERS[kind]}} | changes)


def moved(history: History, step: int, by: float = 1.0) -> History:
    """With another value at a step: of the target up to the last one, -1; of what is known ahead from 0 on."""
    if step < 0:
        y = history.columns["y"].copy()
        y[step] += by
        return replace(history, columns={**history.columns, "y": y})
    x = history.future["x"].copy()
    x[step] += by
    return replace(history, future={**history.future, "x": x})


def mean_of(forecaster: Forecaster, history: History) -> np.ndarray:
    (forecast,) = forecaster.predict([history], LEVELS)
    return forecast.mean


def test_the_list_has_every_decoder() -> None:
    kinds = {get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(get_args(Decoder)[0])}
    assert set(DECODERS) == kinds


@each_decoder
def test_the_newest_observation_moves_every_step(kind: str) -> None:
    forecaster, history = forecaster_with(kind), history_of()
    assert (np.abs(mean_of(forecaster, moved(history, -1)) - mean_of(forecaster, history)) > 1e-6).all()


@each_decoder
@pytest.mark.parametrize("step", range(HORIZON))
def test_what_is_known_of_a_step_moves_that_step(kind: str, step: int) -> None:
    forecaster, history = forecaster_with(kind), history_of()
    changes = np.abs(mean_of(forecaster, moved(history, step)) - mean_of(forecaster, history))
    assert changes[step] > 1e-6
    if kind in {"recursive", "sequence"}:
        assert (changes[:step] < 1e-6).all()


@each_decoder
def test_what_comes_back_from_bytes_forecasts_the_same(kind: str) -> None:
    forecaster = forecaster_with(kind)
    loaded = load(dump(forecaster))
    assert dump(loaded) == dump(forecaster)
    (before,), (after,) = forecaster.predict([history_of()], LEVELS), loaded.predict([history_of()], LEVELS)
    assert np.array_equal(before.mean, after.mean)
    assert all(np.array_equal(before.quantiles[level], after.quantiles[level]) for level in LEVELS)


@each_decoder
def test_equal_histories_have_equal_forecasts_whoever_else_is_asked_for(kind: str) -> None:
    forecaster = forecaster_with(kind, head={"kind": "student_t"})
    histories = [history_of(str(number), 6 + number % 5, number) for number in range(9)]
    together = forecaster.predict(histories, LEVELS)
    for history, forecast in zip(histories, together, strict=True):
        np.testing.assert_allclose(mean_of(forecaster, history), forecast.mean, rtol=1e-4, atol=1e-5)
    assert np.array_equal(mean_of(forecaster, histories[0]), mean_of(forecaster, histories[0]))


@each_decoder
@pytest.mark.parametrize("head", [{"kind": "negative_binomial"}, {"kind": "tweedie"}, {"kind": "mixture"}, {"kind": "quantiles"}])
def test_every_head_gives_rising_quantiles_and_paths_around_its_mean(kind: str, head: dict[str, Any]) -> None:
    forecaster = forecaster_with(kind, head=head, scaling={"target": "mean_abs"})
    (forecast,) = forecaster.predict([history_of()], LEVELS)
    assert (forecast.quantiles[0.1] <= forecast.quantiles[0.5]).all()
    assert (forecast.quantiles[0.5] <= forecast.quantiles[0.9]).all()
    paths = forecaster.sample_windows(windows_of(forecaster), 400)
    assert paths.shape == (1, 400, HORIZON)
    share = (paths[0] <= forecast.quantiles[0.9]).mean(axis=0)
    assert (share > 0.8).all()
    np.testing.assert_allclose(paths[0].mean(axis=0), forecast.mean, atol=0.25 * paths[0].std(axis=0).max())


def windows_of(forecaster: Forecaster, histories: tuple[History, ...] = (history_of(),)) -> Windows:
    """The windows that a forecast of these histories reads."""
    return forecaster.gather(histories)[1]


def in_region(history: History, code: int) -> History:
    return replace(history, columns={**history.columns, "region": np.full(len(history.columns["y"]), float(code))})


NETWORKS: dict[str, dict[str, Any]] = {
    "lstm": {"kind": "lstm", "units": 8},
    "dilated": {"kind": "stack", "blocks": [{"kind": "gru", "units": 4, "dilation": 2}, {"kind": "slstm", "units": 3}]},
    "lags": {"kind": "stack", "blocks": [{"kind": "lags", "steps": [1, 3]}, {"kind": "conv", "units": 4, "width": 3}]},
    "whole": {"kind": "stack", "blocks": [{"kind": "gru", "units": 4}, {"kind": "attend", "units": 3}]},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_paths_that_carry_their_state_are_those_that_read_all_again_at_every_step(name: str) -> None:
    shop = {"columns": ["region"], "known": "static", "embed": 2, "categories": {"region": ["north", "south"]}}
    inputs = {
        "weather": {"columns": ["x"], "known": "future"},
        "shop": shop,
        "target": {"columns": ["y"], "features": ["day_of_week"]},
    }
    forecaster = forecaster_with("recursive", network=NETWORKS[name], inputs=inputs)
    windows = windows_of(forecaster, tuple(in_region(history_of(str(code), seed=code), code) for code in (1, 2)))
    count = 5
    paths = torch.from_numpy(forecaster.sample_windows(windows, count)).float()
    ranks = stratified_ranks(HORIZON, count, torch.Generator().manual_seed(forecaster.spec.training.seed))
    for path in range(count):
        read = windows.inputs
        for step in range(HORIZON):
            features, _ = forecaster.network.encode(read)
            raw = forecaster.network.decode(features[:, -1], windows.future)
            drawn = forecaster.head.draw(raw, ranks[None, step : step + 1, path : path + 1], windows.scale)[:, 0]
            torch.testing.assert_close(drawn[:, 0], paths[:, path, step], rtol=1e-4, atol=1e-5)
            if step + 1 < HORIZON:
                known = windows.future[:, step + 1]
                newest = {"weather": known[:, :1], "shop": read["shop"][:, 0], "target": torch.cat([drawn, known[:, 1:]], dim=1)}
                read = {group: torch.cat([values, newest[group][:, None]], dim=1) for group, values in read.items()}


def test_the_first_step_of_paths_has_the_quantiles_of_the_head() -> None:
    forecaster = forecaster_with("recursive", decoder={"kind": "recursive", "paths": 1000})
    windows = windows_of(forecaster)
    with torch.inference_mode():
        raw = forecaster.network(windows.inputs, windows.future)
        expected = forecaster.head.quantiles(raw, LEVELS, windows.scale)[:, 0]
    mean, quantiles = forecaster.forecast_windows(windows, LEVELS)
    np.testing.assert_allclose(quantiles[:, 0], expected.numpy(), atol=0.01)
    np.testing.assert_allclose(mean[:, 0], raw[:, 0, 0].numpy(), atol=0.01)


def test_many_paths_are_drawn_in_parts_that_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    forecaster = forecaster_with("recursive")
    windows = windows_of(forecaster, tuple(history_of(str(number), 8, number) for number in range(5)))
    whole = forecaster.sample_windows(windows, 20)
    monkeypatch.setattr("app.forecasting.paths.MOST_ROWS", 40)
    np.testing.assert_allclose(forecaster.sample_windows(windows, 20), whole, rtol=1e-5, atol=1e-6)


def lessons(y: np.ndarray, x: np.ndarray, **changes: Any) -> WindowSource:
    forecaster = forecaster_with("recursive", **changes)
    panel = Panel(("a",), parse_frequency("D"), np.array([START]), np.array([0, len(y)]), {"y": y, "x": x})
    return WindowSource(forecaster.spec, panel, CovariateScaling({}, {}), torch.device("cpu"))


@pytest.mark.parametrize("over", ["window", "series"])
def test_a_recursive_lesson_has_the_next_step_after_every_step_beside_what_is_known_of_it(over: str) -> None:
    generator = np.random.default_rng(0)
    y, x = generator.normal(size=30), generator.normal(size=30)
    y[13] = np.nan
    source = lessons(y, x, scaling={"target": "standard", "over": over})
    lesson = source.lesson(np.array([12, 22]), is_whole=True)
    steps = CONTEXT + HORIZON - 1
    assert lesson.target.shape == (2 * steps, 1)
    for window, cutoff in enumerate((12, 22)):
        shift, scale = lesson.shift[window].item(), lesson.scale[window].item()
        measured = y[cutoff - CONTEXT if over == "window" else 0 : cutoff]
        np.testing.assert_allclose([shift, scale], [np.nanmean(measured), np.nanstd(measured)])
        for step in range(steps):
            now, row = cutoff - CONTEXT + step, window * steps + step
            filled = y[now] if np.isfinite(y[now]) else y[now - 1]
            assert lesson.inputs["target"][window, step, 0].item() == pytest.approx((filled - shift) / scale, abs=1e-5)
            assert lesson.inputs["weather"][window, step, 0].item() == pytest.approx(x[now + 1], abs=1e-5)
            assert bool(lesson.observed[row, 0]) == np.isfinite(y[now + 1])
            if np.isfinite(y[now + 1]):
                assert lesson.target[row, 0].item() == pytest.approx((y[now + 1] - shift) / scale, abs=1e-5)
    ahead = source.lesson(np.array([12, 22]), is_whole=False)
    assert torch.equal(ahead.target, lesson.target.view(2, steps, 1)[:, CONTEXT - 1 :].flatten(0, 1))
    assert torch.equal(ahead.inputs["target"], lesson.inputs["target"])


def test_a_lesson_knows_nothing_of_what_comes_after_each_step() -> None:
    generator = np.random.default_rng(0)
    y, x = generator.normal(size=30), generator.normal(size=30)
    network = forecaster_with("recursive").network
    later = y.copy()
    # Not before the horizon: the context is the unit of all of it.
    later[13] += 1.0
    before, after = (lessons(values, x, scaling={"target": "standard"}).lesson(np.array([12]), is_whole=True) for values in (y, later))
    raw = [network.decode(one.newest(network.encode(one.inputs)[0]), one.future) for one in (before, after)]
    at = CONTEXT + 1
    assert torch.equal(raw[0][:at], raw[1][:at])
    assert not torch.equal(raw[0][at:], raw[1][at:])
