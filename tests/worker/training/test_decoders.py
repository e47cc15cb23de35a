"""Every decoder learns: in every phase, measured and killed as any other; the list is that of the forecasting contract."""

from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch

from app.errors import UnfitDataError
from app.forecasting.checkpoint import pack, unpack
from app.forecasting.forecaster import Forecaster
from tests.app.forecasting.test_decoders import DECODERS
from tests.worker.training.lessons import CPU, SEASON, said, spec_of, training_of, waves
from worker.training.events import Epoch
from worker.training.fit import Training, fit, validation_loss
from worker.training.material import prepare
from worker.training.verdict import score

BRANCHES = {
    "kind": "stack",
    "blocks": [
        {"kind": "connect", "branches": [{"kind": "lstm", "units": 4, "from": "load"}, {"kind": "gru", "units": 3, "from": "wave"}]},
        {"kind": "lstm", "units": 5},
    ],
}
INPUTS = {"load": {"columns": ["y"]}, "wave": {"columns": ["x"], "known": "future"}}
each_decoder = pytest.mark.parametrize("kind", DECODERS)


def training_with(kind: str, phases: list[dict[str, Any]], **changes: Any) -> Training:
    plain: dict[str, Any] = {
        "network": BRANCHES,
        "inputs": INPUTS,
        "decoder": {"kind": kind, **DECODERS[kind]},
        "head": {"kind": "normal"},
        "training": {"phases": phases, "batch_size": 64, "lr": 0.01, "patience": None},
    }
    return training_of(spec_of(**plain | changes))


@each_decoder
@pytest.mark.parametrize("learn", ["layer by layer", "each branch", "all"])
def test_every_weight_of_every_decoder_learns_in_every_phase(kind: str, learn: str) -> None:
    training = training_with(kind, [{"learn": learn, "epochs": 2}])
    first = {name: weight.clone() for name, weight in training.network.state_dict().items()}
    events = list(fit(training))
    losses = [event.val_loss for event in events if isinstance(event, Epoch)]
    assert all(loss is not None and np.isfinite(loss) for loss in losses)
    assert [name for name, weight in training.network.state_dict().items() if torch.equal(weight, first[name])] == []
    assert validation_loss(training) == training.progress.outcomes[-1].val_loss


@each_decoder
def test_killed_and_resumed_under_a_head_of_its_own_equals_never_killed(kind: str) -> None:
    phases = [{"learn": "each branch", "epochs": 1}]
    expected = [said(event) for event in fit(training_with(kind, phases))]
    killed = training_with(kind, phases)
    before = [said(event) for event in islice(fit(killed), 3)]
    again = training_with(kind, phases)
    torch.manual_seed(99)
    again.restore(*unpack(pack(*killed.capture())))
    assert before + [said(event) for event in fit(again)] == expected


@pytest.mark.slow
@each_decoder
def test_every_decoder_forecasts_a_noisy_wave_better_than_by_repeating_it_and_within_its_band(kind: str) -> None:
    spec = spec_of(
        network={"kind": "gru", "units": 16},
        decoder={"kind": kind, **DECODERS[kind]},
        head={"kind": "normal"},
        scaling={"target": "standard"},
        training={"epochs": 8, "lr": 0.01, "patience": None},
    )
    training = training_of(spec, waves(series=8, length=200, noise=0.3))
    for _ in fit(training):
        pass
    training.finish()
    forecaster = Forecaster(spec, training.network, "D", SEASON, "naive", training.material.scaling)
    scores = score(forecaster, training.material, SEASON)
    assert (scores["model"]["mase"] or np.inf) < (scores["seasonal_naive"]["mase"] or 0.0)
    assert 0.6 <= (scores["model"]["coverage_80"] or 0.0) <= 0.97


def test_a_recursive_decoder_learns_from_every_step_what_a_direct_one_learns_of_the_next_from_windows_of_their_own() -> None:
    changes: dict[str, Any] = {
        "context": 5,
        "scaling": {"target": "none"},
        "network": {"kind": "gru", "units": 4},
        "head": {"kind": "normal"},
    }
    recursive = training_of(spec_of(decoder={"kind": "recursive"}, horizon=3, **changes))
    direct = training_of(spec_of(horizon=1, **changes))
    direct.network.load_state_dict(recursive.network.state_dict())
    cutoffs, rows = np.array([30]), np.array([0])
    whole = recursive.material.source.lesson(cutoffs, is_whole=True)
    raw, _ = recursive.run.look(whole, cutoffs, rows)
    assert raw.shape == (7, 1, 2)
    for step in range(7):
        inputs = {"target": whole.inputs["target"][:, : step + 1]}
        torch.testing.assert_close(raw[step : step + 1], direct.network(inputs, whole.future[:1]))
    assert whole.target[:, 0].tolist() == pytest.approx(waves().columns["y"][26:33].tolist(), rel=1e-5)


@each_decoder
def test_gradients_are_measured_under_every_decoder(kind: str) -> None:
    seen = training_with(kind, [{"learn": "all", "epochs": 1}]).look().metrics()
    assert (seen["grad_norm/network.1"] or 0.0) > 0.0
    assert 0 < (seen["memory/network.1"] or 0.0) < 14 + 4


@pytest.mark.parametrize("kind", ["tweedie", "mixture"])
def test_rain_is_learnt_and_its_band_covers(kind: str) -> None:
    panel = waves(series=6, length=200, noise=0.0)
    generator = np.random.default_rng(0)
    wetness = panel.columns["y"] - 8.5 - np.repeat(np.arange(6), 200)
    events = generator.poisson(wetness)
    panel.columns["y"][:] = generator.gamma(np.maximum(events, 1), 2.0) * (events > 0)
    training_spec = {"epochs": 15, "lr": 0.01, "patience": None}
    spec = spec_of(network={"kind": "lstm", "units": 16}, head={"kind": kind}, training=training_spec)
    training = training_of(spec, panel)
    for _ in fit(training):
        pass
    training.finish()
    scores = score(Forecaster(spec, training.network, "D", SEASON, "naive", training.material.scaling), training.material, SEASON)
    assert (scores["model"]["mae"] or np.inf) < (scores["seasonal_naive"]["mae"] or 0.0)
    assert 0.6 <= (scores["model"]["coverage_80"] or 0.0) <= 0.97


def test_a_head_of_values_from_zero_on_wants_none_below() -> None:
    panel = waves()
    panel.columns["y"][5] = 0.0
    spec = spec_of(head={"kind": "tweedie"})
    assert len(prepare(spec, panel, CPU).split.train)
    panel.columns["y"][7] = -0.5
    with pytest.raises(
        UnfitDataError, match=r"is of values from zero on, and series 's0' has -0\.5 \(1 values are below zero\); use the head"
    ):
        prepare(spec, panel, CPU)
