"""How far back does a loss reach into a recurrent layer? dL/ds_t against the lag (Bengio et al. 1994; Pascanu et al. 2013).

s_t is the state that step t begins with: h_{t-1}, and beside it the memory c_{t-1} of an LSTM, which carries most of its past: by h alone
one with chrono initialisation, which keeps 200 steps, seemed to keep 2. The lag of s_t is context - 1 - t.

Kernels do not give autograd the states between their steps, only what the loss has to do with each output on its own: the *direct*
gradient. So a layer is run once more, one step at a time, and the way back with it. For the LSTM the way back is written out: torch's
kernel takes 0.26 ms for one step and back, so that 48 steps of 64 units took 13 ms in place of 3 (16 windows, one thread of a Zen 4).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.nets.cells import LstmCell, Recurrence
from app.nets.stepped import LoopLstmCell
from app.nets.wrappers import Backward, Both, Dilated
from worker.training.gates import gate_values, stretches

FORGOTTEN = 0.01
"""Of the largest gradient: what is less moves a weight a hundredth as far."""

CARRIED = 2
"""Parts of a state that are looked at, h and c. The two others of an sLSTM are bookkeeping: a normaliser and a stabiliser."""

Hidden = Float[Tensor, "batch time hidden"]
Read = Float[Tensor, "batch time width"]
States = Float[Tensor, "batch time state"]
Curve = Float[Tensor, " lag"]


def lag_curve(gradients: States) -> Curve:
    """Norm of the gradient over windows and units at each lag; 0 is the newest step.

    Args:
        gradients: see `state_gradients`.
    """
    curve: Curve = gradients.norm(dim=(0, 2)).flip(0)
    return curve


def used_memory(curve: Curve) -> int:
    """The largest lag at which the gradient is at least a hundredth of its largest; 0 where there is no gradient."""
    largest = curve.max()
    return int((curve >= FORGOTTEN * largest).nonzero()[-1]) if bool(largest > 0.0) else 0


def half_life(curve: Curve) -> int | None:
    """The lag from which on the gradient is at most half of its largest.

    Returns:
        None where it never falls so far, or there is no gradient.
    """
    largest = curve.max()
    if not bool(largest > 0.0):
        return None
    lag = int((curve > 0.5 * largest).nonzero()[-1]) + 1
    return lag if lag < len(curve) else None


def state_gradients(recurrence: Recurrence, read: Read, direct: Hidden) -> States:
    """dL/ds_t at every step, through all that comes of s_t: h first, then c where there is one; both ways' side by side.

    Args:
        recurrence: the layer in its wrappers, without dropout.
        read: what it read from its beginning.
        direct: gradient of the loss with respect to what it gave.
    """
    match recurrence:
        case Both():
            ahead, back = direct.chunk(2, dim=2)
            parts = [state_gradients(recurrence.forward_layer, read, ahead), state_gradients(recurrence.backward_layer, read, back)]
            return torch.cat(parts, dim=2)
        case Backward():
            return state_gradients(recurrence.inner, read.flip(1), direct.flip(1)).flip(1)
        case Dilated():
            return _dilated(recurrence, read, direct)
        case LstmCell() if not isinstance(recurrence, LoopLstmCell):
            return _lstm(recurrence, read, direct)
        case _:
            return _stepped(recurrence, read, direct)


def _dilated(recurrence: Dilated, read: Read, direct: Hidden) -> States:
    """The phases side by side in the batch; steps are added at the end, as no gradient comes from there."""
    batch, time, _ = read.shape
    dilation = recurrence.start(read)[0].shape[1]
    longer = (nn.functional.pad(part, (0, 0, 0, -time % dilation)) for part in (read, direct))
    folded = [part.reshape(batch, -1, dilation, part.shape[2]).transpose(1, 2).flatten(0, 1) for part in longer]
    gradients = state_gradients(recurrence.inner, *folded)
    return gradients.view(batch, dilation, *gradients.shape[1:]).transpose(1, 2).flatten(1, 2)[:, :time]


def _stepped(recurrence: Recurrence, read: Read, direct: Hidden) -> States:
    with torch.enable_grad():
        # The start wants a gradient: the states of a frozen layer would have none.
        state = tuple(part.clone().requires_grad_() for part in recurrence.start(read))
        given: list[Tensor] = []
        begun: list[Tensor] = []
        for step in read.split_with_sizes([1] * read.shape[1], dim=1):
            # Nodes of their own: some cells carry on the very tensor that they give, and its direct gradient is not the later steps'.
            state = tuple(part.view_as(part) for part in state)
            begun += state[:CARRIED]
            output, state = recurrence(step, state)
            given.append(output)
        found = torch.autograd.grad(torch.cat(given, dim=1), begun, direct, allow_unused=True, materialize_grads=True)
    parts = len(begun) // read.shape[1]
    return torch.cat([torch.stack(found[part::parts], dim=1) for part in range(parts)], dim=2)


def _lstm(cell: LstmCell, read: Read, direct: Hidden) -> States:
    """From the newest step to the oldest, with a for what the gates are squashed of.

    dL/dh_t = direct_t + U' dL/da_{t+1}; dL/dc_t = o_t (1 - tanh(c_t)^2) dL/dh_t + f_{t+1} dL/dc_{t+1}; dL/da_t follows from both. What
    comes from step t + 1 is the gradient of the state that it begins with.
    """
    with torch.no_grad():
        given, _ = cell(read, cell.start(read))
        (stretch,) = stretches(cell, read, given)
        into, forget, candidate, out = gate_values(stretch).values()
        before, after = _memories(forget, into * candidate)
        squashed = torch.tanh(after)
        # Slopes of what depends on the memory, gate by gate, and of the two that depend on the output.
        inner = torch.stack([candidate * into * (1 - into), before * forget * (1 - forget), into * (1 - candidate**2)], dim=2)
        outer, through = squashed * out * (1 - out), out * (1 - squashed**2)
        later = carried = torch.zeros_like(given[:, 0])
        found = []
        for step in reversed(range(given.shape[1])):
            hidden = direct[:, step] + later
            memory = carried + through[:, step] * hidden
            driven = torch.cat([(inner[:, step] * memory[:, None]).flatten(1), outer[:, step] * hidden], dim=1)
            later, carried = driven @ cell.recurrent_weight, forget[:, step] * memory
            found.append(torch.cat([later, carried], dim=1))
        return torch.stack(found[::-1], dim=1)


def _memories(kept: Hidden, added: Hidden) -> tuple[Hidden, Hidden]:
    """The memory of an LSTM before and after each step."""
    memories = [torch.zeros_like(kept[:, 0])]
    for keep, add in zip(kept.unbind(1), added.unbind(1), strict=True):
        memories.append(keep * memories[-1] + add)
    return torch.stack(memories[:-1], dim=1), torch.stack(memories[1:], dim=1)
