"""How does a recurrent layer step through time? One contract: (sequence, state) -> (sequence, state).

State is an argument and a result, never kept on the module: one network may serve many threads. Weights stand gate by gate, and are W,
U and b in the equations: `input_weight` [gates * units, width], `recurrent_weight` [gates * units, hidden], `bias` [gates * units].

    Recurrence ─┬─ Cell ─┬─ ElmanCell         torch's kernel         (Elman 1990)
                │        ├─ LstmCell          torch's kernel         (Hochreiter and Schmidhuber 1997; Gers et al. 2000)
                │        ├─ GruCell           torch's kernel         (Cho et al. 2014, reset after the product as in cuDNN)
                │        ├─ GruBeforeCell     a loop over time       (Cho et al. 2014 as published)
                │        └─ ...               loops over time        see stepped.py
                └─ wrappers around one, see wrappers.py
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

Sequence = Float[Tensor, "batch time width"]
CellState = tuple[Tensor, ...]
"""Each [batch, ...]: the hidden state first, for an LSTM its memory second."""

FORGET_BIAS = 1.0
"""Memory is kept at first, so that gradients reach far back (Jozefowicz et al. 2015)."""


class Drawn(nn.Module, ABC):
    """A module that draws its own weights."""

    @abstractmethod
    def initialise(self) -> None:
        """Draw the weights, from torch's own generator."""


class Recurrence(nn.Module, ABC):
    """What steps through time."""

    @abstractmethod
    def start(self, sequence: Sequence) -> CellState:
        """The state before anything was seen."""

    @abstractmethod
    def forward(self, sequence: Sequence, state: CellState) -> tuple[Float[Tensor, "batch time hidden"], CellState]:
        """Steps through time.

        Args:
            sequence: [batch, time, width].
            state: before the first step.

        Returns:
            The hidden state at every step, and the state after the last.
        """


class Cell(Recurrence, Drawn):
    """A recurrent layer.

    Args:
        width: of each step of its input.
        units: of its state.
        gates: blocks of rows in its weights.
        hidden: width of its hidden state, where it is not `units`; 0 where the state is in no product.
    """

    states = 1
    """Tensors in its state."""

    no_bias: Tensor

    def __init__(self, width: int, units: int, gates: int, hidden: int | None = None) -> None:
        super().__init__()
        self.units = units
        self.hidden = units if hidden is None else hidden
        self.input_weight = nn.Parameter(torch.empty(gates * units, width))
        if self.hidden:
            self.recurrent_weight = nn.Parameter(torch.empty(gates * units, self.hidden))
        self.bias = nn.Parameter(torch.empty(gates * units))
        # torch's kernels add a second bias; it is no parameter of ours, as one of the two has nothing to learn.
        self.register_buffer("no_bias", torch.zeros(gates * units), persistent=False)

    def initialise(self) -> None:
        """Draw the weights: Glorot's for the input, orthogonal for the state (Saxe et al. 2014), both gate by gate; no bias."""
        for gate in range(len(self.bias) // self.units):
            rows = slice(gate * self.units, (gate + 1) * self.units)
            nn.init.xavier_uniform_(self.input_weight.data[rows])
            if self.hidden:
                nn.init.orthogonal_(self.recurrent_weight.data[rows])
        nn.init.zeros_(self.bias)

    @property
    def stacks_as(self) -> tuple[object, ...]:
        """Cells of equal ones are alike, and can be layers of one call."""
        return type(self), self.units

    def start(self, sequence: Sequence) -> CellState:
        """See `Recurrence`: zeros."""
        return tuple(sequence.new_zeros(sequence.shape[0], self.units) for _ in range(self.states))


WEIGHTS = 4
"""Of a layer in a kernel: W, U and two biases."""


class KernelCell(Cell):
    """A cell that torch has a kernel for, with both of a kernel's biases."""

    @property
    def weights(self) -> list[Tensor]:
        """What the kernel takes."""
        return [self.input_weight, self.recurrent_weight, self.bias, self.no_bias]

    @abstractmethod
    def kernel(self, sequence: Tensor, states: CellState, weights: list[Tensor], *, is_by_time: bool = False) -> tuple[Tensor, CellState]:
        """Steps through time, with one layer or with several that are stacked.

        Args:
            sequence: [batch, time, width], or [time, batch, width].
            states: before the first step, [layers, batch, ...] each.
            weights: of the layers, one after another, WEIGHTS each.
            is_by_time: whether the sequence's first axis is time, and so that of what is returned.

        Returns:
            The topmost layer's hidden state at every step, and the states after the last, [layers, batch, ...] each.
        """

    def forward(self, sequence: Sequence, state: CellState) -> tuple[Float[Tensor, "batch time hidden"], CellState]:
        """See `Recurrence`."""
        output, after = self.kernel(sequence, tuple(part[None] for part in state), self.weights)
        return output, tuple(part[0] for part in after)


def chrono_bias(units: int, longest: int) -> Float[Tensor, " units"]:
    """Biases of a gate that keeps what it has: log of U[1, longest - 1] (Tallec and Ollivier 2018).

    Args:
        units: of the gate.
        longest: steps of the longest memory, at least 3.
    """
    return torch.empty(units).uniform_(1.0, float(max(longest, 3) - 1)).log()


class ElmanCell(KernelCell):
    """h_t = f(W x_t + U h_{t-1} + b), f tanh or relu (Elman 1990).

    Args:
        width: see `Cell`.
        units: see `Cell`.
        activation: f.
    """

    def __init__(self, width: int, units: int, activation: str) -> None:
        super().__init__(width, units, 1)
        self.activation = activation
        self._kernel = torch.rnn_tanh if activation == "tanh" else torch.rnn_relu

    @property
    def stacks_as(self) -> tuple[object, ...]:
        """See `Cell`."""
        return *super().stacks_as, self.activation

    def kernel(self, sequence: Tensor, states: CellState, weights: list[Tensor], *, is_by_time: bool = False) -> tuple[Tensor, CellState]:
        """See `KernelCell`."""
        layers = len(weights) // WEIGHTS
        output, hidden = self._kernel(sequence, states[0], weights, True, layers, 0.0, self.training, False, not is_by_time)
        return output, (hidden,)


class LstmCell(KernelCell):
    """Gates i, f, g, o = sigmoid, sigmoid, tanh, sigmoid of W x_t + U h_{t-1} + b; c_t = f c_{t-1} + i g; h_t = o tanh(c_t).

    Hochreiter and Schmidhuber (1997), with the forget gate of Gers et al. (2000), whose bias begins at 1. Of chrono initialisation (Tallec
    and Ollivier 2018) the forget bias is log U[1, T - 1], and the input bias its negative.

    Args:
        width: see `Cell`.
        units: see `Cell`.
        chrono: T, or None.
        hidden: width of h, where it is not `units`.
    """

    states = 2

    def __init__(self, width: int, units: int, chrono: int | None = None, hidden: int | None = None) -> None:
        super().__init__(width, units, 4, hidden)
        self._chrono = chrono

    def initialise(self) -> None:
        """See `Cell`; the forget gate begins open."""
        super().initialise()
        nn.init.constant_(self.bias.data[self.units : 2 * self.units], FORGET_BIAS)
        if self._chrono is not None:
            kept = chrono_bias(self.units, self._chrono)
            self.bias.data[: self.units], self.bias.data[self.units : 2 * self.units] = -kept, kept

    def start(self, sequence: Sequence) -> CellState:
        """See `Recurrence`: zeros."""
        return sequence.new_zeros(sequence.shape[0], self.hidden), sequence.new_zeros(sequence.shape[0], self.units)

    def kernel(self, sequence: Tensor, states: CellState, weights: list[Tensor], *, is_by_time: bool = False) -> tuple[Tensor, CellState]:
        """See `KernelCell`."""
        layers = len(weights) // WEIGHTS
        output, hidden, memory = torch.lstm(sequence, list(states), weights, True, layers, 0.0, self.training, False, not is_by_time)
        return output, (hidden, memory)


class UpdateGateCell(Cell):
    """A GRU, wherever its reset gate acts: rows stand as reset, update, candidate.

    Args:
        width: see `Cell`.
        units: see `Cell`.
        chrono: T of chrono initialisation, which keeps the update gate open so long, or None.
    """

    def __init__(self, width: int, units: int, chrono: int | None = None) -> None:
        super().__init__(width, units, 3)
        self._chrono = chrono

    def initialise(self) -> None:
        """See `Cell`."""
        super().initialise()
        if self._chrono is not None:
            self.bias.data[self.units : 2 * self.units] = chrono_bias(self.units, self._chrono)


class GruCell(UpdateGateCell):
    """r, z = sigmoid of W x_t + U h_{t-1} + b; n = tanh(W x_t + b + r (U h_{t-1} + b')); h_t = (1 - z) n + z h_{t-1}.

    Cho et al. (2014), with the reset gate after the recurrent product as cuDNN has it; b' is a bias of its own in every gate, as there.
    """

    def __init__(self, width: int, units: int, chrono: int | None = None) -> None:
        super().__init__(width, units, chrono)
        self.recurrent_bias = nn.Parameter(torch.empty(3 * units))

    def initialise(self) -> None:
        """See `Cell`."""
        super().initialise()
        nn.init.zeros_(self.recurrent_bias)

    def forward(self, sequence: Sequence, state: CellState) -> tuple[Float[Tensor, "batch time hidden"], CellState]:
        """See `Recurrence`."""
        weights: list[Tensor] = [self.input_weight, self.recurrent_weight, self.bias, self.recurrent_bias]
        output, hidden = torch.gru(sequence, state[0][None], weights, True, 1, 0.0, self.training, False, True)
        return output, (hidden[0],)


class GruBeforeCell(UpdateGateCell):
    """r, z = sigmoid of W x_t + U h_{t-1} + b; n = tanh(W x_t + U (r h_{t-1}) + b); h_t = (1 - z) n + z h_{t-1} (Cho et al. 2014).

    No library has a kernel for it: the input's product is taken for all steps at once, the rest step by step.
    """

    def forward(self, sequence: Sequence, state: CellState) -> tuple[Float[Tensor, "batch time hidden"], CellState]:
        """See `Recurrence`."""
        (hidden,) = state
        gate_weight, candidate_weight = self.recurrent_weight[: 2 * self.units], self.recurrent_weight[2 * self.units :]
        outputs = []
        # `unbind`, as indexing would have the way back fill the whole sequence at every step.
        for driven in nn.functional.linear(sequence, self.input_weight, self.bias).unbind(1):
            gates, candidate = driven[:, : 2 * self.units], driven[:, 2 * self.units :]
            reset, update = torch.sigmoid(gates + hidden @ gate_weight.T).chunk(2, dim=1)
            new = torch.tanh(candidate + (reset * hidden) @ candidate_weight.T)
            hidden = new + update * (hidden - new)
            outputs.append(hidden)
        return torch.stack(outputs, dim=1), (hidden,)
