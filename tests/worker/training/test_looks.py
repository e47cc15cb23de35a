"""A look is plain numbers of every layer that ran, at all of its steps and in all of its passes."""

import json
import math
from dataclasses import asdict
from itertools import pairwise

import pytest
import torch

from app.forecasting.checkpoint import pack, unpack
from tests.worker.training.layers import cell_of, only_block, only_layer
from tests.worker.training.lessons import said, spec_of, training_of
from worker.training.events import Batch, Epoch
from worker.training.findings import find
from worker.training.fit import fit
from worker.training.gradients import LAGS_TOLD, lags_told
from worker.training.looks import Look, look_in
from worker.training.state import EpochFacts, progress_in

TRAINING = {"epochs": 3, "patience": None}


def test_a_look_comes_back_from_its_document() -> None:
    look = training_of(spec_of(context=40)).look()
    assert look_in(json.loads(json.dumps(asdict(look), allow_nan=False))) == look


def test_each_layer_is_seen_at_the_end_of_the_last_phase_in_which_it_ran() -> None:
    blocks = [{"kind": "lstm", "units": 4}, {"kind": "gru", "units": 4}]
    phases = [{"learn": "layer by layer", "epochs": 2}]
    training = training_of(spec_of(network={"kind": "stack", "blocks": blocks}, training={**TRAINING, "phases": phases}))
    events = fit(training)
    while isinstance(next(events), Batch | Epoch):
        pass
    assert [layer.place for layer in training.progress.look.layers] == ["network.0"]
    first = training.progress.look.layers[0]
    content = pack(*training.capture())
    assert [said(event) for event in events]
    assert [layer.place for layer in training.progress.look.layers] == ["network.0", "network.1"]
    assert training.progress.look.layers[0] == first
    again = training_of(spec_of(network={"kind": "stack", "blocks": blocks}, training={**TRAINING, "phases": phases}))
    again.restore(*unpack(content))
    assert [said(event) for event in fit(again)]
    assert again.progress.look == training.progress.look


def test_shared_weights_are_seen_in_all_that_they_do() -> None:
    branch = {"kind": "lstm", "units": 4, "from": "target"}
    alone, twice = (
        training_of(spec_of(network={"kind": "connect", "merge": "sum", "share_weights": is_shared, "branches": [branch, branch]}))
        for is_shared in (False, True)
    )
    first, second = alone.network.blocks[0].get_submodule("branches").children()
    second.load_state_dict(first.state_dict())
    twice.network.load_state_dict({name: weight for name, weight in alone.network.state_dict().items() if ".1." not in name})
    shared = only_layer(twice.look())
    one, other = alone.look().layers
    assert one.norms == other.norms
    assert shared.norms == pytest.approx([math.sqrt(2.0) * (norm or 0.0) for norm in one.norms], rel=1e-5)
    assert shared.grad_norm == pytest.approx(2.0 * (one.grad_norm or 0.0), rel=1e-5)
    for name in ("memory", "half_life", "saturation", "dead_units", "radius"):
        assert getattr(shared, name) == pytest.approx(getattr(one, name), rel=1e-5)


def test_a_layer_that_reads_pieces_is_told_by_its_own_steps() -> None:
    blocks = [{"kind": "segment", "width": 8}, {"kind": "gru", "units": 4}, {"kind": "last"}]
    training = training_of(spec_of(context=40, network={"kind": "stack", "blocks": blocks}))
    layer = only_layer(training.look())
    assert (layer.steps, layer.lags, layer.memory) == (5, [0, 1, 2, 3, 4], 4)


def test_the_lags_that_are_told_are_all_or_lie_close_together_near_the_newest_step() -> None:
    assert lags_told(1) == [0]
    assert lags_told(LAGS_TOLD) == list(range(LAGS_TOLD))
    lags = lags_told(1000)
    assert (lags[:3], lags[-1]) == ([0, 1, 2], 999)
    assert len(lags) <= LAGS_TOLD
    gaps = [later - lag for lag, later in pairwise(lags)]
    assert gaps[-1] == max(gaps) > 100


def test_gradients_that_grow_on_their_way_back_are_told_by_how_much() -> None:
    training = training_of(only_block(kind="elman", activation="relu"))
    cell = cell_of(training)
    cell.recurrent_weight.data, cell.bias.data[:] = 1.5 * torch.eye(8), 10.0
    layer = only_layer(training.look())
    assert layer.growth == pytest.approx(1.5**13, rel=1e-4)
    assert layer.growth == max(norm or 0.0 for norm in layer.norms) / (layer.norms[0] or 1.0)


def test_a_checkpoint_from_before_gradients_were_seen_is_gone_on_from() -> None:
    document = training_of().capture()[1]
    progress = document["progress"]
    for name in ("look", "updates", "largest_updates", "clipped"):
        del progress[name]
    found = progress_in({"progress": {**progress, "history": [[0.5, 0.7], [0.4, None]]}})
    assert found.history == [EpochFacts(0.5, 0.7), EpochFacts(0.4, None)]
    assert found.look == Look()


def test_the_largest_step_of_a_stage_is_told_at_its_end_though_the_schedule_takes_the_last_ones_to_nothing() -> None:
    training = training_of(spec_of(training={"epochs": 12, "patience": None, "lr": 0.01, "batch_size": 8}))
    ratios = [event.flow["update_ratio/network.0"] for event in fit(training) if isinstance(event, Epoch) and "depth_ratio" in event.flow]
    assert len(ratios) > 1
    assert training.progress.look.layers[0].update_ratio == max(ratios) > 10.0 * ratios[-1]
    assert "step_size" not in {finding.code for finding in find(training.progress.history, training.progress.look)}


@pytest.mark.parametrize(("value", "share"), [(1e-6, 1.0), (1e6, 0.0)])
def test_a_step_whose_numbers_are_cut_is_clipped_too(value: float, share: float) -> None:
    settings = {"epochs": 2, "clip_norm": None, "clip_value": value}
    assert [event.flow["clipped"] for event in fit(training_of(spec_of(training=settings))) if isinstance(event, Epoch)] == [share] * 2


def test_layers_stand_in_the_order_of_the_network() -> None:
    blocks = [{"kind": "elman", "units": 1}] * 11
    look = training_of(spec_of(network={"kind": "stack", "blocks": blocks})).look()
    assert [layer.place for layer in look.then(look).layers] == [f"network.{number}" for number in range(11)]
