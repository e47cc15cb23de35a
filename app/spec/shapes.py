"""What does each block make of its input? Width, parameters and multiply-adds in closed form, without torch.

`width` is the size of one step. A block's `pace` is how many steps of the context each of its own stands for; 0 of a vector.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

from app.spec.blocks import Connect, Stack
from app.spec.cells import AnyCell, Cell, Elman, Gru, IndRnn, Lstm, MinGru, MinLstm, Slstm
from app.spec.decoders import DirectDecoder, ForkingDecoder, RecursiveDecoder, SegmentsDecoder, SequenceDecoder, lags_of_decoder
from app.spec.forecaster import (
    ForecasterSpec,
    Head,
    MixtureHead,
    NegativeBinomialHead,
    NormalHead,
    PointHead,
    PoissonHead,
    QuantilesHead,
    StudentHead,
    TweedieHead,
)
from app.spec.inputs import Input
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
    Smooth,
)

VECTOR = 0
"""The pace of what stands for the whole context."""


def width_after(block: Leaf, width: int) -> int:
    """Width of what a block gives for an input of this width."""
    match block:
        case Norm() | Activate() | Dropout() | Last() | Mean() | Max() | Attend() | InstanceNorm():
            return width
        case Smooth():
            return 2
        case Segment(width=steps):
            return width * steps
        case Lags(steps=lags):
            return width * (1 + len(lags))
        case Dense(units=units) | Conv(units=units) | Attention(units=units):
            return units
        case _:
            return hidden_width(block) * (2 if block.direction == "both" else 1)


def pace_after(block: Leaf, pace: int) -> int:
    """Pace of what a block gives for an input of this pace."""
    match block:
        case Last() | Mean() | Max() | Attend() | AnyCell(output="last"):
            return VECTOR
        case Segment(width=steps):
            return pace * steps
        case _:
            return pace


def hidden_width(cell: Cell) -> int:
    """Width of a cell's hidden state in one direction."""
    return cell.projection if isinstance(cell, Lstm) and cell.projection is not None else cell.units


def parameters_of(block: Leaf, width: int) -> int:
    """Trainable numbers of a block, biases included: a cell has one per gate, the GRU that resets after the product two (as cuDNN's)."""
    match block:
        case Dense(units=units):
            return units * (width + 1)
        case Conv(units=units, width=steps):
            return units * (width * steps + 1)
        case Attention(units=units):
            return 3 * units * (width + 1) + units * (units + 1)
        case Attend(units=units):
            return units * (width + 2)
        case Norm() | InstanceNorm(by="revin"):
            return 2 * width
        case Smooth(series=series):
            return (series or 1) * smoothing_width(block)
        case InstanceNorm() | Activate() | Dropout() | Last() | Mean() | Max() | Segment() | Lags():
            return 0
        case _:
            given = width_after(block, width)
            directions = 2 if block.direction == "both" else 1
            return directions * _weights_of(block, width) + 2 * given * block.layer_norm + gate_parameters(given, block.residual)


def smoothing_width(block: Smooth) -> int:
    """Numbers that a smoothing layer learns of each series: a rate for its level, and a rate and the values of each season."""
    return 1 + sum(1 + season for season in block.seasons or ())


def gate_parameters(width: int, kind: str) -> int:
    """Trainable numbers of a highway's gate; of any other way past a block none."""
    return width * (width + 1) if kind == "highway" else 0


def _weights_of(cell: Cell, width: int) -> int:
    """Of one direction, without what is wrapped around it."""
    units = cell.units
    match cell:
        case Elman():
            return units * (width + units + 1)
        case Lstm(peepholes=peepholes, projection=projection):
            hidden = hidden_width(cell)
            return 4 * units * (width + hidden + 1) + 3 * units * peepholes + (0 if projection is None else projection * units)
        case Gru(reset=reset):
            return 3 * units * (width + units + (2 if reset == "after" else 1))
        case MinGru():
            return 2 * units * (width + 1)
        case MinLstm():
            return 3 * units * (width + 1)
        case IndRnn():
            return units * (width + 2)
        case Slstm():
            return 4 * units * (width + units + 1)
        case _:
            assert_never(cell)


def multiply_adds_of(block: Leaf, width: int) -> int:
    """Multiply-adds of a block at one step: of its matrices, which are nearly all of it."""
    match block:
        case Norm() | Activate() | Dropout() | Last() | Mean() | Max() | Segment() | Lags() | InstanceNorm():
            return 0
        case Smooth(seasons=seasons):
            return 2 + 4 * len(seasons or ())
        case Dense(units=units):
            return units * width
        case Attend(units=units):
            return units * (width + 1) + width
        case Conv(units=units, width=steps):
            return units * width * steps
        case Attention(units=units):
            return 3 * units * width + units * units
        case _:
            return parameters_of(block, width)


def activations_of(block: Leaf, width: int) -> int:
    """Numbers that training keeps of one step for the way back: the output and the gates."""
    gates = {"elman": 2, "ind_rnn": 2, "min_gru": 4, "min_lstm": 5, "slstm": 9, "attention": 5}
    return gates.get(block.kind, 6 if isinstance(block, Lstm | Gru) else 2) * width_after(block, width)


def merged_width(block: Connect, widths: Sequence[int]) -> int:
    """Width of what a connection of branches of these widths gives."""
    return sum(widths) if block.merge == "concat" else widths[0]


def merge_parameters(block: Connect, widths: Sequence[int]) -> int:
    """Trainable numbers of a merge: a gate weighs the branches by all that they give, attention each by what it gives itself."""
    match block.merge:
        case "gate":
            return affine_parameters(sum(widths), len(widths))
        case "attention":
            return affine_parameters(widths[0], widths[0]) + widths[0]
        case _:
            return 0


def affine_parameters(width: int, units: int) -> int:
    """Trainable numbers of an affine map, its bias included."""
    return units * (width + 1)


def skipped_width(block: Stack, read: int, given: int) -> int:
    """Width of a block's output in a stack together with what it read."""
    return read + given if block.skip == "dense" else given


def input_width(group: Input) -> int:
    """Columns of an input: its own, lags, two of each calendar feature, age and scale; of static ones the numbers for each."""
    return len(group.columns) * (group.embed or 1) + len(group.lag_steps) + 2 * len(group.features) + group.age + group.scale


def embedding_parameters(group: Input) -> int:
    """Trainable numbers of a static input: a row for each of its words, and one for unknown ones."""
    words = [len((group.categories or {}).get(name, ())) for name in group.columns]
    return sum((count + 1) * group.embed for count in words) if group.embed else 0


def targets_of(inputs: Mapping[str, Input]) -> dict[str, int]:
    """Which column of an input is the target, of the inputs that have it."""
    return {name: group.columns.index("y") for name, group in inputs.items() if "y" in group.columns}


def future_width(spec: ForecasterSpec) -> int:
    """Columns that are known over the horizon: of `known: future`, the lags, calendar and age of every input, and the decoder's lags."""
    own = (len(group.columns) if group.known == "future" else 0 for group in spec.inputs.values())
    others = (len(group.lag_steps) + 2 * len(group.features) + group.age for group in spec.inputs.values())
    return sum(own) + sum(others) + len(lags_of_decoder(spec.decoder))


def lag_columns(inputs: Mapping[str, Input]) -> Iterator[tuple[int, int]]:
    """Which of those columns are lags, and of how many steps."""
    first = 0
    for group in inputs.values():
        first += len(group.columns) if group.known == "future" else 0
        yield from enumerate(group.lag_steps, first)
        first += len(group.lag_steps) + 2 * len(group.features) + group.age


def head_width(head: Head) -> int:
    """Numbers that a head wants of one horizon step."""
    match head:
        case PointHead() | PoissonHead():
            return 1
        case NormalHead() | NegativeBinomialHead() | TweedieHead():
            return 2
        case StudentHead():
            return 3
        case QuantilesHead(levels=levels):
            return len(levels)
        case MixtureHead(components=components):
            return 3 * components
        case _:
            assert_never(head)


def decoder_parameters(spec: ForecasterSpec, width: int, horizon: int) -> int:
    """Trainable numbers of a decoder from states of this width to so many steps; see `app/nets/decoders.py` for what each is made of."""
    return sum(count * of for count, of in _decoder_parts(spec, width, horizon, each_run=False))


def decoder_multiply_adds(spec: ForecasterSpec, width: int, horizon: int) -> int:
    """Multiply-adds of a decoder in one training window: of its maps and cells, each as often as it runs."""
    return sum(count * of for count, of in _decoder_parts(spec, width, horizon, each_run=True))


def _decoder_parts(spec: ForecasterSpec, width: int, horizon: int, *, each_run: bool) -> Iterator[tuple[int, int]]:
    """Parts of a decoder: once or as often as they run, and their parameters."""
    known, outputs = future_width(spec), head_width(spec.head)
    match spec.decoder:
        case DirectDecoder() | ForkingDecoder():
            hidden, each = spec.decoder.units, spec.decoder.own_width
            if hidden is None:
                yield 1, affine_parameters(width + horizon * known, horizon * outputs)
            else:
                yield 1, affine_parameters(width, (horizon + 1) * each)
                shared = affine_parameters(2 * each + known, hidden) + affine_parameters(hidden, outputs)
                yield horizon if each_run else 1, shared
        case RecursiveDecoder():
            yield window_steps(spec) if each_run else 1, affine_parameters(width, outputs)
        case SegmentsDecoder(width=steps):
            segments = -(-horizon // steps)
            cell = Gru(kind="gru", units=width, reset="after")
            yield 1, 0 if each_run else segments * width
            yield segments if each_run else 1, _weights_of(cell, width + steps * known) + affine_parameters(width, steps * outputs)
        case SequenceDecoder(units=units, cell=kind):
            own: Cell = Lstm(kind="lstm", units=units) if kind == "lstm" else Gru(kind="gru", units=units, reset="after")
            yield 1, (0 if width == units else affine_parameters(width, units)) + (0 if each_run else horizon * units)
            yield horizon if each_run else 1, _weights_of(own, units + known) + affine_parameters(units, outputs)
        case _:
            assert_never(spec.decoder)


def window_steps(spec: ForecasterSpec) -> int:
    """Steps that the network takes through a training window: a recursive decoder learns over the horizon too."""
    context, horizon = spec.context or 1, spec.horizon or 1
    return context + horizon - 1 if isinstance(spec.decoder, RecursiveDecoder) else context
