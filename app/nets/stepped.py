"""Which cells have no kernel? Those that are stepped through time here, with the input's product taken for all steps at once.

A loop takes a sequence apart by `unbind`, as indexing would have the way back fill the whole sequence at every step.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.nets.cells import Cell, CellState, LstmCell, Sequence

Hidden = Float[Tensor, "batch time hidden"]


class LoopLstmCell(LstmCell):
    """As `LstmCell`, with peepholes, a projection, or both.

    i, f = sigmoid(... + p_i c_{t-1}), sigmoid(... + p_f c_{t-1}) and o = sigmoid(... + p_o c_t) (Gers et al. 2002);
    h_t = P (o tanh(c_t)) (Sak et al. 2014), for which torch has a kernel that warns of itself.

    Args:
        width: see `Cell`.
        units: see `Cell`.
        chrono: see `LstmCell`.
        has_peepholes: whether the gates see the memory.
        projection: width of h, or None.
    """

    def __init__(self, width: int, units: int, chrono: int | None, *, has_peepholes: bool, projection: int | None) -> None:
        super().__init__(width, units, chrono, projection)
        self.peepholes = nn.Parameter(torch.empty(3, units)) if has_peepholes else None
        self.projection = None if projection is None else nn.Parameter(torch.empty(projection, units))

    def initialise(self) -> None:
        """See `LstmCell`; peepholes begin closed."""
        super().initialise()
        if self.projection is not None:
            nn.init.xavier_uniform_(self.projection)
        if self.peepholes is not None:
            nn.init.zeros_(self.peepholes)

    def forward(self, sequence: Sequence, state: CellState) -> tuple[Hidden, CellState]:
        """See `Recurrence`."""
        hidden, memory = state
        into, forget, out = self.bias.new_zeros(3, 1) if self.peepholes is None else self.peepholes
        outputs = []
        for driven in nn.functional.linear(sequence, self.input_weight, self.bias).unbind(1):
            i, f, g, o = (driven + hidden @ self.recurrent_weight.T).chunk(4, dim=1)
            memory = torch.sigmoid(f + forget * memory) * memory + torch.sigmoid(i + into * memory) * torch.tanh(g)
            hidden = torch.sigmoid(o + out * memory) * torch.tanh(memory)
            hidden = hidden if self.projection is None else hidden @ self.projection.T
            outputs.append(hidden)
        return torch.stack(outputs, dim=1), (hidden, memory)


class MinGruCell(Cell):
    """z = sigmoid(W_z x_t + b_z); h_t = (1 - z) h_{t-1} + z (W_h x_t + b_h) (Feng et al. 2024).

    Args:
        width: see `Cell`.
        units: see `Cell`.
    """

    def __init__(self, width: int, units: int) -> None:
        super().__init__(width, units, 2, hidden=0)

    def forward(self, sequence: Sequence, state: CellState) -> tuple[Hidden, CellState]:
        """See `Recurrence`."""
        gate, candidate = nn.functional.linear(sequence, self.input_weight, self.bias).chunk(2, dim=2)
        update = torch.sigmoid(gate)
        return _leak(1.0 - update, update * candidate, state)


class MinLstmCell(Cell):
    """f, i = sigmoid(W_f x_t + b_f), sigmoid(W_i x_t + b_i); h_t = (f h_{t-1} + i (W_h x_t + b_h)) / (f + i) (Feng et al. 2024).

    Args:
        width: see `Cell`.
        units: see `Cell`.
    """

    def __init__(self, width: int, units: int) -> None:
        super().__init__(width, units, 3, hidden=0)

    def forward(self, sequence: Sequence, state: CellState) -> tuple[Hidden, CellState]:
        """See `Recurrence`."""
        forget, into, candidate = nn.functional.linear(sequence, self.input_weight, self.bias).chunk(3, dim=2)
        # f / (f + i) as the sigmoid of a difference of logarithms: no division by what may be nothing.
        kept = torch.sigmoid(nn.functional.logsigmoid(forget) - nn.functional.logsigmoid(into))
        return _leak(kept, (1.0 - kept) * candidate, state)


def _leak(kept: Float[Tensor, "batch time units"], added: Float[Tensor, "batch time units"], state: CellState) -> tuple[Hidden, CellState]:
    """h_t = kept_t h_{t-1} + added_t: a loop, as a parallel scan is four to five times slower on a CPU."""
    (hidden,) = state
    outputs = []
    for keep, add in zip(kept.unbind(1), added.unbind(1), strict=True):
        hidden = keep * hidden + add
        outputs.append(hidden)
    return torch.stack(outputs, dim=1), (hidden,)


class IndRnnCell(Cell):
    """h_t = f(W x_t + u * h_{t-1} + b), f relu or tanh, u one number a unit (Li et al. 2018), drawn from U[0, 1].

    Args:
        width: see `Cell`.
        units: see `Cell`.
        activation: f.
    """

    def __init__(self, width: int, units: int, activation: str) -> None:
        super().__init__(width, units, 1, hidden=0)
        self.own_weight = nn.Parameter(torch.empty(units))
        self.activation = activation
        self._activation = torch.relu if activation == "relu" else torch.tanh

    def initialise(self) -> None:
        """See `Cell`."""
        super().initialise()
        nn.init.uniform_(self.own_weight)

    def forward(self, sequence: Sequence, state: CellState) -> tuple[Hidden, CellState]:
        """See `Recurrence`."""
        (hidden,) = state
        outputs = []
        for driven in nn.functional.linear(sequence, self.input_weight, self.bias).unbind(1):
            hidden = self._activation(driven + self.own_weight * hidden)
            outputs.append(hidden)
        return torch.stack(outputs, dim=1), (hidden,)


class SlstmCell(Cell):
    """The scalar xLSTM cell (Beck et al. 2024) with one head and the sigmoid forget gate.

    i~, f~ = W x_t + U h_{t-1} + b, and z, o = tanh, sigmoid of the same; m_t = max(log sigmoid(f~) + m_{t-1}, i~); i = exp(i~ - m_t),
    f = exp(log sigmoid(f~) + m_{t-1} - m_t); c_t = f c_{t-1} + i z; n_t = f n_{t-1} + i; h_t = o c_t / n_t. Rows stand as i, f, z, o, the
    state is h, c, n, m. m begins at minus infinity: n is never less than 1 from the first step on.

    Args:
        width: see `Cell`.
        units: see `Cell`.
    """

    states = 4

    def __init__(self, width: int, units: int) -> None:
        super().__init__(width, units, 4)

    def initialise(self) -> None:
        """See `Cell`; the forget gate begins open."""
        super().initialise()
        nn.init.constant_(self.bias.data[self.units : 2 * self.units], 1.0)

    def start(self, sequence: Sequence) -> CellState:
        """See `Recurrence`: zeros, and minus infinity for the stabiliser."""
        hidden, cell, normaliser, largest = super().start(sequence)
        return hidden, cell, normaliser, largest - torch.inf

    def forward(self, sequence: Sequence, state: CellState) -> tuple[Hidden, CellState]:
        """See `Recurrence`."""
        hidden, cell, normaliser, largest = state
        outputs = []
        for driven in nn.functional.linear(sequence, self.input_weight, self.bias).unbind(1):
            i, f, z, o = (driven + hidden @ self.recurrent_weight.T).chunk(4, dim=1)
            kept = nn.functional.logsigmoid(f) + largest
            largest = torch.maximum(kept, i)
            into, forget = torch.exp(i - largest), torch.exp(kept - largest)
            cell, normaliser = forget * cell + into * torch.tanh(z), forget * normaliser + into
            hidden = torch.sigmoid(o) * cell / normaliser
            outputs.append(hidden)
        return torch.stack(outputs, dim=1), (hidden, cell, normaliser, largest)
