"""What is it worth that every step of the horizon is decoded from the newest state? The same network, with states that are shifted.

A widely used library decodes step k of h from the recurrent state at step L - h + k of a context of L, one state for each step, so that
the first step sees nothing of the last h - 1 observations. Here the decoder is the product's own affine map, number for number: step k
alone reads another state. Nobody can ask the service for such a network; it is built and trained here, in this process.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from app.forecasting.histories import History
from app.nets.build import Network, build
from app.nets.decoders import Decoder, DirectDecoder, Future, Newest
from app.nets.run import Run
from app.series.frequency import parse_frequency
from app.series.panel import panel_of
from app.spec.facts import PanelFacts
from app.spec.forecaster import ForecasterSpec
from app.spec.parse import parse_spec
from app.spec.resolve import resolve_spec
from bench.accuracy import Panel, measures
from worker.training.fit import Training, fit
from worker.training.material import prepare
from worker.training.verdict import forecaster_of

CPU = torch.device("cpu")


class NewestStates(nn.Module):
    """A body whose newest output is that of all its last steps, one after another.

    Args:
        body: gives a sequence.
        steps: of them.
    """

    def __init__(self, body: nn.Module, steps: int) -> None:
        super().__init__()
        self.body, self._steps = body, steps

    def forward(self, sequence: Tensor, run: Run) -> Tensor:
        """[batch, 1, steps * width]."""
        given: Tensor = self.body(sequence, run)
        return given[:, -self._steps :].flatten(1)[:, None]


class ShiftedDecoder(Decoder):
    """r_k = W_k [s_{L-h+k}; x_1; ...; x_h] + b_k, where the product has s_L for every k.

    Args:
        direct: the product's decoder, whose weights are taken.
        steps: of the horizon.
    """

    def __init__(self, direct: DirectDecoder, steps: int) -> None:
        super().__init__()
        self.direct, self._steps = direct, steps

    def initialise(self) -> None:
        """See `Drawn`: the weights are drawn by the decoder that they are of."""

    def forward(self, newest: Newest, future: Future) -> Tensor:
        """See `Decoder`; `newest` has a state for each step of the horizon."""
        states = newest.view(len(newest), self._steps, -1)
        read = torch.cat([states, future.flatten(1)[:, None].expand(-1, self._steps, -1)], dim=2)
        weight = self.direct.weight.view(self._steps, -1, read.shape[2])
        return torch.einsum("bhw,how->bho", read, weight) + self.direct.bias.view(self._steps, -1)


def shifted(spec: ForecasterSpec) -> Network:
    """The network of a description, with states that are shifted against the horizon."""
    network, steps = build(spec), spec.horizon or 1
    assert isinstance(network.decoder, DirectDecoder)  # noqa: S101 for the type checker
    network.body, network.decoder = NewestStates(network.body, steps), ShiftedDecoder(network.decoder, steps)
    return network


def facts_of(case: Panel, seasons: tuple[int, ...]) -> PanelFacts:
    """What a job knows of a panel."""
    lengths = [len(history) for history in case.histories]
    return PanelFacts("1", seasons[0], (), "y", len(lengths), min(lengths), max(lengths), longer_seasons=seasons[1:])


def resolved(case: Panel, document: dict[str, Any], context: int, seasons: tuple[int, ...], training: dict[str, Any]) -> ForecasterSpec:
    """A document as a job of it would be completed."""
    horizon = case.actual.shape[1]
    return resolve_spec(parse_spec(document), facts_of(case, seasons), horizon=horizon, context=context, training=training)


def run_here(case: Panel, spec: ForecasterSpec, season: int, *, is_shifted: bool) -> dict[str, float]:
    """One training in this process and on one thread, and its scores."""
    began_at = time.monotonic()
    torch.set_num_threads(1)
    frame = case.learnt.select(pl.col("unique_id").cast(pl.String), pl.col("ds").cast(pl.Int64), "y")
    material = prepare(spec, panel_of(frame, parse_frequency("1"), ()), CPU)
    training = Training(spec, shifted(spec) if is_shifted else build(spec), material, CPU)
    for _ in fit(training):
        pass
    training.finish()
    forecaster = forecaster_of(spec, [training.network], material, freq="1", season=season, time_kind="integer")
    pairs = zip(case.ids, case.histories, strict=True)
    histories = [History(unique_id, 1, {"y": np.asarray(values)}, {}) for unique_id, values in pairs]
    median = forecaster.predict(histories, (0.5,)).quantile(0.5)
    return measures(case, median, {}) | {"seconds": time.monotonic() - began_at}
