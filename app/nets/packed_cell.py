"""How does a cell step faster when a network only answers? Few rows go through numpy, and an LSTM's weights are made ready once."""

from __future__ import annotations

from abc import abstractmethod
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

LSTM_MODE = 2
"""What torch calls an LSTM by among the networks that its kernel knows."""

HAS_KERNEL = hasattr(torch.ops.mkldnn, "_reorder_mkldnn_rnn_layer_weight")
"""Whether torch was built with oneDNN, as it is for x86."""


class PackedCell(Recurrence):
    """A cell that steps faster on a processor where nobody learns, and as ever elsewhere.

    Args:
        cell: the cell.
        largest: rows up to which it does; None for any number.
    """

    def __init__(self, cell: Cell, largest: int | None = None) -> None:
        super().__init__()
        self.cell = cell
        self._largest = largest

    def start(self, sequence: Sequence) -> CellState:
        """See `Recurrence`."""
        return self.cell.start(sequence)

    def forward(self, sequence: Sequence, state: CellState) -> tuple[Hidden, CellState]:
        """See `Recurrence`."""
        is_large = self._largest is not None and len(sequence) > self._largest
        if is_large or torch.is_grad_enabled() or sequence.device.type != "cpu":
            found: tuple[Tensor, CellState] = self.cell(sequence, state)
            return found
        return self.step(sequence, state)

    @abstractmethod
    def step(self, sequence: Sequence, state: CellState) -> tuple[Hidden, CellState]:
        """As `forward`, faster."""


class NumpyCell(PackedCell):
    """A cell that steps in numpy.

    Args:
        cell: the cell.
    """

    def __init__(self, cell: Cell) -> None:
        super().__init__(cell, 1 if isinstance(cell, GruCell | ElmanCell) else LARGEST_LOOPED)
        self.packed = pack(cell)

    def step(self, sequence: Sequence, state: CellState) -> tuple[Hidden, CellState]:
        """See `PackedCell`."""
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


class PackedLstm(PackedCell):
    """An LSTM whose weights lie as the kernel of oneDNN reads them; torch puts them so at each call, a fifth of 96 steps of one row.

    Args:
        cell: the cell.
    """

    def __init__(self, cell: LstmCell) -> None:
        super().__init__(cell)
        with torch.inference_mode():
            weights = (cell.input_weight, cell.recurrent_weight)
            ready = torch.ops.mkldnn._reorder_mkldnn_rnn_layer_weight(*weights, cell.units, False, True, False)
            self._weights = (*ready, cell.bias.detach(), cell.get_buffer("no_bias"))

    def step(self, sequence: Sequence, state: CellState) -> tuple[Hidden, CellState]:
        """See `PackedCell`."""
        by_time = sequence.transpose(0, 1).contiguous()  # the kernel takes memory as it lies
        hidden, memory = state
        weight, recurrent, bias, no_bias = self._weights
        output, hidden, memory, _ = torch.mkldnn_rnn_layer(
            by_time, weight, recurrent, bias, no_bias, hidden.contiguous(), memory.contiguous(),
            False, [], LSTM_MODE, self.cell.units, 1, True, False, False, False,
        )  # fmt: skip
        return output.transpose(0, 1), (hidden, memory)


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
                size += 0 if packed is inner else sum(parameter.nbytes for parameter in inner.parameters())
    return size


def _packed(cell: Cell) -> Recurrence:
    if type(cell) is not LstmCell:
        return NumpyCell(cell)
    return PackedLstm(cell) if HAS_KERNEL and cell.bias.device.type == "cpu" else cell
