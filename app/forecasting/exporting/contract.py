"""What does an exported forecaster take and give? Names of its inputs and outputs, and who cannot be exported at all.

begin                       true where a history begins; false where the state of an earlier call goes on
y, past/x, lag/7, ...       [batch, time] in the series' own units, NaN where y or a column was not observed
static/region               [batch] codes of words
future/x, baseline, ...     [batch, horizon]
units, last, state/0, ...   out of the answer before, by the same names behind next/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from app.errors import Fault
from app.forecasting.windows import covariates_of, future_columns_of, statics_of
from app.spec.blocks import Block, parts
from app.spec.decoders import RecursiveDecoder, lags_of_decoder
from app.spec.forecaster import ForecasterSpec, NormalHead, PointHead, QuantilesHead
from app.spec.leaves import Smooth
from app.spec.streaming import streaming_faults

TURNS = ("sin", "cos")


@dataclass(frozen=True)
class Contract:
    """The inputs of a description's graph.

    Attributes:
        spec: complete: with context and horizon.
    """

    spec: ForecasterSpec

    @cached_property
    def covariates(self) -> tuple[str, ...]:
        """Columns that change from step to step."""
        return covariates_of(self.spec)

    @cached_property
    def statics(self) -> tuple[str, ...]:
        """Columns that never change."""
        return tuple(statics_of(self.spec))

    @cached_property
    def steps(self) -> tuple[str, ...]:
        """What is given of every step that is read."""
        lags = sorted({lag for group in self.spec.inputs.values() for lag in group.lag_steps})
        return ("y", *(f"past/{name}" for name in self.covariates), *(f"lag/{lag}" for lag in lags), *self._turns, *self._age)

    @cached_property
    def ahead(self) -> tuple[str, ...]:
        """What is given of every step of the horizon."""
        lags = {lag for group in self.spec.inputs.values() for lag in group.lag_steps} | set(lags_of_decoder(self.spec.decoder))
        baseline = ("baseline",) if self.spec.scaling.baseline_lag is not None else ()
        columns = (f"future/{name}" for name in future_columns_of(self.spec))
        own = (*self._turns, *self._age)
        return (*columns, *(f"future/lag/{lag}" for lag in sorted(lags)), *(f"future/{name}" for name in own), *baseline)

    @property
    def _turns(self) -> tuple[str, ...]:
        features = dict.fromkeys(feature for group in self.spec.inputs.values() for feature in group.features)
        return tuple(f"calendar/{feature}/{turn}" for feature in features for turn in TURNS)

    @property
    def _age(self) -> tuple[str, ...]:
        return ("age",) if any(group.age for group in self.spec.inputs.values()) else ()


def is_of_target(name: str) -> bool:
    """Whether an input of a graph has values of the target, so that it is read by its logarithms where the target is."""
    return name in {"y", "baseline"} or name.removeprefix("future/").startswith("lag/")


def has_quantiles(spec: ForecasterSpec) -> bool:
    """Whether the head's quantiles are sums and products, which ONNX has; others need functions that it has not."""
    return isinstance(spec.head, PointHead | QuantilesHead | NormalHead)


def export_faults(spec: ForecasterSpec) -> Iterator[Fault]:
    """What keeps a forecaster from being exported, each at its place in the document."""
    yield from streaming_faults(spec)
    if isinstance(spec.decoder, RecursiveDecoder):
        sentence = "decoder: 'recursive' draws its forecasts as sample paths, and a graph draws nothing; train one with another decoder"
        yield Fault("#/decoder", "not_exportable", sentence)
    if spec.scaling.over == "series":
        sentence = "scaling.over: 'series' measures the target over the whole history, and a graph reads the newest context of it"
        yield Fault("#/scaling/over", "not_exportable", f"{sentence}; train one with 'window'")
    if spec.training.contexts:
        sentence = "training.contexts: members that look back less far begin their states later, and a graph has one beginning for all"
        yield Fault("#/training/contexts", "not_exportable", f"{sentence}; train one with 'members' alone")
    yield from _smooth_faults(spec.network, "network")


def _smooth_faults(block: Block, place: str) -> Iterator[Fault]:
    if isinstance(block, Smooth):
        sentence = f"{place}: 'smooth' has parameters of each series, which are fitted to a history outside of the network"
        yield Fault(f"#/{place}", "not_exportable", sentence)
    for part, one in parts(block):
        yield from _smooth_faults(one, f"{place}/{part}")
