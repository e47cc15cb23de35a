"""Weights cost what Keras says they do: each block its own, biases and what is frozen nothing."""

from typing import Any, get_args

import pytest
import torch

from app.nets.build import build
from app.spec.cells import Cell, Penalised
from tests.worker.training.lessons import spec_of, training_of
from worker.training.events import Batch, Epoch
from worker.training.fit import fit
from worker.training.penalties import penalised_weights, penalties_of, total

KINDS = [get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(Cell)]


@pytest.mark.parametrize("kind", [*KINDS, "dense", "conv"])
def test_a_block_pays_for_all_of_its_weights_but_biases(kind: str) -> None:
    network = build(spec_of(network={"kind": kind, "units": 5, "l1": 0.5, "l2": 0.25}))
    network.initialise()
    weights = [weight.detach() for name, weight in network.body.named_parameters() if "bias" not in name]
    expected = sum(0.5 * float(weight.abs().sum()) + 0.25 * float((weight**2).sum()) for weight in weights)
    (block, _), *_ = network.leaves
    assert isinstance(block, Penalised)
    assert len(weights) > 0
    assert total(penalties_of(network, list(network.parameters()))).item() == pytest.approx(expected, rel=1e-5)


def test_norms_gates_and_the_decoder_cost_nothing_and_both_directions_do() -> None:
    block = {"kind": "lstm", "units": 3, "direction": "both", "layer_norm": True, "dilation": 2, "zoneout": 0.1, "l2": 1.0}
    network = build(spec_of(network={"kind": "stack", "blocks": [{"kind": "dense", "units": 6}, {**block, "residual": "highway"}]}))
    (_, dense), (_, layer) = network.leaves
    assert len(list(penalised_weights(layer))) == 4
    assert penalties_of(network, list(dense.parameters())) == ()


def test_weights_that_are_shared_cost_once() -> None:
    twin = {"kind": "gru", "units": 3, "l2": 1.0}
    network = build(spec_of(network={"kind": "connect", "branches": [twin, twin], "share_weights": True}))
    network.initialise()
    once = sum(float((weight.detach() ** 2).sum()) for name, weight in network.body.named_parameters() if "bias" not in name)
    assert total(penalties_of(network, list(network.parameters()))).item() == pytest.approx(once, rel=1e-5)


def test_the_training_loss_has_the_penalty_and_the_validation_loss_has_not() -> None:
    def events(l2: float) -> tuple[Batch, Epoch]:
        training = {"epochs": 1, "patience": None, "lr": 1e-9}
        found = list(fit(training_of(spec_of(network={"kind": "lstm", "units": 4, "l2": l2}, training=training))))
        return next(one for one in found if isinstance(one, Batch)), next(one for one in found if isinstance(one, Epoch))

    (plain, plain_epoch), (paying, paying_epoch) = events(0.0), events(3.0)
    cost = paying_epoch.flow["penalty"] or 0.0
    assert cost > 1.0
    assert "penalty" not in plain_epoch.flow
    assert paying.loss - plain.loss == pytest.approx(cost, rel=1e-3)
    assert paying_epoch.train_loss - plain_epoch.train_loss == pytest.approx(cost, rel=1e-3)
    assert paying_epoch.val_loss == pytest.approx(plain_epoch.val_loss, rel=1e-4)


def test_a_penalty_makes_weights_smaller_and_frozen_blocks_pay_none() -> None:
    def size(l1: float, phases: list[dict[str, Any]]) -> tuple[float, float]:
        blocks = [{"kind": "lstm", "units": 4, "name": "first", "l1": l1}, {"kind": "dense", "units": 3}]
        training = {"epochs": 10, "patience": None, "lr": 0.01, "phases": phases}
        done = training_of(spec_of(network={"kind": "stack", "blocks": blocks}, training=training))
        last = [event for event in fit(done) if isinstance(event, Epoch)][-1]
        weight = done.network.state_dict()["body.blocks.0.block.cell.input_weight"]
        return float(weight.abs().sum()), last.flow.get("penalty") or 0.0

    together: list[dict[str, Any]] = [{"learn": "all"}]
    assert size(0.1, together)[0] < 0.8 * size(0.0, together)[0]
    frozen: list[dict[str, Any]] = [{"freeze": ["first"]}]
    assert size(0.1, frozen) == size(0.0, frozen)
    assert size(0.1, frozen)[1] == 0.0


def test_a_penalty_counts_once_however_many_batches_a_step_has() -> None:
    network = {"kind": "lstm", "units": 4, "l2": 0.1}
    losses = []
    for training in ({"batch_size": 64}, {"batch_size": 16, "accumulate": 4}):
        found = fit(training_of(spec_of(network=network, training=training)))
        losses.append(next(event.loss for event in found if isinstance(event, Batch)))
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert torch.isfinite(torch.tensor(losses)).all()
