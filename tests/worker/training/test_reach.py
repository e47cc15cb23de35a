"""The gradient of a layer's states is what they do to the loss, and a curve of it tells how far back the layer remembers."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from app.nets.blocks import Layer
from app.nets.wrappers import Dilated
from tests.worker.training.layers import EVERY, WRAPPED, cell_of, only_block, ran
from tests.worker.training.lessons import training_of
from worker.training.gates import gate_values
from worker.training.reach import CARRIED, half_life, state_gradients, used_memory
from worker.training.stretches import stretches


def gradients_of(layer: Layer, read: Tensor, given: Tensor, direct: Tensor) -> list[Tensor]:
    """dL/ds_t of each of the layer's cells, as a look has it: without a graph of what was given."""
    with torch.no_grad():
        found = stretches(layer.cell, read, given, direct)
        return [state_gradients(stretch, gate_values(stretch.cell, stretch.read, stretch.before)) for stretch in found]


def gradient_after(layer: Layer, read: Tensor, direct: Tensor, steps: int) -> Tensor:
    """What the state after some steps does to the loss: the layer is run to it, and on from it as an argument, by autograd alone."""
    _, state = layer.cell(read[:, :steps], layer.cell.start(read))
    state = tuple(part.detach().clone().requires_grad_() for part in state)
    later, _ = layer.cell(read[:, steps:], state)
    found = torch.autograd.grad((later * direct[:, steps:]).sum(), state[:CARRIED])
    # A dilated layer has a state for each phase: the newest stands last.
    hidden, *others = (part[:, -1] if isinstance(layer.cell, Dilated) else part for part in found)
    return torch.cat([hidden + direct[:, steps - 1], *others], dim=1)


@pytest.mark.parametrize("block", [block for block in (*WRAPPED, *EVERY) if "direction" not in block], ids=str)
def test_what_a_state_does_to_the_loss_is_what_it_does_as_the_start_of_the_rest(block: dict[str, Any]) -> None:
    torch.manual_seed(0)
    layer, read, given = ran(**block)
    direct = torch.randn(given.shape)
    (found,) = gradients_of(layer, read, given, direct)
    for steps in (1, 4, 5, 10):
        torch.testing.assert_close(found[:, steps - 1], gradient_after(layer, read, direct, steps), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[:, -1, : direct.shape[2]], direct[:, -1])


def test_one_elman_unit_has_the_gradient_that_is_worked_out_by_hand() -> None:
    layer, read, given = ran(kind="elman", units=1)
    recurrent = cell_in_hand(layer)
    direct = torch.zeros_like(given)
    direct[:, -1] = 1.0
    (found,) = gradients_of(layer, read, given, direct)
    expected = torch.ones(len(read))
    for step in range(10, -1, -1):
        torch.testing.assert_close(found[:, step, 0], expected)
        expected = expected * recurrent * (1.0 - given[:, step, 0] ** 2)


def cell_in_hand(layer: Layer) -> float:
    weight = layer.cell.get_parameter("recurrent_weight")
    assert weight.shape == (1, 1)
    return weight.item()


def test_a_layer_that_reads_both_ways_has_two_gradients_from_two_ends() -> None:
    layer, read, given = ran(kind="gru", direction="both")
    direct = torch.randn(given.shape)
    ahead, back = gradients_of(layer, read, given, direct)
    torch.testing.assert_close(ahead[:, -1], direct[:, -1, :8])
    torch.testing.assert_close(back[:, 0], direct[:, 0, 8:])
    (stretch,) = stretches(layer.cell.get_submodule("forward_layer"), read, given[..., :8], direct[..., :8])  # type: ignore[arg-type]
    torch.testing.assert_close(ahead, state_gradients(stretch, gate_values(stretch.cell, stretch.read, stretch.before)))


def test_a_backward_layer_is_a_forward_one_of_the_sequence_turned_round() -> None:
    layer, read, given = ran(kind="lstm", direction="backward")
    direct = torch.randn(given.shape)
    (found,) = gradients_of(layer, read, given, direct)
    (stretch,) = stretches(layer.cell.get_submodule("inner"), read.flip(1), given.flip(1), direct.flip(1))  # type: ignore[arg-type]
    turned = state_gradients(stretch, gate_values(stretch.cell, stretch.read, stretch.before))
    torch.testing.assert_close(found, turned.flip(1))


def test_what_a_dilated_layer_is_stretched_by_is_not_seen() -> None:
    layer, read, given = ran(kind="elman", dilation=4)
    (stretch,) = stretches(layer.cell, read, given, torch.zeros_like(given))
    assert stretch.read.shape[:2] == (12, 3)
    torch.testing.assert_close(stretch.restored(stretch.given), given)
    torch.testing.assert_close(stretch.restored(stretch.before)[:, 4:], given[:, :-4])


def test_a_frozen_layer_that_is_stepped_has_a_gradient_too() -> None:
    training = training_of(only_block(kind="slstm"))
    cell = cell_of(training)
    cell.requires_grad_(requires_grad=False)
    read = torch.randn(2, 5, 1)
    given, _ = cell(read, cell.start(read))
    (stretch,) = stretches(cell, read, given, torch.ones_like(given))
    assert float(state_gradients(stretch, {})[:, 0].abs().min()) > 0.0


def test_the_used_memory_is_where_the_gradient_has_fallen_to_a_hundredth() -> None:
    assert used_memory(0.5 ** torch.arange(20.0)) == 6
    assert used_memory(torch.tensor([0.0, 1.0, 0.02, 0.001, 0.02, 0.001])) == 4
    assert used_memory(torch.ones(20)) == 19
    assert used_memory(torch.zeros(20)) == 0
    assert used_memory(torch.full((20,), math.nan)) == 0


def test_the_half_life_is_where_the_gradient_has_fallen_to_a_half_for_good() -> None:
    assert half_life(0.8 ** torch.arange(20.0)) == 4
    assert half_life(torch.tensor([1.0, 0.1, 0.6, 0.5])) == 3
    assert half_life(torch.ones(20)) is None
    assert half_life(torch.zeros(20)) is None
    assert half_life(torch.full((20,), math.inf)) is None
