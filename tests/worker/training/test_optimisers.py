"""Our optimisers are torch's, to the bit."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from worker.training.optimisers import Adam, Group, Optimiser, RmsProp, Sgd

LR, DECAY = 0.01, 0.1
STEPS = 5

CASES: dict[str, tuple[Callable[[list[Group]], Optimiser], Callable[..., torch.optim.Optimizer], float, dict[str, Any]]] = {
    "adam": (Adam, torch.optim.Adam, 0.0, {"fused": True}),
    "adamw": (lambda groups: Adam(groups, is_decoupled=True), torch.optim.AdamW, DECAY, {"fused": True}),
    "sgd": (lambda groups: Sgd(groups, 0.0), torch.optim.SGD, DECAY, {}),
    "sgd with momentum": (lambda groups: Sgd(groups, 0.9), torch.optim.SGD, DECAY, {"momentum": 0.9, "nesterov": True}),
    "rmsprop": (lambda groups: RmsProp(groups, 0.0), torch.optim.RMSprop, DECAY, {}),
    "rmsprop with momentum": (lambda groups: RmsProp(groups, 0.9), torch.optim.RMSprop, 0.0, {"momentum": 0.9}),
}


def learners() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(size, generator=generator)) for size in ((3, 5), (7,), (2, 2))]


def with_gradients(weights: list[nn.Parameter], step: int) -> None:
    """Of each weight, but for the last one's in every other step."""
    generator = torch.Generator().manual_seed(step)
    for weight in weights:
        weight.grad = torch.randn(weight.shape, generator=generator)
    if step % 2:
        weights[-1].grad = None


@pytest.mark.parametrize("name", CASES)
def test_weights_move_as_by_the_optimiser_of_torch(name: str) -> None:
    ours, theirs, decay, options = CASES[name]
    weights, expected = learners(), learners()
    optimiser = ours([Group(weights[:1], decay), Group(weights[1:], decay, factor=0.5)])
    groups = [{"params": expected[:1]}, {"params": expected[1:], "lr": 0.5 * LR}]
    reference = theirs(groups, lr=LR, weight_decay=decay, **options)
    for step in range(STEPS):
        with_gradients(weights, step)
        with_gradients(expected, step)
        optimiser.step(LR)
        reference.step()
    assert all(torch.equal(weight, other) for weight, other in zip(weights, expected, strict=True))


def test_weights_without_a_gradient_stay() -> None:
    weights = learners()
    before = [weight.detach().clone() for weight in weights]
    Adam([Group(weights, 0.0)]).step(LR)
    kept: list[Tensor] = [weight.detach() for weight in weights]
    assert all(torch.equal(weight, other) for weight, other in zip(kept, before, strict=True))
