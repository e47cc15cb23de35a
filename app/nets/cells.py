"""How does a recurrent layer step through time? One contract: (sequence, state) -> (sequence, state).

State is an argument and a result, never kept on the module: one network may serve many threads. Weights stand gate by gate,
`input_weight` [gates * units, width], `recurrent_weight` [gates * units, units], `bias` [gates * units]; in the equations they are W, U, b.

    Cell ─┬─ ElmanCell        torch's kernel         (Elman 1990)
          ├─ LstmCell         torch's kernel         (Hochreiter and Schmidhuber 1997; Gers et al. 2000)
          ├─ GruCell          torch's kernel         (Cho et al. 2014, reset after the product as in cuDNN)
          └─ GruBeforeCell    a loop over time       (Cho et al. 2014 as published)
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

Sequence = Float[Tensor, "batch time width"]
CellState = tuple[Tensor, ...]
"""Each [batch, units]: the hidden state first, for an LSTM its memory second."""

FORGET_BIAS = 1.0
"""Memory is kept at first, so that gradients reach far back (Jozefowicz et al. 2015)."""


class Cell(nn.Module, ABC):
    """A recurrent layer.

    Args:
        width: of each step of its input.
        units: of each step of its output.
        gates: blocks of rows in its weights.
    """

    states = 1
    """Tensors in its state."""

    def __init__(self, width: int, units: int, gates: int) -> None:
        super().__init__()
        self.units = units
        self.input_weight = nn.Parameter(torch.empty(gates * units, width))
        self.recurrent_weight = nn.Parameter(torch.empty(gates * units, units))
        self.bias = nn.Parameter(torch.empty(gates * units))
        # torch's kernels add a second bias; it is no parameter of ours, as one of the two has nothing to learn.
        self.register_buffer("no_bias", torch.zeros(gates * units), persistent=False)

    def initialise(self) -> None:
        """Draw the weights: Glorot's for the input, orthogonal for the state (Saxe et al. 2014), both gate by gate; no bias."""
        for gate in range(len(self.bias) // self.units):
            rows = slice(gate * self.units, (gate + 1) * self.units)
            nn.init.xavier_uniform_(self.input_weight.data[rows])
            nn.init.orthogonal_(self.recurrent_weight.data[rows])
        nn.init.zeros_(self.bias)

    def start(self, sequence: Sequence) -> CellState:
        """The state before anything was seen: zeros."""
        return tuple(sequence.new_zeros(len(sequence), self.units) for _ in range(self.states))

    @abstractmethod
    def forward(self, sequence: Sequence, state: CellState) -> tuple[Float[Tensor, "batch time units"], CellState]:
        """Steps through time.

        Args:
            sequence: [batch, time, width].
            state: before the first step.

        Returns:
            The hidden state at every step, [batch, time, units], and the state after the last.
        """


class ElmanCell(Cell):
    """h_t = f(W x_t + U h_{t-1} + b), f tanh or relu (Elman 1990).

    Args:
        width: see `Cell`.
        units: see `Cell`.
        activation: f.
    """

    def __init__(self, width: int, units: int, activation: str) -> None:
        super().__init__(width, units, 1)
        self._kernel = torch.rnn_tanh if activation == "tanh" else torch.rnn_relu

    def forward(self, sequence: Sequence, state: CellState) -> tuple[Float[Tensor, "batch time units"], CellState]:
        """See `Cell`."""
        weights = [self.input_weight, self.recurrent_weight, self.bias, self.get_buffer("no_bias")]
        output, hidden = self._kernel(sequence, state[0][None], weights, True, 1, 0.0, self.training, False, True)
        return output, (hidden[0],)


class LstmCell(Cell):
    """Gates i, f, g, o = sigmoid, sigmoid, tanh, sigmoid of W x_t + U h_{t-1} + b; c_t = f c_{t-1} + i g; h_t = o tanh(c_t).

    Hochreiter and Schmidhuber (1997), with the forget gate of Gers et al. (2000), whose bias begins at 1.

    Args:
        width: see `Cell`.
        units: see `Cell`.
    """

    states = 2

    def __init__(self, width: int, units: int) -> None:
        super().__init__(width, units, 4)

    def initialise(self) -> None:
        """See `Cell`; the forget gate begins open."""
        super().initialise()
        nn.init.constant_(self.bias.data[self.units : 2 * self.units], FORGET_BIAS)

    def forward(self, sequence: Sequence, state: CellState) -> tuple[Float[Tensor, "batch time units"], CellState]:
        """See `Cell`."""
        weights = [self.input_weight, self.recurrent_weight, self.bias, self.get_buffer("no_bias")]
        before = [state[0][None], state[1][None]]
        output, hidden, memory = torch.lstm(sequence, before, weights, True, 1, 0.0, self.training, False, True)
        return output, (hidden[0], memory[0])


class GruCell(Cell):
    """r, z = sigmoid of W x_t + U h_{t-1} + b; n = tanh(W x_t + b + r (U h_{t-1} + b')); h_t = (1 - z) n + z h_{t-1}.

    Cho et al. (2014), with the reset gate after the recurrent product as cuDNN has it; b' is a bias of its own in every gate, as there.

    Args:
        width: see `Cell`.
        units: see `Cell`.
    """

    def __init__(self, width: int, units: int) -> None:
        super().__init__(width, units, 3)
        self.recurrent_bias = nn.Parameter(torch.empty(3 * units))

    def initialise(self) -> None:
        """See `Cell`."""
        super().initialise()
        nn.init.zeros_(self.recurrent_bias)

    def forward(self, sequence: Sequence, state: CellState) -> tuple[Float[Tensor, "batch time units"], CellState]:
        """See `Cell`."""
        weights: list[Tensor] = [self.input_weight, self.recurrent_weight, self.bias, self.recurrent_bias]
        output, hidden = torch.gru(sequence, state[0][None], weights, True, 1, 0.0, self.training, False, True)
        return output, (hidden[0],)


class GruBeforeCell(Cell):
    """r, z = sigmoid of W x_t + U h_{t-1} + b; n = tanh(W x_t + U (r h_{t-1}) + b); h_t = (1 - z) n + z h_{t-1} (Cho et al. 2014).

    No library has a kernel for it: the input's product is taken for all steps at once, the rest step by step.

    Args:
        width: see `Cell`.
        units: see `Cell`.
    """

    def __init__(self, width: int, units: int) -> None:
        super().__init__(width, units, 3)

    def forward(self, sequence: Sequence, state: CellState) -> tuple[Float[Tensor, "batch time units"], CellState]:
        """See `Cell`."""
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
