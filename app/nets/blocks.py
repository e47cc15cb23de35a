"""How do blocks make a network? Each is a module `(sequence, run) -> sequence`; a combinator is one too, to any depth.

Tap       reads a named output in place of what stands before it, and names its own
Layer     a cell with its state out of the run, and its dropout
Chain     one after another          (`stack`)
Branches  side by side, then merged  (`connect`)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.nets.cells import Cell, CellState

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda values: values,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": nn.functional.gelu,
}


@dataclass
class Run:
    """One pass through the network.

    Attributes:
        named: what inputs and named blocks have given so far.
        before: states of the cells by their place; a cell without one begins at zero.
        after: states of the cells after the last step.
    """

    named: dict[str, Tensor]
    before: Mapping[str, CellState] = field(default_factory=dict)
    after: dict[str, CellState] = field(default_factory=dict)


class Tap(nn.Module):
    """A block with a `from` or a `name`.

    Args:
        block: the block.
        source: what it reads instead of what stands before it.
        name: what its output is called from here on.
    """

    def __init__(self, block: nn.Module, source: str | None, name: str | None) -> None:
        super().__init__()
        self.block = block
        self.name = name
        self._source = source

    def forward(self, sequence: Tensor, run: Run) -> Tensor:
        """The block's output."""
        output: Tensor = self.block(self.read(sequence, run), run)
        if self.name is not None:
            run.named[self.name] = output
        return output

    def read(self, sequence: Tensor, run: Run) -> Tensor:
        """What the block reads: what stands before it, or its source."""
        return sequence if self._source is None else run.named[self._source]


class SequenceDropout(nn.Module):
    """Drops units while training, the same ones at every step of a sequence (Gal and Ghahramani 2016).

    Args:
        rate: share that is dropped.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self._rate = rate

    def forward(self, sequence: Float[Tensor, "batch time width"], run: Run) -> Float[Tensor, "batch time width"]:
        """The sequence, thinned; as it is when not training."""
        if not self.training or self._rate == 0.0:
            return sequence
        kept = torch.empty_like(sequence[:, :1]).bernoulli_(1.0 - self._rate)
        return sequence * (kept / (1.0 - self._rate))


class Layer(nn.Module):
    """A cell in a network.

    Args:
        cell: the cell.
        place: what its state is called by.
        dropout: of its output.
    """

    def __init__(self, cell: Cell, place: str, dropout: float) -> None:
        super().__init__()
        self.cell = cell
        self.dropout = SequenceDropout(dropout)
        self._place = place

    def forward(self, sequence: Float[Tensor, "batch time width"], run: Run) -> Float[Tensor, "batch time units"]:
        """The hidden states, with the run's state carried on."""
        state = run.before.get(self._place) or self.cell.start(sequence)
        output, run.after[self._place] = self.cell(sequence, state)
        thinned: Tensor = self.dropout(output, run)
        return thinned


class Affine(nn.Module):
    """W x_t + b at every step, and an activation.

    Args:
        width: of the input.
        units: of the output.
        activation: one of ACTIVATIONS.
    """

    def __init__(self, width: int, units: int, activation: str) -> None:
        super().__init__()
        self.linear = nn.Linear(width, units)
        self._activation = ACTIVATIONS[activation]

    def forward(self, sequence: Float[Tensor, "batch time width"], run: Run) -> Float[Tensor, "batch time units"]:
        """The map at every step."""
        return self._activation(self.linear(sequence))


class Chain(nn.Module):
    """Blocks one after another.

    Args:
        blocks: in order.
    """

    def __init__(self, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, sequence: Tensor, run: Run) -> Tensor:
        """The last block's output."""
        for block in self.blocks:
            sequence = block(sequence, run)
        return sequence


class Branches(nn.Module):
    """Blocks side by side on the same input, or on what each taps.

    Args:
        branches: in order.
        merge: `concat` puts their units side by side, `sum` adds them.
    """

    def __init__(self, branches: Sequence[nn.Module], merge: Literal["concat", "sum"]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self._merge = merge

    def forward(self, sequence: Tensor, run: Run) -> Tensor:
        """The merged outputs."""
        outputs = [branch(sequence, run) for branch in self.branches]
        return torch.cat(outputs, dim=2) if self._merge == "concat" else torch.stack(outputs).sum(dim=0)
