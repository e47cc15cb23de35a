"""Which blocks can a network be made of?

A block is frozen data. `Block` is the closed union of all kinds; *stack* and *connect* are the two combinators and make a block of
blocks, to any depth. What a block makes of its input is in `shapes.py`, what torch makes of it in `app/nets`.

    Block ─┬─ Elman, Lstm, Gru, MinGru, MinLstm, IndRnn, Slstm     recurrent cells: sequence -> sequence
           ├─ Dense, Conv, Attention, Norm, Activate, Dropout      feed-forward, at every step
           ├─ Last, Mean, Max, Attend                              whole to part: sequence -> vector
           ├─ Segment, Lags                                        the context cut up, or beside its own past
           ├─ InstanceNorm, Smooth                                 the target without its level, or its level and season
           ├─ Model                                                the network of a stored model
           ├─ Share                                                the weights of a block that stands earlier
           ├─ Autoencoder                                          a code from which what it reads can be rebuilt
           ├─ Stack                                                serial: each block feeds the next
           └─ Connect                                              parallel: branches side by side, merged
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Literal, get_args

from pydantic import Field

from app.spec.cells import AnyBlock, Name, Units
from app.spec.inputs import Input
from app.spec.leaves import Activate, Dropout, Lags, Last, Leaf, Max, Mean, Segment


class Model(AnyBlock):
    """The network of a stored model without its decoder, as a block.

    It reads inputs by their names, and goes on as it was trained, or is trained on. What the service fills in says what it is made of.

    Attributes:
        model: id or name of the model.
        frozen: whether it stays as it is.
        reads: what stands for each of the model's inputs here: an input, or a block that stands earlier; by default what has its name.
        digest: of the model's artifact; filled in by the service.
        inputs: of the model; filled in by the service.
        target: how the model's target is scaled; filled in by the service.
        over: what that is measured over; filled in by the service.
        network: of the model; filled in by the service.
    """

    kind: Literal["model"]
    model: Annotated[str, Field(min_length=1, max_length=128)]
    frozen: bool = True
    reads: dict[Name, Name] = Field(default_factory=dict)
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    inputs: dict[Name, Input] | None = None
    target: str | None = None
    over: str | None = None
    network: Block | None = None


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


Block = Annotated[Leaf | Model | Share | Stack | Connect | Autoencoder, Field(discriminator="kind")]
"""Every kind of block."""

WITHOUT_WEIGHTS = (Dropout, Activate, Last, Mean, Max, Segment, Lags, Share)
"""Kinds that have nothing of their own to learn."""

ALL_KINDS: tuple[type[AnyBlock], ...] = (*get_args(Leaf), Model, Share, Stack, Connect, Autoencoder)
"""Their classes."""

Model.model_rebuild()
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


def replaced(block: Block, change: Callable[[Block], Block]) -> Block:
    """A block with each in it, from the innermost out, as a function gives it."""
    match block:
        case Stack(blocks=blocks):
            return change(block.model_copy(update={"blocks": tuple(replaced(one, change) for one in blocks)}))
        case Connect(branches=branches):
            return change(block.model_copy(update={"branches": tuple(replaced(one, change) for one in branches)}))
        case Autoencoder(encoder=encoder, decoder=decoder):
            halves = {"encoder": replaced(encoder, change), "decoder": replaced(decoder, change)}
            return change(block.model_copy(update=halves))
        case _:
            return change(block)


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
