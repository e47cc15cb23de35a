"""What does a request for a job ask for? Its body, and the complete description that the body, a document and the data make together.

    body + document + dataset -> resolve_spec -> compile_spec -> NewJob

A document comes inline, by its id, from the gallery, or not at all. Faults point at a place in the request's own body (`job_faults.py`).
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, WrapValidator
from sqlalchemy.orm import Session

from app.api.bodies import NO_NUL, Name, StrictBody
from app.api.job_faults import INLINE, told_faults
from app.api.job_metadata import check_metadata
from app.api.job_origin import JobOrigin, check_origin, find_origin
from app.api.stored_models import with_models
from app.errors import SpecError, shown
from app.series.frequency import parse_frequency
from app.series.season import week_of
from app.spec.compile import compile_spec
from app.spec.defaults import default_spec
from app.spec.facts import PanelFacts
from app.spec.forecaster import ForecasterSpec
from app.spec.gallery import GALLERY
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec
from app.spec.phases import is_joint
from app.spec.resolve import resolve_spec
from app.store.architectures import get_architecture
from app.store.datasets import get_dataset, get_version
from app.store.jobs import NewJob
from app.store.tables import DatasetVersionRow

GALLERY_PREFIX = "gallery:"
LONGEST_NAME = 128

LONGEST_RUNTIME_SECONDS = 366 * 86_400
"""A year: longer is a slip of the pen, and far longer is no number that a database takes."""

Reference = Annotated[str, Field(max_length=256, pattern=NO_NUL)]
"""An id, which may be nobody's."""

Steps = Annotated[int, Field(ge=1, le=100_000)]


def _in_words(sentence: str) -> WrapValidator:
    """Refuses what is of none of several types with one sentence: a pointer per type would lead to places that no body has."""

    def check(value: object, handler: Callable[[object], object]) -> object:
        try:
            return handler(value)
        except ValidationError as error:
            raise ValueError(f"{sentence}, and is {shown(value)}") from error

    return WrapValidator(check)


Document = Annotated[
    dict[str, Any] | Reference, _in_words("architecture: must be a document, the id of one ('arc_...'), or 'gallery:' and a name")
]
Season = Annotated[
    Steps | Annotated[list[Steps], Field(min_length=1, max_length=8)],
    _in_words("season: must be a number of steps, whole and from 1 to 100,000, or a list of 1 to 8 such"),
]


class Resources(StrictBody):
    """What a job may use.

    Attributes:
        device: `auto` takes a GPU where the worker has one.
        max_runtime_seconds: of training, over all attempts; none by default.
        priority: 0 goes first.
    """

    device: Literal["auto", "cpu", "gpu"] = "auto"
    max_runtime_seconds: Annotated[int, Field(ge=1, le=LONGEST_RUNTIME_SECONDS)] | None = None
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
        scaling: fields of the document's `scaling`.
        seed: of everything random.
        season: steps of a season, or several; the frequency's by default.
        init_from: a model whose weights it begins with, where its blocks are the same; its document is the job's if there is no other.
        compare: `joint` trains the same network all together too, from the same weights, to say what its phases have brought.
        resources: what it may use.
        metadata: yours; it is given back as it is.
    """

    kind: Literal["train"]
    dataset: Reference
    name: Name | None = None
    architecture: Document | None = None
    columns: dict[str, list[str]] = Field(default_factory=dict)
    context: Steps | None = None
    horizon: Steps | None = None
    training: dict[str, Any] = Field(default_factory=dict)
    scaling: dict[str, Any] = Field(default_factory=dict)
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    season: Season | None = None
    init_from: Reference | None = None
    compare: Literal["joint"] | None = None
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
        InputError: the metadata is nothing that JSON can give back.
        SpecError: nothing can be trained so; the faults point into the body.
        NotFoundError: the owner has no such dataset or document.
    """
    check_metadata(request.metadata)
    version = get_version(db, owner, request.dataset)
    facts = facts_of(version, request.season)
    origin = None if request.init_from is None else find_origin(db, owner, request.init_from)
    bare, label = _document(db, owner, request, facts, origin)
    spec = with_models(bare, db, owner)
    try:
        resolved = resolve_spec(
            spec,
            facts,
            horizon=request.horizon,
            context=request.context,
            columns=request.columns,
            training=_training(request),
            scaling=request.scaling,
        )
        _check_doubles(resolved)
        _check_calendar(resolved, facts)
        compile_spec(resolved, limits)
    except SpecError as error:
        faults = told_faults(error.faults, request.model_dump(exclude_unset=True))
        raise SpecError(error.detail, code=error.fault_code, faults=faults) from error
    if origin is not None:
        check_origin(resolved, origin, request.dataset)
    _check_compare(request, resolved)
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
        origin_id=None if origin is None else origin.model,
        origin_digest=None if origin is None else origin.digest,
    )


def _check_compare(request: JobRequest, spec: ForecasterSpec) -> None:
    if request.compare is not None and spec.training.members > 1:
        sentence = f"compare: is of one network, and the training has {spec.training.members} members; leave one of them out"
        raise SpecError(sentence, code="inert", pointer="#/compare")
    if request.compare is not None and is_joint(spec):
        what = "the network is trained all together as it is, and there is nothing to compare"
        raise SpecError(f"compare: {what}; give training.phases, or leave it out", code="inert", pointer="#/compare")


def facts_of(version: DatasetVersionRow, season: int | Sequence[int] | None = None) -> PanelFacts:
    """What a description has to know of a dataset.

    Args:
        version: of the dataset.
        season: steps of a season, or of several, in place of the data's.
    """
    facts = version.facts
    given = sorted({season} if isinstance(season, int) else set(season or ()))
    week = week_of(version.season)
    seasons = given or [version.season, *([week] if week else [])]
    return PanelFacts(
        freq=version.freq,
        season=seasons[0],
        longer_seasons=tuple(seasons[1:]),
        columns=tuple(version.covariates),
        target=version.target,
        series=facts["series"],
        shortest=facts["shortest"],
        longest=facts["longest"],
        words=tuple(version.audit["values"]["text_columns"]),
    )


def _document(db: Session, owner: str, request: JobRequest, facts: PanelFacts, origin: JobOrigin | None) -> tuple[ForecasterSpec, str]:
    """The document, and what it is called in the name of a job that has none."""
    match request.architecture:
        case None if origin is not None:
            return origin.spec, f"from {origin.name}"
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


def _training(request: JobRequest) -> dict[str, Any]:
    if request.seed is None:
        return request.training
    given = request.training.get("seed", request.seed)
    if given != request.seed:
        sentence = f"seed: is {request.seed} here and {shown(given)} in training.seed; leave one of them out"
        raise SpecError(sentence, code="contradiction", pointer="#/seed")
    return {"seed": request.seed, **request.training}


def _check_doubles(spec: ForecasterSpec) -> None:
    """Refuses an input that reads a column twice: the target too, under its own name and as `y`.

    Raises:
        SpecError: one does.
    """
    for name, group in spec.inputs.items():
        for key, names in (("columns", group.columns), ("features", group.features)):
            doubles = _doubles(names)
            if doubles:
                sentence = f"inputs.{name}.{key}: {', '.join(doubles)} is named twice; once is enough"
                raise SpecError(sentence, code="doubled_column", pointer=f"#/inputs/{name}/{key}")


def _doubles(names: Sequence[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _check_calendar(spec: ForecasterSpec, facts: PanelFacts) -> None:
    if not parse_frequency(facts.freq).is_integer:
        return
    for name, group in spec.inputs.items():
        if group.features:
            sentence = f"inputs.{name}.features: the dataset's times are whole numbers and have no {group.features[0]}; leave features out"
            raise SpecError(sentence, code="no_calendar", pointer=f"#/inputs/{name}/features")
