"""What makes a vector of a sequence? The newest step, a mean, a maximum, or a mean whose weights are learnt.

Each is a running one: at a step it stands for all steps up to it, and carries on in its state what it needs of them. Where only the newest
step counts, it gives that alone, as a sequence of one step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.nets.cells import CellState, Drawn
from app.nets.run import Run

Sequence = Float[Tensor, "batch time width"]

FAINTEST = -60.0
"""Logarithm of the smallest weight that attention gives to a step, beside the largest: below, a running mean would be 0 / 0."""


class Pooling(nn.Module, ABC):
    """A sequence as a vector.

    Args:
        place: what its state is called by.
        every_step: whether each step is wanted, or the newest alone.
    """

    def __init__(self, place: str, *, every_step: bool) -> None:
        super().__init__()
        self.place = place
        self._every_step = every_step

    def forward(self, sequence: Sequence, run: Run) -> Float[Tensor, "batch steps width"]:
        """What the steps up to each come to; of the newest alone where no other is wanted."""
        running, run.after[self.place] = self.running(sequence, run.before.get(self.place))
        return running if self._every_step else running[:, -1:]

    @abstractmethod
    def running(self, sequence: Sequence, state: CellState | None) -> tuple[Sequence, CellState]:
        """What the steps up to each come to, and the state after the last.

        Args:
            sequence: [batch, time, width].
            state: before the first step; None where nothing was seen.
        """


class NewestStep(Pooling):
    """h_t itself."""

    def running(self, sequence: Sequence, state: CellState | None) -> tuple[Sequence, CellState]:
        """See `Pooling`."""
        return sequence, ()


class MeanStep(Pooling):
    """The mean of h_s over s <= t."""

    def running(self, sequence: Sequence, state: CellState | None) -> tuple[Sequence, CellState]:
        """See `Pooling`."""
        before, count = state or (torch.zeros_like(sequence[:, 0]), torch.zeros_like(sequence[:, 0, :1]))
        total = before[:, None] + sequence.cumsum(dim=1)
        counts = count[:, None] + torch.arange(1, sequence.shape[1] + 1, device=sequence.device)[:, None]
        return total / counts, (total[:, -1], counts[:, -1])


class LargestStep(Pooling):
    """The largest that each number is in h_s over s <= t."""

    def running(self, sequence: Sequence, state: CellState | None) -> tuple[Sequence, CellState]:
        """See `Pooling`."""
        largest = sequence.cummax(dim=1).values if sequence.shape[1] > 1 else sequence
        if state is not None:
            largest = torch.maximum(largest, state[0][:, None])
        return largest, (largest[:, -1],)


class AttendedStep(Pooling, Drawn):
    """sum_s a_s h_s over s <= t, with a_s in proportion to exp(v . tanh(W h_s + b)) (Yang et al. 2016).

    Args:
        width: of the input.
        units: of v.
        place: see `Pooling`.
        every_step: see `Pooling`.
    """

    def __init__(self, width: int, units: int, place: str, *, every_step: bool) -> None:
        super().__init__(place, every_step=every_step)
        self.weight = nn.Parameter(torch.empty(units, width))
        self.bias = nn.Parameter(torch.empty(units))
        self.query = nn.Parameter(torch.empty(1, units))

    def initialise(self) -> None:
        """See `Drawn`: Glorot's, no bias."""
        nn.init.xavier_uniform_(self.weight)
        nn.init.xavier_uniform_(self.query)
        nn.init.zeros_(self.bias)

    def running(self, sequence: Sequence, state: CellState | None) -> tuple[Sequence, CellState]:
        """See `Pooling`; the state is the largest score, and the sums of the weights and of what they weigh."""
        scores = torch.tanh(nn.functional.linear(sequence, self.weight, self.bias)) @ self.query.T
        highest = scores.detach().amax(dim=1)
        if state is None:
            weights_before, total_before = torch.zeros_like(highest), torch.zeros_like(sequence[:, 0])
        else:
            highest = torch.maximum(highest, state[0])
            kept = (state[0] - highest).clamp(min=FAINTEST).exp()
            weights_before, total_before = state[1] * kept, state[2] * kept
        weight = (scores - highest[:, None]).clamp(min=FAINTEST).exp()
        weights = weights_before[:, None] + weight.cumsum(dim=1)
        totals = total_before[:, None] + (weight * sequence).cumsum(dim=1)
        return totals / weights, (highest, weights[:, -1], totals[:, -1])


class Final(nn.Module):
    """A recurrent layer that gives its last state: of one that reads backward, at the oldest step.

    Args:
        layer: the layer.
        direction: `forward`, `backward` or `both`.
        every_step: see `Pooling`; only of a layer that reads forward.
    """

    def __init__(self, layer: nn.Module, direction: str, *, every_step: bool) -> None:
        super().__init__()
        self.layer = layer
        self._direction = direction
        self._every_step = every_step

    def forward(self, sequence: Sequence, run: Run) -> Float[Tensor, "batch steps units"]:
        """The last state, as a sequence of one step; or the states, where each step is wanted."""
        states: Tensor = self.layer(sequence, run)
        match self._direction:
            case "backward":
                return states[:, :1]
            case "both":
                half = states.shape[2] // 2
                return torch.cat([states[:, -1:, :half], states[:, :1, half:]], dim=2)
            case _:
                return states if self._every_step else states[:, -1:]
