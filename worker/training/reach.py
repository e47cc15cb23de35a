"""How far back does a loss reach into a recurrent layer? dL/ds_t against the lag (Bengio et al. 1994; Pascanu et al. 2013).

s_t is the state after step t: h_t, and beside it the memory c_t of an LSTM, which carries most of its past: by h alone one with chrono
initialisation, which keeps 200 steps, seemed to keep 2. The lag of s_t is the number of steps after it.

Kernels do not give autograd the states between their steps, only what the loss has to do with each output on its own: the *direct*
gradient. The way back through the states is written out here, with all that does not depend on it computed for all steps at once; what is
left is one or two products a step. Cells that are loops themselves are run once more, one step at a time, and the way back is autograd's.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.nets.cells import ElmanCell, GruCell, LstmCell
from app.nets.stepped import IndRnnCell, LoopLstmCell, MinGruCell, MinLstmCell
from worker.training.gates import Gate
from worker.training.stretches import Stretch

FORGOTTEN = 0.01
"""Of the largest gradient: what is less moves a weight a hundredth as far."""

CARRIED = 2
"""Parts of a state that are looked at, h and c. The two others of an sLSTM are bookkeeping: a normaliser and a stabiliser."""

Hidden = Float[Tensor, "batch time hidden"]
States = Float[Tensor, "batch time state"]
Curve = Float[Tensor, " lag"]


def used_memory(curve: Curve) -> int:
    """The largest lag at which the gradient is at least a hundredth of its largest; 0 where there is no gradient."""
    largest = curve.max()
    return int((curve >= FORGOTTEN * largest).nonzero()[-1]) if bool(largest > 0.0) else 0


def half_life(curve: Curve) -> int | None:
    """The lag from which on the gradient is at most half of its largest.

    Returns:
        None where it never falls so far, or there is no gradient, or it is no number.
    """
    largest = curve.max()
    if not bool(largest > 0.0) or not bool(largest.isfinite()):
        return None
    lag = int((curve > 0.5 * largest).nonzero()[-1]) + 1
    return lag if lag < len(curve) else None


def state_gradients(stretch: Stretch, gates: Mapping[str, Gate]) -> Float[Tensor, "window step state"]:
    """dL/ds_t at every step, by all that comes of s_t: h first, then c where there is one; in the order of time.

    Args:
        stretch: what a cell went through, without dropout.
        gates: see `worker.training.gates`, of this stretch.
    """
    return stretch.restored(_gradients(stretch, gates))


def _gradients(stretch: Stretch, gates: Mapping[str, Gate]) -> States:
    """In the order in which the cell read."""
    given, direct = stretch.given, stretch.direct
    match stretch.recurrence:
        case ElmanCell() as cell:
            return _carried(direct, None, _slope(cell.activation, given)[:, :, None], cell.recurrent_weight)
        case IndRnnCell() as cell:
            return _carried(direct, cell.own_weight * _slope(cell.activation, given), None, None)
        case MinGruCell():
            return _carried(direct, 1.0 - gates["update"], None, None)
        case MinLstmCell():
            forget, into = gates["forget"], gates["input"]
            return _carried(direct, forget / (forget + into).clamp(min=torch.finfo(into.dtype).tiny), None, None)
        case GruCell() as cell:
            return _gru(cell, stretch, gates)
        case LstmCell() as cell if not isinstance(cell, LoopLstmCell):
            return _lstm(cell, direct, gates)
        case _:
            return _stepped(stretch)


def _slope(activation: str, given: Hidden) -> Hidden:
    return 1.0 - given**2 if activation == "tanh" else (given > 0.0).to(given.dtype)


def _carried(
    direct: Hidden,
    kept: Hidden | None,
    slopes: Float[Tensor, "batch time gates hidden"] | None,
    weight: Float[Tensor, "rows hidden"] | None,
) -> States:
    """dL/dh_{t-1} = direct_{t-1} + kept_t dL/dh_t + U' (slopes_t dL/dh_t), from the newest step to the oldest.

    Args:
        direct: see `Stretch`.
        kept: how much of a state stands in the next one; None for nothing.
        slopes: of what the gates are squashed of, in the next state; None where it is in no product.
        weight: U, gate by gate.
    """
    steps = direct.unbind(1)
    keeps, bends = None if kept is None else kept.unbind(1), None if slopes is None else slopes.unbind(1)
    found = [steps[-1]]
    for step in range(len(steps) - 1, 0, -1):
        later, gradient = found[-1], steps[step - 1]
        if keeps is not None:
            gradient = torch.addcmul(gradient, keeps[step], later)
        if bends is not None and weight is not None:
            gradient = torch.addmm(gradient, (bends[step] * later[:, None]).flatten(1), weight)
        found.append(gradient)
    return torch.stack(found[::-1], dim=1)


def _gru(cell: GruCell, stretch: Stretch, gates: Mapping[str, Gate]) -> States:
    """h_t = n + z (h_{t-1} - n), n = tanh(... + r (U_n h_{t-1} + b'_n))."""
    reset, update, candidate = gates["reset"], gates["update"], gates["candidate"]
    rows = slice(2 * cell.units, None)
    back = nn.functional.linear(stretch.before, cell.recurrent_weight[rows], cell.recurrent_bias[rows])
    bent = (1.0 - update) * (1.0 - candidate**2)
    slopes = [bent * back * reset * (1.0 - reset), (stretch.before - candidate) * update * (1.0 - update), bent * reset]
    return _carried(stretch.direct, update, torch.stack(slopes, dim=2), cell.recurrent_weight)


def _lstm(cell: LstmCell, direct: Hidden, gates: Mapping[str, Gate]) -> States:
    """dL/dh_t = direct_t + U' dL/da_{t+1}, and dL/dc_t = f_{t+1} (dL/dc_{t+1} + o_{t+1} (1 - tanh(c_{t+1})^2) dL/dh_{t+1}).

    a is what the gates are squashed of; what c_t does to h_t itself belongs to h_t.
    """
    into, forget, candidate, out = gates.values()
    before, after = _memories(forget, into * candidate)
    squashed = torch.tanh(after)
    # Slopes of what depends on the memory, gate by gate, and of the one gate that depends on the output.
    inner = torch.stack([candidate * into * (1.0 - into), before * forget * (1.0 - forget), into * (1.0 - candidate**2)], dim=2).unbind(1)
    outer, through = (squashed * out * (1.0 - out)).unbind(1), (out * (1.0 - squashed**2)).unbind(1)
    steps, keeps = direct.unbind(1), forget.unbind(1)
    hidden, carried = steps[-1], torch.zeros_like(keeps[-1])
    found = [torch.cat([hidden, carried], dim=1)]
    for step in range(len(steps) - 1, 0, -1):
        memory = torch.addcmul(carried, through[step], hidden)
        driven = torch.cat([(inner[step] * memory[:, None]).flatten(1), outer[step] * hidden], dim=1)
        hidden, carried = torch.addmm(steps[step - 1], driven, cell.recurrent_weight), keeps[step] * memory
        found.append(torch.cat([hidden, carried], dim=1))
    return torch.stack(found[::-1], dim=1)


def _memories(kept: Hidden, added: Hidden) -> tuple[Hidden, Hidden]:
    """The memory of an LSTM before and after each step."""
    memories = [torch.zeros_like(kept[:, 0])]
    for keep, add in zip(kept.unbind(1), added.unbind(1), strict=True):
        memories.append(torch.addcmul(add, keep, memories[-1]))
    return torch.stack(memories[:-1], dim=1), torch.stack(memories[1:], dim=1)


def _stepped(stretch: Stretch) -> States:
    read, direct = stretch.read, stretch.direct
    with torch.enable_grad():
        # The start wants a gradient: the states of a frozen layer would have none.
        state = tuple(part.clone().requires_grad_() for part in stretch.recurrence.start(read))
        given: list[Tensor] = []
        after: list[Tensor] = []
        for step in read.split_with_sizes([1] * read.shape[1], dim=1):
            output, state = stretch.recurrence(step, state)
            # Nodes of their own: some cells carry on the very tensor that they give, and its direct gradient is not the later steps'.
            state = tuple(part.view_as(part) for part in state)
            given.append(output)
            after += state[:CARRIED]
        # Of their sum, as torch imports 50 MB of symbolic mathematics to compare the shapes of gradients that it is given.
        loss = (torch.cat(given, dim=1) * direct).sum()
        found = torch.autograd.grad(loss, after, allow_unused=True, materialize_grads=True)
    parts = len(after) // read.shape[1]
    hidden, *others = (torch.stack(found[part::parts], dim=1) for part in range(parts))
    return torch.cat([direct + hidden, *others], dim=2)
