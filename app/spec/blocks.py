"""Which blocks can a network be made of?

A block is frozen data. `Block` is the closed union of all kinds; *stack* and *connect* are the two combinators and make a block of
blocks, to any depth. What a block makes of its input is in `shapes.py`, what torch makes of it in `app/nets`.

    Block ─┬─ Elman, Lstm, Gru, MinGru, MinLstm, IndRnn, Slstm     recurrent cells: sequence -> sequence
           ├─ Dense, Conv, Attention, Norm, Activate, Dropout      feed-forward, at every step
           ├─ Last, Mean, Max, Attend                              whole to part: sequence -> vector
           ├─ Segment, Lags                                        the context cut up, or beside its own past
           ├─ InstanceNorm, Smooth                                 the target without its level, or its level and season
           ├─ Share                                                the weights of a block that stands earlier
           ├─ Autoencoder                                          a code from which what it reads can be rebuilt
           ├─ Stack                                                serial: each block feeds the next
           └─ Connect                                              parallel: branches side by side, merged
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, get_args

from pydantic import Field

from app.spec.cells import Activation, AnyBlock, Cell, Name, Steps, Units


class Dense(AnyBlock):
    """An affine map at every step, and what follows it."""

    kind: Literal["dense"]
    units: Units
    activation: Activation = "linear"


class Dropout(AnyBlock):
    """Drops units while training; one mask for all steps of a sequence (Gal and Ghahramani 2016)."""

    kind: Literal["dropout"]
    rate: Annotated[float, Field(gt=0.0, lt=1.0)]


class Conv(AnyBlock):
    """A convolution over time at every step.

    Attributes:
        units: width of its output.
        width: steps that it sees at once.
        dilation: distance between them.
        causal: whether it sees nothing after its own step; otherwise half of its steps lie after it, within the context.
        activation: what follows it.
    """

    kind: Literal["conv"]
    units: Units
    width: Annotated[int, Field(ge=1, le=1000)] = 3
    dilation: Steps = 1
    causal: bool = True
    activation: Activation = "linear"


class Attention(AnyBlock):
    """Attention of every step to itself and those before it (Vaswani et al. 2017), `units` wide in `heads` parts."""

    kind: Literal["attention"]
    units: Units
    heads: Annotated[int, Field(ge=1, le=256)] = 1


class Norm(AnyBlock):
    """Layer normalisation at every step (Ba et al. 2016)."""

    kind: Literal["norm"]


class Activate(AnyBlock):
    """A function of every number."""

    kind: Literal["activation"]
    function: Literal["relu", "tanh", "sigmoid", "gelu"]


class Last(AnyBlock):
    """The newest step of a sequence, as a vector."""

    kind: Literal["last"]


class Mean(AnyBlock):
    """The mean of a sequence's steps, as a vector."""

    kind: Literal["mean"]


class Max(AnyBlock):
    """The largest that each number of a sequence is at any step, as a vector."""

    kind: Literal["max"]


class Attend(AnyBlock):
    """A weighted mean of a sequence's steps, as a vector; the weights are learnt (Yang et al. 2016).

    Attributes:
        units: of the layer that finds the weights.
    """

    kind: Literal["attend"]
    units: Units


class Segment(AnyBlock):
    """The context cut into pieces of some steps, each folded into one step that is so many times as wide (Lin et al. 2023).

    Attributes:
        width: steps of a piece; the context must be so many times some pieces.
    """

    kind: Literal["segment"]
    width: Annotated[int, Field(ge=2, le=10_000)]


class Lags(AnyBlock):
    """What it reads, and beside it what that was some steps before; before the context it is taken as zero.

    Attributes:
        steps: how far back, rising.
    """

    kind: Literal["lags"]
    steps: Annotated[tuple[Steps, ...], Field(min_length=1, max_length=64, strict=False)]


class InstanceNorm(AnyBlock):
    """Each window without its own level, which is put back on the forecast; it reads an input with the target in it.

    Attributes:
        by: the level: the `last` value, the `mean`, or `revin`: the mean, the deviation too, and a learnt scale (Kim et al. 2022).
    """

    kind: Literal["instance_norm"]
    by: Literal["last", "mean", "revin"] = "last"


class Smooth(AnyBlock):
    """Exponential smoothing of the target, with parameters of each series that are learnt with the network (Smyl 2020).

    It gives how far each value is from level and season, and the level's change. Forecasts are multiples of both, or distances from them.

    Attributes:
        form: whether level and season are multiplied, which wants a target above zero, or added.
        seasons: steps of one season, or of two; none for a level alone. Left out, it is the data's.
        lr_factor: learning rate of the series' own parameters over the training's.
        series: how many have parameters; the job says it.
    """

    kind: Literal["smooth"]
    form: Literal["multiplicative", "additive"] = "multiplicative"
    seasons: Annotated[tuple[Annotated[int, Field(ge=2, le=10_000)], ...], Field(max_length=2, strict=False)] | None = None
    lr_factor: Annotated[float, Field(gt=0.0, le=1000.0)] = 3.0
    series: Annotated[int, Field(ge=1)] | None = None


class Share(AnyBlock):
    """A block that stands earlier once more, with the same weights.

    Attributes:
        of: its name.
    """

    kind: Literal["share"]
    of: Name


class Stack(AnyBlock):
    """Blocks one after another: each reads what the one before it gives.

    Attributes:
        blocks: in order.
        repeat: the blocks once more behind themselves, so many times in all, each time with weights of their own.
        skip: what each block gives is joined by what it read: added (`residual`), chosen by a gate (`highway`), or put beside it (`dense`).
    """

    kind: Literal["stack"]
    blocks: Annotated[tuple[Block, ...], Field(min_length=1, strict=False)]
    repeat: Annotated[int, Field(ge=1, le=64)] = 1
    skip: Literal["none", "residual", "highway", "dense"] = "none"


class Connect(AnyBlock):
    """Branches side by side, merged at every step.

    Attributes:
        branches: each on what the connection reads, or on its own source.
        merge: `concat` puts their units side by side; the others want equal widths: `sum`, `mean`, `max`, `product`, and two weighted means
            whose weights are learnt at every step: of all branches by `gate`, of each branch alone, and alike for all, by `attention`
            (Bahdanau et al. 2015).
        share_weights: all branches, which are the same but for what they read, have one set of weights.
    """

    kind: Literal["connect"]
    branches: Annotated[tuple[Block, ...], Field(min_length=2, strict=False)]
    merge: Literal["concat", "sum", "mean", "max", "product", "gate", "attention"] = "concat"
    share_weights: bool = False


class Autoencoder(AnyBlock):
    """What it reads as a code, a vector from which a decoder can rebuild the whole of it (Hinton and Salakhutdinov 2006).

    Its output is the code. The decoder reads it at every step; it runs, and learns, in a phase `reconstruct` alone.

    Attributes:
        encoder: reads the sequence; an affine map makes the code of its newest step.
        code: units of the code.
        decoder: what an affine map then makes the sequence of.
    """

    kind: Literal["autoencoder"]
    encoder: Block
    code: Units
    decoder: Block


Whole = Last | Mean | Max | Attend
"""What makes a vector of a sequence."""

SeriesBlock = InstanceNorm | Smooth
"""What takes the target apart before the network reads it, and puts it together again behind the head."""

Leaf = Cell | Dense | Conv | Attention | Norm | Activate | Dropout | Whole | Segment | Lags | SeriesBlock
"""Blocks without blocks in them."""

Block = Annotated[Leaf | Share | Stack | Connect | Autoencoder, Field(discriminator="kind")]
"""Every kind of block."""

WITHOUT_WEIGHTS = (Dropout, Activate, Last, Mean, Max, Segment, Lags, Share)
"""Kinds that have nothing of their own to learn."""

ALL_KINDS: tuple[type[AnyBlock], ...] = (*get_args(Leaf), Share, Stack, Connect, Autoencoder)
"""Their classes."""

Stack.model_rebuild()
Connect.model_rebuild()
Autoencoder.model_rebuild()


def parts(block: Block) -> tuple[tuple[str, Block], ...]:
    """The blocks that a block is made of, each with its place in it as a JSON pointer has it."""
    match block:
        case Stack(blocks=blocks):
            return tuple((f"blocks/{number}", one) for number, one in enumerate(blocks))
        case Connect(branches=branches):
            return tuple((f"branches/{number}", one) for number, one in enumerate(branches))
        case Autoencoder(encoder=encoder, decoder=decoder):
            return ("encoder", encoder), ("decoder", decoder)
        case _:
            return ()


def inside(block: Block) -> tuple[Block, ...]:
    """The blocks that a block is made of."""
    return tuple(one for _, one in parts(block))


def every(block: Block) -> Iterator[Block]:
    """A block and all in it."""
    yield block
    for one in inside(block):
        yield from every(one)


def names_in(block: Block) -> frozenset[str]:
    """Names of a block and of all in it."""
    own = frozenset([block.name]) if block.name else frozenset()
    return own.union(*(names_in(one) for one in inside(block)))


def sources_in(block: Block) -> frozenset[str]:
    """What a block and all in it tap."""
    own = frozenset([block.source]) if block.source else frozenset()
    return own.union(*(sources_in(one) for one in inside(block)))
