"""What does an observation say? The target of some steps, the covariates beside it, and what is known of the steps after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from app.errors import ForecastError
from app.forecasting.demands import check_target
from app.forecasting.stepping import StepReader

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Observation:
    """What was observed after the newest step of a session.

    Attributes:
        target: values, NaN where missing.
        past: covariates of the same steps; of columns that were known ahead, those that turned out otherwise.
        future: columns that are known ahead, from the step after these on; what is left out stays as it was said before.
    """

    target: Values
    past: Mapping[str, Values] = field(default_factory=dict)
    future: Mapping[str, Values] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Ahead:
    """Columns that are known ahead, as far as they were said.

    Attributes:
        values: [columns, horizon], NaN where missing.
        known: [columns], of how many steps each was said.
    """

    values: Values
    known: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Told:
    """What networks read beside the target.

    Attributes:
        columns: covariates of the steps; of the steps after these where the decoder reads those.
        ahead: what is known after the steps.
    """

    columns: Mapping[str, Values]
    ahead: Ahead


def known_ahead(names: Sequence[str], given: Mapping[str, Values], horizon: int) -> Ahead:
    """Columns that are known ahead, in the order of their names."""
    values, known = np.full((len(names), horizon), np.nan), np.zeros(len(names), dtype=np.int64)
    for place, name in enumerate(names):
        own = given.get(name, values[place, :0])[:horizon]
        values[place, : len(own)], known[place] = own, len(own)
    return Ahead(values, known)


def told_by(reader: StepReader, observation: Observation, before: Ahead) -> Told:
    """What an observation says beside the target.

    Args:
        reader: what is read of it.
        observation: the observation.
        before: what was known ahead before it.

    Raises:
        ForecastError: it has no value, or a column is missing or of another length.
    """
    steps, names = len(observation.target), reader.future
    if not steps:
        raise ForecastError("target is empty; send at least one value", code="too_short", pointer="#/target")
    check_target(reader.spec, "the observation", observation.target, "#/target")
    if not reader.covariates:
        return Told({}, before)
    expected = {name: before.values[place, : int(before.known[place])] for place, name in enumerate(names)}
    columns = {name: _column(name, observation, expected.get(name)) for name in reader.covariates}
    after = known_ahead(names, {name: values[steps:] for name, values in expected.items()} | dict(observation.future), reader.horizon)
    for place, name in enumerate(names if reader.reads_next else ()):
        if not after.known[place]:
            sentence = f"the model reads {name!r} one step ahead; send at least the next step's value under 'future'"
            raise ForecastError(sentence, code="future_missing", pointer="#/future")
        columns[name] = np.append(columns[name][1:], after.values[place, 0])
    return Told(columns, after)


def _column(name: str, observation: Observation, expected: Values | None) -> Values:
    """A covariate of the steps, as it is sent, or as it was said before.

    Raises:
        ForecastError: it is neither, or not as long as the target.
    """
    steps, given = len(observation.target), observation.past.get(name)
    if given is None:
        if expected is None or len(expected) < steps:
            sentence = f"column {name!r}, which the model reads, is missing; send {steps} values of it under 'past'"
            raise ForecastError(sentence, code="column_missing", pointer="#/past")
        return expected[:steps]
    if len(given) != steps:
        sentence = f"column {name!r} has {len(given)} values and the target {steps}; make them equal"
        raise ForecastError(sentence, code="column_length", pointer=f"#/past/{name}")
    return given
