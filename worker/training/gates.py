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

import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.nets.cells import Cell, ElmanCell, GruBeforeCell, GruCell, LstmCell
from app.nets.stepped import IndRnnCell, LoopLstmCell, MinGruCell, MinLstmCell, SlstmCell

SHUT, OPEN = 0.05, 0.95
"""Of a sigmoid: nearer to 0 or 1 its slope is less than a fifth of the steepest."""

BENT = 0.95
"""Size of a tanh beyond which its slope is less than a tenth of the steepest."""

LARGEST_MATRIX = 512
"""Units up to which the spectral radius is computed: beyond, it costs more than a batch."""

SQUARINGS = 10
"""Powers of the recurrent weights up to the 1024th: the radius is then exact to about a thousandth."""

Hidden = Float[Tensor, "batch time hidden"]
Gate = Float[Tensor, "batch time units"]


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
        case LstmCell() | SlstmCell():
            return "input", "forget", "candidate", "output"
        case _:
            return tuple(f"gate_{number}" for number in range(len(cell.bias) // cell.units))


def gate_values(cell: Cell, read: Float[Tensor, "batch time width"], before: Hidden) -> dict[str, Gate]:
    """What the bounded gates of a cell were at every step, by their names; none for what cannot be seen from outside.

    Args:
        cell: out of its wrappers.
        read: what it read, in the order in which it read it.
        before: the hidden state that each step began with.
    """
    driven = nn.functional.linear(read, cell.input_weight, cell.bias)
    match cell:
        case GruCell() | GruBeforeCell():
            return _gru(cell, driven, before)
        case MinGruCell() | MinLstmCell():
            return {name: torch.sigmoid(part) for name, part in _parts(cell, driven).items() if name != "candidate"}
        case ElmanCell(activation="tanh"):
            return {"candidate": torch.tanh(driven + before @ cell.recurrent_weight.T)}
        case IndRnnCell(activation="tanh"):
            return {"candidate": torch.tanh(driven + cell.own_weight * before)}
        case LstmCell() | SlstmCell() if not isinstance(cell, LoopLstmCell) or cell.peepholes is None:
            parts = _parts(cell, driven + before @ cell.recurrent_weight.T)
            bounded = {name: part for name, part in parts.items() if name != "input" or isinstance(cell, LstmCell)}
            return {name: torch.tanh(part) if name == "candidate" else torch.sigmoid(part) for name, part in bounded.items()}
        case _:
            return {}


def _parts(cell: Cell, driven: Float[Tensor, "batch time rows"]) -> dict[str, Gate]:
    names = gate_names(cell)
    return dict(zip(names, driven.chunk(len(names), dim=2), strict=True))


def _gru(cell: GruCell | GruBeforeCell, driven: Float[Tensor, "batch time rows"], before: Hidden) -> dict[str, Gate]:
    own = cell.recurrent_bias if isinstance(cell, GruCell) else None
    reset_in, update_in, candidate_in = _parts(cell, driven).values()
    reset_back, update_back, candidate_back = _parts(cell, nn.functional.linear(before, cell.recurrent_weight, own)).values()
    reset, update = torch.sigmoid(reset_in + reset_back), torch.sigmoid(update_in + update_back)
    back = reset * candidate_back if isinstance(cell, GruCell) else (reset * before) @ cell.recurrent_weight[2 * cell.units :].T
    return {"reset": reset, "update": update, "candidate": torch.tanh(candidate_in + back)}


def saturation(values: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
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

    By how much a power of a matrix grows when it is squared (Gelfand 1941): eigenvalues themselves take eight times as long.

    Returns:
        None where no state is in a product, the state is projected, there are more than LARGEST_MATRIX units, or a weight is no number.
    """
    if isinstance(cell, IndRnnCell):
        return float(cell.own_weight.detach().abs().max())
    if cell.hidden != cell.units or cell.units > LARGEST_MATRIX:
        return None
    power = cell.recurrent_weight.detach().view(-1, cell.units, cell.units)
    size = power.norm(dim=(1, 2), keepdim=True)
    growth = size
    for _ in range(SQUARINGS):
        power = power / size.clamp(min=torch.finfo(power.dtype).tiny)
        power = power @ power
        size = power.norm(dim=(1, 2), keepdim=True)
        growth = torch.cat([growth, size], dim=1)
    return _radius_of(growth.flatten(1).double())


def _radius_of(growth: Float[Tensor, "gates squarings"]) -> float | None:
    """Of the sizes of a matrix, and of the square of each power after it was brought to size 1."""
    if not bool(growth.isfinite().all()):
        return None
    logs = growth.clamp(min=torch.finfo(torch.float32).tiny).log()
    log_size = logs[:, 0]
    for squaring in range(1, SQUARINGS):
        log_size = 2.0 * log_size + logs[:, squaring]
    # A^2n over A^n: what does not grow with n, such as a root of the number of units, is in both.
    return float(((log_size + logs[:, SQUARINGS]) / 2.0 ** (SQUARINGS - 1)).exp().max())
