"""GET /v1/jobs/{job_id}/result: how does what a job has made leave the service? As a file, whole or in parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Response
from fastapi.responses import FileResponse

from app.api.access import Asker
from app.api.bodies import Id
from app.api.job_body import IfNoneMatch, is_known
from app.api.services import Served
from app.spec.panel_forecast import forecast_plan
from app.store.jobs import forget_result, get_job, result_of

router = APIRouter(tags=["jobs"])

MEDIA_TYPES = MappingProxyType({"parquet": "application/vnd.apache.parquet", "csv": "text/csv; charset=utf-8"})


class _Result(NamedTuple):
    """A job's artifact as a file that stays until the answer is sent."""

    job: str
    format: str
    digest: str
    path: Path


def _result(job_id: Id, services: Served, asker: Asker) -> Iterator[_Result]:
    with services.database.read() as db:
        row = get_job(db, asker.owner, job_id)
        digest, form = result_of(row), forecast_plan(row.request, 1).format
    with services.artifacts.open_local(digest) as path:
        yield _Result(job_id, form, digest, path)


@router.get(
    "/v1/jobs/{job_id}/result",
    summary="Download a result",
    response_class=FileResponse,
    responses={206: {"description": "the part that `Range` asked for"}, 304: {"description": "`If-None-Match` has the current entity tag"}},
)
def get_result(result: Annotated[_Result, Depends(_result)], if_none_match: IfNoneMatch = None) -> Response:
    """What a job of the kind `forecast` has made: a row a step, with `unique_id`, `ds`, `mean` and a column `q0.1` for each quantile.

    The entity tag is the sha256 of the content. `Range` gives a part, so that a download that broke off can go on.
    """
    headers = {"ETag": f'"{result.digest}"'}
    if is_known(headers["ETag"], if_none_match):
        return Response(status_code=304, headers=headers)
    name = f"{result.job}.{result.format}"
    return FileResponse(result.path, headers=headers, filename=name, media_type=MEDIA_TYPES[result.format])


@router.delete("/v1/jobs/{job_id}/result", status_code=204, response_class=Response)
def delete_result(job_id: Id, services: Served, asker: Asker) -> None:
    """Forget what a job has made; the job itself stays."""
    with services.database.begin() as db:
        digests = forget_result(db, asker.owner, job_id)
    for digest in digests:
        services.artifacts.delete(digest)
