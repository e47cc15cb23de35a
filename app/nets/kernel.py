"""How do rows go through torch's kernel without its modules? With the weights at hand, and through several layers at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from app.nets.cells import CellState, KernelCell
from app.nets.packed import Rows, State


class Kernel:
    """One call for stacked cells: what stands around a call takes longer than what it saves, and a module looks up each weight every time.

    Args:
        cells: each reads what the one before gives; their `stacks_as` is the same.
    """

    def __init__(self, cells: Sequence[KernelCell]) -> None:
        self._shape, self._states = (len(cells), cells[0].units), cells[0].states
        self._run = partial(cells[0].kernel, weights=[part.detach() for cell in cells for part in cell.weights], is_by_time=True)

    def run(self, sequence: Rows, states: Sequence[State] | None) -> tuple[Rows, CellState]:
        """Steps through time.

        Args:
            sequence: [time, batch, width].
            states: of each cell before the first step, [batch, units] each; None where nothing was seen.

        Returns:
            What the last cell gives, [time, batch, units], and the states after the last step, of all cells together: see `apart`.
        """
        with torch.inference_mode():
            if states is None:
                layers, units = self._shape
                before = (torch.zeros(layers, sequence.shape[1], units),) * self._states
            else:
                before = tuple(torch.from_numpy(np.stack(parts)) for parts in zip(*states, strict=True))
            hidden, after = self._run(torch.from_numpy(sequence), before)
            return hidden.numpy(), after

    @staticmethod
    def apart(after: CellState) -> list[State]:
        """The states of each cell."""
        return list(zip(*(part.numpy() for part in after), strict=True))
