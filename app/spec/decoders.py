"""How can states become horizon steps? What each decoder may carry; what torch makes of it is in `app/nets/decoders.py`.

The `lags` of a decoder are those of an input, for horizon steps alone: each is shown the newest values that are known and whole lags before
it, which the network does not read.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.spec.cells import Description, Lagged, Steps, Units


class _Direct(Lagged):
    units: Units | None = None

    @property
    def own_width(self) -> int:
        """Numbers of the state that each horizon step has for itself, and as many that all of them have, before a hidden layer."""
        return max(1, (self.units or 0) // 8)


class DirectDecoder(_Direct):
    """All horizon steps at once from the newest state, and from the columns known over the horizon.

    Attributes:
        units: of a hidden layer that all horizon steps share: each reads `units // 8` numbers of the state for itself, as many for all, and
            what is known of it (Wen et al. 2017). Without it, one map of everything at once.
    """

    kind: Literal["direct"]


class ForkingDecoder(_Direct):
    """As `direct`, and learnt at every position of the context: one pass gives as many lessons as it has steps (Wen et al. 2017).

    The network must not see ahead: nothing that reads backward, no convolution that is not causal.

    Attributes:
        units: see `DirectDecoder`.
    """

    kind: Literal["forking"]


class RecursiveDecoder(Description):
    """One step ahead from every state, fed with its own samples: whole paths, of which mean and quantiles are taken (Salinas et al. 2017).

    It learns after every step of the context and the horizon, fed with what was observed. What is known ahead stands in the network's
    inputs, one step earlier than elsewhere: beside each observation lies what is known of the step after it.

    Attributes:
        paths: that a forecast is taken of.
    """

    kind: Literal["recursive"]
    paths: Annotated[int, Field(ge=2, le=10_000)] = 100


class SegmentsDecoder(Lagged):
    """The horizon in segments of `width` steps, all decoded at once from the newest state (Lin et al. 2023).

    Attributes:
        width: steps of a segment; the last one may be shorter.
    """

    kind: Literal["segments"]
    width: Steps


class SequenceDecoder(Lagged):
    """A recurrent layer of its own over the horizon, which begins at the newest state (Sutskever et al. 2014).

    It is fed with what is known of each step, never with its own forecasts or with observations: it learns as it forecasts.

    Attributes:
        units: of its state.
        cell: `lstm` or `gru`.
    """

    kind: Literal["sequence"]
    units: Units
    cell: Literal["lstm", "gru"] = "lstm"


Decoder = Annotated[
    DirectDecoder | ForkingDecoder | RecursiveDecoder | SegmentsDecoder | SequenceDecoder,
    Field(discriminator="kind"),
]


def lags_of_decoder(decoder: Decoder) -> tuple[int, ...]:
    """Lags that a decoder shows to each horizon step."""
    return () if isinstance(decoder, RecursiveDecoder) else decoder.lag_steps
