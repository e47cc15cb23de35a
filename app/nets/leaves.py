"""What does a block without blocks in it build? One `match` over the closed union; no registry, no names of classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from torch import nn

from app.nets.blocks import Affine, Function, Layer, Normalised, SequenceDropout
from app.nets.cells import Cell as CellModule
from app.nets.cells import ElmanCell, GruBeforeCell, GruCell, LstmCell, Recurrence
from app.nets.feedforward import Convolution, Lagged, Pieces, SelfAttention
from app.nets.outlook import InstanceNorm as InstanceNormModule
from app.nets.pooling import AttendedStep, Final, LargestStep, MeanStep, NewestStep
from app.nets.smoothing import Smoothing
from app.nets.stepped import IndRnnCell, LoopLstmCell, MinGruCell, MinLstmCell, SlstmCell
from app.nets.wrappers import Backward, Both, Dilated, Stepwise
from app.spec.cells import Cell, Elman, Gru, IndRnn, Lstm, MinGru, MinLstm, Slstm
from app.spec.leaves import (
    Activate,
    Attend,
    Attention,
    Conv,
    Dense,
    Dropout,
    InstanceNorm,
    Lags,
    Last,
    Leaf,
    Max,
    Mean,
    Norm,
    Segment,
    SeriesBlock,
    Smooth,
    Whole,
)
from app.spec.shapes import width_after


@dataclass(frozen=True)
class Site:
    """Where blocks are built for.

    Attributes:
        context: steps that they see, which a chrono initialisation wants to know.
        every_step: whether their answer is wanted after every step, or of the newest alone.
        targets: which column of an input is the target, of those that have it.
    """

    context: int
    every_step: bool = False
    targets: Mapping[str, int] = field(default_factory=dict)


def build_leaf(block: Leaf, width: int, place: str, site: Site) -> nn.Module:
    """The module of a block without blocks in it.

    Args:
        block: the description.
        width: of its input.
        place: where it stands.
        site: what it is built for.
    """
    match block:
        case Dense(units=units, activation=activation):
            return Affine(width, units, activation)
        case Conv():
            return Convolution(block, width, place)
        case Attention(units=units, heads=heads):
            return SelfAttention(width, units, heads)
        case Norm(epsilon=epsilon):
            return Normalised(width, epsilon)
        case Activate(function=function):
            return Function(function)
        case Dropout(rate=rate):
            return SequenceDropout(rate)
        case _:
            return _over_time(block, width, place, site)


def _over_time(block: Cell | Lags | Segment | SeriesBlock | Whole, width: int, place: str, site: Site) -> nn.Module:
    """The module of a block that carries a state."""
    match block:
        case Lags(steps=lags):
            return Lagged(lags, place)
        case Segment(width=steps):
            return Pieces(steps, place)
        case Smooth():
            return Smoothing(block, place)
        case InstanceNorm(by=by, source=source):
            return InstanceNormModule(by, width, site.targets[source or ""])
        case Last() | Mean() | Max() | Attend():
            return _pooling(block, width, place, every_step=site.every_step)
        case _:
            return _layer(block, width, place, site)


def _pooling(block: Whole, width: int, place: str, *, every_step: bool) -> nn.Module:
    match block:
        case Last():
            return NewestStep(place, every_step=every_step)
        case Mean():
            return MeanStep(place, every_step=every_step)
        case Max():
            return LargestStep(place, every_step=every_step)
        case Attend(units=units):
            return AttendedStep(width, units, place, every_step=every_step)
        case _:
            assert_never(block)


def _layer(block: Cell, width: int, place: str, site: Site) -> nn.Module:
    recurrence = _directed(block, width, site.context)
    layer = Layer(recurrence, place, width_after(block, width), block.dropout, is_normalised=block.layer_norm, residual=block.residual)
    return layer if block.output == "sequence" else Final(layer, block.direction, every_step=site.every_step)


def _directed(block: Cell, width: int, context: int) -> Recurrence:
    match block.direction:
        case "forward":
            return _wrapped(block, width, context)
        case "backward":
            return Backward(_wrapped(block, width, context))
        case "both":
            return Both(_wrapped(block, width, context), _wrapped(block, width, context))
        case _:
            assert_never(block.direction)


def _wrapped(block: Cell, width: int, context: int) -> Recurrence:
    recurrence: Recurrence = _cell(block, width, context)
    if block.recurrent_dropout or block.zoneout:
        recurrence = Stepwise(recurrence, block.recurrent_dropout, block.zoneout)
    return recurrence if block.steps_apart == 1 else Dilated(recurrence, block.steps_apart)


def _cell(block: Cell, width: int, context: int) -> CellModule:
    match block:
        case Elman(units=units, activation=activation):
            return ElmanCell(width, units, activation)
        case Lstm():
            return _lstm(block, width, context if block.init == "chrono" else None)
        case Gru(units=units, reset=reset, init=init):
            kind = GruCell if reset == "after" else GruBeforeCell
            return kind(width, units, context if init == "chrono" else None)
        case MinGru(units=units):
            return MinGruCell(width, units)
        case MinLstm(units=units):
            return MinLstmCell(width, units)
        case IndRnn(units=units, activation=activation):
            return IndRnnCell(width, units, activation)
        case Slstm(units=units):
            return SlstmCell(width, units)
        case _:
            assert_never(block)


def _lstm(block: Lstm, width: int, chrono: int | None) -> CellModule:
    if block.peepholes or block.projection is not None:
        return LoopLstmCell(width, block.units, chrono, has_peepholes=block.peepholes, projection=block.projection)
    return LstmCell(width, block.units, chrono)
