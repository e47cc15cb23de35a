"""Scores stand beside seasonal naive's, on steps that training never saw; intervals cover what they say."""

import numpy as np
import pytest

from app.errors import UnfitDataError
from app.forecasting.forecaster import Forecaster
from app.series.baselines import seasonal_naive
from app.series.panel import Panel
from app.series.scores import mae
from tests.worker.training.lessons import CPU, SEASON, spec_of, training_of, waves
from worker.training.fit import fit
from worker.training.intervals import measure_residuals
from worker.training.material import Material, prepare
from worker.training.verdict import score

TRAINED = {"epochs": 40, "lr": 0.01, "patience": None}


LSTM: dict[str, object] = {"kind": "lstm", "units": 16}


def trained(
    panel: Panel, head: dict[str, object], epochs: int = 40, scaling: str = "standard", network: dict[str, object] = LSTM
) -> tuple[Forecaster, Material]:
    spec = spec_of(network=network, head=head, training={**TRAINED, "epochs": epochs}, scaling={"target": scaling})
    training = training_of(spec, panel)
    for _ in fit(training):
        pass
    training.finish()
    material = training.material
    bare = Forecaster(spec, training.network, "D", SEASON, "naive", material.scaling)
    residuals = measure_residuals(bare, material) if head["kind"] == "point" else None
    return Forecaster(spec, training.network, "D", SEASON, "naive", material.scaling, residuals), material


@pytest.mark.slow
@pytest.mark.parametrize("head", [{"kind": "point"}, {"kind": "quantiles", "levels": [0.1, 0.5, 0.9]}], ids=["point", "quantiles"])
def test_a_noisy_wave_is_forecast_better_than_by_repeating_it_and_within_its_band(head: dict[str, object]) -> None:
    forecaster, material = trained(waves(series=8, length=200, noise=0.3), head, epochs=15)
    scores = score(forecaster, material, SEASON)
    model, naive = scores["model"], scores["seasonal_naive"]
    assert set(naive) < set(model)
    for name in ("mae", "rmse", "mase", "smape"):
        assert (model[name] or np.inf) < (naive[name] or 0.0)
    assert 0.6 <= (model["coverage_80"] or 0.0) <= 0.97


def test_the_baseline_is_scored_on_the_last_horizon_of_each_series() -> None:
    panel = waves(noise=0.5)
    forecaster, material = trained(panel, {"kind": "point"}, epochs=1)
    actual = np.stack([panel.values(series)[-4:] for series in range(3)])
    naive = np.stack([seasonal_naive(panel.values(series)[:-4], SEASON, 4) for series in range(3)])
    assert score(forecaster, material, SEASON)["seasonal_naive"]["mae"] == pytest.approx(mae(actual, naive))


def test_scores_of_nothing_are_none_and_residuals_of_nothing_are_none() -> None:
    panel = waves(series=1, length=40)
    panel.columns["y"][29:] = np.nan
    forecaster, material = trained(panel, {"kind": "point"}, epochs=1)
    assert forecaster.residuals is None
    assert set(score(forecaster, material, SEASON)["model"].values()) == {None}


def test_residuals_rise_with_their_level_and_widen_with_the_error_of_their_step() -> None:
    forecaster, material = trained(waves(noise=0.4, missing=0.1), {"kind": "point"}, epochs=5)
    assert forecaster.residuals is not None
    assert (forecaster.residuals.diff(dim=1) >= 0).all()
    assert forecaster.residuals.shape == (4, 99)
    assert forecaster.residuals[:, 49].tolist() == [0.0] * 4
    assert len(material.split.validation) > 30
    assert (
        prepare(forecaster.spec, waves(noise=0.4, missing=0.1), CPU).split.test.position.tolist() == material.split.test.position.tolist()
    )


@pytest.mark.parametrize("kind", ["poisson", "negative_binomial", "student_t"])
def test_a_distribution_is_learnt_and_its_band_covers(kind: str) -> None:
    panel = waves(series=6, length=200, noise=0.0)
    generator = np.random.default_rng(0)
    panel.columns["y"][:] = generator.poisson(4 * (panel.columns["y"] - 8.5))
    forecaster, material = trained(panel, {"kind": kind}, epochs=15, scaling="mean_abs")
    scores = score(forecaster, material, SEASON)
    assert (scores["model"]["mae"] or np.inf) < (scores["seasonal_naive"]["mae"] or 0.0)
    assert 0.6 <= (scores["model"]["coverage_80"] or 0.0) <= 0.97


def test_a_head_of_counts_wants_counts() -> None:
    spec = spec_of(head={"kind": "poisson"})
    with pytest.raises(UnfitDataError, match=r"series 's0' has 10\.\d+ \(360 values are below zero or no whole numbers\); use the head"):
        prepare(spec, waves(), CPU)


def test_a_scaling_of_logarithms_wants_values_above_zero() -> None:
    panel = waves()
    panel.columns["y"][130] = 0.0
    with pytest.raises(UnfitDataError, match=r"series 's1' has 0 \(1 values are not above zero\); use the scaling 'mean_abs'") as refused:
        prepare(spec_of(scaling={"target": "log"}), panel, CPU)
    assert refused.value.pointer == "#/architecture/scaling/target"


@pytest.mark.parametrize("scaling", ["mean_abs", "log"])
def test_intervals_of_a_point_head_are_in_units_of_what_the_network_has_learnt(scaling: str) -> None:
    panel = waves(series=8, length=200, noise=0.3)
    blocks = [{"kind": "instance_norm", "by": "revin", "from": "target"}, {"kind": "lstm", "units": 16}]
    forecaster, material = trained(panel, {"kind": "point"}, 15, scaling, {"kind": "stack", "blocks": blocks})
    assert 0.6 <= (score(forecaster, material, SEASON)["model"]["coverage_80"] or 0.0) <= 0.97
