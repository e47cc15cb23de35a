"""How is a job made to wait, and to go on? And where could it go on from?"""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import BaseModel

from app.api.access import Asker
from app.api.bodies import Id
from app.api.job_body import JobBody, job_body
from app.api.jobs import announce
from app.api.services import Served
from app.store.jobs import get_job, list_checkpoints, pause_job, refuse_stage, resume_job

router = APIRouter(tags=["jobs"])


class CheckpointBody(BaseModel):
    """Where a job can go on from: `step` is the number of batches before it, `is_best` says that it came with the best weights so far."""

    id: str
    attempt: int
    step: int
    is_best: bool
    size_bytes: int
    created_at: datetime


class CheckpointsBody(BaseModel):
    """The newest two and the best, newest first; a job that has succeeded needs none."""

    data: list[CheckpointBody]


@router.post("/v1/jobs/{job_id}/pause", responses={202: {"model": JobBody, "description": "Its worker has been told to stop."}})
def pause(job_id: Id, services: Served, asker: Asker, response: Response) -> JobBody:
    """Let a job wait until it is resumed: at once where nobody runs it, else within seconds, with a checkpoint. No attempt is burnt."""
    with services.database.begin() as db:
        refuse_stage(db, asker.owner, job_id)
        row = pause_job(db, asker.owner, job_id)
    response.status_code = 200 if row.status == "paused" else 202
    return job_body(row)


@router.post("/v1/jobs/{job_id}/resume", responses={202: {"model": JobBody, "description": "It waits for a worker."}})
def resume(job_id: Id, services: Served, asker: Asker, response: Response) -> JobBody:
    """Let a paused job go on from its newest checkpoint. One that is not paused and has not ended stays as it is."""
    with services.database.begin() as db:
        refuse_stage(db, asker.owner, job_id)
        row = resume_job(db, asker.owner, job_id)
    if row.status == "queued" and row.dispatched_at is None:
        announce(services, row)
    response.status_code = 202 if row.status == "queued" else 200
    return job_body(row)


@router.get("/v1/jobs/{job_id}/checkpoints")
def get_checkpoints(job_id: Id, services: Served, asker: Asker) -> CheckpointsBody:
    """Where a job could go on from."""
    with services.database.read() as db:
        get_job(db, asker.owner, job_id)
        rows = list_checkpoints(db, asker.owner, job_id)
    return CheckpointsBody(data=[CheckpointBody.model_validate(row, from_attributes=True) for row in rows])
