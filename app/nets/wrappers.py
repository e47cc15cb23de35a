"""What can be put around a recurrent layer without its knowing? Wrappers that keep its contract: (sequence, state) -> (sequence, state)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.nets.cells import CellState, Drawn, Recurrence, Sequence

Hidden = Float[Tensor, "batch time hidden"]

GATE_BIAS = -1.0
"""A highway begins by carrying on what it read (Srivastava et al. 2015)."""


class Stepwise(Recurrence):
    """Steps a layer one by one, to drop of the state that it is fed back, or to leave hidden units as they were.

    Dropout of the state takes one mask for all steps of a sequence (Gal and Ghahramani 2016). Zoneout draws anew at every step, and takes
    the expected value when not training (Krueger et al. 2017); it acts on the hidden state, not on the memory.

    Args:
        inner: the layer.
        dropout: share of the hidden state that is not fed back.
        zoneout: share of hidden units that stay as they were.
    """

    def __init__(self, inner: Recurrence, dropout: float, zoneout: float) -> None:
        super().__init__()
        self.inner = inner
        self._dropout = dropout
        self.zoneout = zoneout

    def start(self, sequence: Sequence) -> CellState:
        """See `Recurrence`."""
        return self.inner.start(sequence)

    def forward(self, sequence: Sequence, state: CellState) -> tuple[Hidden, CellState]:
        """See `Recurrence`."""
        fed_back = None
        if self.training and self._dropout:
            fed_back = torch.empty_like(state[0]).bernoulli_(1.0 - self._dropout) / (1.0 - self._dropout)
        outputs = []
        for step in sequence.split_with_sizes([1] * sequence.shape[1], dim=1):
            fed = state if fed_back is None else (state[0] * fed_back, *state[1:])
            _, new = self.inner(step, fed)
            state = (self._left(state[0], new[0]), *new[1:])
            outputs.append(state[0])
        return torch.stack(outputs, dim=1), state

    def _left(self, before: Tensor, after: Tensor) -> Tensor:
        if not self.zoneout:
            return after
        if not self.training:
            return after + self.zoneout * (before - after)
        return torch.where(torch.rand_like(after) < self.zoneout, before, after)


class Dilated(Recurrence):
    """h_t follows h_{t - dilation}: so many layers of the same weights, one for each phase, side by side in the batch (Chang et al. 2017).

    The state holds the phases in the order in which they are due.

    Args:
        inner: the layer.
        dilation: steps between a state and the one that follows it.
    """

    def __init__(self, inner: Recurrence, dilation: int) -> None:
        super().__init__()
        self.inner = inner
        self._dilation = dilation

    def start(self, sequence: Sequence) -> CellState:
        """See `Recurrence`; each [batch, dilation, ...]."""
        return tuple(part[:, None].expand(-1, self._dilation, *part.shape[1:]) for part in self.inner.start(sequence))

    def forward(self, sequence: Sequence, state: CellState) -> tuple[Hidden, CellState]:
        """See `Recurrence`."""
        batch, time, _ = sequence.shape
        whole = time // self._dilation * self._dilation
        parts = []
        if whole:
            folded = sequence[:, :whole].reshape(batch, -1, self._dilation, sequence.shape[2]).transpose(1, 2).flatten(0, 1)
            output, after = self.inner(folded, tuple(part.flatten(0, 1) for part in state))
            parts.append(output.view(batch, self._dilation, *output.shape[1:]).transpose(1, 2).flatten(1, 2))
            state = tuple(part.reshape(batch, -1, *part.shape[1:]) for part in after)
        rest = time - whole
        if rest:
            due = tuple(part[:, :rest].flatten(0, 1) for part in state)
            output, after = self.inner(sequence[:, whole:].flatten(0, 1)[:, None], due)
            parts.append(output.reshape(batch, rest, -1))
            # Those that went now are due last.
            gone = tuple(part.reshape(batch, -1, *part.shape[1:]) for part in after)
            state = tuple(torch.cat([part[:, rest:], new], dim=1) for part, new in zip(state, gone, strict=True))
        return torch.cat(parts, dim=1), state


class Backward(Recurrence):
    """Reads a stretch of time from its newest step to its oldest. What comes later changes all: no state is carried on.

    Args:
        inner: the layer.
    """

    def __init__(self, inner: Recurrence) -> None:
        super().__init__()
        self.inner = inner

    def start(self, sequence: Sequence) -> CellState:
        """See `Recurrence`: nothing."""
        return ()

    def forward(self, sequence: Sequence, state: CellState) -> tuple[Hidden, CellState]:
        """See `Recurrence`."""
        output, _ = self.inner(sequence.flip(1), self.inner.start(sequence))
        return output.flip(1), ()


class Both(Recurrence):
    """A layer that reads forward beside one that reads backward (Schuster and Paliwal 1997); only the first carries a state.

    Args:
        forward_layer: with weights of its own.
        backward_layer: with weights of its own.
    """

    def __init__(self, forward_layer: Recurrence, backward_layer: Recurrence) -> None:
        super().__init__()
        self.forward_layer = forward_layer
        self.backward_layer = Backward(backward_layer)

    def start(self, sequence: Sequence) -> CellState:
        """See `Recurrence`."""
        return self.forward_layer.start(sequence)

    def forward(self, sequence: Sequence, state: CellState) -> tuple[Hidden, CellState]:
        """See `Recurrence`."""
        ahead, after = self.forward_layer(sequence, state)
        back, _ = self.backward_layer(sequence, ())
        return torch.cat([ahead, back], dim=2), after


class Highway(Drawn):
    """g y + (1 - g) x with g = sigmoid(V x + v), v beginning at -1 (Srivastava et al. 2015).

    Args:
        width: of what was read and of what was given.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, width))
        self.bias = nn.Parameter(torch.empty(width))

    def initialise(self) -> None:
        """See `Drawn`."""
        nn.init.xavier_uniform_(self.weight)
        nn.init.constant_(self.bias, GATE_BIAS)

    def forward(
        self, read: Float[Tensor, "batch time width"], given: Float[Tensor, "batch time width"]
    ) -> Float[Tensor, "batch time width"]:
        """What was read and what was given, mixed."""
        gate = torch.sigmoid(nn.functional.linear(read, self.weight, self.bias))
        return read + gate * (given - read)


class Past(nn.Module):
    """A way past a block: what it read joins what it gives.

    Args:
        kind: `none`, `add` (or `residual`), `highway`, or `dense`, which puts them side by side.
        width: of what the block gives.
    """

    def __init__(self, kind: str, width: int) -> None:
        super().__init__()
        self.kind = kind
        self.gate = Highway(width) if kind == "highway" else None

    def forward(
        self, read: Float[Tensor, "batch time width"], given: Float[Tensor, "batch time given"]
    ) -> Float[Tensor, "batch time both"]:
        """What was read and what was given, joined."""
        if self.gate is not None:
            mixed: Tensor = self.gate(read, given)
            return mixed
        match self.kind:
            case "add" | "residual":
                return read + given
            case "dense":
                return torch.cat([read, given], dim=2)
            case _:
                return given
