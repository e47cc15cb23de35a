"""What is a step of a block without blocks in it, or a stretch? A function of numpy on rows, with states out of the pass (`steps.py`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.special
import torch
from torch import nn

from app.nets.blocks import Affine, Function, Layer, Normalised, SequenceDropout
from app.nets.cells import Cell
from app.nets.feedforward import Convolution, Lagged
from app.nets.packed import Rows, State, numbers, pack, sigmoid
from app.nets.packed_cell import OperatorCell, PackedCell
from app.nets.pooling import LargestStep, MeanStep, NewestStep
from app.nets.stacked import StackedCells
from app.nets.wrappers import Dilated, Past, Stepwise


@dataclass
class Pass:
    """One step of a network.

    Attributes:
        named: what inputs and named blocks have given.
        before: states by their places.
        after: states after the step.
        is_carried_on: whether these are wanted.
    """

    named: dict[str, Rows]
    before: Mapping[str, State]
    after: dict[str, State] = field(default_factory=dict)
    is_carried_on: bool = True


Step = Callable[[Rows, Pass], Rows]
Leaf = Callable[[nn.Module], Step]
Move = Callable[[Rows, State], tuple[Rows, State]]


class NoStepError(Exception):
    """A module has no program."""


def leaf_step(module: nn.Module) -> Step:
    """The program of a block without blocks in it.

    Raises:
        NoStepError: there is none.
    """
    match module:
        case Layer():
            return _layer(module)
        case Affine() | Function():
            return _mapped(module)
        case Normalised():
            return _norm(module.norm)
        case SequenceDropout() | NewestStep():
            return lambda rows, _: rows
        case MeanStep() | LargestStep():
            return _running(module)
        case Convolution() | Lagged():
            return _seen_again(module)
        case _:
            raise NoStepError(type(module).__name__)


def leaf_stretch(module: nn.Module) -> Step:
    """The program of a block without blocks in it, for all steps of a stretch at once.

    Raises:
        NoStepError: there is none.
    """
    match module:
        case Layer() if isinstance(module.cell, PackedCell):
            return _packed_layer(module, module.cell)
        case Affine() | Function() | Normalised() | SequenceDropout():
            return leaf_step(module)
        case _:
            raise NoStepError(type(module).__name__)


def _layer(module: Layer) -> Step:
    move, place, joined = _move(module.cell), module.place, _joined(module)

    def step(rows: Rows, run: Pass) -> Rows:
        given, run.after[place] = move(rows, run.before[place])
        return joined(rows, given, run)

    return step


def _packed_layer(module: Layer, cell: PackedCell) -> Step:
    place, joined = module.place, _joined(module)
    if isinstance(cell, OperatorCell):
        cell.prepare()
    begun = tuple(numbers(part) for part in cell.start(torch.zeros(1, 1, 1)))

    def stretch(rows: Rows, run: Pass) -> Rows:
        state = run.before.get(place) or (begun if rows.shape[1] == 1 else tuple(np.repeat(part, rows.shape[1], axis=0) for part in begun))
        given, run.after[place] = cell.step(rows, state)
        return joined(rows, given, run)

    return stretch


def stacks_as(block: nn.Module) -> tuple[object, ...] | None:
    """What layers have in common that go through one call, one on another; None of a block that is no such layer."""
    if not isinstance(block, Layer) or not isinstance(block.norm, nn.Identity) or block.skip.kind != "none":
        return None
    return block.cell.cell.stacks_as if isinstance(block.cell, OperatorCell) else None


def stacked_layers(layers: Sequence[Layer]) -> Step:
    """The program of layers that go through one call, for a stretch."""
    places = [layer.place for layer in layers]
    packed = [layer.cell for layer in layers if isinstance(layer.cell, OperatorCell)]
    stacked = StackedCells([one.cell for one in packed], packed[0].operator)
    stacked.prepare()

    def stretch(rows: Rows, run: Pass) -> Rows:
        before = [run.before[place] for place in places] if places[0] in run.before else None
        rows, after = stacked.run(rows, before, is_carried_on=run.is_carried_on)
        run.after.update(zip(places, after, strict=False))
        return rows

    return stretch


def _joined(module: Layer) -> Callable[[Rows, Rows, Pass], Rows]:
    """What a layer read and what its cell gave, as it gives them."""
    past = past_step(module.skip)
    norm = _norm(module.norm) if isinstance(module.norm, nn.LayerNorm) else None
    return lambda read, given, run: past(read, given if norm is None else norm(given, run))


def _move(recurrence: nn.Module) -> Move:
    match recurrence:
        case PackedCell():
            return _cell(recurrence.cell)
        case Cell():
            return _cell(recurrence)
        case Stepwise():
            return _zoned_out(recurrence)
        case Dilated():
            return _dilated(recurrence)
        case _:
            raise NoStepError(type(recurrence).__name__)


def _cell(cell: Cell) -> Move:
    packed = pack(cell)

    def move(rows: Rows, state: State) -> tuple[Rows, State]:
        moved = packed.advance(packed.drive(rows), state)
        return moved[0], moved

    return move


def _zoned_out(module: Stepwise) -> Move:
    inside, share = _move(module.inner), np.float32(module.zoneout)

    def move(rows: Rows, state: State) -> tuple[Rows, State]:
        _, moved = inside(rows, state)
        hidden = moved[0] + share * (state[0] - moved[0]) if share else moved[0]
        return hidden, (hidden, *moved[1:])

    return move


def _dilated(module: Dilated) -> Move:
    inside = _move(module.inner)

    def move(rows: Rows, state: State) -> tuple[Rows, State]:
        given, moved = inside(rows, tuple(part[:, 0] for part in state))
        # The phase that went now is due last.
        return given, tuple(np.concatenate([part[:, 1:], new[:, None]], axis=1) for part, new in zip(state, moved, strict=True))

    return move


def past_step(module: Past) -> Callable[[Rows, Rows], Rows]:
    """What was read and what was given, joined."""
    if module.gate is not None:
        weight, bias = numbers(module.gate.weight).T.copy(), numbers(module.gate.bias)
        return lambda read, given: read + sigmoid(read @ weight + bias) * (given - read)
    match module.kind:
        case "add" | "residual":
            return lambda read, given: read + given
        case "dense":
            return lambda read, given: np.concatenate([read, given], axis=-1)
        case _:
            return lambda _, given: given


def _gelu(rows: Rows) -> Rows:
    half = rows * np.float32(0.5)
    mapped: Rows = half + half * scipy.special.erf(rows * np.float32(0.5**0.5))
    return mapped


FUNCTIONS: Mapping[str, Callable[[Rows], Rows]] = {
    "linear": lambda rows: rows,
    "relu": lambda rows: np.maximum(rows, 0.0),
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "gelu": _gelu,
}


def _mapped(module: Affine | Function) -> Step:
    function = FUNCTIONS[module.activation]
    if isinstance(module, Function):
        return lambda rows, _: function(rows)
    weight, bias = numbers(module.linear.weight).T.copy(), numbers(module.linear.bias)
    return lambda rows, _: function(rows @ weight + bias)


def _norm(module: nn.LayerNorm) -> Step:
    weight, bias, epsilon = numbers(module.weight), numbers(module.bias), np.float32(module.eps)

    def step(rows: Rows, _: Pass) -> Rows:
        apart = rows - rows.mean(axis=-1, keepdims=True)
        normalised: Rows = apart / np.sqrt(np.square(apart).mean(axis=-1, keepdims=True) + epsilon) * weight + bias
        return normalised

    return step


def _running(module: MeanStep | LargestStep) -> Step:
    place, is_mean = module.place, isinstance(module, MeanStep)

    def step(rows: Rows, run: Pass) -> Rows:
        if is_mean:
            total, count = run.before[place]
            run.after[place] = total + rows, count + np.float32(1.0)
            return run.after[place][0] / run.after[place][1]
        largest = np.maximum(run.before[place][0], rows)
        run.after[place] = (largest,)
        return largest

    return step


def _seen_again(module: Convolution | Lagged) -> Step:
    """Of what carries the steps that it will see again."""
    place = module.place
    weigh = _convolved(module) if isinstance(module, Convolution) else _beside(module)

    def step(rows: Rows, run: Pass) -> Rows:
        seen = np.concatenate([run.before[place][0], rows[:, None]], axis=1)
        run.after[place] = (seen[:, 1:],)
        return weigh(seen)

    return step


def _convolved(module: Convolution) -> Callable[[npt.NDArray[Any]], Rows]:
    if not module.is_causal:
        raise NoStepError("Convolution")
    convolution, function = module.convolution, FUNCTIONS[module.activation]
    weight, bias = numbers(convolution.weight).transpose(2, 1, 0).reshape(-1, convolution.out_channels), numbers(convolution.bias)  # type: ignore[arg-type]
    apart = convolution.dilation[0]
    return lambda seen: function(seen[:, ::apart].reshape(len(seen), -1) @ weight + bias)


def _beside(module: Lagged) -> Callable[[npt.NDArray[Any]], Rows]:
    places = [module.lags[-1], *(module.lags[-1] - lag for lag in module.lags)]
    return lambda seen: seen[:, places].reshape(len(seen), -1)
