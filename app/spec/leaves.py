"""Which blocks have no blocks in them? Recurrent layers, see `cells.py`, and what stands here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.spec.cells import Activation, AnyBlock, Cell, Penalised, Steps, Units


class Dense(Penalised):
    """An affine map at every step, and what follows it."""

    kind: Literal["dense"]
    units: Units
    activation: Activation = "linear"


class Dropout(AnyBlock):
    """Drops units while training; one mask for all steps of a sequence (Gal and Ghahramani 2016)."""

    kind: Literal["dropout"]
    rate: Annotated[float, Field(gt=0.0, lt=1.0)]


class Conv(Penalised):
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
    """Layer normalisation at every step (Ba et al. 2016).

    Attributes:
        epsilon: added to the variance, so that what hardly changes is not blown up.
    """

    kind: Literal["norm"]
    epsilon: Annotated[float, Field(gt=0.0, le=1.0)] = 1e-5


class Activate(AnyBlock):
    """A function of every number; `linear` hands on what it reads, so that a name can be a branch of a connection."""

    kind: Literal["activation"]
    function: Activation


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


Whole = Last | Mean | Max | Attend
"""What makes a vector of a sequence."""

SeriesBlock = InstanceNorm | Smooth
"""What takes the target apart before the network reads it, and puts it together again behind the head."""

Leaf = Cell | Dense | Conv | Attention | Norm | Activate | Dropout | Whole | Segment | Lags | SeriesBlock
"""Blocks without blocks in them."""
