"""What does a job train? The document, with what the job and the data decide filled in: complete, so that a worker guesses nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import Fault, SpecError
from app.spec.decoders import RecursiveDecoder
from app.spec.defaults import YEAR_OF_MONTHS, default_context
from app.spec.facts import PanelFacts
from app.spec.forecaster import ForecasterSpec
from app.spec.inputs import Input
from app.spec.parse import parse_spec

HELD_OUT_HORIZONS = 3
"""A series gives a window to train on, one to stop by and one to be scored on."""

LEAST_HORIZONS = 2
"""What it must give at least: without a window to stop by all epochs are run."""

LAGS_OF_A_SHORT_SEASON, LAGS_OF_YEARS = 3, 5
"""One says little of the next by itself, and the mean of several says more; of years of months the trend does too (decision 43)."""


def resolve_spec(
    spec: ForecasterSpec,
    facts: PanelFacts,
    *,
    horizon: int | None = None,
    context: int | None = None,
    columns: Mapping[str, Sequence[str]] | None = None,
    training: Mapping[str, Any] | None = None,
    scaling: Mapping[str, Any] | None = None,
    base: str = "#",
) -> ForecasterSpec:
    """The complete description of a job; what the job says wins over the document.

    Args:
        spec: the document.
        facts: of the job's dataset.
        horizon: steps to forecast.
        context: steps to look back.
        columns: columns by the name of an input, in place of the document's.
        training: fields of the document's `training` to replace.
        scaling: the same of its `scaling`.
        base: JSON pointer of the job's request.

    Raises:
        SpecError: the data has no such columns, or is too short, or an override fits nothing.
    """
    document = spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    document["training"] = _training(document.get("training", {}), training or {})
    document["scaling"] = {**document.get("scaling", {}), **(scaling or {})}
    document["inputs"] = resolve_inputs(spec, facts, columns or {}, base)
    steps = horizon or spec.horizon
    if steps is None:
        raise SpecError("horizon is missing; say how many steps to forecast", code="missing", pointer=f"{base}/horizon")
    document["horizon"] = steps
    document["context"] = context or spec.context or default_context(facts, steps, _room(spec, facts, steps))
    if spec.min_context is not None:
        document["min_context"] = min(spec.min_context, document["context"])
    if document["scaling"].get("baseline") == "season" and document["scaling"].get("season") is None:
        document["scaling"]["season"] = facts.season
    if not isinstance(spec.decoder, RecursiveDecoder) and spec.decoder.lags == "season":
        document["decoder"]["lags"] = lags_of(facts)
    _complete(document["network"], facts, document["context"])
    resolved = parse_spec(document, base=base)
    _check_length(resolved, facts, base)
    return resolved


def _complete(block: dict[str, Any], facts: PanelFacts, context: int) -> None:
    """Fill in what blocks have to know of the data."""
    if block["kind"] == "smooth":
        block["series"] = facts.series
        if block.get("seasons") is None:
            block["seasons"] = [facts.season] if facts.season > 1 else []
    if block.get("dilation") == "season":
        block["dilation"] = facts.season if facts.season < context else 1
    for one in (*block.get("blocks", ()), *block.get("branches", ()), *(block[key] for key in ("encoder", "decoder") if key in block)):
        _complete(one, facts, context)


def _training(written: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The document's training with what the job says; a patience that its fewer epochs never reach goes."""
    epochs, patience = wanted.get("epochs"), written.get("patience")
    is_idle = isinstance(epochs, int) and patience is not None and patience >= epochs
    return {**{key: value for key, value in written.items() if key != "patience" or not is_idle}, **wanted}


def lags_of(facts: PanelFacts) -> list[int]:
    """Lags of a series with these seasons: each of them, and of a single short one its next multiples, as far as half of the data goes."""
    wanted = [season for season in (facts.season, *facts.longer_seasons) if season > 1]
    if len(wanted) == 1 and wanted[0] <= YEAR_OF_MONTHS:
        count = LAGS_OF_YEARS if wanted[0] == YEAR_OF_MONTHS else LAGS_OF_A_SHORT_SEASON
        wanted = [wanted[0] * number for number in range(1, count + 1)]
    return [lag for lag in wanted if lag <= facts.longest // 2] or [1]


def resolve_inputs(spec: ForecasterSpec, facts: PanelFacts, columns: Mapping[str, Sequence[str]], base: str) -> dict[str, Any]:
    """What each input reads of a dataset.

    Raises:
        SpecError: the document has no such input, or the data no such column.
    """
    faults = [
        Fault(f"{base}/columns/{name}", "unknown_input", f"{name!r} is not an input of the document; inputs are: {', '.join(spec.inputs)}")
        for name in columns
        if name not in spec.inputs
    ]
    resolved: dict[str, Any] = {}
    for name, group in spec.inputs.items():
        wanted = ["y" if column == facts.target else column for column in columns.get(name, group.columns)]
        for column in wanted:
            readable = (*facts.words, *facts.columns) if group.known == "static" else ("y", *facts.columns)
            if column not in readable:
                place = f"{base}/columns/{name}" if name in columns else f"{base}/inputs/{name}/columns"
                faults.append(Fault(place, "unknown_column", _unreadable(column, group, facts, readable)))
        resolved[name] = {**group.model_dump(mode="json", exclude_unset=True), "columns": wanted}
        if group.lags == "season":
            resolved[name]["lags"] = lags_of(facts)
    if faults:
        raise SpecError("; ".join(fault.detail for fault in faults[:3]), faults=tuple(faults))
    return resolved


def _unreadable(column: str, group: Input, facts: PanelFacts, readable: Sequence[str]) -> str:
    """Why an input cannot read a column of this name."""
    known = ", ".join(readable) or "none"
    if column in facts.words:
        return f"{column!r} is a column of text; read it with 'known': 'static' and 'embed', or choose of the columns of numbers: {known}"
    what = "column" if group.known == "static" else "numeric column"
    return f"{column!r} is not a {what} of the dataset; columns are: {known}"


def _room(spec: ForecasterSpec, facts: PanelFacts, horizon: int) -> int:
    """Steps that a context may have: beside a horizon to stop by where there is one.

    A mean of epochs needs to stop nowhere, and does without where that leaves what is enough to learn from.
    """
    room = facts.longest - HELD_OUT_HORIZONS * horizon
    enough = spec.min_context or 1 if spec.training.average > 1 else 1
    return room if room >= enough else facts.longest - LEAST_HORIZONS * horizon


def _check_length(spec: ForecasterSpec, facts: PanelFacts, base: str) -> None:
    context, horizon = spec.least_context, spec.horizon or 1
    needed = context + LEAST_HORIZONS * horizon
    if facts.longest >= needed:
        return
    room = facts.longest - LEAST_HORIZONS * horizon
    way_out = (
        f"a context of at most {room} would do" if room >= 1 else f"a horizon of at most {(facts.longest - 1) // LEAST_HORIZONS} would do"
    )
    sentence = (
        f"the longest series has {facts.longest} steps; context {context} and {LEAST_HORIZONS} horizons of {horizon} "
        f"(to train and to score) need {needed}; {way_out}"
    )
    raise SpecError(sentence, code="series_too_short", pointer=f"{base}/{'context' if room >= 1 else 'horizon'}")
