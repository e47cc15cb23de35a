"""What a decoder and a head come to in numpy is what they come to in torch."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from app.forecasting.forecaster import Forecaster
from app.forecasting.histories import History
from app.nets.build import build
from app.nets.heads import RESIDUAL_LEVELS
from app.nets.packed_cell import pack_cells
from app.nets.readout import compile_readout
from app.series.scaling import CovariateScaling
from app.spec.parse import parse_spec
from tests.app.forecasting.test_gathering import SCALINGS

CONTEXT, HORIZON = 6, 4
LEVELS = (0.005, 0.1, 0.5, 0.77, 0.9, 0.999)
INPUTS = {"target": {"columns": ["y"]}, "weather": {"columns": ["x"], "known": "future", "features": ["day_of_week"]}}
DECODERS: list[dict[str, Any]] = [
    {"kind": "direct"},
    {"kind": "direct", "units": 8},
    {"kind": "forking", "lags": [2, 5], "units": 8},
    {"kind": "forking"},
]
HEADS: Mapping[str, dict[str, Any]] = {
    "mse": {"kind": "point", "loss": "mse"},
    "mae": {"kind": "point", "loss": "mae"},
    "three": {"kind": "quantiles", "levels": [0.1, 0.5, 0.9]},
    "lopsided": {"kind": "quantiles", "levels": [0.4, 0.6, 0.8, 0.99]},
}


def forecaster_of(is_measured: bool = True, **changes: Any) -> Forecaster:
    torch.manual_seed(1)
    document = {"context": CONTEXT, "horizon": HORIZON, "inputs": INPUTS, "network": {"kind": "gru", "units": 3}}
    spec = parse_spec({**document, **changes})
    network = build(spec)
    network.initialise()
    network.eval().requires_grad_(requires_grad=False)
    residuals = torch.linspace(-1, 1, len(RESIDUAL_LEVELS)) * torch.arange(1, HORIZON + 1)[:, None]
    widths = torch.linspace(0.5, 2.0, len(getattr(spec.head, "levels", ())))
    measured: dict[str, Any] = {"residuals": residuals} if getattr(spec.head, "kind", "") == "point" else {"widths": widths}
    return Forecaster(spec, network, "D", 7, "naive", CovariateScaling({"x": 1.0}, {"x": 2.0}), **(measured if is_measured else {}))


def histories() -> list[History]:
    random = np.random.default_rng(0)
    return [
        History(name, np.datetime64("2024-01-01", "us"), {"y": 1 + size * random.random(9), "x": random.random(9)}, {"x": random.random(4)})
        for name, size in (("a", 1.0), ("b", 30.0), ("c", 1e-3))
    ]


def check(forecaster: Forecaster, levels: tuple[float, ...] = LEVELS) -> None:
    """Before its cells are packed a forecaster is torch alone."""
    expected = forecaster.predict(histories(), levels)
    pack_cells(forecaster.network)
    packed = Forecaster(**{name: getattr(forecaster, name) for name in Forecaster.__dataclass_fields__})
    assert compile_readout(forecaster.network.decoder, forecaster.head) is not None
    for one, other in zip(packed.predict(histories(), levels), expected, strict=True):
        size = np.abs(other.mean).max()
        np.testing.assert_allclose(one.mean, other.mean, rtol=1e-5, atol=1e-6 * size)
        for level in levels:
            np.testing.assert_allclose(one.quantiles[level], other.quantiles[level], rtol=1e-5, atol=1e-6 * size)


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("scaling", SCALINGS, ids=lambda scaling: "-".join(scaling.values()))
def test_a_head_is_read_alike_in_all_units(scaling: dict[str, Any], head: dict[str, Any]) -> None:
    season = {"season": 5} if scaling.get("baseline") == "season" else {}
    check(forecaster_of(scaling={**scaling, **season}, head=head))


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("decoder", DECODERS, ids=str)
def test_a_decoder_is_read_alike(decoder: dict[str, Any], head: dict[str, Any]) -> None:
    check(forecaster_of(decoder=decoder, head=head))


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_what_was_not_measured_is_not_there(head: dict[str, Any]) -> None:
    check(forecaster_of(is_measured=False, head=head))


def test_many_contexts_are_read_alike_behind_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    few = histories()
    monkeypatch.setattr("tests.app.forecasting.test_readout.histories", lambda: few * 3)
    for head in (HEADS["mse"], HEADS["three"]):
        check(forecaster_of(network={"kind": "lstm", "units": 3}, head=head))


def test_a_forecast_without_levels_has_no_quantiles() -> None:
    check(forecaster_of(head=HEADS["mse"]), ())
    check(forecaster_of(head=HEADS["three"]), ())


@pytest.mark.parametrize(
    "changes",
    [
        {"decoder": {"kind": "segments", "width": 2}},
        {"head": {"kind": "normal"}},
        {"decoder": {"kind": "sequence", "cell": "lstm", "units": 2}},
    ],
)
def test_what_steps_or_is_a_distribution_stays_in_torch(changes: dict[str, Any]) -> None:
    forecaster = forecaster_of(is_measured=False, **changes)
    assert compile_readout(forecaster.network.decoder, forecaster.head) is None
