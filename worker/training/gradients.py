"""How do the gradients flow? One look at a few windows, without a trace in what is trained.

One way forward and one way back on the *probe*, the same windows each time, without dropout, with the loss of the newest horizon alone.
For each recurrent layer that runs, by its place:

    grad_norm/PLACE        of its weights                     saturation/PLACE    share of gate values without a slope
    grad_norm/PLACE/GATE   of the rows of one gate            dead_units/PLACE    share of units that never change
    memory/PLACE           lag up to which the gradient of    radius/PLACE        largest eigenvalue of its recurrent weights
                           its state is 1 % of its largest
    half_life/PLACE        lag from which on it is a half

and `depth_ratio`, the first block's gradient norm over the last one's in a stack.

What a look costs is measured by `make bench-flow`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.forecasting.windows import WindowSource
from app.nets.blocks import Layer, Tap
from app.nets.build import Network
from app.nets.cells import Cell, CellState
from app.nets.combinators import Chain
from app.nets.heads import Head
from worker.training.gates import gate_names, gate_values, saturation, spectral_radius, stretches
from worker.training.reach import half_life, lag_curve, state_gradients, used_memory
from worker.training.stage import Rows, StageRun

PROBE_WINDOWS = 16
"""Enough for a norm; with 32 a look at the LSTM above takes a third longer."""

LAGS_TOLD = 24
"""Enough to draw a curve over the logarithm of the lag."""

STILL = 1e-6
"""Range of a unit's output over all steps of the probe, below which it says nothing."""

GATED = ("input_weight", "recurrent_weight", "bias", "recurrent_bias")
"""Parameters of a cell whose rows stand gate by gate."""

Gradients = Mapping[int, Tensor]
"""By the parameter's `id`: tensors have no equality to be found by."""


@dataclass(frozen=True)
class LayerReport:
    """What was seen of a recurrent layer.

    Attributes:
        place: where it stands.
        grad_norm: of all its weights; None where they are frozen.
        gate_norms: of the rows of each gate.
        curve: norm of the gradient of its state by the lag, see `worker.training.reach`; 0 is the newest step.
        memory: the largest lag at which the curve is at least 1 % of its largest.
        half_life: the lag from which on it is at most half of its largest, None where it never falls so far.
        saturation: share of gate values at which the gate hardly has a slope, None where no gate is seen.
        gate_saturation: the same of each gate that is seen.
        dead_units: share of units that give the same at every step of the probe.
        radius: spectral radius of the recurrent weights, the largest of all gates; None where there is none.
    """

    place: str
    grad_norm: float | None
    gate_norms: Mapping[str, float]
    curve: tuple[float, ...]
    memory: int
    half_life: int | None
    saturation: float | None
    gate_saturation: Mapping[str, float]
    dead_units: float
    radius: float | None

    def metrics(self) -> dict[str, float | None]:
        """One number a name; None for what is not there or no number."""
        values = {
            "grad_norm": self.grad_norm,
            "memory": float(self.memory),
            "half_life": None if self.half_life is None else float(self.half_life),
            "saturation": self.saturation,
            "dead_units": self.dead_units,
            "radius": self.radius,
        }
        named = {f"{name}/{self.place}": _known(value) for name, value in values.items()}
        return named | {f"grad_norm/{self.place}/{gate}": _known(norm) for gate, norm in self.gate_norms.items()}

    def told(self) -> dict[str, object]:
        """The curve at LAGS_TOLD lags at most, with what is read from it."""
        lags = sorted({int(lag) for lag in np.geomspace(1, len(self.curve), min(LAGS_TOLD, len(self.curve))).round() - 1})
        norms = [_known(self.curve[lag]) for lag in lags]
        return {"lags": lags, "norms": norms, "memory": self.memory, "half_life": self.half_life}


@dataclass(frozen=True)
class GradientReport:
    """What was seen of a network.

    Attributes:
        layers: in the order of the network.
        depth_ratio: gradient norm of the first block with recurrent layers over that of the last one; None without a stack of two.
    """

    layers: tuple[LayerReport, ...]
    depth_ratio: float | None

    def metrics(self) -> dict[str, float | None]:
        """One number a name, ready for JSON."""
        named = {name: value for layer in self.layers for name, value in layer.metrics().items()}
        return named | {"depth_ratio": _known(self.depth_ratio)}

    def curves(self) -> list[dict[str, object]]:
        """Of each layer, the norm of the gradient at some lags, close together near the newest step; ready for JSON."""
        return [{"place": layer.place, **layer.told()} for layer in self.layers]


@dataclass(frozen=True, eq=False)
class _Passed:
    """What went through a layer's cell on the way forward; `given` is a node of the graph."""

    read: Float[Tensor, "batch time width"]
    given: Float[Tensor, "batch time hidden"]


def measure(run: StageRun, head: Head, source: WindowSource, cutoffs: Rows) -> GradientReport:
    """One look.

    Weights, their gradients, the optimiser, torch's generators, and who is in training mode are as they were.

    Args:
        run: the present stage.
        head: what the loss is of.
        source: gives the windows.
        cutoffs: of all training windows.
    """
    rows = probe_rows(len(cutoffs))
    if not run.layers:
        return GradientReport((), None)
    with _at_rest(run.network), torch.enable_grad():
        windows = source.lesson(cutoffs[rows], is_whole=False)
        with _listening(run.layers) as passed:
            loss = run.loss(head, windows, cutoffs, rows)
        of_outputs, of_weights = _backward(loss, run.layers, passed)
        reports = tuple(
            _report(layer, passed[place], of_outputs[place], of_weights) for place, layer in run.layers.items() if place in passed
        )
    return GradientReport(reports, depth_ratio(reports) if _is_stack(run.network) else None)


def update_ratios(layers: Mapping[str, Layer], before: Mapping[int, Tensor]) -> dict[str, float]:
    """|w - w_before| / |w_before| of each layer that learns, as a measured value; about 1e-3 is healthy.

    Args:
        layers: by their place.
        before: weights by their `id`, as they were a step ago.
    """
    found = {place: _update_ratio(layer, before) for place, layer in layers.items()}
    return {f"update_ratio/{place}": ratio for place, ratio in found.items() if ratio is not None}


def probe_rows(windows: int) -> npt.NDArray[np.int64]:
    """The training windows that are looked at: evenly spread, always the same.

    Args:
        windows: that there are.
    """
    return np.unique(np.linspace(0, windows - 1, PROBE_WINDOWS).astype(np.int64))


def depth_ratio(layers: Sequence[LayerReport]) -> float | None:
    """Gradient norm of the first block of a stack over that of the last one that learns.

    Args:
        layers: of a network whose outermost block is a stack; those of one of its blocks count together.
    """
    squares: dict[str, float] = {}
    for layer in layers:
        if layer.grad_norm is not None:
            block = layer.place.split(".")[1]
            squares[block] = squares.get(block, 0.0) + layer.grad_norm**2
    first, *_, last = squares.values() if len(squares) > 1 else (0.0, 0.0)
    return math.sqrt(first / last) if last > 0.0 else None


def _is_stack(network: Network) -> bool:
    return isinstance(network.body.block if isinstance(network.body, Tap) else network.body, Chain)


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
def _listening(layers: Mapping[str, Layer]) -> Iterator[dict[str, _Passed]]:
    passed: dict[str, _Passed] = {}

    def hear(place: str, arguments: tuple[Tensor, CellState], answer: tuple[Tensor, CellState]) -> tuple[Tensor, CellState]:
        given, after = answer
        if not given.requires_grad:
            # Frozen, and nothing that learns before it: still the loss has a gradient with respect to what it gives.
            given = given.detach().requires_grad_()
        passed[place] = _Passed(arguments[0].detach(), given)
        return given, after

    hooks = [layer.cell.register_forward_hook(lambda _, read, given, at=place: hear(at, read, given)) for place, layer in layers.items()]
    try:
        yield passed
    finally:
        for hook in hooks:
            hook.remove()


def _backward(loss: Float[Tensor, ""], layers: Mapping[str, Layer], passed: Mapping[str, _Passed]) -> tuple[dict[str, Tensor], Gradients]:
    """Gradients of what each layer gave, and of each of their weights that learns; zero where the loss does not depend on it."""
    weights = [weight for layer in layers.values() for weight in layer.parameters() if weight.requires_grad]
    outputs = [seen.given for seen in passed.values()]
    found = torch.autograd.grad(loss, [*outputs, *weights], allow_unused=True, materialize_grads=True)
    of_outputs = dict(zip(passed, found[: len(outputs)], strict=True))
    return of_outputs, {id(weight): gradient for weight, gradient in zip(weights, found[len(outputs) :], strict=True)}


def _report(layer: Layer, passed: _Passed, direct: Tensor, gradients: Gradients) -> LayerReport:
    given = passed.given.detach()
    curve = lag_curve(state_gradients(layer.cell, passed.read, direct))
    with torch.no_grad():
        flat = saturation([gate_values(stretch) for stretch in stretches(layer.cell, passed.read, given)])
    cells = [module for module in layer.modules() if isinstance(module, Cell)]
    radii = [radius for radius in map(spectral_radius, cells) if radius is not None]
    still = given.amax(dim=(0, 1)) - given.amin(dim=(0, 1)) < STILL
    return LayerReport(
        place=layer.place,
        grad_norm=_norm([gradients[id(weight)] for weight in layer.parameters() if id(weight) in gradients]),
        gate_norms=_gate_norms(cells, gradients),
        curve=tuple(curve.tolist()),
        memory=used_memory(curve),
        half_life=half_life(curve),
        saturation=sum(flat.values()) / len(flat) if flat else None,
        gate_saturation=flat,
        dead_units=float(still.float().mean()),
        radius=max(radii, default=None),
    )


def _norm(tensors: Sequence[Tensor]) -> float | None:
    return float(torch.stack([tensor.norm() for tensor in tensors]).norm()) if tensors else None


def _gate_norms(cells: Sequence[Cell], gradients: Gradients) -> dict[str, float]:
    """Of each gate's rows, over both cells of a layer that reads both ways."""
    found: dict[str, float] = {}
    names = gate_names(cells[0])
    for at, name in enumerate(names):
        rows = [
            gradients[id(weight)].chunk(len(names))[at]
            for cell in cells
            for key, weight in cell.named_parameters()
            if key in GATED and id(weight) in gradients
        ]
        norm = _norm(rows)
        found |= {} if norm is None else {name: norm}
    return found


def _update_ratio(layer: Layer, old: Mapping[int, Tensor]) -> float | None:
    pairs = [(weight.detach(), old[id(weight)]) for weight in layer.parameters() if id(weight) in old]
    size = _norm([former for _, former in pairs])
    change = _norm([now - former for now, former in pairs])
    return change / size if size and change is not None else None


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
