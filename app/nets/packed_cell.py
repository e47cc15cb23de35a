"""How does a cell step faster when a network only answers? Few rows take an operator of ONNX, or numpy where there is none."""

from __future__ import annotations

import sys
from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor, nn

from app.nets.cells import Cell, CellState, Recurrence, Sequence
from app.nets.operators import Operator, operator_of
from app.nets.packed import Rows, State, pack
from app.nets.stacked import LARGEST_BY_CELL, StackedCells
from app.nets.wrappers import Hidden

LARGEST_LOOPED = 16
"""Rows up to which a whole context goes through numpy, for the cells that torch has no kernel for: their loop is Python's either way."""

LARGEST_OF_KERNELS = 64
"""Rows up to which a network of cells with kernels of their own is faster around them without torch's modules."""


class PackedCell(Recurrence):
    """A cell that steps faster on a processor where nobody learns, and as ever elsewhere.

    Args:
        cell: the cell.
        largest: rows up to which it does; by default any number.
    """

    def __init__(self, cell: Cell, largest: int = sys.maxsize) -> None:
        super().__init__()
        self.cell = cell
        self.largest = largest

    def start(self, sequence: Sequence) -> CellState:
        """See `Recurrence`."""
        return self.cell.start(sequence)

    def forward(self, sequence: Sequence, state: CellState) -> tuple[Hidden, CellState]:
        """See `Recurrence`."""
        if len(sequence) > self.largest or torch.is_grad_enabled() or sequence.device.type != "cpu":
            found: tuple[Tensor, CellState] = self.cell(sequence, state)
            return found
        by_time = np.ascontiguousarray(sequence.numpy().swapaxes(0, 1))
        hidden, after = self.step(by_time, tuple(part.contiguous().numpy() for part in state))
        return torch.from_numpy(hidden).transpose(0, 1), tuple(torch.from_numpy(part) for part in after)

    @abstractmethod
    def step(self, sequence: Rows, state: State) -> tuple[Rows, State]:
        """As `forward`, faster: of a sequence and of hidden states [time, batch, ...]."""


class NumpyCell(PackedCell):
    """A cell that steps in numpy.

    Args:
        cell: the cell.
    """

    def __init__(self, cell: Cell) -> None:
        super().__init__(cell, LARGEST_LOOPED)
        self.packed = pack(cell)

    def step(self, sequence: Rows, state: State) -> tuple[Rows, State]:
        """See `PackedCell`."""
        outputs = []
        for driven in self.packed.drive(sequence):
            state = self.packed.advance(driven, state)
            outputs.append(state[0])
        return np.stack(outputs), state


class OperatorCell(PackedCell):
    """A cell that is an operator of ONNX.

    Args:
        cell: the cell.
        operator: that it is.
    """

    def __init__(self, cell: Cell, operator: Operator) -> None:
        super().__init__(cell, LARGEST_OF_KERNELS if type(cell) in LARGEST_BY_CELL else sys.maxsize)
        self.operator = operator
        self._alone = StackedCells([cell], operator)

    def prepare(self) -> None:
        """See `StackedCells.prepare`."""
        self._alone.prepare()

    def step(self, sequence: Rows, state: State) -> tuple[Rows, State]:
        """See `PackedCell`."""
        hidden, (after,) = self._alone.run(sequence, [state])
        return hidden, after


def pack_cells(network: nn.Module) -> int:
    """Have a network's cells step faster where they can; it answers the same, and is not to be trained, moved or written any more.

    Returns:
        Bytes of the weights that stand packed beside the network's own.
    """
    size = 0
    for module in network.modules():
        for name, inner in module.named_children():
            if isinstance(inner, Cell) and not isinstance(module, PackedCell):
                packed = _packed(inner)
                setattr(module, name, packed.eval())
                size += sum(parameter.nbytes for parameter in inner.parameters())
    return size


def prepare_cells(network: nn.Module) -> None:
    """Have packed cells be ready to step few rows, where they do not go through a program of the whole network."""
    for module in network.modules():
        if isinstance(module, OperatorCell):
            module.prepare()


def _packed(cell: Cell) -> PackedCell:
    operator = operator_of(cell)
    return NumpyCell(cell) if operator is None else OperatorCell(cell, operator)
