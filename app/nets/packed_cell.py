"""Which cells are faster in numpy when a network only answers? All but the LSTM, as long as few rows go through them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from app.nets.cells import Cell, CellState, ElmanCell, GruCell, LstmCell, Recurrence, Sequence
from app.nets.packed import pack
from app.nets.wrappers import Hidden

LARGEST_LOOPED = 16
"""Rows up to which a whole context goes through numpy, for the cells that torch has no kernel for: their loop is Python's either way."""


class PackedCell(Recurrence):
    """A cell that steps in numpy where few rows go through it and nobody learns.

    Args:
        cell: the cell.
    """

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell
        self.packed = pack(cell)
        self._largest = 1 if isinstance(cell, GruCell | ElmanCell) else LARGEST_LOOPED

    def start(self, sequence: Sequence) -> CellState:
        """See `Recurrence`."""
        return self.cell.start(sequence)

    def forward(self, sequence: Sequence, state: CellState) -> tuple[Hidden, CellState]:
        """See `Recurrence`."""
        if len(sequence) > self._largest or torch.is_grad_enabled() or sequence.device.type != "cpu":
            found: tuple[Tensor, CellState] = self.cell(sequence, state)
            return found
        driven = np.ascontiguousarray(self.packed.drive(sequence.numpy()).swapaxes(0, 1))
        moved: tuple[npt.NDArray[Any], ...] = tuple(part.numpy() for part in state)
        follow, advance = self.packed.follow, self.packed.advance
        if follow is not None and len(sequence) == 1:
            hidden = torch.from_numpy(follow(driven[:, 0], moved[0][0]))[None]
            return hidden, (hidden[:, -1],)
        outputs = []
        for step in driven:
            moved = advance(step, moved)
            outputs.append(moved[0])
        return torch.from_numpy(np.stack(outputs, axis=1)), tuple(torch.from_numpy(part) for part in moved)


def pack_cells(network: nn.Module) -> None:
    """Have a network's cells step in numpy where that is faster; it answers the same, and is not to be trained or written any more."""
    for module in network.modules():
        for name, inner in module.named_children():
            # Torch's LSTM alone is fused, and fast at batch 1 too.
            if isinstance(inner, Cell) and not isinstance(module, PackedCell) and type(inner) is not LstmCell:
                setattr(module, name, PackedCell(inner).eval())
