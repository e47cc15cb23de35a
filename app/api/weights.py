"""GET /v1/models/{model_id}/weights: how does a model leave the service? As safetensors with its document in the header."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.responses import FileResponse

from app.api.access import Asker
from app.api.bodies import Id
from app.api.files import FILE_ANSWERS, StoredFile, file_answer
from app.api.job_body import IfNoneMatch
from app.api.services import Served
from app.store.models import get_model

router = APIRouter(tags=["models"])


def _weights(model_id: Id, services: Served, asker: Asker) -> Iterator[StoredFile]:
    with services.database.read() as db:
        row = get_model(db, asker.owner, model_id)
        model, digest = row.id, row.digest
    with services.artifacts.open_local(digest) as path:
        yield StoredFile(f"{model}.safetensors", "application/octet-stream", digest, path)


@router.get("/v1/models/{model_id}/weights", summary="Download weights", response_class=FileResponse, responses=FILE_ANSWERS)
def get_weights(weights: Annotated[StoredFile, Depends(_weights)], if_none_match: IfNoneMatch = None) -> Response:
    """A model's weights as safetensors; the architecture and what else a forecast needs stand in the header, under `braidcast`.

    The entity tag is the sha256 of the content. `Range` gives a part, so that a download that broke off can go on.
    """
    return file_answer(weights, if_none_match)
