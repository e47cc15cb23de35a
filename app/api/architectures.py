"""Which networks does an owner describe, and what would they build? Everything here is answered without torch."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Response
from pydantic import BaseModel, JsonValue
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.api.access import Asker
from app.api.bodies import Id, Name, StrictBody
from app.api.pages import DEFAULT_LIMIT, After, Limit, PageOf, page_body
from app.api.services import Served, Services
from app.api.stored_models import has_models, with_models
from app.spec.compile import CompiledSpec, compile_spec
from app.spec.diagram import diagram
from app.spec.forecaster import ForecasterSpec
from app.spec.gallery import GALLERY
from app.spec.keras import import_keras
from app.spec.parse import json_schema, parse_spec, spec_digest
from app.store.architectures import delete_architecture, get_architecture, insert_architecture, list_architectures
from app.store.keys import Principal
from app.store.tables import ArchitectureRow

router = APIRouter(tags=["architectures"])

Document = dict[str, Any]
"""An architecture document. `parse_spec` says far more of its faults than a model of its body would."""

EXAMPLE = {
    "context": 24,
    "horizon": 12,
    "network": {"kind": "stack", "blocks": [{"kind": "lstm", "units": 50}, {"kind": "gru", "units": 20}]},
}


class BlockBody(BaseModel):
    """One row of the table of blocks; `multiply_adds` is of one window."""

    pointer: str
    kind: str
    name: str
    reads: list[str]
    width: int
    parameters: int
    multiply_adds: int


class ProvenBody(BaseModel):
    """What a document would build: `spec` is the document with every default written out, `svg` a drawing of it."""

    spec: dict[str, JsonValue]
    digest: str
    blocks: list[BlockBody]
    parameters: int
    multiply_adds: int
    memory_bytes: int
    warnings: list[str]
    svg: str


class GalleryItem(BaseModel):
    """A document that is here from the start; a job names it as `gallery:NAME`."""

    name: str
    title: str
    source: str
    spec: dict[str, JsonValue]


class GalleryBody(BaseModel):
    """All of them."""

    data: list[GalleryItem]


class ArchitectureUrls(BaseModel):
    """Where it is, and its drawing."""

    self: str
    diagram: str


class ArchitectureBody(BaseModel):
    """A named document, which never changes."""

    id: str
    name: str
    digest: str
    parameters: int
    created_at: datetime
    spec: dict[str, JsonValue]
    urls: ArchitectureUrls


class NewArchitecture(StrictBody):
    """A document to be kept under a name."""

    name: Name
    spec: Document


@router.post("/v1/architectures/validate")
def validate(document: Annotated[Document, Body(examples=[EXAMPLE])], services: Served, asker: Asker) -> ProvenBody:
    """What a document would build: its blocks with widths and counts, memory, warnings. Nothing is kept.

    The body is the document itself; GET /v1/architectures/schema has its schema.
    """
    return _proven(compile_spec(_found(parse_spec(document), services, asker), services.network_limits))


@router.post("/v1/architectures/import")
def import_document(
    document: Document, services: Served, source: Annotated[Literal["keras"], Query(alias="format", description="What wrote it.")]
) -> ProvenBody:
    """A document of another kind as one of ours, proven as by `validate`. Nothing is kept: send its `spec` on.

    `keras` is what `model.to_json()` gives of a Sequential or a functional model of Keras 3 (or 2). What cannot be translated is named with
    its layer, all of it at once.
    """
    imported = import_keras(document)
    body = _proven(compile_spec(parse_spec(imported.document), services.network_limits))
    return body.model_copy(update={"warnings": [*imported.warnings, *body.warnings]})


def _proven(compiled: CompiledSpec) -> ProvenBody:
    return ProvenBody(
        spec=written_out(compiled.spec),
        digest=spec_digest(compiled.spec),
        blocks=[BlockBody.model_validate(asdict(block)) for block in compiled.blocks],
        parameters=compiled.parameters,
        multiply_adds=compiled.multiply_adds,
        memory_bytes=compiled.memory_bytes,
        warnings=list(compiled.warnings),
        svg=diagram(compiled),
    )


@router.get("/v1/architectures/gallery")
def get_gallery() -> GalleryBody:
    """Published forecasters as documents."""
    items = [GalleryItem(name=item.name, title=item.title, source=item.source, spec=as_written(item.spec)) for item in GALLERY.values()]
    return GalleryBody(data=items)


@router.get("/v1/architectures/schema")
def get_schema() -> dict[str, JsonValue]:
    """The JSON Schema of a document."""
    return json_schema()


@router.post("/v1/architectures", status_code=201, responses={200: {"model": ArchitectureBody, "description": "It was here already."}})
def create(body: NewArchitecture, response: Response, services: Served, asker: Asker) -> ArchitectureBody:
    """Keep a document under a name. 200 where you have the same document already, under the name that it has."""
    compiled = compile_spec(_found(parse_spec(body.spec, base="#/spec"), services, asker), services.network_limits, base="#/spec")
    try:
        with services.database.begin() as db:
            row, is_new = _insert(db, asker.owner, body.name, compiled)
    except IntegrityError:
        # On PostgreSQL, another request may have kept the same document between the look and the insertion; then it is found now.
        with services.database.begin() as db:
            row, is_new = _insert(db, asker.owner, body.name, compiled)
    answer = architecture_body(row)
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = answer.urls.self
    return answer


@router.get("/v1/architectures")
def list_all(services: Served, asker: Asker, limit: Limit = DEFAULT_LIMIT, after: After = None) -> PageOf[ArchitectureBody]:
    """Your architectures, newest first."""
    with services.database.read() as db:
        page = list_architectures(db, asker.owner, limit=limit, after=after)
    return page_body(page, architecture_body)


@router.get("/v1/architectures/{architecture_id}")
def get_one(architecture_id: Id, services: Served, asker: Asker) -> ArchitectureBody:
    """An architecture."""
    with services.database.read() as db:
        return architecture_body(get_architecture(db, asker.owner, architecture_id))


@router.get("/v1/architectures/{architecture_id}/diagram", response_class=Response, responses={200: {"content": {"image/svg+xml": {}}}})
def get_diagram(architecture_id: Id, services: Served, asker: Asker) -> Response:
    """A drawing of an architecture, as SVG."""
    with services.database.read() as db:
        document = get_architecture(db, asker.owner, architecture_id).spec
    return Response(diagram(compile_spec(parse_spec(document), services.network_limits)), media_type="image/svg+xml")


@router.delete("/v1/architectures/{architecture_id}", status_code=204, response_class=Response)
def delete(architecture_id: Id, services: Served, asker: Asker) -> None:
    """Forget an architecture; jobs and models keep their own copy."""
    with services.database.begin() as db:
        delete_architecture(db, asker.owner, architecture_id)


def _found(spec: ForecasterSpec, services: Services, asker: Principal) -> ForecasterSpec:
    """The document with what the asker's models in it are made of."""
    if not has_models(spec):
        return spec
    with services.database.read() as db:
        return with_models(spec, db, asker.owner)


def written_out(spec: ForecasterSpec) -> dict[str, JsonValue]:
    """A document with every default written out."""
    document: dict[str, JsonValue] = spec.model_dump(mode="json", by_alias=True)
    return document


def as_written(spec: ForecasterSpec) -> dict[str, JsonValue]:
    """A document without the defaults that its author left out: one that does nothing is refused where it is written out."""
    return spec.model_dump(mode="json", by_alias=True, exclude_unset=True)


def architecture_body(row: ArchitectureRow) -> ArchitectureBody:
    """An architecture as it is answered."""
    return ArchitectureBody(
        id=row.id,
        name=row.name,
        digest=row.digest,
        parameters=row.parameters,
        created_at=row.created_at,
        spec=row.spec,
        urls=ArchitectureUrls(self=f"/v1/architectures/{row.id}", diagram=f"/v1/architectures/{row.id}/diagram"),
    )


def _insert(db: Session, owner: str, name: str, compiled: CompiledSpec) -> tuple[ArchitectureRow, bool]:
    digest, spec = spec_digest(compiled.spec), as_written(compiled.spec)
    return insert_architecture(db, owner, name=name, digest=digest, spec=spec, parameters=compiled.parameters)
