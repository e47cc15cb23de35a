"""How do states become horizon steps? A decoder takes features, and what is known ahead, to the raw numbers of a head.

DirectDecoder     one affine map to all steps                      (`direct`, and `forking`, which is learnt at more states)
LocalDecoder      a hidden layer that all steps share              (the same with `units`)
NextDecoder       one affine map to the next step                  (`recursive`; paths are drawn in `app/forecasting/paths.py`)
SegmentsDecoder   one GRU step for each segment, all at once       (`segments`)
SequenceDecoder   an LSTM or GRU over the horizon                  (`sequence`)
"""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import assert_never

import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.nets.cells import Cell, CellState, Drawn, GruCell, LstmCell
from app.spec import decoders
from app.spec.forecaster import ForecasterSpec
from app.spec.shapes import future_width, head_width

Newest = Float[Tensor, "batch width"]
Future = Float[Tensor, "batch horizon known"]
Raw = Float[Tensor, "batch horizon outputs"]


class Decoder(Drawn):
    """From the features of a step to raw numbers of what comes after it."""

    @abstractmethod
    def forward(self, newest: Newest, future: Future) -> Raw:
        """Raw numbers of the horizon's steps.

        Args:
            newest: features of the newest step.
            future: what is known of each step of the horizon; its width may be 0.
        """


class DirectDecoder(Decoder):
    """(r_1 ... r_H) = W [s; x_1; ...; x_H] + b with s the newest state and x_k what is known of step k.

    Args:
        width: of the state.
        horizon: steps.
        known: columns that are known ahead.
        outputs: raw numbers of a step.
    """

    def __init__(self, width: int, horizon: int, known: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(horizon * outputs, width + horizon * known))
        self.bias = nn.Parameter(torch.empty(horizon * outputs))
        self.shape = horizon, outputs

    def initialise(self) -> None:
        """See `Drawn`."""
        _initialise_affine(self.weight, self.bias)

    def forward(self, newest: Newest, future: Future) -> Float[Tensor, "batch horizon outputs"]:
        """See `Decoder`."""
        decoded = nn.functional.linear(torch.cat([newest, future.flatten(1)], dim=1), self.weight, self.bias)
        return decoded.view(newest.shape[0], *self.shape)


class LocalDecoder(Decoder):
    """[c_1; ...; c_H; c] = C s + e; h_k = relu(U [c_k; c; x_k] + u); r_k = W h_k + b: a layer that all steps share (Wen et al. 2017).

    s is the newest state and x_k what is known of step k. Deviation from the paper: what is made of the state for each step and for all is
    one map of the state alone, so that a step sees what is known of itself and of no other.

    Args:
        width: of the state.
        horizon: steps.
        known: columns that are known ahead.
        outputs: raw numbers of a step.
        units: of h_k.
        own: numbers of each c_k, and of c.
    """

    def __init__(self, width: int, horizon: int, known: int, outputs: int, units: int, own: int) -> None:
        super().__init__()
        self.context = nn.Linear(width, (horizon + 1) * own)
        self.hidden = nn.Linear(2 * own + known, units)
        self.out = nn.Linear(units, outputs)
        self._horizon = horizon

    def initialise(self) -> None:
        """See `Drawn`."""
        for layer in (self.context, self.hidden, self.out):
            _initialise_affine(layer.weight, layer.bias)

    def forward(self, newest: Newest, future: Future) -> Float[Tensor, "batch horizon outputs"]:
        """See `Decoder`."""
        contexts = self.context(newest).view(newest.shape[0], self._horizon + 1, -1)
        shared = contexts[:, -1:].expand(-1, self._horizon, -1)
        hidden = self.hidden(torch.cat([contexts[:, :-1], shared, future], dim=2)).relu()
        decoded: Tensor = self.out(hidden)
        return decoded


class NextDecoder(Decoder):
    """r_1 = W s + b: of the next step alone, whose known columns the network has read already (Salinas et al. 2017).

    Args:
        width: of the state.
        outputs: raw numbers of a step.
    """

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, width))
        self.bias = nn.Parameter(torch.empty(outputs))

    def initialise(self) -> None:
        """See `Drawn`."""
        _initialise_affine(self.weight, self.bias)

    def forward(self, newest: Newest, future: Float[Tensor, "batch _ _"]) -> Float[Tensor, "batch 1 outputs"]:
        """See `Decoder`; `future` is not read."""
        return nn.functional.linear(newest, self.weight, self.bias)[:, None]


class SegmentsDecoder(Decoder):
    """h_j = GRU([p_j; x of segment j], s); r of segment j = W h_j + b, for all segments j at once (SegRNN, Lin et al. 2023).

    s is the newest state, p_j what is learnt of the place j, drawn from N(0, 1). Deviations from the paper: the GRU is the decoder's own
    rather than the encoder's, so that any network may stand before it; what is known ahead enters; and there is no embedding of
    channels, as each series is forecast on its own.

    Args:
        width: of the state.
        horizon: steps.
        known: columns that are known ahead.
        outputs: raw numbers of a step.
        steps: of a segment; what the last one has beyond the horizon is cut off, and what is known of it is zero.
    """

    def __init__(self, width: int, horizon: int, known: int, outputs: int, steps: int) -> None:
        super().__init__()
        self._horizon, self._outputs, self._steps = horizon, outputs, steps
        self._segments = -(-horizon // steps)
        self.places = nn.Parameter(torch.empty(self._segments, width))
        self.cell = GruCell(width + steps * known, width)
        self.out = nn.Linear(width, steps * outputs)

    def initialise(self) -> None:
        """See `Drawn`."""
        nn.init.normal_(self.places)

    def forward(self, newest: Newest, future: Future) -> Float[Tensor, "batch horizon outputs"]:
        """See `Decoder`."""
        batch = newest.shape[0]
        padded = nn.functional.pad(future, (0, 0, 0, self._segments * self._steps - self._horizon))
        read = torch.cat([self.places.expand(batch, -1, -1), padded.reshape(batch, self._segments, -1)], dim=2)
        states, _ = self.cell(read.flatten(0, 1)[:, None], (newest.repeat_interleave(self._segments, dim=0),))
        decoded: Tensor = self.out(states[:, 0])
        return decoded.view(batch, -1, self._outputs)[:, : self._horizon]


class SequenceDecoder(Decoder):
    """h_k = cell([e_k; x_k], h_{k-1}), h_0 = s or V s + v where widths differ; r_k = W h_k + b (Sutskever et al. 2014).

    s is the newest state and e_k what is learnt of step k, drawn from N(0, 1). Deviations from the paper: an LSTM's memory begins at zero,
    as a network of any blocks has none to hand on; and the decoder is not fed with the values before, neither while it learns nor when it
    forecasts, so that both are the same.

    Args:
        width: of the state.
        horizon: steps.
        known: columns that are known ahead.
        outputs: raw numbers of a step.
        units: of the cell.
        kind: `lstm` or `gru`.
    """

    def __init__(self, width: int, horizon: int, known: int, outputs: int, units: int, kind: str) -> None:
        super().__init__()
        self.begin = None if width == units else nn.Linear(width, units)
        self.places = nn.Parameter(torch.empty(horizon, units))
        self.cell: Cell = LstmCell(units + known, units) if kind == "lstm" else GruCell(units + known, units)
        self.out = nn.Linear(units, outputs)

    def initialise(self) -> None:
        """See `Drawn`."""
        nn.init.normal_(self.places)

    def forward(self, newest: Newest, future: Future) -> Float[Tensor, "batch horizon outputs"]:
        """See `Decoder`."""
        read = torch.cat([self.places.expand(newest.shape[0], -1, -1), future], dim=2)
        hidden = newest if self.begin is None else self.begin(newest)
        state: CellState = (hidden, *self.cell.start(read)[1:])
        states, _ = self.cell(read, state)
        decoded: Tensor = self.out(states)
        return decoded


def build_decoder(spec: ForecasterSpec, width: int) -> Decoder:
    """The decoder of a description.

    Args:
        spec: complete: with context and horizon.
        width: of the states that it reads.
    """
    horizon, known, outputs = spec.horizon or 1, future_width(spec), head_width(spec.head)
    match spec.decoder:
        case decoders.DirectDecoder() | decoders.ForkingDecoder():
            hidden, own = spec.decoder.units, spec.decoder.own_width
            made = DirectDecoder if hidden is None else partial(LocalDecoder, units=hidden, own=own)
            return made(width, horizon, known, outputs)
        case decoders.RecursiveDecoder():
            return NextDecoder(width, outputs)
        case decoders.SegmentsDecoder(width=steps):
            return SegmentsDecoder(width, horizon, known, outputs, steps)
        case decoders.SequenceDecoder(units=units, cell=kind):
            return SequenceDecoder(width, horizon, known, outputs, units, kind)
        case _:
            assert_never(spec.decoder)


def _initialise_affine(weight: Tensor, bias: Tensor) -> None:
    """Glorot and Bengio (2010); no bias."""
    nn.init.xavier_uniform_(weight)
    nn.init.zeros_(bias)
