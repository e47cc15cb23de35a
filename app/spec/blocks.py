"""Which blocks can a network be made of?

A block is frozen data. `Block` is the closed union of all kinds; *stack* and *connect* are the two combinators and make a block of
blocks, to any depth. What a block makes of its input is in `shapes.py`, what torch makes of it in `app/nets`.

    Block ─┬─ Elman, Lstm, Gru, MinGru, MinLstm, IndRnn, Slstm     recurrent cells: sequence -> sequence
           ├─ Dense, Conv, Attention, Norm, Activate, Dropout      feed-forward, at every step
           ├─ Stack                                                serial: each block feeds the next
           └─ Connect                                              parallel: branches side by side, merged
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.spec.cells import Activation, AnyBlock, Cell, Steps, Units


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
        merge: `concat` puts their units side by side; the others want equal widths: `sum`, `mean`, `max`, `product`, and `gate`, a weighted
            mean whose weights are learnt of all branches at every step.
    """

    kind: Literal["connect"]
    branches: Annotated[tuple[Block, ...], Field(min_length=2, strict=False)]
    merge: Literal["concat", "sum", "mean", "max", "product", "gate"] = "concat"


Leaf = Cell | Dense | Conv | Attention | Norm | Activate | Dropout
"""Blocks without blocks in them."""

Block = Annotated[Leaf | Stack | Connect, Field(discriminator="kind")]
"""Every kind of block."""

Stack.model_rebuild()
Connect.model_rebuild()


def inside(block: Block) -> tuple[Block, ...]:
    """The blocks that a block is made of."""
    return block.blocks if isinstance(block, Stack) else block.branches if isinstance(block, Connect) else ()


def names_in(block: Block) -> frozenset[str]:
    """Names of a block and of all in it."""
    own = frozenset([block.name]) if block.name else frozenset()
    return own.union(*(names_in(one) for one in inside(block)))


def sources_in(block: Block) -> frozenset[str]:
    """What a block and all in it tap."""
    own = frozenset([block.source]) if block.source else frozenset()
    return own.union(*(sources_in(one) for one in inside(block)))
