"""The gradient of a layer's states is what they do to the loss, and a curve of it tells how far back the layer remembers."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from app.nets.blocks import Layer
from app.nets.wrappers import Both
from tests.worker.training.layers import WRAPPED, ran
from worker.training.reach import CARRIED, half_life, lag_curve, state_gradients, used_memory


def gradient_of_start(layer: Layer, read: Tensor, direct: Tensor, step: int) -> Tensor:
    """What the state before a step does to the loss: the layer is run to it, and on from it as an argument."""
    state = layer.cell.start(read)
    if step:
        _, state = layer.cell(read[:, :step], state)
    state = tuple(part.detach().clone().requires_grad_() for part in state)
    later, _ = layer.cell(read[:, step:], state)
    found = torch.autograd.grad((later * direct[:, step:]).sum(), state[:CARRIED])
    return torch.cat([gradient if gradient.dim() == 2 else gradient[:, 0] for gradient in found], dim=1)


@pytest.mark.parametrize("block", [block for block in WRAPPED if "direction" not in block], ids=str)
def test_what_a_state_does_to_the_loss_is_what_it_does_as_the_start_of_the_rest(block: dict[str, Any]) -> None:
    torch.manual_seed(0)
    layer, read, given = ran(**block)
    direct = torch.randn(given.shape)
    found = state_gradients(layer.cell, read, direct)
    for step in (0, 4, 10):
        torch.testing.assert_close(found[:, step], gradient_of_start(layer, read, direct, step), rtol=1e-4, atol=1e-5)


def test_a_layer_that_reads_both_ways_has_two_curves_from_two_ends() -> None:
    layer, read, given = ran(kind="gru", direction="both")
    direct = torch.randn(given.shape)
    found = state_gradients(layer.cell, read, direct)
    assert isinstance(layer.cell, Both)
    torch.testing.assert_close(found[..., :8], state_gradients(layer.cell.forward_layer, read, direct[..., :8]))
    turned = state_gradients(layer.cell.backward_layer.inner, read.flip(1), direct[..., 8:].flip(1))
    torch.testing.assert_close(found[..., 8:], turned.flip(1))


def test_the_used_memory_is_where_the_gradient_has_fallen_to_a_hundredth() -> None:
    assert used_memory(0.5 ** torch.arange(20.0)) == 6
    assert used_memory(torch.tensor([0.0, 1.0, 0.02, 0.001, 0.02, 0.001])) == 4
    assert used_memory(torch.ones(20)) == 19
    assert used_memory(torch.zeros(20)) == 0
    assert used_memory(torch.full((20,), torch.nan)) == 0


def test_the_half_life_is_where_the_gradient_has_fallen_to_a_half_for_good() -> None:
    assert half_life(0.8 ** torch.arange(20.0)) == 4
    assert half_life(torch.tensor([1.0, 0.1, 0.6, 0.5])) == 3
    assert half_life(torch.ones(20)) is None
    assert half_life(torch.zeros(20)) is None


def test_a_curve_begins_with_the_newest_step() -> None:
    gradients = torch.zeros(2, 5, 3)
    gradients[0, 4], gradients[1, 4] = 3.0, 4.0
    assert lag_curve(gradients).tolist() == pytest.approx([5.0 * math.sqrt(3.0), 0.0, 0.0, 0.0, 0.0])
