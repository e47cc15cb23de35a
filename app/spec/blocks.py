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

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z][\w-]{0,63}$")]
"""What blocks and inputs are called: a letter, then letters, digits, `_` and `-`."""

Units = Annotated[int, Field(ge=1, le=1_000_000_000)]
"""Width of what a block gives. Its real bound is the deployment's limit, see `limits.py`."""

Rate = Annotated[float, Field(ge=0.0, lt=1.0)]

Steps = Annotated[int, Field(ge=1, le=100_000)]

Activation = Literal["linear", "relu", "tanh", "sigmoid", "gelu"]


class Description(BaseModel):
    """Anything that a user writes: frozen, strict about types, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True, allow_inf_nan=False)


class AnyBlock(Description):
    """What every block may carry.

    Attributes:
        name: what later blocks call its output by in their `from`.
        source: `from` in a document: an input, or a block that stands earlier. Without it a block reads what stands before it; the first
            block reads all inputs side by side, the first of a branch what the connection reads.
    """

    name: Name | None = None
    source: Name | None = Field(default=None, alias="from")


class AnyCell(AnyBlock):
    """What every recurrent layer may carry; each is a wrapper around its cell.

    Attributes:
        units: width of its state.
        direction: `backward` reads the context from its newest step to its oldest, `both` does both side by side: twice as wide.
        dilation: h_t follows h_{t-dilation} (Chang et al. 2017).
        dropout: of its output, one mask for all steps of a sequence (Gal and Ghahramani 2016).
        recurrent_dropout: of the state that it is fed back, one mask for all steps (the same).
        zoneout: share of units whose hidden state stays as it was (Krueger et al. 2017).
        layer_norm: normalise its output at every step (Ba et al. 2016).
        residual: `add` what it read to what it gives (He et al. 2016), or let a gate choose, `highway` (Srivastava et al. 2015).
    """

    units: Units
    direction: Literal["forward", "backward", "both"] = "forward"
    dilation: Steps = 1
    dropout: Rate = 0.0
    recurrent_dropout: Rate = 0.0
    zoneout: Rate = 0.0
    layer_norm: bool = False
    residual: Literal["none", "add", "highway"] = "none"


class Elman(AnyCell):
    """Elman's simple recurrent layer (Elman 1990): h_t = f(W x_t + U h_{t-1} + b), f tanh or relu."""

    kind: Literal["elman"]
    activation: Literal["tanh", "relu"] = "tanh"


class Lstm(AnyCell):
    """Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    Attributes:
        peepholes: the gates see the memory too (Gers et al. 2002).
        projection: width of its hidden state, where it is less than `units` (Sak et al. 2014).
        init: `orthogonal` with an open forget gate, or `chrono`: memories as long as the context (Tallec and Ollivier 2018).
    """

    kind: Literal["lstm"]
    peepholes: bool = False
    projection: Units | None = None
    init: Literal["orthogonal", "chrono"] = "orthogonal"


class Gru(AnyCell):
    """Gated recurrent unit (Cho 2014); the reset gate acts after the recurrent product (as cuDNN does) or before it (as published).

    Attributes:
        reset: where the reset gate acts.
        init: as of `lstm`; `chrono` sets the update gate.
    """

    kind: Literal["gru"]
    reset: Literal["after", "before"] = "after"
    init: Literal["orthogonal", "chrono"] = "orthogonal"


class MinGru(AnyCell):
    """The GRU without its state in the gates (Feng et al. 2024)."""

    kind: Literal["min_gru"]


class MinLstm(AnyCell):
    """The LSTM without its state in the gates, which share one unit of weight (Feng et al. 2024)."""

    kind: Literal["min_lstm"]


class IndRnn(AnyCell):
    """Every unit sees only its own past (Li et al. 2018): h_t = f(W x_t + u * h_{t-1} + b), f relu or tanh."""

    kind: Literal["ind_rnn"]
    activation: Literal["relu", "tanh"] = "relu"


class Slstm(AnyCell):
    """The scalar xLSTM cell: an exponential input gate, a normaliser and a stabiliser (Beck et al. 2024)."""

    kind: Literal["slstm"]


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


Cell = Elman | Lstm | Gru | MinGru | MinLstm | IndRnn | Slstm
"""The recurrent kinds."""

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
