"""What does each block make of its input? Width, parameters and multiply-adds in closed form, without torch.

Every block gives a sequence as long as its input; `width` is the size of one step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from app.spec.blocks import Cell, Connect, Dense, Dropout, Elman, Gru, Lstm, Stack
from app.spec.forecaster import ForecasterSpec, Head, Input, PointHead, QuantilesHead

Leaf = Cell | Dense | Dropout
"""Blocks without blocks in them."""

Combinator = Stack | Connect


def width_after(block: Leaf, width: int) -> int:
    """Width of what a block gives for an input of this width."""
    return width if isinstance(block, Dropout) else block.units


def parameters_of(block: Leaf, width: int) -> int:
    """Trainable numbers of a block, biases included: a cell has one per gate, the GRU that resets after the product two (as cuDNN's)."""
    match block:
        case Elman(units=units):
            return units * (width + units + 1)
        case Lstm(units=units):
            return 4 * units * (width + units + 1)
        case Gru(units=units, reset=reset):
            return 3 * units * (width + units + (2 if reset == "after" else 1))
        case Dense(units=units):
            return units * (width + 1)
        case Dropout():
            return 0
        case _:
            assert_never(block)


def multiply_adds_of(block: Leaf, width: int) -> int:
    """Multiply-adds of a block at one step."""
    match block:
        case Elman(units=units):
            return units * (width + units)
        case Lstm(units=units):
            return 4 * units * (width + units)
        case Gru(units=units):
            return 3 * units * (width + units)
        case Dense(units=units):
            return units * width
        case Dropout():
            return 0
        case _:
            assert_never(block)


def activations_of(block: Leaf, width: int) -> int:
    """Numbers that training keeps of one step for the way back: the output and the gates."""
    gates = {"elman": 2, "lstm": 6, "gru": 6, "dense": 2, "dropout": 2}
    return gates[block.kind] * width_after(block, width)


def input_width(group: Input) -> int:
    """Columns of an input: its own, and a sine and a cosine of each calendar feature."""
    return len(group.columns) + 2 * len(group.features)


def future_width(inputs: Mapping[str, Input]) -> int:
    """Columns that are known over the horizon: those of `known: future`, and the calendar of every input."""
    return sum((len(group.columns) if group.known == "future" else 0) + 2 * len(group.features) for group in inputs.values())


def head_width(head: Head) -> int:
    """Numbers that a head wants of one horizon step."""
    match head:
        case PointHead():
            return 1
        case QuantilesHead(levels=levels):
            return len(levels)
        case _:
            assert_never(head)


def decoder_parameters(spec: ForecasterSpec, width: int, horizon: int) -> int:
    """Trainable numbers of the direct decoder: one affine map from the newest state and all that is known over the horizon."""
    return (width + horizon * future_width(spec.inputs) + 1) * horizon * head_width(spec.head)
