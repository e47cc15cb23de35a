"""What is deployed, and what does it forecast? A network with its description, its scaling and its head; histories in, forecasts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from app.errors import ForecastError
from app.forecasting.batches import Windows
from app.forecasting.columns import reach_of
from app.forecasting.demands import check_columns
from app.forecasting.forecasts import Forecasts, Values
from app.forecasting.gathering import begun, futures_of, windows_behind
from app.forecasting.histories import History, whole_units
from app.forecasting.paths import combined, draw_paths, of_paths
from app.forecasting.shortcut import Shortcut, shortcut_of
from app.forecasting.smoothing import fit_series, steps_to_fit, stretch
from app.forecasting.stepping import Anchor, Inputs, StepReader
from app.forecasting.windows import KnownSeries
from app.nets.build import Network, build_head
from app.nets.heads import Head
from app.nets.outlook import Outlook
from app.nets.packed_cell import prepare_cells
from app.nets.run import About
from app.nets.smoothing import Smoothing
from app.nets.steps import Program, compile_stretch
from app.series.frequency import as_times
from app.series.panel import TARGET
from app.series.scaling import CovariateScaling, WindowScaling
from app.series.time_values import TimeKind
from app.spec.decoders import RecursiveDecoder
from app.spec.forecaster import ForecasterSpec

LARGEST_BATCH = 256
"""Series that go through the network at once: more is not faster, and takes more memory."""

MOST_SAMPLES = 1_000_000
"""Numbers in the paths of one answer: some twenty megabytes of it."""


@dataclass(frozen=True, eq=False)
class Forecaster:
    """A trained network, ready to forecast; it keeps nothing between calls and may serve many threads.

    Attributes:
        spec: complete: with context and horizon.
        network: in evaluation mode.
        freq: of the series.
        season: steps of one season.
        time_kind: how times are written.
        scaling: of the covariates.
        residuals: quantiles of a point head's scaled residuals, [horizon, RESIDUAL_LEVELS].
        series: ids of the series that it has parameters of, in the order of these; none where no layer has any.
        others: further members of an ensemble, whose forecasts are combined with the network's by the median.
        widths: of a quantiles head, see there.
    """

    spec: ForecasterSpec
    network: Network
    freq: str
    season: int
    time_kind: TimeKind
    scaling: CovariateScaling
    residuals: Float[Tensor, "horizon level"] | None = None
    series: tuple[str, ...] = ()
    others: tuple[Network, ...] = ()
    widths: Float[Tensor, " level"] | None = None

    @property
    def members(self) -> tuple[Network, ...]:
        """All networks: one, or those of an ensemble."""
        return (self.network, *self.others)

    @cached_property
    def unread(self) -> tuple[int, ...]:
        """Oldest steps of the context that each member does not read."""
        return tuple(self.context - context for context in self.spec.member_contexts[: len(self.members)])

    @property
    def context(self) -> int:
        """Steps it looks back."""
        return self.spec.context or 1

    @cached_property
    def least_context(self) -> int:
        """Steps of a history that are enough."""
        return self.spec.least_context

    @property
    def horizon(self) -> int:
        """Steps it looks ahead."""
        return self.spec.horizon or 1

    @cached_property
    def reach(self) -> int:
        """Steps of a history that are seen, where it has them: the context, and what lags and a baseline reach back to."""
        return reach_of(self.spec)

    @cached_property
    def reader(self) -> StepReader:
        """What its networks read of histories."""
        return StepReader(self.spec, self.freq, self.scaling)

    @cached_property
    def head(self) -> Head:
        """What its raw numbers mean."""
        return build_head(self.spec, self.residuals, self.widths)

    @cached_property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.network.parameters()).device

    def predict(self, histories: Sequence[History], levels: Sequence[float] = (), horizon: int | None = None, paths: int = 0) -> Forecasts:
        """Forecasts of some series.

        Args:
            histories: one or more, of at least `context` steps each.
            levels: of the quantiles.
            horizon: steps, at most the trained ones, which are the default.
            paths: sample paths of each series, see `app.forecasting.paths`.

        Raises:
            ForecastError: a history is too short, a column is missing or too short, the horizon is above the trained one, or the paths
                are too many.
        """
        steps = self.steps(horizon, "#/horizon")
        if paths * steps * len(histories) > MOST_SAMPLES:
            numbers = f"{paths:,} paths of {steps:,} steps for {len(histories):,} series are {paths * steps * len(histories):,} numbers"
            raise ForecastError(f"{numbers}; at most {MOST_SAMPLES:,}: ask for fewer paths or series", code="too_large", pointer="#/paths")
        for position, history in enumerate(histories):
            self.check(history, steps, f"#/series/{position}")
        parts = range(0, len(histories), LARGEST_BATCH)
        return Forecasts.joined([self._predict(histories[first : first + LARGEST_BATCH], tuple(levels), steps, paths) for first in parts])

    def steps(self, horizon: int | None, pointer: str) -> int:
        """Steps that are asked for; the trained ones where nothing is said.

        Raises:
            ForecastError: more than those, or none.
        """
        steps = self.horizon if horizon is None else horizon
        if not 1 <= steps <= self.horizon:
            sentence = f"horizon is {steps}; this model was trained for 1 to {self.horizon} steps; train one for more"
            raise ForecastError(sentence, code="horizon", pointer=pointer)
        return steps

    def forecast_windows(self, windows: Windows, levels: Sequence[float]) -> tuple[Values, Values]:
        """Mean [batch, horizon] and quantiles [batch, horizon, level] of gathered windows, in the series' own units.

        Of an ensemble each is the median of its members', so that quantiles keep their order. Of a decoder that forecasts by paths they are
        those of its paths, with quantiles between the two nearest ones (Hazen 1914).
        """
        with torch.inference_mode():
            return combined([self._forecast(number, windows.later(unread), levels) for number, unread in enumerate(self.unread)])

    def _forecast(self, number: int, windows: Windows, levels: Sequence[float]) -> tuple[Values, Values]:
        network, program = self.members[number], self._programs[number]
        if isinstance(self.spec.decoder, RecursiveDecoder):
            return of_paths(draw_paths(self.spec, network, self.head, windows, self.spec.decoder.paths), levels)
        if program is None or len(windows.shift) > program.largest:
            return self.read(*network.look(windows.inputs, windows.future, windows.about), windows, levels)
        newest = program.newest({name: values.numpy() for name, values in windows.inputs.items()})
        return self.read(network.decode(torch.from_numpy(newest), windows.future), None, windows, levels)

    @cached_property
    def _programs(self) -> list[Program | None]:
        """What each network makes of a few contexts without torch, once its cells are packed."""
        return [compile_stretch(network) for network in self.members]

    @cached_property
    def shortcut(self) -> Shortcut | None:
        """How series are forecast with little of torch or none, once nobody trains its networks any more."""
        return shortcut_of(self.members, self._programs, self.head, self.reader, self.unread)

    def prepare(self) -> None:
        """Builds what forecasts take beside the networks, whose cells are packed; else the first who asks waits for it."""
        for network, program in zip(self.members, self._programs, strict=True):
            if program is None:
                prepare_cells(network)
        _ = self.shortcut

    def read(
        self, raw: Float[Tensor, "batch horizon outputs"], outlook: Outlook | None, windows: Windows, levels: Sequence[float]
    ) -> tuple[Values, Values]:
        """Mean and quantiles as of `forecast_windows`, of a network's raw numbers and what a series layer took away."""
        apart = windows.apart(outlook)
        mean = apart.mean_of(self.head, raw)
        quantiles = apart.together(self.head.quantiles(raw, levels, windows.scale))
        return mean.cpu().numpy(), quantiles.cpu().numpy()

    def sample_windows(self, windows: Windows, count: int) -> Values:
        """Sample paths [batch, count, horizon] of gathered windows, in the series' own units; see `app.forecasting.paths`.

        Of an ensemble each member draws a share of them.
        """
        shares = [len(part) for part in np.array_split(np.arange(count), len(self.members))]
        with torch.inference_mode():
            parts = zip(self.members, self.unread, shares, strict=True)
            paths = [draw_paths(self.spec, one, self.head, windows.later(unread), own) for one, unread, own in parts if own]
        return torch.cat(paths, dim=1).cpu().numpy()

    def check(self, history: History, steps: int, place: str) -> None:
        """Whether a history can be read, and its future for so many steps; 0 where none is asked for yet.

        Raises:
            ForecastError: it is too short, or a column is missing or too short.
        """
        length = len(history.columns[TARGET])
        if length < self.least_context:
            sentence = f"series {history.unique_id!r} has {length} steps; the model looks back {self.least_context}: send at least so many"
            raise ForecastError(sentence, code="history_too_short", pointer=f"{place}/target")
        newest = history.columns[TARGET][-self.context :]
        if not isfinite(newest[-1]) and not np.isfinite(newest).any():
            sentence = f"series {history.unique_id!r} has nothing observed in its last {self.context} steps; send some of them"
            raise ForecastError(sentence, code="nothing_observed", pointer=f"{place}/target")
        check_columns(self.reader, history.unique_id, history.columns, history.future, steps, place)

    def _predict(self, histories: Sequence[History], levels: tuple[float, ...], steps: int, paths: int) -> Forecasts:
        inputs, anchor, future, about = self._seen(histories)
        drawn = None
        if self.shortcut is not None and self.shortcut.programs is not None and not paths:
            mean, quantiles = self.shortcut.forecast(inputs, anchor, future, levels)
        else:
            windows = windows_behind(self.reader, anchor, inputs, future, about, self.device)
            mean, quantiles = self.forecast_windows(windows, levels)
            drawn = self.sample_windows(windows, paths) if paths else None
        unique_ids = [history.unique_id for history in histories]
        return Forecasts.of(unique_ids, self.reader.times_ahead(anchor, steps), mean, quantiles, levels, drawn)

    def gather(self, histories: Sequence[History]) -> tuple[Anchor, Windows]:
        """What is seen of histories that were checked, as windows, and what goes on from there."""
        inputs, anchor, future, about = self._seen(histories)
        return anchor, windows_behind(self.reader, anchor, inputs, future, about, self.device)

    def _seen(self, histories: Sequence[History]) -> tuple[Inputs, Anchor, dict[str, Values], About | None]:
        """What is read of histories, the anchor behind it, what is known ahead, and whose they are."""
        units, future = whole_units(self.spec, histories), futures_of(self.reader, histories)
        inputs, anchor = begun(self.reader, histories, future, units)
        known = self._known(histories, units)
        if known is None:
            return inputs, anchor, future, None
        first = anchor.newest // self.reader.frequency.stride - self.context + 1
        return inputs, anchor, future, known.beginning(first, self.device)

    @cached_property
    def _rows(self) -> Mapping[str, int]:
        """Where each series' parameters stand."""
        return {unique_id: row for row, unique_id in enumerate(self.series)}

    def _known(self, histories: Sequence[History], units: WindowScaling | None = None) -> KnownSeries | None:
        """The parameters of these series, fitted to their histories where they were not learnt."""
        layer = self.network.series
        if not isinstance(layer, Smoothing):
            return None
        rows = np.array([self._rows.get(history.unique_id, -1) for history in histories], dtype=np.int64)
        if (rows >= 0).all():
            return KnownSeries(rows)
        values = stretch([history.columns[TARGET] for history in histories], steps_to_fit(self.spec, layer))
        freq = self.reader.frequency
        lengths = np.array([len(history.columns[TARGET]) for history in histories], dtype=np.int64)
        starts = freq.ordinals(as_times([history.start for history in histories])) // freq.stride
        return KnownSeries(rows, fit_series(self.spec, layer, values, starts + lengths - values.shape[1], units))
