"""Intervals of quantiles are widened until they would have held, on validation windows, what they promise."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from app.errors import BraidcastError
from app.forecasting.checkpoint import dump, load
from app.forecasting.forecaster import Forecaster
from app.series.panel import TARGET
from app.series.windows import Cutoffs
from tests.worker.training.lessons import SEASON, spec_of, training_of, waves
from worker.training.comparison import members_of
from worker.training.fit import Training, fit
from worker.training.intervals import NARROWEST, WIDEST, measure_widths
from worker.training.verdict import ENOUGH_KNOWN, forecaster_of, learnt_on

LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)


def trained(levels: tuple[float, ...] = LEVELS, epochs: int = 5, **changes: Any) -> Training:
    """A network that is too large for the little noise that it learns by heart."""
    described = {"network": {"kind": "lstm", "units": 48}, "head": {"kind": "quantiles", "levels": levels}}
    training = {"epochs": epochs, "lr": 0.01, "patience": None, "batch_size": 16}
    run = training_of(spec_of(**described | {"training": training} | changes), waves(series=3, length=90, noise=0.8))
    for _ in fit(run):
        pass
    run.finish()
    return run


def forecaster_from(run: Training) -> Forecaster:
    return forecaster_of(run.spec, [run.network], run.material, freq="D", season=SEASON, time_kind="naive")


def held(forecaster: Forecaster, run: Training, low: float, high: float) -> float:
    """The share of what was observed in the validation windows that an interval holds."""
    windows = run.material.source.batch(run.material.split.validation.position)
    steps = run.material.split.validation.position[:, None] + np.arange(forecaster.horizon)
    actual = run.material.panel.columns[TARGET][steps]
    _, quantiles = forecaster.forecast_windows(windows, (low, high))
    return float(((quantiles[..., 0] <= actual) & (actual <= quantiles[..., 1])).mean())


def test_intervals_hold_what_they_promise_and_the_point_forecast_stays() -> None:
    run = trained(epochs=40)
    forecaster = forecaster_from(run)
    bare = replace(forecaster, widths=None)
    assert held(bare, run, 0.1, 0.9) < 0.76
    assert held(forecaster, run, 0.1, 0.9) == pytest.approx(0.8, abs=0.02)
    assert 0.94 <= held(forecaster, run, 0.025, 0.975) <= 0.98  # no factor is smaller than the inner one
    windows = run.material.source.batch(run.material.split.test.position)
    mean, quantiles = forecaster.forecast_windows(windows, LEVELS)
    assert (np.diff(quantiles, axis=2) >= 0).all()
    learnt, narrow = bare.forecast_windows(windows, LEVELS)
    np.testing.assert_array_equal(mean, learnt)
    np.testing.assert_allclose(quantiles[..., 2], narrow[..., 2], rtol=1e-6)
    assert np.array_equal(load(dump(forecaster)).forecast_windows(windows, LEVELS)[1], quantiles)


def test_factors_never_fall_to_either_side_and_have_bounds() -> None:
    widths = forecaster_from(trained(epochs=1)).widths
    assert widths is not None
    assert widths[0] >= widths[1]
    assert widths[4] >= widths[3]
    assert ((widths >= NARROWEST) & (widths <= WIDEST)).all()


def test_a_level_without_a_partner_has_the_factor_of_the_one_further_in() -> None:
    widths = forecaster_from(trained((0.1, 0.5, 0.9, 0.99))).widths
    assert widths is not None
    assert widths[3] == widths[2] == widths[0] != 1.0
    widths = forecaster_from(trained((0.1, 0.3, 0.5, 0.9), epochs=1)).widths
    assert widths is not None
    assert widths[1] == min(1.0, float(widths[0]))


def test_nothing_is_measured_where_no_levels_bound_an_interval_or_nothing_was_observed() -> None:
    assert forecaster_from(trained((0.5, 0.9), epochs=1)).widths is None
    run = trained(epochs=1)
    nothing = Cutoffs(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    empty = replace(run.material, split=replace(run.material.split, validation=nothing, test=nothing))
    assert measure_widths(forecaster_from(run), empty, LEVELS) is None


def test_the_networks_of_an_ensemble_are_measured_together() -> None:
    run = trained(training={"epochs": 3, "lr": 0.01, "patience": None, "batch_size": 16, "members": 2})
    _, members = members_of(run.spec, run)
    both = forecaster_of(run.spec, members, run.material, freq="D", season=SEASON, time_kind="naive")
    assert len(both.members) == 2
    assert held(both, run, 0.1, 0.9) == pytest.approx(0.8, abs=0.03)


def test_a_factor_carries_over_as_far_as_the_windows_were_known_before() -> None:
    run, others = trained(epochs=1), trained(epochs=1)
    measured, split = forecaster_from(run), run.material.split
    assert measured.widths is not None
    assert len(split.train) >= ENOUGH_KNOWN * len(split.whole)
    assert learnt_on(measured, [run.network], split) is measured
    final = learnt_on(measured, [others.network], split)
    assert final.network is others.network
    assert final.widths is not None
    assert torch.equal(final.widths, measured.widths)
    few = Cutoffs(split.train.series[: len(split.whole) // 8], split.train.position[: len(split.whole) // 8])
    share = len(few) / (ENOUGH_KNOWN * len(split.whole))
    torch.testing.assert_close(learnt_on(measured, [others.network], replace(split, train=few)).widths, measured.widths**share)


def test_an_artifact_with_factors_of_other_levels_is_none() -> None:
    forecaster = forecaster_from(trained(epochs=1))
    with pytest.raises(BraidcastError, match="widths"):
        load(dump(replace(forecaster, widths=torch.ones(3))))
