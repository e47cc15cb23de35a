"""The flow of gradients is measured as it is, and leaves no trace in what is trained."""

from typing import Any

import pytest
import torch

from app.nets.blocks import Layer
from app.nets.cells import Cell
from app.spec.forecaster import ForecasterSpec
from tests.worker.training.lessons import spec_of, training_of, waves
from worker.training import fit as fit_module
from worker.training.advice import advise
from worker.training.events import Epoch
from worker.training.fit import Training, fit
from worker.training.flow import probe_rows, spectral_radius, used_memory

TRAINING = {"epochs": 3, "patience": None}


def lines_of(training: Training) -> list[tuple[Any, ...]]:
    found = []
    for event in fit(training):
        values = {name: value for name, value in vars(event).items() if name not in {"seconds", "cpu_seconds", "flow"}}
        found.append((type(event).__name__, *values.items()))
    return found


def test_a_training_that_is_measured_goes_as_one_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = lines_of(training_of())
    monkeypatch.setattr(fit_module, "FLOW_BATCHES", 1)
    training = training_of()
    assert training.is_flow_due
    assert lines_of(training) == plain


def test_epochs_are_measured_so_seldom_that_it_costs_next_to_nothing() -> None:
    training = training_of(spec_of(training={**TRAINING, "epochs": 30, "batch_size": 32}))
    flows = [bool(event.flow) for event in fit(training) if isinstance(event, Epoch)]
    every = -(-fit_module.FLOW_BATCHES // training.batches)
    assert [epoch for epoch, is_measured in enumerate(flows, 1) if is_measured] == list(range(every, 31, every))


def test_norms_are_those_of_an_ordinary_backward() -> None:
    training = training_of()
    found = training.flow()
    cutoffs = training.material.split.train.position
    rows = probe_rows(len(cutoffs))
    windows = training.material.source.batch(cutoffs[rows])
    training.network.eval().zero_grad()
    raw, _ = training.run.look(windows, cutoffs, rows)
    loss = training.head.loss(raw, windows.target, windows.observed, windows.scale)
    torch.autograd.backward(loss)
    norms = []
    for number in (0, 1):
        layer = training.network.blocks[number]
        parts = [parameter.grad.norm() for parameter in layer.parameters() if parameter.grad is not None]
        norms.append(torch.stack(parts).norm().item())
        assert found[f"grad_norm/network.{number}"] == pytest.approx(norms[-1], rel=1e-5)
    assert found["depth_ratio"] == pytest.approx(norms[0] / norms[1], rel=1e-5)


def test_the_used_memory_is_where_the_gradient_has_fallen_to_a_hundredth() -> None:
    assert used_memory(0.5 ** torch.arange(20.0).flip(0)) == 6
    assert used_memory(torch.ones(20)) == 19
    assert used_memory(torch.zeros(20)) == 0


def layer_spec(**block: Any) -> ForecasterSpec:
    return spec_of(network={"units": 8, **block})


def cell_of(training: Training) -> Cell:
    (layer,) = (module for module in training.network.modules() if isinstance(module, Layer))
    assert isinstance(layer.cell, Cell)
    return layer.cell


def test_gates_with_large_biases_are_saturated_and_units_without_input_are_dead() -> None:
    training = training_of(layer_spec(kind="lstm"))
    assert training.flow()["saturation/network"] < 0.1
    cell_of(training).bias.data[:] = 50.0
    assert training.flow()["saturation/network"] == 1.0
    dead = training_of(layer_spec(kind="elman", activation="relu"))
    cell = cell_of(dead)
    cell.bias.data[:4], cell.input_weight.data[:4], cell.recurrent_weight.data[:4] = -50.0, 0.0, 0.0
    assert dead.flow()["dead_units/network"] >= 0.5


def test_the_radius_is_the_largest_eigenvalue_of_any_gate() -> None:
    training = training_of(layer_spec(kind="gru"))
    assert training.flow()["radius/network"] == pytest.approx(1.0, rel=1e-4)
    cell = cell_of(training)
    cell.recurrent_weight.data[:8] = torch.diag(torch.arange(8.0))
    assert spectral_radius(cell) == pytest.approx(7.0)


def test_a_deep_elman_stack_with_a_long_context_forgets_and_is_told_what_to_use() -> None:
    blocks = [{"kind": "elman", "units": 8}] * 4
    elman = spec_of(context=200, network={"kind": "stack", "blocks": blocks}, training={**TRAINING, "epochs": 1, "lr": 0.01})
    panel = waves(series=2, length=300)
    training = training_of(elman, panel)
    for module in training.network.modules():
        if isinstance(module, Cell):
            module.recurrent_weight.data *= 0.7
    found = advise([], training.flow(), 200)
    assert "vanishing_in_time" in {finding.code for finding in found}
    assert all("lstm" in finding.remedy for finding in found if finding.code == "vanishing_in_time")
    chrono = spec_of(context=200, network={"kind": "lstm", "units": 8, "init": "chrono"}, training=TRAINING)
    flow = training_of(chrono, panel).flow()
    assert flow["memory/network"] > 100
    assert advise([], flow, 200) == []


def test_layers_that_a_stage_does_not_train_are_not_measured() -> None:
    blocks = [{"kind": "lstm", "units": 4}, {"kind": "gru", "units": 4}]
    phases = [{"learn": "layer by layer", "epochs": 1}]
    training = training_of(spec_of(network={"kind": "stack", "blocks": blocks}, training={**TRAINING, "phases": phases}))
    places = []
    while not training.is_done:
        places.append({name.partition("/")[2] for name in training.flow() if "/" in name})
        for event in fit(training):
            if not isinstance(event, Epoch) and type(event).__name__ == "StageOutcome":
                break
    assert places == [{"network.0"}, {"network.1"}]
