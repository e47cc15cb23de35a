"""How do the gradients flow? One look at a few windows, without a trace in what is trained; what it sees is told in `looks.py`.

One way forward and one way back on the *probe*, the same windows each time, without dropout, with the loss of the newest horizon alone; of
each recurrent layer that runs, what it read, what it gave, and the gradients of both its outputs and its weights are kept. All else follows
from these: the states' gradients (`reach.py`) and the gates (`gates.py`), cell by cell (`stretches.py`).

What a look costs is measured by `make bench-flow`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.forecasting.windows import WindowSource
from app.nets.blocks import Layer
from app.nets.build import Network
from app.nets.cells import Cell, CellState
from app.nets.heads import Head
from worker.training.gates import Gate, gate_names, gate_values, saturation, spectral_radius
from worker.training.looks import LayerLook, Look, known
from worker.training.reach import half_life, state_gradients, used_memory
from worker.training.stage import Rows, StageRun
from worker.training.stretches import Stretch, stretches

PROBE_WINDOWS = 16
"""Enough for a norm."""

LAGS_TOLD = 32
"""Enough to draw a curve over the logarithm of the lag."""

STILL = 1e-6
"""Range of a unit's output over all steps of the probe, below which it says nothing."""

GATED = ("input_weight", "recurrent_weight", "bias", "recurrent_bias")
"""Parameters of a cell whose rows stand gate by gate."""

Gradients = Mapping[int, Tensor]
"""By the parameter's `id`: tensors have no equality to be found by."""

Curve = Float[Tensor, " lag"]


@dataclass(frozen=True, eq=False)
class _Pass:
    """What went through a layer's cell on the way forward; `given` is a node of the graph."""

    read: Float[Tensor, "batch time width"]
    given: Float[Tensor, "batch time hidden"]


@dataclass(frozen=True, eq=False)
class _Passed:
    """A pass with the gradient of the loss with respect to what the layer gave."""

    given: Float[Tensor, "batch time hidden"]
    direct: Float[Tensor, "batch time hidden"]
    stretches: list[Stretch]


def measure(run: StageRun, head: Head, source: WindowSource, cutoffs: Rows, updates: Mapping[str, float]) -> Look:
    """One look.

    Weights, their gradients, the optimiser, torch's generators, and who is in training mode are as they were.

    Args:
        run: the present stage.
        head: what the loss is of.
        source: gives the windows.
        cutoffs: of all training windows.
        updates: see `update_ratios`.
    """
    rows = probe_rows(len(cutoffs))
    if not run.layers:
        return Look()
    with _at_rest(run.network), torch.no_grad():
        windows = source.lesson(cutoffs[rows], is_whole=False)
        with _listening(run.layers) as passes, torch.enable_grad():
            loss = run.loss(head, windows, cutoffs, rows)
        passed, gradients = _backward(loss, run.layers, passes)
        layers = [_look(run.layers[place], passed[place], gradients, updates.get(place)) for place in run.layers if place in passed]
    return Look(layers, known(_depth_ratio(run.network, gradients)))


def update_ratios(layers: Mapping[str, Layer], before: Mapping[int, Tensor]) -> dict[str, float]:
    """|w - w_before| / |w_before| of each layer that learns, by its place; about 1e-3 is healthy.

    Args:
        layers: by their place.
        before: weights by their `id`, as they were a step ago.
    """
    found = {place: _update_ratio(layer, before) for place, layer in layers.items()}
    return {place: ratio for place, ratio in found.items() if ratio is not None}


def probe_rows(windows: int) -> npt.NDArray[np.int64]:
    """The training windows that are looked at: evenly spread, always the same.

    Args:
        windows: that there are.
    """
    return np.unique(np.linspace(0, windows - 1, PROBE_WINDOWS).astype(np.int64))


def lags_told(steps: int) -> list[int]:
    """The lags whose norms are told: all where there are few, otherwise LAGS_TOLD at most, close together near the newest step.

    Args:
        steps: that there are.
    """
    return list(range(steps)) if steps <= LAGS_TOLD else sorted({int(lag) - 1 for lag in np.geomspace(1, steps, LAGS_TOLD).round()})


def _depth_ratio(network: Network, gradients: Gradients) -> float | None:
    """Gradient norm of the first block of the outermost stack over that of the last one, of those with recurrent layers that learn."""
    norms = []
    for block in network.blocks:
        layers = [module for module in block.modules() if isinstance(module, Layer)]
        found = _norm([gradients[id(weight)] for layer in layers for weight in layer.parameters() if id(weight) in gradients])
        norms += [] if found is None else [found]
    return norms[0] / norms[-1] if len(norms) > 1 and norms[-1] > 0.0 else None


@contextmanager
def _at_rest(network: nn.Module) -> Iterator[None]:
    """No dropout, and everything in its former mode afterwards."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    for module in modes:
        if isinstance(module, Cell):
            # A cell has no dropout of its own, and cuDNN knows a way back through it in training mode only.
            module.training = True
    try:
        yield
    finally:
        for module, is_training in modes.items():
            module.training = is_training


@contextmanager
def _listening(layers: Mapping[str, Layer]) -> Iterator[dict[str, list[_Pass]]]:
    """Passes by the layer's place: several where its weights are shared."""
    passes: dict[str, list[_Pass]] = {}

    def hear(place: str, arguments: tuple[Tensor, CellState], answer: tuple[Tensor, CellState]) -> tuple[Tensor, CellState]:
        given, after = answer
        if not given.requires_grad:
            # Frozen, and nothing that learns before it: still the loss has a gradient with respect to what it gives.
            given = given.detach().requires_grad_()
        passes.setdefault(place, []).append(_Pass(arguments[0].detach(), given))
        return given, after

    hooks = [layer.cell.register_forward_hook(lambda _, read, given, at=place: hear(at, read, given)) for place, layer in layers.items()]
    try:
        yield passes
    finally:
        for hook in hooks:
            hook.remove()


def _backward(
    loss: Float[Tensor, ""], layers: Mapping[str, Layer], passes: Mapping[str, list[_Pass]]
) -> tuple[dict[str, list[_Passed]], Gradients]:
    """Gradients of what each layer gave, and of each of their weights that learns; zero where the loss does not depend on it."""
    weights = [weight for layer in layers.values() for weight in layer.parameters() if weight.requires_grad]
    outputs = [one.given for several in passes.values() for one in several]
    found = torch.autograd.grad(loss, [*outputs, *weights], allow_unused=True, materialize_grads=True)
    directs = iter(found)
    passed = {place: [_passed(layers[place], one, next(directs)) for one in several] for place, several in passes.items()}
    return passed, {id(weight): gradient for weight, gradient in zip(weights, found[len(outputs) :], strict=True)}


def _passed(layer: Layer, one: _Pass, direct: Tensor) -> _Passed:
    given = one.given.detach()
    return _Passed(given, direct, stretches(layer.cell, one.read, given, direct))


def _look(layer: Layer, passed: Sequence[_Passed], gradients: Gradients, update_ratio: float | None) -> LayerLook:
    gates = [[gate_values(stretch.cell, stretch.read, stretch.before) for stretch in one.stretches] for one in passed]
    curve = _curve(passed, gates)
    put_in = sum(float(one.direct.norm(dim=(0, 2)).sum()) for one in passed)
    seen = [
        _in_time(stretch, values)
        for one, many in zip(passed, gates, strict=True)
        for stretch, values in zip(one.stretches, many, strict=True)
    ]
    flat = saturation(seen)
    cells = [module for module in layer.modules() if isinstance(module, Cell)]
    radii = [radius for radius in map(spectral_radius, cells) if radius is not None]
    outputs = torch.cat([one.given.flatten(0, 1) for one in passed])
    lags = lags_told(len(curve))
    return LayerLook(
        place=layer.place,
        steps=len(curve),
        grad_norm=known(_norm([gradients[id(weight)] for weight in layer.parameters() if id(weight) in gradients])),
        gate_norms=_gate_norms(cells, gradients),
        lags=lags,
        norms=[known(norm) for norm in curve[lags].tolist()],
        memory=used_memory(curve),
        half_life=half_life(curve),
        growth=known(float(curve.max()) / put_in) if put_in > 0.0 else None,
        saturation=sum(flat.values()) / len(flat) if flat else None,
        gate_saturation=flat,
        dead_units=float((outputs.amax(dim=0) - outputs.amin(dim=0) < STILL).float().mean()),
        radius=max(radii, default=None),
        update_ratio=known(update_ratio),
    )


def _curve(passed: Sequence[_Passed], gates: Sequence[Sequence[Mapping[str, Gate]]]) -> Curve:
    """Norm of the gradient of the layer's states over windows, units and passes at each lag; 0 is the newest step."""
    curves = []
    for one, many in zip(passed, gates, strict=True):
        for stretch, values in zip(one.stretches, many, strict=True):
            curves.append(state_gradients(stretch, values).norm(dim=(0, 2)).flip(0))
    longest = max(len(curve) for curve in curves)
    together: Curve = torch.stack([nn.functional.pad(curve, (0, longest - len(curve))) for curve in curves]).norm(dim=0)
    return together


def _in_time(stretch: Stretch, gates: Mapping[str, Gate]) -> dict[str, Tensor]:
    """Without the steps that a dilated layer's phases end with."""
    return {name: stretch.restored(values) for name, values in gates.items()}


def _norm(tensors: Sequence[Tensor]) -> float | None:
    return float(torch.stack([tensor.norm() for tensor in tensors]).norm()) if tensors else None


def _gate_norms(cells: Sequence[Cell], gradients: Gradients) -> dict[str, float | None]:
    """Of each gate's rows, over both cells of a layer that reads both ways."""
    found: dict[str, float | None] = {}
    names = gate_names(cells[0])
    for at, name in enumerate(names):
        rows = [
            gradients[id(weight)].chunk(len(names))[at]
            for cell in cells
            for key, weight in cell.named_parameters()
            if key in GATED and id(weight) in gradients
        ]
        norm = _norm(rows)
        found |= {} if norm is None else {name: known(norm)}
    return found


def _update_ratio(layer: Layer, old: Mapping[int, Tensor]) -> float | None:
    pairs = [(weight.detach(), old[id(weight)]) for weight in layer.parameters() if id(weight) in old]
    size = _norm([former for _, former in pairs])
    change = _norm([now - former for now, former in pairs])
    return change / size if size and change is not None else None
