"""Which blocks can a network be made of?

A block is frozen data. `Block` is the closed union of all kinds; *stack* and *connect* are the two combinators and make a block of
blocks, to any depth. What a block makes of its input is in `shapes.py`, what torch makes of it in `app/nets`.

    Block ─┬─ Elman, Lstm, Gru          recurrent cells: sequence -> sequence
           ├─ Dense, Dropout            feed-forward, at every step
           ├─ Stack                     serial: each block feeds the next
           └─ Connect                   parallel: branches side by side, merged
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z][\w-]{0,63}$")]
"""What blocks and inputs are called: a letter, then letters, digits, `_` and `-`."""

Units = Annotated[int, Field(ge=1, le=1_000_000_000)]
"""Width of what a block gives. Its real bound is the deployment's limit, see `limits.py`."""

Rate = Annotated[float, Field(ge=0.0, lt=1.0)]


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


class Elman(AnyBlock):
    """Elman's simple recurrent layer (Elman 1990): h_t = f(W x_t + U h_{t-1} + b), f tanh or relu."""

    kind: Literal["elman"]
    units: Units
    activation: Literal["tanh", "relu"] = "tanh"
    dropout: Rate = 0.0


class Lstm(AnyBlock):
    """Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers 2000)."""

    kind: Literal["lstm"]
    units: Units
    dropout: Rate = 0.0


class Gru(AnyBlock):
    """Gated recurrent unit (Cho 2014); the reset gate acts after the recurrent product (as cuDNN does) or before it (as published)."""

    kind: Literal["gru"]
    units: Units
    reset: Literal["after", "before"] = "after"
    dropout: Rate = 0.0


class Dense(AnyBlock):
    """An affine map at every step, and what follows it."""

    kind: Literal["dense"]
    units: Units
    activation: Literal["linear", "relu", "tanh", "sigmoid", "gelu"] = "linear"


class Dropout(AnyBlock):
    """Drops units while training; one mask for all steps of a sequence (Gal and Ghahramani 2016)."""

    kind: Literal["dropout"]
    rate: Annotated[float, Field(gt=0.0, lt=1.0)]


class Stack(AnyBlock):
    """Blocks one after another: each reads what the one before it gives."""

    kind: Literal["stack"]
    blocks: Annotated[tuple[Block, ...], Field(min_length=1, strict=False)]


class Connect(AnyBlock):
    """Branches side by side, merged at every step: `concat` puts their units side by side, `sum` adds them (equal widths)."""

    kind: Literal["connect"]
    branches: Annotated[tuple[Block, ...], Field(min_length=2, strict=False)]
    merge: Literal["concat", "sum"] = "concat"


Cell = Elman | Lstm | Gru
"""The recurrent kinds."""

Block = Annotated[Elman | Lstm | Gru | Dense | Dropout | Stack | Connect, Field(discriminator="kind")]
"""Every kind of block."""

Stack.model_rebuild()
Connect.model_rebuild()
