"""The pinball loss of quantiles that never cross equals what autograd makes of its definition, forwards and back."""

import pytest
import torch
from torch import Tensor, nn

from app.nets.pinball import pinball_loss

STEPS = (4, 3)
MIDDLES = ((1, 0), (2, 0), (2, 1), (5, 0), (5, 2), (7, 3), (5, 4))


def drawn(levels: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(levels)
    raw = torch.randn(*STEPS, levels, generator=generator, dtype=torch.float64, requires_grad=True)
    target = torch.randn(*STEPS, generator=generator, dtype=torch.float64, requires_grad=True)
    observed = torch.rand(*STEPS, generator=generator) > 0.3
    return raw, target, observed, torch.linspace(0.1, 0.9, levels, dtype=torch.float64)


def plain(raw: Tensor, target: Tensor, observed: Tensor, levels: Tensor, middle: int) -> Tensor:
    """The definition, step by step."""
    quantiles = {middle: raw[..., middle]}
    for place in range(middle + 1, len(levels)):
        quantiles[place] = quantiles[place - 1] + nn.functional.softplus(raw[..., place])
    for place in range(middle - 1, -1, -1):
        quantiles[place] = quantiles[place + 1] - nn.functional.softplus(raw[..., place])
    error = target[..., None] - torch.stack([quantiles[place] for place in range(len(levels))], dim=2)
    losses = torch.maximum(levels * error, (levels - 1.0) * error).mean(dim=2)
    return (losses * observed).sum() / observed.sum().clamp(min=1)


@pytest.mark.parametrize(("levels", "middle"), MIDDLES)
def test_value_and_gradients_are_those_of_the_definition(levels: int, middle: int) -> None:
    raw, target, observed, heights = drawn(levels)
    losses = [loss(raw, target, observed, heights, middle) for loss in (plain, pinball_loss)]
    torch.testing.assert_close(losses[1], losses[0])
    expected, found = (torch.autograd.grad(3.0 * loss, [raw, target]) for loss in losses)
    torch.testing.assert_close(found, expected)


def test_a_target_on_a_quantile_pulls_it_to_neither_side_more_than_its_level_says() -> None:
    raw, observed = torch.tensor([[[2.0]]], requires_grad=True), torch.ones(1, 1, dtype=torch.bool)
    torch.autograd.backward(pinball_loss(raw, torch.tensor([[2.0]]), observed, torch.tensor([0.9]), 0))
    assert raw.grad is not None
    assert raw.grad.item() == pytest.approx(0.5 - 0.9)


def test_where_nothing_was_observed_there_is_neither_a_loss_nor_a_gradient() -> None:
    raw, target, observed, heights = drawn(5)
    loss = pinball_loss(raw, target, torch.zeros_like(observed), heights, 2)
    assert loss.item() == 0.0
    assert all(not gradient.any() for gradient in torch.autograd.grad(loss, [raw, target]))
