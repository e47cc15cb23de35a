"""What does a cell go through in its wrappers? Sequences that it reads from their beginning, one state after another.

A layer that reads both ways is two cells; one that reads backward reads the sequence turned round; a dilated one reads a sequence for each
of its phases, side by side in the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor, nn

from app.nets.cells import Cell, Recurrence
from app.nets.wrappers import Backward, Both, Dilated

Turn = Callable[[Tensor], Tensor]
"""Of [batch, time, anything]."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """What a cell went through.

    Attributes:
        recurrence: the cell, or what steps it one by one.
        read: what it read, in the order in which it read it.
        given: the hidden state that it had after each step.
        direct: gradient of the loss with respect to what it gave, but for what that does to later steps.
        restored: puts what is in the order of `read` back into that of time.
    """

    recurrence: Recurrence
    read: Float[Tensor, "batch time width"]
    given: Float[Tensor, "batch time hidden"]
    direct: Float[Tensor, "batch time hidden"]
    restored: Turn

    @property
    def before(self) -> Float[Tensor, "batch time hidden"]:
        """The hidden state that each step began with: zeros at first, in every cell."""
        return nn.functional.pad(self.given, (0, 0, 1, 0))[:, :-1]

    @property
    def cell(self) -> Cell:
        """The cell alone."""
        return cell_in(self.recurrence)


def stretches(recurrence: Recurrence, read: Tensor, given: Tensor, direct: Tensor) -> list[Stretch]:
    """What each cell of a layer went through: two where it reads both ways.

    Args:
        recurrence: the layer in its wrappers.
        read: what it read from its beginning, in order of time.
        given: what it gave.
        direct: see `Stretch`.
    """
    match recurrence:
        case Both():
            (ahead, back), (direct_ahead, direct_back) = given.chunk(2, dim=2), direct.chunk(2, dim=2)
            first = stretches(recurrence.forward_layer, read, ahead, direct_ahead)
            return [*first, *stretches(recurrence.backward_layer, read, back, direct_back)]
        case Backward():
            return _inside(recurrence.inner, (read, given, direct), _turned, _turned)
        case Dilated():
            time, dilation = read.shape[1], recurrence.start(read)[0].shape[1]
            tensors = (read, given, direct)
            return _inside(recurrence.inner, tensors, lambda one: _folded(one, dilation), lambda one: _unfolded(one, dilation, time))
        case _:
            return [Stretch(recurrence, read, given, direct, lambda one: one)]


def cell_in(recurrence: Recurrence) -> Cell:
    """The cell that a layer's wrappers are around; the first one where there are two."""
    return next(module for module in recurrence.modules() if isinstance(module, Cell))


def _inside(inner: Recurrence, tensors: tuple[Tensor, Tensor, Tensor], turn: Turn, back: Turn) -> list[Stretch]:
    read, given, direct = map(turn, tensors)

    def around(restored: Turn) -> Turn:
        return lambda one: back(restored(one))

    return [replace(stretch, restored=around(stretch.restored)) for stretch in stretches(inner, read, given, direct)]


def _turned(one: Tensor) -> Tensor:
    return one.flip(1)


def _folded(one: Tensor, dilation: int) -> Tensor:
    """The phases side by side in the batch; steps are added at the end, from where no gradient comes."""
    longer = nn.functional.pad(one, (0, 0, 0, -one.shape[1] % dilation))
    return longer.view(len(one), -1, dilation, one.shape[2]).transpose(1, 2).flatten(0, 1)


def _unfolded(one: Tensor, dilation: int, time: int) -> Tensor:
    return one.view(-1, dilation, *one.shape[1:]).transpose(1, 2).flatten(1, 2)[:, :time]
