"""Which trained forecasters does an owner have, how good are they, and where do they come from?"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, JsonValue

from app.api.access import Asker
from app.api.bodies import Id, Name, StrictBody
from app.api.pages import DEFAULT_LIMIT, After, Limit, PageOf, page_body
from app.api.services import Served
from app.store.models import change_model, delete_model, get_model, list_models
from app.store.tables import ModelRow

router = APIRouter(tags=["models"])


class ModelUrls(BaseModel):
    """Where more is told."""

    self: str
    forecasts: str


class ModelBody(BaseModel):
    """A trained forecaster. `scores` are of steps that training never saw, beside seasonal naive's; `lineage` says where it comes from."""

    id: str
    name: str
    tags: list[str]
    created_at: datetime
    job: str
    dataset: str
    freq: str
    context: int
    horizon: int
    parameters: int
    size_bytes: int
    scores: dict[str, dict[str, float | None]]
    lineage: dict[str, JsonValue]
    architecture: dict[str, JsonValue]
    urls: ModelUrls


class ModelChange(StrictBody):
    """What is to be changed; what is left out stays."""

    name: Name | None = None
    tags: Annotated[list[Name], Field(max_length=64)] | None = None


@router.get("/v1/models")
def list_all(services: Served, asker: Asker, limit: Limit = DEFAULT_LIMIT, after: After = None) -> PageOf[ModelBody]:
    """Your models, newest first."""
    with services.database.read() as db:
        page = list_models(db, asker.owner, limit=limit, after=after)
    return page_body(page, model_body)


@router.get("/v1/models/{model_id}")
def get_one(model_id: Id, services: Served, asker: Asker) -> ModelBody:
    """A model, by its id or its name; of several of one name, the newest."""
    with services.database.read() as db:
        return model_body(get_model(db, asker.owner, model_id))


@router.patch("/v1/models/{model_id}")
def change(model_id: Id, body: ModelChange, services: Served, asker: Asker) -> ModelBody:
    """Give a model another name or other tags."""
    with services.database.begin() as db:
        return model_body(change_model(db, asker.owner, model_id, name=body.name, tags=body.tags))


@router.delete("/v1/models/{model_id}", status_code=204, response_class=Response)
def delete(model_id: Id, services: Served, asker: Asker) -> None:
    """Forget a model."""
    with services.database.begin() as db:
        digests = delete_model(db, asker.owner, model_id)
    for digest in digests:
        services.artifacts.delete(digest)


def model_body(row: ModelRow) -> ModelBody:
    """A model as it is answered."""
    here = f"/v1/models/{row.id}"
    return ModelBody(
        id=row.id,
        name=row.name,
        tags=row.tags,
        created_at=row.created_at,
        job=row.job_id,
        dataset=row.dataset_id,
        freq=row.freq,
        context=row.spec["context"],
        horizon=row.spec["horizon"],
        parameters=row.parameters,
        size_bytes=row.size_bytes,
        scores=row.scores,
        lineage=row.lineage,
        architecture=row.spec,
        urls=ModelUrls(self=here, forecasts=f"{here}/forecasts"),
    )
