"""What does a request for a job ask for? Its body, and the complete description that the body, a document and the data make together.

    body + document + dataset -> resolve_spec -> compile_spec -> NewJob

A document comes inline, by its id, from the gallery, or not at all. Faults point at a place in the request's own body.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy.orm import Session

from app.api.bodies import NO_NUL, Name, StrictBody
from app.errors import Fault, SpecError
from app.series.frequency import parse_frequency
from app.spec.compile import compile_spec
from app.spec.forecaster import ForecasterSpec
from app.spec.gallery import GALLERY
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec
from app.spec.resolve import PanelFacts, default_spec, resolve_spec
from app.store.architectures import get_architecture
from app.store.datasets import get_dataset, get_version
from app.store.jobs import NewJob
from app.store.tables import DatasetVersionRow

GALLERY_PREFIX = "gallery:"
INLINE = "#/architecture"
LONGEST_NAME = 128

Reference = Annotated[str, Field(max_length=256, pattern=NO_NUL)]
"""An id, which may be nobody's."""

Season = Annotated[int, Field(ge=1, le=100_000)]


class Resources(StrictBody):
    """What a job may use.

    Attributes:
        device: `auto` takes a GPU where the worker has one.
        max_runtime_seconds: of training, over all attempts; none by default.
        priority: 0 goes first.
    """

    device: Literal["auto", "cpu", "gpu"] = "auto"
    max_runtime_seconds: Annotated[int, Field(ge=1)] | None = None
    priority: Annotated[int, Field(ge=0, le=9)] = 3


class JobRequest(StrictBody):
    """A job. What stands here wins over the document.

    Attributes:
        kind: what is to be done.
        dataset: id of the time series.
        name: of the job and its model.
        architecture: a document, the id of one, or `gallery:NAME`; what suits the data by default.
        columns: what an input reads, by the input's name.
        context: steps to look back.
        horizon: steps to forecast; needed unless the document has it.
        training: fields of the document's `training`.
        seed: of everything random.
        season: steps of a season, or several; the frequency's by default.
        resources: what it may use.
        metadata: yours; it is given back as it is.
    """

    kind: Literal["train"]
    dataset: Reference
    name: Name | None = None
    architecture: dict[str, Any] | Reference | None = None
    columns: dict[str, list[str]] = Field(default_factory=dict)
    context: Annotated[int, Field(ge=1, le=100_000)] | None = None
    horizon: Annotated[int, Field(ge=1, le=100_000)] | None = None
    training: dict[str, Any] = Field(default_factory=dict)
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    season: Season | Annotated[list[Season], Field(min_length=1, max_length=8)] | None = None
    resources: Resources = Resources()
    metadata: dict[str, Any] = Field(default_factory=dict)


def plan_job(db: Session, owner: str, request: JobRequest, limits: NetworkLimits) -> NewJob:
    """The job that a request asks for, proven.

    Args:
        db: to look up the dataset and the document.
        owner: who asks.
        request: the body.
        limits: of a network.

    Raises:
        SpecError: nothing can be trained so; the faults point into the body.
        NotFoundError: the owner has no such dataset or document.
    """
    version = get_version(db, owner, request.dataset)
    facts = facts_of(version)
    spec, label = _document(db, owner, request, facts)
    try:
        resolved = resolve_spec(
            spec, facts, horizon=request.horizon, context=request.context, columns=_columns(request), training=_training(request)
        )
        _check_calendar(resolved, facts)
        compile_spec(resolved, limits)
    except SpecError as error:
        faults = tuple(Fault(_place(fault.pointer, request), fault.code, fault.detail) for fault in error.faults)
        raise SpecError(error.detail, code=error.fault_code, faults=faults) from error
    name = request.name or f"{get_dataset(db, owner, request.dataset).name} {label}"[:LONGEST_NAME]
    return NewJob(
        kind=request.kind,
        name=name,
        request=request.model_dump(mode="json", exclude_unset=True),
        spec=resolved.model_dump(mode="json", by_alias=True),
        dataset_id=request.dataset,
        dataset_version=version.version,
        queue="gpu" if request.resources.device == "gpu" else "cpu",
        priority=request.resources.priority,
        max_runtime_seconds=request.resources.max_runtime_seconds,
        metadata=request.metadata,
    )


def facts_of(version: DatasetVersionRow) -> PanelFacts:
    """What a description has to know of a dataset."""
    facts = version.facts
    return PanelFacts(
        freq=version.freq,
        season=version.season,
        columns=tuple(version.covariates),
        target=version.target,
        series=facts["series"],
        shortest=facts["shortest"],
        longest=facts["longest"],
    )


def _document(db: Session, owner: str, request: JobRequest, facts: PanelFacts) -> tuple[ForecasterSpec, str]:
    """The document, and what it is called in the name of a job that has none."""
    match request.architecture:
        case None:
            return default_spec(facts), "default"
        case dict() as document:
            return parse_spec(document, base=INLINE), "forecaster"
        case str() as name if name.startswith(GALLERY_PREFIX):
            return _gallery(name.removeprefix(GALLERY_PREFIX))
        case str() as architecture_id:
            row = get_architecture(db, owner, architecture_id)
            return parse_spec(row.spec, base=INLINE), row.name


def _gallery(name: str) -> tuple[ForecasterSpec, str]:
    found = GALLERY.get(name)
    if found is None:
        close = difflib.get_close_matches(name, GALLERY, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        sentence = f"architecture: {name[:64]!r} is not in the gallery; {hint}there are: {', '.join(GALLERY)}"
        raise SpecError(sentence, code="unknown_gallery_document", pointer=INLINE)
    return found.spec, name


def _columns(request: JobRequest) -> Mapping[str, list[str]]:
    for name, columns in request.columns.items():
        doubles = sorted({column for column in columns if columns.count(column) > 1})
        if doubles:
            sentence = f"columns.{name}: {', '.join(doubles)} is named twice; once is enough"
            raise SpecError(sentence, code="doubled_column", pointer=f"#/columns/{name}")
    return request.columns


def _training(request: JobRequest) -> dict[str, Any]:
    given = request.training.get("seed")
    if request.seed is None:
        return request.training
    if given is not None and given != request.seed:
        sentence = f"seed: is {request.seed} here and {given} in training.seed; leave one of them out"
        raise SpecError(sentence, code="contradiction", pointer="#/seed")
    return {**request.training, "seed": request.seed}


def _check_calendar(spec: ForecasterSpec, facts: PanelFacts) -> None:
    if not parse_frequency(facts.freq).is_integer:
        return
    for name, group in spec.inputs.items():
        if group.features:
            sentence = f"inputs.{name}.features: the dataset's times are whole numbers and have no {group.features[0]}; leave features out"
            raise SpecError(sentence, code="no_calendar", pointer=f"#/inputs/{name}/features")


def _place(pointer: str, request: JobRequest) -> str:
    """Where in the body something stands that is wrong in the resolved document."""
    section, _, rest = pointer.removeprefix("#/").partition("/")
    key = rest.partition("/")[0]
    inline = request.architecture if isinstance(request.architecture, dict) else {}
    if section in {"context", "horizon"} and getattr(request, section) is not None:
        return pointer
    if section not in ForecasterSpec.model_fields or (section in {"context", "horizon"} and section not in inline):
        return pointer
    if section == "training" and key in request.training:
        return pointer
    if section == "inputs" and key in request.columns:
        return f"#/columns/{key}"
    return f"{INLINE}/{pointer.removeprefix('#/')}" if inline else INLINE
