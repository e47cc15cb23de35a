"""What do the gates of a recurrent layer do? Seen from outside: of what it read, what it gave and its weights, all steps at once.

                   rows of its weights, in order             seen
    elman, ind_rnn candidate                                 where it is a tanh
    lstm, slstm    input, forget, candidate, output          without peepholes; of slstm all but the exponential input gate
    gru            reset, update, candidate                  all
    min_gru        update, candidate                         update, as its candidate is a plain number
    min_lstm       forget, input, candidate                  forget and input, for the same reason

A candidate is a tanh, every other gate a sigmoid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.nets.cells import Cell, ElmanCell, GruBeforeCell, GruCell, Recurrence
from app.nets.stepped import IndRnnCell, LoopLstmCell, MinGruCell, MinLstmCell, SlstmCell
from app.nets.wrappers import Backward, Both

SHUT, OPEN = 0.05, 0.95
"""Of a sigmoid: nearer to 0 or 1 its slope is less than a fifth of the steepest."""

BENT = 0.95
"""Size of a tanh beyond which its slope is less than a tenth of the steepest."""

LARGEST_MATRIX = 512
"""Units up to which eigenvalues are computed: 0.3 s for four gates of 512 units (one thread of a Zen 4), eight times that for 1024."""

Hidden = Float[Tensor, "batch time hidden"]
Gate = Float[Tensor, "batch time units"]


@dataclass(frozen=True, eq=False)
class Stretch:
    """What a cell went through.

    Attributes:
        cell: out of its wrappers.
        read: what it read, in the order in which it read it.
        before: the hidden state that it had at each step.
    """

    cell: Cell
    read: Float[Tensor, "batch time width"]
    before: Hidden


def stretches(recurrence: Recurrence, read: Float[Tensor, "batch time width"], given: Hidden) -> list[Stretch]:
    """The cells of a layer, one or two, and what each went through.

    Args:
        recurrence: the layer in its wrappers.
        read: what it read from its beginning.
        given: what it gave.
    """
    match recurrence:
        case Both():
            ahead, back = given.chunk(2, dim=2)
            return [*stretches(recurrence.forward_layer, read, ahead), *stretches(recurrence.backward_layer, read, back)]
        case Backward():
            return stretches(recurrence.inner, read.flip(1), given.flip(1))
        case _:
            start = recurrence.start(read)[0]
            # A dilated layer begins with a state for each of its phases, and each state comes back so many steps later.
            start = start if start.dim() == given.dim() else start[:, None]
            before = torch.cat([start, given], dim=1)[:, : given.shape[1]]
            return [Stretch(cell_in(recurrence), read, before)]


def cell_in(recurrence: Recurrence) -> Cell:
    """The cell that a layer's wrappers are around; the first one where there are two."""
    return next(module for module in recurrence.modules() if isinstance(module, Cell))


def gate_names(cell: Cell) -> tuple[str, ...]:
    """What the blocks of rows in a cell's weights are called, in order."""
    match cell:
        case ElmanCell() | IndRnnCell():
            return ("candidate",)
        case GruCell() | GruBeforeCell():
            return "reset", "update", "candidate"
        case MinGruCell():
            return "update", "candidate"
        case MinLstmCell():
            return "forget", "input", "candidate"
        case _:
            return "input", "forget", "candidate", "output"


def gate_values(stretch: Stretch) -> Mapping[str, Gate]:
    """What the bounded gates of a cell were at every step, by their names; none for what cannot be seen from outside."""
    cell, before = stretch.cell, stretch.before
    driven = nn.functional.linear(stretch.read, cell.input_weight, cell.bias)
    match cell:
        case GruCell() | GruBeforeCell():
            return _gru(cell, driven, before)
        case MinGruCell() | MinLstmCell():
            return {name: torch.sigmoid(part) for name, part in _parts(cell, driven).items() if name != "candidate"}
        case IndRnnCell():
            return _one_gate(stretch, driven + cell.own_weight * before)
        case ElmanCell():
            return _one_gate(stretch, driven + before @ cell.recurrent_weight.T)
        case LoopLstmCell(peepholes=nn.Parameter()):
            return {}
        case _:
            parts = _parts(cell, driven + before @ cell.recurrent_weight.T)
            seen = {name: torch.tanh(part) if name == "candidate" else torch.sigmoid(part) for name, part in parts.items()}
            return {name: gate for name, gate in seen.items() if name != "input" or not isinstance(cell, SlstmCell)}


def _parts(cell: Cell, driven: Float[Tensor, "batch time rows"]) -> dict[str, Gate]:
    names = gate_names(cell)
    return dict(zip(names, driven.chunk(len(names), dim=2), strict=True))


def _one_gate(stretch: Stretch, driven: Gate) -> dict[str, Gate]:
    """A tanh, or nothing where the cell is not one; told by the cell's own answer to all steps as so many sequences of one step."""
    given, _ = stretch.cell(stretch.read.flatten(0, 1)[:, None], (stretch.before.flatten(0, 1),))
    gate = torch.tanh(driven)
    is_tanh = torch.allclose(given.view_as(gate), gate, atol=1e-4)
    return {"candidate": gate} if is_tanh else {}


def _gru(cell: GruCell | GruBeforeCell, driven: Float[Tensor, "batch time rows"], before: Hidden) -> dict[str, Gate]:
    own = cell.recurrent_bias if isinstance(cell, GruCell) else None
    reset_in, update_in, candidate_in = _parts(cell, driven).values()
    reset_back, update_back, candidate_back = _parts(cell, nn.functional.linear(before, cell.recurrent_weight, own)).values()
    reset, update = torch.sigmoid(reset_in + reset_back), torch.sigmoid(update_in + update_back)
    before_product = (reset * before) @ cell.recurrent_weight[2 * cell.units :].T
    back = reset * candidate_back if isinstance(cell, GruCell) else before_product
    return {"reset": reset, "update": update, "candidate": torch.tanh(candidate_in + back)}


def saturation(values: Sequence[Mapping[str, Gate]]) -> dict[str, float]:
    """Share of each gate's values where its slope is nearly nothing, by the gate's name.

    Args:
        values: see `gate_values`, of each cell of a layer.
    """
    names = dict.fromkeys(name for gates in values for name in gates)
    flat = {name: torch.cat([_is_flat(name, gates[name]).flatten() for gates in values if name in gates]) for name in names}
    return {name: float(flags.float().mean()) for name, flags in flat.items()}


def _is_flat(name: str, gate: Gate) -> Tensor:
    return gate.abs() > BENT if name == "candidate" else (gate < SHUT) | (gate > OPEN)


def spectral_radius(cell: Cell) -> float | None:
    """The largest eigenvalue, by size, of a cell's recurrent weights of any gate.

    Returns:
        None where no state is in a product, the state is projected, there are more than LARGEST_MATRIX units, or a weight is no number.
    """
    if isinstance(cell, IndRnnCell):
        return float(cell.own_weight.detach().abs().max())
    if cell.hidden != cell.units or cell.units > LARGEST_MATRIX:
        return None
    gates = cell.recurrent_weight.detach().view(-1, cell.units, cell.units)
    return float(torch.linalg.eigvals(gates).abs().max()) if bool(gates.isfinite().all()) else None
