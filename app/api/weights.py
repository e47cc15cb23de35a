"""GET /v1/models/{model_id}/weights: how does a model leave the service? As safetensors with its document in the header."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Response
from fastapi.responses import FileResponse

from app.api.access import Asker
from app.api.bodies import Id
from app.api.job_body import IfNoneMatch, is_known
from app.api.services import Served
from app.store.models import get_model

router = APIRouter(tags=["models"])


class _Weights(NamedTuple):
    """A model's artifact as a file that stays until the answer is sent."""

    model: str
    digest: str
    path: Path


def _weights(model_id: Id, services: Served, asker: Asker) -> Iterator[_Weights]:
    with services.database.read() as db:
        row = get_model(db, asker.owner, model_id)
        model, digest = row.id, row.digest
    with services.artifacts.open_local(digest) as path:
        yield _Weights(model, digest, path)


@router.get(
    "/v1/models/{model_id}/weights",
    summary="Download weights",
    response_class=FileResponse,
    responses={206: {"description": "the part that `Range` asked for"}, 304: {"description": "`If-None-Match` has the current entity tag"}},
)
def get_weights(weights: Annotated[_Weights, Depends(_weights)], if_none_match: IfNoneMatch = None) -> Response:
    """A model's weights as safetensors; the architecture and what else a forecast needs stand in the header, under `braidcast`.

    The entity tag is the sha256 of the content. `Range` gives a part, so that a download that broke off can go on.
    """
    headers = {"ETag": f'"{weights.digest}"'}
    if is_known(headers["ETag"], if_none_match):
        return Response(status_code=304, headers=headers)
    name = f"{weights.model}.safetensors"
    return FileResponse(weights.path, headers=headers, filename=name, media_type="application/octet-stream")
