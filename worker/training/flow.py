"""How do the gradients flow? Measured on a few windows now and then, without a trace in what is trained.

For each recurrent layer that learns, by its place:

    grad_norm/PLACE    norm of the gradient of its weights          saturation/PLACE   share of gates that are nearly shut or open
    memory/PLACE       steps back at which |dL/dx| of what it       dead_units/PLACE   share of units that never change
                       reads is a hundredth of its largest          radius/PLACE       largest eigenvalue of its recurrent weights

and `depth_ratio`, the first layer's gradient norm over the last one's. A memory far below the context says that gradients vanish in time,
a depth ratio far below one that they vanish in depth (Bengio et al. 1994; Pascanu et al. 2013).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.forecasting.windows import Windows
from app.nets.blocks import Layer
from app.nets.cells import Cell, GruBeforeCell, GruCell, LstmCell
from app.nets.heads import Head
from worker.training.stage import StageRun

PROBE_WINDOWS = 16
"""Enough for a norm, few enough to cost next to nothing."""

FORGOTTEN = 0.01
"""Of the largest gradient: what is less is no memory."""

SHUT, OPEN = 0.05, 0.95
DEAD = 1e-6
"""Deviation of a unit over all steps of the probe, below which it says nothing."""

LARGEST_MATRIX = 512
"""Units up to which eigenvalues are computed: they cost as much as hundreds of steps beyond."""


@dataclass(frozen=True)
class _Seen:
    """What a layer read and gave on the way forward, and zeros that were added to what it read.

    A kernel's states of earlier steps are no part of the graph that autograd sees; what is read at each step is.
    """

    read: Tensor
    probe: Tensor
    given: Tensor


def probe_rows(windows: int) -> np.ndarray:
    """The training windows that are measured, evenly spread and always the same."""
    return np.unique(np.linspace(0, windows - 1, PROBE_WINDOWS).astype(np.int64))


def measure(run: StageRun, head: Head, windows: Windows, cutoffs: np.ndarray, rows: np.ndarray) -> dict[str, float]:
    """The flow of the gradients of a probe.

    Weights, their gradients, the optimiser, and torch's generator are as before.

    Args:
        run: the present stage.
        head: what the loss is of.
        windows: the probe's, of the horizon alone.
        cutoffs: of all training windows.
        rows: which of them the probe is.
    """
    run.set_training(is_training=False)
    with torch.enable_grad(), _listening(run.layers) as seen:
        loss = run.loss(head, windows, cutoffs, rows)
        layers = {place: layer for place, layer in run.layers.items() if place in seen}
        weights = [parameter for layer in layers.values() for parameter in layer.parameters() if parameter.requires_grad]
        wanted = [*(seen[place].probe for place in layers), *weights]
        gradients = iter(torch.autograd.grad(loss, wanted, allow_unused=True)) if wanted else iter(())
    by_step = {place: next(gradients) for place in layers}
    metrics: dict[str, float] = {}
    for place, layer in layers.items():
        own = [next(gradients) for parameter in layer.parameters() if parameter.requires_grad]
        metrics[f"grad_norm/{place}"] = _norm(own)
        metrics |= {f"{name}/{place}": value for name, value in _of_layer(layer, seen[place], by_step[place]).items()}
    norms = [metrics[f"grad_norm/{place}"] for place in layers]
    if len(norms) > 1 and norms[-1] > 0.0:
        metrics["depth_ratio"] = norms[0] / norms[-1]
    return metrics


@contextmanager
def _listening(layers: Mapping[str, Layer]) -> Iterator[dict[str, _Seen]]:
    seen: dict[str, _Seen] = {}
    probes: dict[str, Tensor] = {}

    def read(place: str, arguments: tuple[Tensor, object]) -> tuple[Tensor, object]:
        sequence, state = arguments
        probes[place] = torch.zeros_like(sequence, requires_grad=True)
        return sequence + probes[place], state

    def give(place: str, arguments: tuple[Tensor, object], given: tuple[Tensor, object]) -> None:
        seen[place] = _Seen(arguments[0].detach(), probes[place], given[0].detach())

    hooks = [layer.cell.register_forward_pre_hook(lambda _, arguments, at=place: read(at, arguments)) for place, layer in layers.items()]
    hooks += [
        layer.cell.register_forward_hook(lambda _, arguments, given, at=place: give(at, arguments, given))
        for place, layer in layers.items()
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _of_layer(layer: Layer, seen: _Seen, gradient: Tensor | None) -> dict[str, float]:
    found = {"dead_units": float((seen.given.std(dim=(0, 1)) < DEAD).float().mean())}
    if gradient is not None:
        found["memory"] = float(used_memory(gradient.norm(dim=(0, 2))))
    cell = layer.cell
    if isinstance(cell, Cell):
        saturation, radius = _saturation(cell, seen), spectral_radius(cell)
        found |= {} if saturation is None else {"saturation": saturation}
        found |= {} if radius is None else {"radius": radius}
    return found


def used_memory(norms: Float[Tensor, " time"]) -> int:
    """Steps back from the newest at which the gradient is still a hundredth of its largest.

    Args:
        norms: of the gradient with respect to the state at each step.
    """
    largest = norms.max()
    if not bool(largest > 0.0):
        return 0
    return len(norms) - 1 - int((norms >= FORGOTTEN * largest).nonzero()[0])


def _saturation(cell: Cell, seen: _Seen) -> float | None:
    """Share of a cell's sigmoid gates that are nearly shut or nearly open; None where it has none that are seen from outside."""
    if not isinstance(cell, LstmCell | GruCell | GruBeforeCell) or cell.hidden != cell.units:
        return None
    before = torch.cat([torch.zeros_like(seen.given[:, :1]), seen.given[:, :-1]], dim=1)
    driven = nn.functional.linear(seen.read, cell.input_weight, cell.bias) + before @ cell.recurrent_weight.T
    parts = driven.detach().chunk(len(cell.bias) // cell.units, dim=2)
    gates = torch.sigmoid(torch.cat([parts[0], parts[1], *parts[3:]], dim=2))
    return float(((gates < SHUT) | (gates > OPEN)).float().mean())


def spectral_radius(cell: Cell) -> float | None:
    """The largest eigenvalue, by size, of a cell's recurrent weights of any gate; None where it has none, or they are very many."""
    if cell.hidden != cell.units or cell.units > LARGEST_MATRIX:
        return None
    gates = cell.recurrent_weight.detach().view(-1, cell.units, cell.units)
    return float(torch.linalg.eigvals(gates).abs().max())


def _norm(gradients: Sequence[Tensor | None]) -> float:
    norms = [gradient.norm() for gradient in gradients if gradient is not None]
    return float(torch.stack(norms).norm()) if norms else 0.0
