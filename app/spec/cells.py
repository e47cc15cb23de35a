"""Which recurrent layers are there, and what may every block carry?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z][\w-]{0,63}$")]
"""What blocks and inputs are called: a letter, then letters, digits, `_` and `-`."""

Units = Annotated[int, Field(ge=1, le=1_000_000_000)]
"""Width of what a block gives. Its real bound is the deployment's limit, see `limits.py`."""

Rate = Annotated[float, Field(ge=0.0, lt=1.0)]

Penalty = Annotated[float, Field(ge=0.0, le=1000.0)]

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


class Lagged(Description):
    """What may be given earlier values of the target.

    Attributes:
        lags: of how many steps before, a number for each; `season` leaves them to the data.
    """

    lags: Literal["season"] | Annotated[tuple[Steps, ...], Field(max_length=32, strict=False)] = ()

    @property
    def lag_steps(self) -> tuple[int, ...]:
        """The lags; of those that are left to the data, one step stands for them until the job fills them in."""
        return (1,) if self.lags == "season" else self.lags


class Penalised(AnyBlock):
    """A block whose weights may cost something: added to the loss of every step in which they learn; biases cost nothing.

    Attributes:
        l1: times the sum of |w|.
        l2: times the sum of w^2.
    """

    l1: Penalty = 0.0
    l2: Penalty = 0.0


class AnyCell(Penalised):
    """What every recurrent layer may carry; each is a wrapper around its cell.

    Attributes:
        units: width of its state.
        direction: `backward` reads the context from its newest step to its oldest, `both` does both side by side: twice as wide.
        dilation: h_t follows h_{t-dilation} (Chang et al. 2017); `season` leaves it to the data, and is 1 in a context that is no longer.
        dropout: of its output, one mask for all steps of a sequence (Gal and Ghahramani 2016).
        recurrent_dropout: of the state that it is fed back, one mask for all steps (the same).
        zoneout: share of units whose hidden state stays as it was (Krueger et al. 2017).
        layer_norm: normalise its output at every step (Ba et al. 2016).
        residual: `add` what it read to what it gives (He et al. 2016), or let a gate choose, `highway` (Srivastava et al. 2015).
        output: `sequence`, or `last`: what it gives when it has read all, as one vector; in either direction.
    """

    units: Units
    direction: Literal["forward", "backward", "both"] = "forward"
    dilation: Steps | Literal["season"] = 1
    dropout: Rate = 0.0
    recurrent_dropout: Rate = 0.0
    zoneout: Rate = 0.0
    layer_norm: bool = False
    residual: Literal["none", "add", "highway"] = "none"
    output: Literal["sequence", "last"] = "sequence"

    @property
    def steps_apart(self) -> int:
        """The dilation; a season that is left to the data is one step until the job fills it in."""
        return 1 if self.dilation == "season" else self.dilation


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


Cell = Elman | Lstm | Gru | MinGru | MinLstm | IndRnn | Slstm
"""The recurrent kinds."""
