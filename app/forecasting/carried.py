"""How does a forecaster go on from what it has seen, without seeing it again? Its state is opened once, and moved on with each observation.

    history ── open ── state ── observe ── state ── observe ── state ...
                         └ forecast          └ forecast          └ forecast

A state is arrays by name, the same number of them and of numbers in them however long the history was. Its *anchor* is measured when it is
opened and then stays: what the target is divided by, and the parameters of a smoothing layer. The first forecast is that of the history
alone; later ones are those of one pass of the network from the anchor's context to the newest value, in the anchor's units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.errors import ForecastError
from app.forecasting.batches import Windows
from app.forecasting.forecaster import Forecaster
from app.forecasting.forecasts import Forecasts, Values
from app.forecasting.gathering import windows_behind
from app.forecasting.histories import History
from app.forecasting.observations import Ahead, Observation, known_ahead, told_by
from app.forecasting.paths import combined, draw_paths, of_paths
from app.forecasting.states import Arrays
from app.forecasting.stepping import Anchor, Inputs, StepReader
from app.nets.build import Network
from app.nets.cells import CellState
from app.nets.outlook import Outlook
from app.nets.packed_cell import prepare_cells
from app.nets.run import About, Run
from app.nets.smoothing import Smoothing
from app.nets.steps import Program, compile_step
from app.spec.decoders import RecursiveDecoder
from app.spec.streaming import streaming_faults

ANCHOR = ("shift", "scale", "level", "tail", "last", "statics", "newest", "born")
STATE = "state"


@dataclass(frozen=True, eq=False)
class Carrier:
    """Moves states of one forecaster on.

    Attributes:
        forecaster: whose network carries its state.
    """

    forecaster: Forecaster

    def __post_init__(self) -> None:
        """Refuse a network that has no state to go on from.

        Raises:
            ForecastError: naming the blocks.
        """
        faults = tuple(streaming_faults(self.forecaster.spec))
        if faults:
            sentence = f"this model cannot carry its state: {'; '.join(fault.detail for fault in faults)}"
            raise ForecastError(sentence, code="not_streamable", faults=faults)

    @property
    def reader(self) -> StepReader:
        """What networks read of steps."""
        return self.forecaster.reader

    @cached_property
    def _programs(self) -> list[Program | None]:
        """A step of each network, in numpy where it has one."""
        return [compile_step(network) for network in self.forecaster.members]

    def prepare(self) -> None:
        """Builds what states are opened and moved on with; else the first who asks waits for it."""
        _ = self._programs
        for network in self.forecaster.members:
            prepare_cells(network)

    def open(self, histories: Sequence[History]) -> Arrays:
        """States of some histories.

        Raises:
            ForecastError: a history is too short, or a column is missing or too short.
        """
        forecaster = self.forecaster
        for position, history in enumerate(histories):
            forecaster.check(history, 1 if self.reader.reads_next else 0, f"#/series/{position}")
        anchor, windows = forecaster.gather(histories)
        state: dict[str, npt.NDArray[Any]] = _arrays(anchor)
        state |= _stacked([known_ahead(self.reader.future, history.future, forecaster.horizon) for history in histories])
        about = _parameters(forecaster.network, windows.about)
        if about is not None:
            state["parameters"] = about.numpy()
        with torch.inference_mode():
            for number, (network, unread) in enumerate(zip(forecaster.members, forecaster.unread, strict=True)):
                own = windows.later(unread)
                state |= _after(number, network, *network.begin(own.inputs, about=own.about))
        return state

    def observe(self, state: Arrays, observations: Sequence[Observation]) -> Arrays:
        """States behind observations, each of equally many steps.

        Args:
            state: of as many sessions.
            observations: one of each session.

        Raises:
            ForecastError: a column is missing, or of another length.
        """
        known = zip(state["future"], state["known"], strict=True)
        told = [told_by(self.reader, one, Ahead(*before)) for one, before in zip(observations, known, strict=True)]
        target = np.array([one.target for one in observations])
        columns = {name: np.array([one.columns[name] for one in told]) for name in self.reader.covariates}
        inputs, anchor = self.reader.step(_anchor(state), target, columns)
        moved: dict[str, npt.NDArray[Any]] = _arrays(anchor)
        moved |= _stacked([one.ahead for one in told]) if self.reader.future else {name: state[name] for name in ("future", "known")}
        if "parameters" in state:
            moved["parameters"] = state["parameters"]
        return moved | self._moved(state, inputs)

    def _moved(self, state: Arrays, inputs: Inputs) -> dict[str, npt.NDArray[Any]]:
        moved: dict[str, npt.NDArray[Any]] = {}
        is_one_step = all(values.shape[1] == 1 for values in inputs.values())
        for number, (network, program) in enumerate(zip(self.forecaster.members, self._programs, strict=True)):
            before = _states(state, number)
            if program is not None and is_one_step:
                moved |= _named(number, *program.run({name: values[:, 0] for name, values in inputs.items()}, before))
                continue
            tensors = {name: torch.from_numpy(values) for name, values in inputs.items()}
            with torch.inference_mode():
                moved |= _after(number, network, *network.begin(tensors, _tensors(before), _about(state)))
        return moved

    def forecast(self, state: Arrays, unique_ids: Sequence[str], levels: Sequence[float] = (), horizon: int | None = None) -> Forecasts:
        """Forecasts of sessions from their states.

        Args:
            state: of the sessions.
            unique_ids: what they are called in the answers.
            levels: of the quantiles.
            horizon: steps; the trained ones by default.

        Raises:
            ForecastError: the horizon is above the trained one, or a column is not known so far ahead.
        """
        steps = self.forecaster.steps(horizon, "?horizon")
        for place, name in enumerate(self.reader.future):
            if (known := int(state["known"][:, place].min())) < steps:
                sentence = (
                    f"the future of {name!r} is known for {known} steps; a horizon of {steps} needs as many: send them with an observation"
                )
                raise ForecastError(sentence, code="future_too_short", pointer="?horizon")
        anchor = _anchor(state)
        future, members = {name: state["future"][:, place] for place, name in enumerate(self.reader.future)}, self.forecaster.members
        if self.forecaster.shortcut is not None and self.forecaster.network.series is None:
            newest = [state[f"{STATE}:{number}"] for number in range(len(members))]
            mean, quantiles = self.forecaster.shortcut.read(newest, anchor, future, tuple(levels))
        else:
            windows = self._windows(anchor, future)
            with torch.inference_mode():
                mean, quantiles = combined([self._forecast(number, one, state, windows, levels) for number, one in enumerate(members)])
        return Forecasts.of(unique_ids, self.reader.times_ahead(anchor, steps), mean, quantiles, levels)

    def _windows(self, anchor: Anchor, future: Mapping[str, Values]) -> Windows:
        """The horizon of sessions; of the inputs only those that never change."""
        codes = dict(zip(self.reader.statics, anchor.statics.T, strict=True))
        groups = {name: group for name, group in self.forecaster.spec.inputs.items() if group.known == "static"}
        inputs = {name: np.stack([codes[column] for column in group.columns], axis=1)[:, None] for name, group in groups.items()}
        return windows_behind(self.reader, anchor, {name: values.astype(np.float32) for name, values in inputs.items()}, future)

    def _forecast(self, number: int, network: Network, state: Arrays, windows: Windows, levels: Sequence[float]) -> tuple[Values, Values]:
        forecaster, decoder = self.forecaster, self.forecaster.spec.decoder
        newest = torch.from_numpy(state[f"{STATE}:{number}"])
        if isinstance(decoder, RecursiveDecoder):
            begun = newest, _tensors(_states(state, number))
            return of_paths(draw_paths(forecaster.spec, network, forecaster.head, windows, decoder.paths, begun), levels)
        taken = [state.get(f"{name}:{number}") for name in ("factor", "offset")]
        outlook = None if taken[0] is None or taken[1] is None else Outlook(torch.from_numpy(taken[0]), torch.from_numpy(taken[1]))
        return forecaster.read(network.decode(newest, windows.future), outlook, windows, levels)


def _stacked(ahead: Sequence[Ahead]) -> dict[str, npt.NDArray[Any]]:
    return {"future": np.stack([one.values for one in ahead]), "known": np.stack([one.known for one in ahead])}


def _arrays(anchor: Anchor) -> dict[str, npt.NDArray[Any]]:
    return {name: getattr(anchor, name) for name in ANCHOR}


def _anchor(state: Arrays) -> Anchor:
    return Anchor(**{name: state[name] for name in ANCHOR})


def _parameters(network: Network, about: About | None) -> Tensor | None:
    """The parameters of a smoothing layer for the series of a batch, whether they were learnt or fitted."""
    layer = network.series
    return layer.parameters_of(about) if isinstance(layer, Smoothing) and about is not None else None


def _about(state: Arrays) -> About | None:
    if "parameters" not in state:
        return None
    rows = torch.full((len(state["parameters"]),), -1)
    return About(rows, torch.zeros_like(rows), torch.from_numpy(state["parameters"]))


def _states(state: Arrays, number: int) -> dict[str, tuple[npt.NDArray[Any], ...]]:
    """The states of one network by their places."""
    return {place: tuple(state[name] for name in names) for place, names in _names_by_place(tuple(state), number)}


@lru_cache(maxsize=1024)
def _names_by_place(names: tuple[str, ...], number: int) -> list[tuple[str, list[str]]]:
    """What the states of one network are called by their places: told once, as every observation asks. Nobody may change it."""
    found: dict[str, dict[int, str]] = {}
    prefix = f"{STATE}:{number}:"
    for name in names:
        if name.startswith(prefix):
            place, _, index = name.removeprefix(prefix).rpartition(":")
            found.setdefault(place, {})[int(index)] = name
    # By their numbers: bytes have them in any order.
    return [(place, [parts[index] for index in range(len(parts))]) for place, parts in found.items()]


def _tensors(states: Mapping[str, tuple[npt.NDArray[Any], ...]]) -> dict[str, CellState]:
    return {place: tuple(torch.from_numpy(part) for part in parts) for place, parts in states.items()}


def _named(number: int, newest: npt.NDArray[Any], states: Mapping[str, tuple[npt.NDArray[Any], ...]]) -> dict[str, npt.NDArray[Any]]:
    """Features and states of one network as they stand in a state."""
    named = {f"{STATE}:{number}:{place}:{index}": values for place, parts in states.items() for index, values in enumerate(parts)}
    return named | {f"{STATE}:{number}": newest}


def _after(number: int, network: Network, everything: Tensor, run: Run) -> dict[str, npt.NDArray[Any]]:
    """What is carried of a run of one network: its newest features, its states, and what a series layer took away."""
    newest = network.body(everything, run)[:, -1]
    carried = _named(number, newest.numpy(), {place: tuple(part.numpy() for part in parts) for place, parts in run.after.items()})
    outlook = network.outlook(run.named, None)
    if outlook is not None:
        carried |= {f"factor:{number}": outlook.factor.numpy(), f"offset:{number}": outlook.offset.numpy()}
    return carried
