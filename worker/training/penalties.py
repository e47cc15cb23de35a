"""What do large weights cost? l1 times the sum of |w| and l2 times the sum of w^2, for the weights of each block that asks for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.nets.build import Network
from app.nets.cells import Cell
from app.spec.cells import Penalised


@dataclass(frozen=True, eq=False)
class Penalty:
    """What the weights of one block cost.

    Attributes:
        l1: of the sum of their sizes.
        l2: of the sum of their squares.
        weights: that learn.
    """

    l1: float
    l2: float
    weights: Sequence[nn.Parameter]

    @property
    def value(self) -> Float[Tensor, ""]:
        """What they cost now."""
        sizes = [self.l1 * weight.abs().sum() for weight in self.weights] if self.l1 else []
        squares = [self.l2 * weight.square().sum() for weight in self.weights] if self.l2 else []
        return torch.stack([*sizes, *squares]).sum()


def penalties_of(network: Network, learners: Collection[nn.Parameter]) -> tuple[Penalty, ...]:
    """What the blocks of a network cost while some weights learn: what is frozen costs nothing.

    Args:
        network: the whole network.
        learners: the weights that learn.
    """
    learning = {id(weight) for weight in learners}
    found = []
    for block, module in network.leaves:
        if isinstance(block, Penalised) and (block.l1 or block.l2):
            weights = [weight for weight in penalised_weights(module) if id(weight) in learning]
            found += [Penalty(block.l1, block.l2, weights)] if weights else []
    return tuple(found)


def penalised_weights(module: nn.Module) -> Iterator[nn.Parameter]:
    """The weights of a block's cells and affine maps, of its input and of its state: all but biases, norms and the gate of a highway."""
    for part in module.modules():
        if isinstance(part, Cell | nn.Linear | nn.Conv1d):
            for name, weight in part.named_parameters(recurse=False):
                if not name.endswith("bias"):
                    yield weight


def total(penalties: Sequence[Penalty]) -> Float[Tensor, ""]:
    """What all of them cost now; there is at least one."""
    return torch.stack([penalty.value for penalty in penalties]).sum()
