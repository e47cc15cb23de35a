"""A forecaster of logarithms is one of a series of logarithms, taken back exactly: quantiles and paths as they are, and means as means."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from app.errors import ForecastError
from app.forecasting.carried import Carrier
from app.forecasting.forecaster import Forecaster
from app.forecasting.forecasts import Forecast
from app.forecasting.histories import History
from app.forecasting.observations import Observation
from app.nets.heads import RESIDUAL_LEVELS
from app.series.scaling import CovariateScaling
from tests.app.forecasting.examples import HORIZON, START, forecaster_of

RANKS = tuple((np.arange(2000) + 0.5) / 2000)
HEADS: dict[str, dict[str, Any]] = {
    "normal": {"kind": "normal"},
    "mixture": {"kind": "mixture", "components": 2},
    "quantiles": {"kind": "quantiles", "levels": [0.1, 0.5, 0.9]},
    "point": {"kind": "point"},
    "middle": {"kind": "point", "loss": "mae"},
}
HISTORY = History("a", START, {"y": np.exp(np.random.default_rng(0).normal(3.0, 0.4, size=10))}, {})


def pair_of(head: dict[str, Any], by: str) -> tuple[Forecaster, Forecaster]:
    """The same network on a target whose logarithms are taken, and on one that is not scaled; the block makes levels of windows equal."""
    block = {"kind": "instance_norm", "by": by, "from": "target"}
    network = {"kind": "stack", "blocks": [block, {"kind": "lstm", "units": 8}]}
    changes: dict[str, Any] = {"inputs": {"target": {"columns": ["y"]}}, "network": network}
    of_logarithms = forecaster_of(head=head, **changes, scaling={"target": "log"})
    if by == "revin":
        torch.nn.init.constant_(of_logarithms.network.series.weight, -1.5)  # type: ignore[union-attr, arg-type]
    plain = replace(forecaster_of(head=head, **changes, scaling={"target": "none"}), network=of_logarithms.network)
    nothing = CovariateScaling({}, {})
    return replace(of_logarithms, scaling=nothing), replace(plain, scaling=nothing)


def both(head: str, by: str, levels: tuple[float, ...]) -> tuple[Forecast, Forecast]:
    """What the two of a pair forecast, the second one of the history's logarithms."""
    of_logarithms, plain = pair_of(HEADS[head], by)
    (found,) = of_logarithms.predict([HISTORY], levels, paths=50)
    (other,) = plain.predict([replace(HISTORY, columns={"y": np.log(HISTORY.columns["y"])})], levels, paths=50)
    return found, other


@pytest.mark.parametrize("by", ["last", "mean", "revin"])
@pytest.mark.parametrize("head", HEADS)
def test_quantiles_and_paths_are_exponentials_of_those_of_the_logarithms(head: str, by: str) -> None:
    found, other = both(head, by, (0.1, 0.5, 0.9))
    for level in found.quantiles:
        np.testing.assert_allclose(found.quantiles[level], np.exp(other.quantiles[level]), rtol=1e-4)
    np.testing.assert_allclose(found.paths, np.exp(other.paths), rtol=1e-4)
    assert (found.quantiles[0.1] <= found.quantiles[0.9]).all()


@pytest.mark.parametrize("baseline", [{}, {"baseline": "season", "season": 3}])
@pytest.mark.parametrize("head", HEADS)
def test_standard_logarithms_are_logarithms_standardised(head: str, baseline: dict[str, Any]) -> None:
    inputs = {"target": {"columns": ["y"], "lags": [2]}}
    of_logarithms, plain = (
        forecaster_of(head=HEADS[head], inputs=inputs, scaling={"target": f"standard{end}", **baseline}) for end in ("_log", "")
    )
    plain = replace(plain, network=of_logarithms.network)
    (found,) = of_logarithms.predict([HISTORY], (0.1, 0.5, 0.9))
    (other,) = plain.predict([replace(HISTORY, columns={"y": np.log(HISTORY.columns["y"])})], (0.1, 0.5, 0.9))
    for level in found.quantiles:
        np.testing.assert_allclose(found.quantiles[level], np.exp(other.quantiles[level]), rtol=1e-5)


@pytest.mark.parametrize("by", ["mean", "revin"])
@pytest.mark.parametrize("head", ["normal", "mixture"])
def test_the_mean_is_that_of_all_quantiles_and_not_the_exponential_of_the_mean(head: str, by: str) -> None:
    found, other = both(head, by, RANKS)
    np.testing.assert_allclose(found.mean, np.mean(list(found.quantiles.values()), axis=0), rtol=0.01)
    assert (found.mean > np.exp(other.mean)).all()


def test_the_mean_of_a_quantile_head_weighs_the_exponential_of_each() -> None:
    of_logarithms, _ = pair_of(HEADS["quantiles"], "mean")
    (found,) = replace(of_logarithms, widths=None).predict([HISTORY], (0.1, 0.5, 0.9))  # those that were learnt, not the widened ones
    np.testing.assert_allclose(found.mean, 0.3 * found.quantiles[0.1] + 0.4 * found.quantiles[0.5] + 0.3 * found.quantiles[0.9], rtol=1e-5)


def test_the_mean_of_a_point_head_is_that_of_its_residuals_where_it_has_learnt_means() -> None:
    found, _ = both("point", "mean", RESIDUAL_LEVELS)
    np.testing.assert_allclose(found.mean, np.mean(list(found.quantiles.values()), axis=0), rtol=1e-5)
    middle, other = both("middle", "mean", ())
    np.testing.assert_allclose(middle.mean, np.exp(other.mean), rtol=1e-4)


@pytest.mark.parametrize("scaling", ["log", "standard_log"])
@pytest.mark.parametrize("decoder", [{"kind": "direct"}, {"kind": "recursive", "paths": 20}])
def test_values_without_a_logarithm_are_refused_with_their_place(decoder: dict[str, Any], scaling: str) -> None:
    inputs = {"target": {"columns": ["y"], "scale": True}}
    forecaster = forecaster_of(inputs=inputs, scaling={"target": scaling}, decoder=decoder, head={"kind": "normal"})
    values = HISTORY.columns["y"].copy()
    carrier = Carrier(forecaster)
    state = carrier.open([HISTORY])
    moved = carrier.forecast(carrier.observe(state, [Observation(values[:1])]), ["a"])[0]
    assert moved.mean.shape == (HORIZON,)
    assert (moved.mean > 0.0).all()
    values[2] = 0.0
    with pytest.raises(ForecastError, match=r"series 'a' has 0, which has none; send values above zero") as refused:
        forecaster.predict([replace(HISTORY, columns={"y": values})])
    assert refused.value.pointer == "#/series/0/target/2"
    with pytest.raises(ForecastError, match=r"the observation has -1") as told:
        carrier.observe(state, [Observation(np.array([-1.0]))])
    assert told.value.pointer == "#/target/0"
