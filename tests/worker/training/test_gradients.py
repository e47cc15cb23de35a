"""A look at the gradients sees them as they are, and leaves no trace in what is trained."""

import json
import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from app.series.frequency import parse_frequency
from app.series.panel import Panel
from app.spec.parse import parse_spec
from tests.strategies_specs import documents, read_all
from tests.worker.training.layers import WRAPPED, cell_of, layer_of, only_block, only_layer
from tests.worker.training.lessons import said, spec_of, training_of
from worker.training.events import Batch, Epoch
from worker.training.fit import Training, fit
from worker.training.gradients import GATED, PROBE_WINDOWS, probe_rows, update_ratios
from worker.training.looks import Look
from worker.training.state import StageOutcome, clone

TRAINING = {"epochs": 3, "patience": None}


def trace_of(training: Training) -> dict[str, Any]:
    """Everything that a look might touch."""
    gradients = {name: weight.grad for name, weight in training.network.named_parameters()}
    return {
        "weights": clone(training.run.weights()),
        "gradients": {name: None if gradient is None else gradient.clone() for name, gradient in gradients.items()},
        "wanted": [weight.requires_grad for weight in training.network.parameters()],
        "optimizer": {key: clone(value) for key, value in training.optimizer.state.items()},
        "generator": {"cpu": torch.get_rng_state()},
        "modes": [module.training for module in training.network.modules()],
        "hooks": [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in training.network.modules()],
    }


def same(first: object, second: object) -> bool:
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    return first == second


@pytest.mark.parametrize("block", WRAPPED, ids=str)
def test_a_look_in_the_middle_of_an_epoch_changes_nothing(block: dict[str, Any]) -> None:
    training = training_of(only_block(**block))
    next(fit(training))
    before = trace_of(training)
    assert any(before["modes"])
    training.look()
    after = trace_of(training)
    assert {name: same(before[name], after[name]) for name in before} == dict.fromkeys(before, True)


def shops(series: int) -> Panel:
    """Series of counts with all the columns that drawn documents read."""
    generator = np.random.default_rng(0)
    columns = {name: generator.normal(size=60 * series) for name in ("x", "z")}
    columns |= {"y": generator.poisson(3.0, size=60 * series) + np.ones(60 * series)}
    columns |= {"region": np.repeat(np.arange(series, dtype=np.float64), 60), "size": np.zeros(60 * series)}
    starts = np.full(series, np.datetime64("2024-01-01", "us"))
    return Panel(("a", "b")[:series], parse_frequency("D"), starts, 60 * np.arange(series + 1), columns)


@pytest.mark.no_cover
@settings(max_examples=40)
@given(documents())
def test_whatever_a_document_describes_is_seen_without_a_trace(document: dict[str, Any]) -> None:
    training = training_of(parse_spec(read_all(document)), shops(2 if "'series': 2" in str(document) else 1))
    before = trace_of(training)
    look = training.look()
    after = trace_of(training)
    assert {name: same(before[name], after[name]) for name in before} == dict.fromkeys(before, True)
    assert {layer.place for layer in look.layers} == {place for place in training.run.layers if ".decoder" not in place}
    assert all(0 <= layer.memory < layer.steps == layer.lags[-1] + 1 for layer in look.layers)
    assert json.dumps(asdict(look), allow_nan=False)


def test_a_training_that_is_looked_at_after_every_epoch_goes_as_one_that_is_not() -> None:
    plain, training, found = [said(event) for event in fit(training_of())], training_of(), []
    for event in fit(training):
        found.append(said(event))
        if isinstance(event, Batch | Epoch):
            training.look()
    assert found == plain


def test_two_looks_are_equal() -> None:
    training = training_of()
    assert training.look() == training.look()


def test_hooks_are_gone_after_a_look_that_failed() -> None:
    training = training_of()
    before = trace_of(training)
    training.network.decoder.weight.data = torch.empty(0)
    with pytest.raises(RuntimeError):
        training.look()
    after = trace_of(training)
    assert (before["hooks"], before["modes"]) == (after["hooks"], after["modes"])


@pytest.mark.parametrize("block", WRAPPED, ids=str)
def test_norms_are_those_of_an_ordinary_backward(block: dict[str, Any]) -> None:
    training = training_of(only_block(**block))
    report = only_layer(training.look())
    positions = training.material.split.train.position
    rows = probe_rows(len(positions))
    windows = training.material.source.batch(positions[rows])
    training.run.set_training(is_training=False)
    loss = training.run.loss(training.head, windows, positions, rows)
    torch.autograd.backward(loss)
    layer = layer_of(training)
    norms = [weight.grad.norm() for weight in layer.parameters() if weight.grad is not None]
    assert report.grad_norm == pytest.approx(torch.stack(norms).norm().item(), rel=1e-5)
    if {name.rpartition(".")[2] for name, _ in layer.named_parameters()} <= {*GATED}:
        # All weights stand gate by gate: nothing is counted twice or left out.
        assert math.hypot(*(norm or 0.0 for norm in report.gate_norms.values())) == pytest.approx(report.grad_norm, rel=1e-5)


def test_a_gate_has_the_norm_of_its_rows() -> None:
    training = training_of(only_block(kind="lstm"))
    cell = cell_of(training)
    cell.recurrent_weight.data.zero_()
    cell.bias.data[16:24] = 50.0  # the candidate is flat
    report = only_layer(training.look())
    assert list(report.gate_norms) == ["input", "forget", "candidate", "output"]
    assert report.gate_norms["candidate"] == 0.0
    assert (report.gate_norms["output"] or 0.0) > 0.0


@pytest.mark.parametrize("decay", [0.5, 0.8, -0.9])
def test_the_gradient_of_a_linear_layer_decays_as_a_power_of_its_recurrent_weight(decay: float) -> None:
    training = training_of(only_block(kind="elman", activation="relu"))
    cell = cell_of(training)
    # In its linear range relu is linear: a bias holds the state there.
    cell.recurrent_weight.data = decay * torch.eye(8)
    cell.input_weight.data *= 0.01
    cell.bias.data[:] = 10.0
    report = only_layer(training.look())
    assert report.lags == list(range(14))
    expected = [(report.norms[0] or 0.0) * abs(decay) ** lag for lag in range(14)]
    assert report.norms == pytest.approx(expected, rel=1e-4)
    assert report.memory == min(13, math.floor(math.log(0.01) / math.log(abs(decay))))
    assert report.half_life == math.ceil(math.log(0.5) / math.log(abs(decay)) - 1e-9)
    assert report.radius == pytest.approx(abs(decay), rel=1e-4)


def test_gates_with_large_biases_are_saturated() -> None:
    training = training_of(only_block(kind="lstm"))
    assert (only_layer(training.look()).saturation or 0.0) < 0.1
    cell = cell_of(training)
    cell.bias.data[8:16] = 50.0
    assert only_layer(training.look()).gate_saturation["forget"] == 1.0
    assert only_layer(training.look()).saturation == pytest.approx(0.25, abs=0.1)
    cell.bias.data[:] = -50.0
    assert only_layer(training.look()).saturation == 1.0


def test_a_tanh_is_saturated_at_both_its_bounds_and_a_relu_has_none() -> None:
    training = training_of(only_block(kind="elman"))
    cell_of(training).bias.data[:4], cell_of(training).bias.data[4:] = 50.0, -50.0
    assert only_layer(training.look()).saturation == 1.0
    relu = training_of(only_block(kind="elman", activation="relu"))
    cell_of(relu).bias.data[:] = 50.0
    assert only_layer(relu.look()).saturation is None


def test_units_that_never_change_are_dead() -> None:
    training = training_of(only_block(kind="elman", activation="relu"))
    cell = cell_of(training)
    cell.input_weight.data.fill_(1.0)
    cell.recurrent_weight.data.zero_()
    assert only_layer(training.look()).dead_units == 0.0
    cell.bias.data[:4] = -50.0
    assert only_layer(training.look()).dead_units == 0.5


def test_the_update_ratio_is_the_change_over_the_former_size() -> None:
    training = training_of()
    assert update_ratios(training.run.layers, {}) == {}
    before = {id(weight): weight.detach().clone() for weight in training.network.parameters()}
    for weight in training.network.blocks[1].parameters():
        weight.data *= 1.01
    ratios = update_ratios(training.run.layers, before)
    assert ratios == {"network.0": 0.0, "network.1": pytest.approx(0.01, rel=1e-3)}


def test_the_last_step_of_an_epoch_that_is_looked_at_says_how_far_it_moved_and_how_many_were_clipped() -> None:
    events = [
        event
        for event in fit(training_of(spec_of(training={"epochs": 8, "batch_size": 8, "schedule": "constant", "clip_norm": 1e-3})))
        if isinstance(event, Epoch)
    ]
    looked = [event.flow for event in events if "depth_ratio" in event.flow]
    assert 0 < len(looked) < len(events)
    assert all(1e-4 < (flow["update_ratio/network.0"] or 0.0) < 0.1 for flow in looked)
    assert [event.flow["clipped"] for event in events] == [1.0] * len(events)


def test_depth_is_the_ratio_of_first_and_last_block_of_a_stack() -> None:
    report = training_of().look()
    first, last = report.layers
    assert (first.place, last.place) == ("network.0", "network.1")
    assert report.depth_ratio == pytest.approx((first.grad_norm or 0.0) / (last.grad_norm or 1.0))
    branches = [{"kind": "gru", "units": 3}, {"kind": "gru", "units": 4}]
    assert training_of(spec_of(network={"kind": "connect", "branches": branches})).look().depth_ratio is None


def test_a_report_is_json_with_a_number_a_name() -> None:
    training = training_of()
    metrics = json.loads(json.dumps(training.look().metrics(), allow_nan=False))
    layer = {f"{name}/network.0" for name in ("grad_norm", "memory", "half_life", "growth", "saturation", "dead_units", "radius")}
    gates = {f"grad_norm/network.0/{gate}" for gate in ("input", "forget", "candidate", "output")}
    assert {name for name in metrics if "network.0" in name} == layer | gates
    assert metrics.keys() - {name for name in metrics if "network." in name} == {"depth_ratio"}


def test_what_is_no_number_is_left_out() -> None:
    training = training_of()
    for weight in training.network.parameters():
        weight.data.fill_(torch.nan)
    look = training.look()
    assert json.dumps(asdict(look), allow_nan=False)
    assert look.layers[0].norms == [None] * 14
    assert {name.partition("/")[0] for name in look.metrics()} == {"memory", "saturation", "dead_units"}


def test_the_probe_is_evenly_spread_and_never_larger_than_what_there_is() -> None:
    assert probe_rows(5).tolist() == [0, 1, 2, 3, 4]
    rows = probe_rows(10_000)
    assert (len(rows), rows[0], rows[-1]) == (PROBE_WINDOWS, 0, 9_999)
    assert len(set(rows[1:] - rows[:-1])) <= 2


def test_a_network_without_recurrent_layers_has_nothing_to_see() -> None:
    training = training_of(spec_of(network={"kind": "stack", "blocks": [{"kind": "conv", "units": 3}]}))
    assert training.look() == Look()


def test_only_layers_of_the_stage_are_seen_and_a_frozen_one_has_no_norm() -> None:
    blocks = [{"kind": "lstm", "units": 4, "name": "low"}, {"kind": "gru", "units": 4, "name": "high"}]
    phases = [{"learn": "layer by layer", "epochs": 1}, {"only": ["low"], "epochs": 1}]
    training = training_of(spec_of(network={"kind": "stack", "blocks": blocks}, training={**TRAINING, "phases": phases}))
    seen = []
    while not training.is_done:
        events = fit(training)
        next(events)  # heads are drawn before the first batch
        seen.append([(layer.place, layer.grad_norm is None) for layer in training.look().layers])
        next(event for event in events if isinstance(event, StageOutcome))
    assert seen == [[("network.0", False)], [("network.1", False)], [("network.0", False), ("network.1", True)]]


def test_a_frozen_layer_beside_one_that_learns_still_has_a_curve() -> None:
    branches = [{"kind": "elman", "units": 4, "name": "frozen"}, {"kind": "gru", "units": 4}]
    phases = [{"freeze": ["frozen"], "epochs": 1}]
    training = training_of(spec_of(network={"kind": "connect", "branches": branches}, training={**TRAINING, "phases": phases}))
    frozen, learning = training.look().layers
    assert (frozen.grad_norm, dict(frozen.gate_norms)) == (None, {})
    assert learning.grad_norm is not None
    assert min(frozen.norms[0] or 0.0, learning.norms[0] or 0.0) > 0.0
