"""GET /v1/jobs/{job_id}/result: how does what a job has made leave the service? As a file, whole or in parts."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.responses import FileResponse

from app.api.access import Asker
from app.api.bodies import Id
from app.api.files import FILE_ANSWERS, StoredFile, file_answer
from app.api.job_body import IfNoneMatch
from app.api.services import Served
from app.spec.panel_forecast import forecast_plan
from app.store.jobs import forget_result, get_job, result_of

router = APIRouter(tags=["jobs"])

MEDIA_TYPES = MappingProxyType({"parquet": "application/vnd.apache.parquet", "csv": "text/csv; charset=utf-8"})


def _result(job_id: Id, services: Served, asker: Asker) -> Iterator[StoredFile]:
    with services.database.read() as db:
        row = get_job(db, asker.owner, job_id)
        digest, form = result_of(row), forecast_plan(row.request, 1).format
    with services.artifacts.open_local(digest) as path:
        yield StoredFile(f"{job_id}.{form}", MEDIA_TYPES[form], digest, path)


@router.get("/v1/jobs/{job_id}/result", summary="Download a result", response_class=FileResponse, responses=FILE_ANSWERS)
def get_result(result: Annotated[StoredFile, Depends(_result)], if_none_match: IfNoneMatch = None) -> Response:
    """What a job of the kind `forecast` has made: a row a step, with `unique_id`, `ds`, `mean` and a column `q0.1` for each quantile.

    The entity tag is the sha256 of the content. `Range` gives a part, so that a download that broke off can go on.
    """
    return file_answer(result, if_none_match)


@router.delete("/v1/jobs/{job_id}/result", status_code=204, response_class=Response)
def delete_result(job_id: Id, services: Served, asker: Asker) -> None:
    """Forget what a job has made; the job itself stays."""
    with services.database.begin() as db:
        digests = forget_result(db, asker.owner, job_id)
    for digest in digests:
        services.artifacts.delete(digest)
