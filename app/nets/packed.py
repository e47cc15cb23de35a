"""How fast can a cell step without learning? Its weights are packed once, and a step of a few rows is some calls of numpy.

At batch 1 a call of torch costs a microsecond or more, and one of numpy a third of it. A session steps so (`steps.py`), and few rows of a
whole context where neither torch nor onnxruntime has a kernel; see `packed_cell.py`.

    driven = x_t W + b          for all steps at once
    state  = advance(driven, state)

A sigmoid is (1 + tanh(a / 2)) / 2: gates are halved in the packed weights, so that one call of tanh is enough for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from app.nets.cells import Cell, ElmanCell, GruBeforeCell, GruCell, LstmCell
from app.nets.stepped import IndRnnCell, LoopLstmCell, MinGruCell, MinLstmCell, SlstmCell

Rows = npt.NDArray[np.float32]
State = tuple[Rows, ...]
Advance = Callable[[Rows, State], State]


@dataclass(frozen=True, eq=False)
class Packed:
    """A cell's weights, and its step.

    Attributes:
        weight: [width, gates].
        bias: [gates].
        advance: the state after a step, from what the input drives and the state before; the hidden state stands first in it.
    """

    weight: Rows
    bias: Rows
    advance: Advance

    def drive(self, sequence: Rows) -> Rows:
        """What the input drives at every step: [..., width] to [..., gates]."""
        driven: Rows = sequence @ self.weight
        driven += self.bias
        return driven


def pack(cell: Cell) -> Packed:
    """A cell, packed."""
    match cell:
        case LoopLstmCell():
            return _loop_lstm(cell)
        case LstmCell():
            return _lstm(cell)
        case GruCell():
            return _gru(cell)
        case GruBeforeCell():
            return _gru_before(cell)
        case ElmanCell():
            recurrent = numbers(cell.recurrent_weight).T.copy()
            activation = np.tanh if cell.activation == "tanh" else _relu
            return _plain(cell, lambda driven, state: (activation(driven + state[0] @ recurrent),))
        case _:
            return _without_products(cell)


def _without_products(cell: Cell) -> Packed:
    match cell:
        case MinGruCell():
            return _min_gru(cell)
        case MinLstmCell():
            return _min_lstm(cell)
        case IndRnnCell():
            own = numbers(cell.own_weight)
            activation = _relu if cell.activation == "relu" else np.tanh
            return _plain(cell, lambda driven, state: (activation(driven + own * state[0]),))
        case SlstmCell():
            return _slstm(cell)
        case _:
            raise TypeError(f"{type(cell).__name__} is no cell that can be packed")


def numbers(tensor: Tensor) -> Rows:
    """A weight as numpy has it, apart from what torch may change."""
    copied: Rows = tensor.detach().cpu().numpy().astype(np.float32).copy()
    return copied


def sigmoid(values: Rows) -> Rows:
    """1 / (1 + exp(-v)), without an exponential that overflows."""
    halved: Rows = np.tanh(values * np.float32(0.5))
    halved += 1.0
    halved *= 0.5
    return halved


def _relu(values: Rows) -> Rows:
    kept: Rows = np.maximum(values, 0.0)
    return kept


def _plain(cell: Cell, advance: Advance, halved: slice | None = None) -> Packed:
    """The packed input weights of a cell, with the gates in a slice halved."""
    weight, bias = numbers(cell.input_weight).T.copy(), numbers(cell.bias)
    if halved is not None:
        weight[:, halved] *= 0.5
        bias[halved] *= 0.5
    return Packed(weight, bias, advance)


def _lstm(cell: LstmCell) -> Packed:
    units = cell.units
    # The output gate before what is new: what is halved stands side by side.
    order = np.r_[0 : 2 * units, 3 * units : 4 * units, 2 * units : 3 * units]
    halves = np.repeat(np.array([0.5, 1.0], dtype=np.float32), [3 * units, units])
    recurrent = np.ascontiguousarray(numbers(cell.recurrent_weight)[order].T * halves)
    sigmoids, into, forget, out, new = (slice(first * units, end * units) for first, end in ((0, 3), (0, 1), (1, 2), (2, 3), (3, 4)))

    def advance(driven: Rows, state: State) -> State:
        hidden, memory = state
        gates = hidden @ recurrent
        gates += driven
        np.tanh(gates, gates)
        # Of a sigmoid gate there is tanh(a / 2); one more is twice the sigmoid.
        gates[:, sigmoids] += 1.0
        memory = gates[:, forget] * memory
        memory += gates[:, into] * gates[:, new]
        memory *= 0.5
        hidden = np.tanh(memory)
        hidden *= gates[:, out]
        hidden *= 0.5
        return hidden, memory

    weight = np.ascontiguousarray(numbers(cell.input_weight)[order].T * halves)
    return Packed(weight, numbers(cell.bias)[order] * halves, advance)


def _gru(cell: GruCell) -> Packed:
    units, gates = cell.units, slice(0, 2 * cell.units)
    # The candidate's recurrent part is halved too, as it is multiplied by twice the reset gate.
    recurrent = numbers(cell.recurrent_weight).T * np.float32(0.5)
    own = numbers(cell.recurrent_bias) * np.float32(0.5)

    def advance(driven: Rows, state: State) -> State:
        (hidden,) = state
        fed = hidden @ recurrent
        fed += own
        both = fed[:, gates]
        both += driven[:, gates]
        np.tanh(both, both)
        both += 1.0
        new = fed[:, 2 * units :]
        new *= both[:, :units]
        new += driven[:, 2 * units :]
        np.tanh(new, new)
        kept = hidden - new
        kept *= both[:, units:]
        kept *= 0.5
        kept += new
        return (kept,)

    return _plain(cell, advance, gates)


def _gru_before(cell: GruBeforeCell) -> Packed:
    units, weight = cell.units, numbers(cell.recurrent_weight).T
    gate_weight, candidate_weight = weight[:, : 2 * units] * np.float32(0.5), weight[:, 2 * units :].copy()

    def advance(driven: Rows, state: State) -> State:
        (hidden,) = state
        gates: Rows = np.tanh(driven[:, : 2 * units] + hidden @ gate_weight)
        gates += 1.0
        gates *= 0.5
        new: Rows = np.tanh(driven[:, 2 * units :] + (gates[:, :units] * hidden) @ candidate_weight)
        return (new + gates[:, units:] * (hidden - new),)

    return _plain(cell, advance, slice(0, 2 * units))


def _loop_lstm(cell: LoopLstmCell) -> Packed:
    recurrent = numbers(cell.recurrent_weight).T.copy()
    seen = np.zeros((3, 1), dtype=np.float32) if cell.peepholes is None else numbers(cell.peepholes)
    projection = None if cell.projection is None else numbers(cell.projection).T.copy()

    def advance(driven: Rows, state: State) -> State:
        hidden, memory = state
        i, f, g, o = np.split(driven + hidden @ recurrent, 4, axis=1)
        memory = sigmoid(f + seen[1] * memory) * memory + sigmoid(i + seen[0] * memory) * np.tanh(g)
        hidden = sigmoid(o + seen[2] * memory) * np.tanh(memory)
        return hidden if projection is None else hidden @ projection, memory

    return _plain(cell, advance)


def _min_gru(cell: MinGruCell) -> Packed:
    def advance(driven: Rows, state: State) -> State:
        gate, candidate = np.split(driven, 2, axis=1)
        update = sigmoid(gate)
        hidden: Rows = (1.0 - update) * state[0] + update * candidate
        return (hidden,)

    return _plain(cell, advance)


def _min_lstm(cell: MinLstmCell) -> Packed:
    def advance(driven: Rows, state: State) -> State:
        forget, into, candidate = np.split(driven, 3, axis=1)
        # log sigmoid(a) = -log(1 + exp(-a)), as in the cell.
        kept = sigmoid(np.logaddexp(0.0, -into) - np.logaddexp(0.0, -forget))
        hidden: Rows = kept * state[0] + (1.0 - kept) * candidate
        return (hidden,)

    return _plain(cell, advance)


def _slstm(cell: SlstmCell) -> Packed:
    recurrent = numbers(cell.recurrent_weight).T.copy()

    def advance(driven: Rows, state: State) -> State:
        hidden, memory, normaliser, largest = state
        i, f, z, o = np.split(driven + hidden @ recurrent, 4, axis=1)
        kept = largest - np.logaddexp(0.0, -f)
        largest = np.maximum(kept, i)
        into, forget = np.exp(i - largest), np.exp(kept - largest)
        memory, normaliser = forget * memory + into * np.tanh(z), forget * normaliser + into
        return sigmoid(o) * memory / normaliser, memory, normaliser, largest

    return _plain(cell, advance)
