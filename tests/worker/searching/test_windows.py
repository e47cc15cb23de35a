"""Windows by which trials are compared lie before the last horizon, and count every series once, whoever can forecast it."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
import torch

from app.errors import DivergedError, UnfitDataError
from app.nets.build import build
from app.series.frequency import parse_frequency
from app.series.panel import TARGET, Panel, panel_of
from tests.worker.stage import CONTEXT, HORIZON, small_spec, waves
from worker.searching.windows import TrialWindow, forecast_errors, naive_scores, score_of, trial_windows
from worker.training.material import prepare
from worker.training.verdict import forecaster_of


def panel(lengths: tuple[int, ...] = (120, 120)) -> Panel:
    frame = waves(len(lengths))
    kept = [frame.filter(frame["unique_id"] == f"s{number}").head(length) for number, length in enumerate(lengths)]
    return panel_of(pl.concat(kept), parse_frequency("D"), [])


def errors_of(window: TrialWindow, *, broken: bool = False, min_context: int | None = None) -> npt.NDArray[np.float64]:
    spec = small_spec().model_copy(update={"min_context": min_context})
    material = prepare(spec, window.panel, torch.device("cpu"))
    torch.manual_seed(0)
    network = build(spec)
    network.initialise()
    if broken:
        with torch.no_grad():
            next(network.parameters()).fill_(torch.nan)
    forecaster = forecaster_of(spec, [network.eval()], material, freq="D", season=7, time_kind="zoned")
    return forecast_errors(forecaster, material, window)


def test_the_last_horizon_is_in_no_window_and_the_newest_window_is_before_it() -> None:
    found = trial_windows(panel(), HORIZON, 3, 2, 7)
    assert found.metric == "mase"
    assert [window.panel.lengths.tolist() for window in found.windows] == [[112, 112], [114, 114], [116, 116]]


def test_nothing_of_a_window_is_there_to_be_learnt() -> None:
    for window in trial_windows(panel(), HORIZON, 3, 2, 7).windows:
        target = window.panel.values(1)
        assert np.isnan(target[-HORIZON:]).all()
        assert np.isfinite(target[:-HORIZON]).all()
        assert np.isfinite(window.actual).all()


def test_later_values_never_change_a_window() -> None:
    whole = panel()
    columns = {TARGET: whole.columns[TARGET].copy()}
    columns[TARGET][116:120] += 100.0
    first, second = trial_windows(whole, HORIZON, 2, 2, 7), trial_windows(replace(whole, columns=columns), HORIZON, 2, 2, 7)
    for one, other in zip(first.windows, second.windows, strict=True):
        np.testing.assert_array_equal(one.naive, other.naive)


def test_a_series_too_short_for_the_network_counts_with_seasonal_naive() -> None:
    window = trial_windows(panel((120, 19)), HORIZON, 1, 1, 7).windows[0]
    errors = errors_of(window)
    assert window.panel.lengths[1] < CONTEXT + HORIZON
    assert errors[0] != window.naive[0]
    assert errors[1] == window.naive[1]
    assert score_of(errors).series == 2


def test_a_short_series_that_a_network_can_forecast_counts_with_its_forecast() -> None:
    window = trial_windows(panel((19, 120)), HORIZON, 1, 1, 7).windows[0]
    errors = errors_of(window, min_context=3)
    assert (errors != window.naive).all()
    whole = errors_of(trial_windows(panel((120, 120)), HORIZON, 1, 1, 7).windows[0])
    assert errors[1] == pytest.approx(whole[1])


def test_errors_are_scaled_by_what_came_before_and_are_absolute_where_nothing_can_be_scaled() -> None:
    window = trial_windows(panel(), HORIZON, 1, 1, 7).windows[0]
    values = window.panel.values(0)
    history, actual = values[:-HORIZON], panel().values(0)[112:116]
    np.testing.assert_array_equal(window.actual[0], actual)
    assert window.scales[0] == pytest.approx(np.abs(history[7:] - history[:-7]).mean())
    assert window.naive[0] == pytest.approx(np.abs(actual - history[-7:-3]).mean() / window.scales[0])
    absolute = trial_windows(panel(), HORIZON, 1, 1, 500)
    assert absolute.metric == "mae"
    assert absolute.windows[0].naive[0] == pytest.approx(np.abs(actual - history[-1]).mean())


def test_scores_have_the_standard_error_of_their_series() -> None:
    scored = score_of(np.array([1.0, np.nan, 3.0]))
    assert (scored.score, scored.standard_error, scored.series) == (2.0, 1.0, 2)
    assert score_of(np.array([1.0])).standard_error is None
    window = trial_windows(panel(), HORIZON, 1, 1, 7).windows[0]
    assert naive_scores([window])[0].score == pytest.approx(window.naive.mean())


def test_a_window_that_nothing_was_observed_in_is_left_out() -> None:
    whole = panel()
    target = whole.columns[TARGET].copy()
    target[[*range(100, 112), *range(220, 232)]] = np.nan
    kept = trial_windows(replace(whole, columns={TARGET: target}), HORIZON, 3, 4, 7)
    assert [window.panel.lengths[0] for window in kept.windows] == [116]
    with pytest.raises(UnfitDataError, match="none of the 2 series"):
        trial_windows(replace(whole, columns={TARGET: np.full_like(target, np.nan)}), HORIZON, 3, 4, 7)


def test_forecasts_that_are_no_numbers_are_a_failure() -> None:
    with pytest.raises(DivergedError, match="no finite numbers"):
        errors_of(trial_windows(panel(), HORIZON, 1, 1, 7).windows[0], broken=True)
