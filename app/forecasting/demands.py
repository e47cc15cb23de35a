"""Is there every column of a history that a network reads, and as long as it must be?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from app.errors import ForecastError
from app.forecasting.stepping import StepReader
from app.series.panel import TARGET
from app.spec.forecaster import ForecasterSpec

Columns = Mapping[str, npt.NDArray[np.float64]]


def check_columns(reader: StepReader, unique_id: str, columns: Columns, future: Columns, steps: int, place: str) -> None:
    """Refuse a history that lacks something.

    Args:
        reader: what is read.
        unique_id: of the series.
        columns: its target and covariates.
        future: columns that are known ahead.
        steps: how far ahead; 0 where nothing has to be known yet.
        place: of the series in the request.

    Raises:
        ForecastError: a column is missing, or too short.
    """
    length = len(columns[TARGET])
    if reader.is_log:
        check_target(reader.spec, f"series {unique_id!r}", columns[TARGET], f"{place}/target")
    for name in reader.statics:
        if name not in columns:
            sentence = f"series {unique_id!r} does not say its {name!r}, which the model reads; send it under 'static'"
            raise ForecastError(sentence, code="static_missing", pointer=f"{place}/static")
    for name in reader.covariates:
        given = columns.get(name)
        if given is None:
            sentence = f"series {unique_id!r} has no column {name!r}, which the model reads; send it under 'past'"
            raise ForecastError(sentence, code="column_missing", pointer=f"{place}/past")
        if len(given) != length:
            sentence = f"column {name!r} of series {unique_id!r} has {len(given)} values and the target {length}; make them equal"
            raise ForecastError(sentence, code="column_length", pointer=f"{place}/past/{name}")
    for name in reader.future if steps else ():
        _check_ahead(unique_id, future, name, steps, place)


def check_target(spec: ForecasterSpec, whose: str, target: npt.NDArray[np.float64], pointer: str) -> None:
    """Refuse values that the scaling cannot have.

    Args:
        spec: what is read.
        whose: values they are, in words.
        target: they, NaN where missing.
        pointer: of them in the request.

    Raises:
        ForecastError: one is not above zero, and the scaling takes logarithms.
    """
    if not spec.scaling.is_log:
        return
    wrong = np.flatnonzero(target <= 0)
    if len(wrong):
        sentence = f"the model reads logarithms, and {whose} has {target[wrong[0]]:g}, which has none; send values above zero, or null"
        raise ForecastError(sentence, code="not_positive", pointer=f"{pointer}/{wrong[0]}")


def _check_ahead(unique_id: str, future: Columns, name: str, steps: int, place: str) -> None:
    given = future.get(name)
    if given is None:
        sentence = f"series {unique_id!r} lacks the future of {name!r}, which the model reads; send {steps} values under 'future'"
        raise ForecastError(sentence, code="future_missing", pointer=f"{place}/future")
    if len(given) < steps:
        sentence = f"the future of {name!r} in series {unique_id!r} has {len(given)} values; a horizon of {steps} needs as many"
        raise ForecastError(sentence, code="future_too_short", pointer=f"{place}/future/{name}")
