"""How do rows go through cells that others have written faster? By one call for all that are stacked: what stands around one costs more.

A few rows take operators of ONNX, more of them torch's kernel, where there is one.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from app.nets.cells import Cell, ElmanCell, GruCell, KernelCell, LstmCell
from app.nets.operators import Operator
from app.nets.packed import Rows, State

if TYPE_CHECKING:
    from app.nets.running import RunningOperators

LARGEST_BY_CELL: Mapping[type[Cell], int] = {ElmanCell: 8, LstmCell: 8, GruCell: 64}
"""Rows up to which onnxruntime is faster than torch's kernel."""


class StackedCells:
    """Cells of which each reads what the one before gives.

    Args:
        cells: alike, see `Cell.stacks_as`.
        operator: that each is.
    """

    def __init__(self, cells: Sequence[Cell], operator: Operator) -> None:
        self._cells = cells
        self._operator = operator
        with_kernel = [cell for cell in cells if isinstance(cell, KernelCell)]
        self._kernel = Kernel(with_kernel) if with_kernel else None
        self._largest = LARGEST_BY_CELL.get(type(cells[0]), sys.maxsize)

    def prepare(self) -> None:
        """Builds what few rows take; else the first who asks waits for it."""
        _ = self._running

    def run(self, sequence: Rows, states: Sequence[State] | None, *, is_carried_on: bool = True) -> tuple[Rows, list[State]]:
        """Steps through time.

        Args:
            sequence: [time, batch, width], as it lies in memory.
            states: of each cell before the first step, [batch, units] each; None where nothing was seen.
            is_carried_on: whether the states after the last step are wanted.

        Returns:
            What the last cell gives, [time, batch, units], and the states of each, if they are wanted.
        """
        if self._kernel is None or sequence.shape[1] <= self._largest:
            return self._running.run(sequence, states, is_carried_on=is_carried_on)
        return self._kernel.run(sequence, states, is_carried_on=is_carried_on)

    @cached_property
    def _running(self) -> RunningOperators:
        from app.nets.running import RunningOperators  # noqa: PLC0415 onnxruntime takes 24 MiB, which training does not need

        return RunningOperators(self._cells, self._operator)


class Kernel:
    """Torch's kernel, with the weights at hand: a module looks each of them up at every call.

    Args:
        cells: see `StackedCells`.
    """

    def __init__(self, cells: Sequence[KernelCell]) -> None:
        self._shape, self._states = (len(cells), cells[0].units), cells[0].states
        self._run = partial(cells[0].kernel, weights=[part.detach() for cell in cells for part in cell.weights], is_by_time=True)

    def run(self, sequence: Rows, states: Sequence[State] | None, *, is_carried_on: bool) -> tuple[Rows, list[State]]:
        """See `StackedCells`."""
        with torch.inference_mode():
            if states is None:
                layers, units = self._shape
                before = (torch.zeros(layers, sequence.shape[1], units),) * self._states
            else:
                before = tuple(torch.from_numpy(np.stack(parts)) for parts in zip(*states, strict=True))
            hidden, after = self._run(torch.from_numpy(sequence), before)
            return hidden.numpy(), list(zip(*(part.numpy() for part in after), strict=True)) if is_carried_on else []
