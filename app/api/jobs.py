"""How does somebody ask for a training, and what becomes of it?"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, JsonValue
from sqlalchemy.exc import OperationalError

from app.api.access import Asker
from app.api.bodies import NO_NUL, Id
from app.api.job_body import IfNoneMatch, JobBody, Seq, Status, has_ended, is_known, job_body, polled_headers
from app.api.job_kinds import AnyJobRequest, plan_of
from app.api.pages import DEFAULT_LIMIT, After, Limit, PageOf, page_body
from app.api.services import Served, Services
from app.errors import ConflictError, UnavailableError
from app.logs import bound
from app.store.datasets import hold_dataset
from app.store.idempotency import Answered, remember, replay
from app.store.jobs import cancel_job, get_job, insert_job, list_attempts, list_jobs, mark_dispatched, refuse_stage, retry_job
from app.store.models import hold_model
from app.store.progress import list_events
from app.store.tables import JobRow

router = APIRouter(tags=["jobs"])

log = logging.getLogger(__name__)


class AttemptBody(BaseModel):
    """One claim of a job by a worker; `outcome` is null while it runs, `lost` where its worker was not heard of any more."""

    attempt: int
    worker: str
    outcome: str | None
    resumed_from_step: int | None
    started_at: datetime
    ended_at: datetime | None


class AttemptsBody(BaseModel):
    """All of them, oldest first."""

    data: list[AttemptBody]


class EventBody(BaseModel):
    """Something that happened to a job."""

    seq: int
    kind: str
    attempt: int
    created_at: datetime
    data: dict[str, JsonValue]


class EventsBody(BaseModel):
    """Events, ascending; ask again with `after` = `last_seq`."""

    data: list[EventBody]
    last_seq: int
    has_more: bool


async def raw_body(request: Request) -> bytes:
    """The body as it was sent."""
    return await request.body()


IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255, description="Makes it safe to send the request twice.")
]


Filter = Annotated[str | None, Query(max_length=64, pattern=NO_NUL)]


class _AnsweredMeanwhileError(Exception):
    """Another request with the same key was faster."""


@router.post(
    "/v1/jobs",
    status_code=201,
    response_model=JobBody,
    summary="Ask for a job",
    response_description="Its address is in the header Location.",
)
def create(
    body: AnyJobRequest,
    raw: Annotated[bytes, Depends(raw_body)],
    services: Served,
    asker: Asker,
    key: IdempotencyKey = None,
) -> Response:
    """Queue a training, a backtest, a search or forecasts, by `kind`; everything is proven before the job is accepted.

    A training and a search need `dataset` and `horizon`; a backtest these or a `model`; forecasts a `model`.

    Raises:
        ConflictError: the same key's first request is being answered.
    """
    answered = _replayed(services, asker.owner, key, raw)
    if answered is not None:
        return answered
    try:
        row, answer = _insert(services, asker.owner, body, key, raw)
    except _AnsweredMeanwhileError:
        answered = _replayed(services, asker.owner, key, raw)
        if answered is None:
            raise ConflictError("the first request under this Idempotency-Key is still at work; ask again", retry_after_seconds=1) from None
        return answered
    announce(services, row)
    return JSONResponse(answer, 201, {"Location": f"/v1/jobs/{row.id}"})


def _replayed(services: Services, owner: str, key: str | None, raw: bytes) -> Response | None:
    if key is None:
        return None
    with services.database.read() as db:
        found: Answered | None = replay(db, owner, key, raw)
    if found is None:
        return None
    return JSONResponse(found.answer, found.status, {"Location": f"/v1/jobs/{found.answer['id']}", "Idempotent-Replayed": "true"})


def queue_job(services: Services, owner: str, body: AnyJobRequest) -> JobRow:
    """A new job, proven and announced."""
    row, _ = _insert(services, owner, body, None, b"")
    announce(services, row)
    return row


def _insert(services: Services, owner: str, body: AnyJobRequest, key: str | None, raw: bytes) -> tuple[JobRow, dict[str, Any]]:
    """The job's row and its answer, in one transaction with the key's.

    Raises:
        _AnsweredMeanwhileError: another request with the same key was faster; nothing is written.
    """
    # Proven before the transaction that writes: SQLite has one writer at a time, and the workers' heartbeats are to write too.
    with services.database.read() as db:
        new = plan_of(db, owner, body, services.network_limits)
    with services.database.begin() as db:
        hold_dataset(db, owner, new.dataset_id)  # may have been deleted since, and may not be now
        if new.origin_id is not None:
            hold_model(db, owner, new.origin_id)
        row = insert_job(db, owner, new)
        row.trace_parent = services.traces.current()
        answer = job_body(row).model_dump(mode="json")
        if key is not None and not remember(db, owner, key, raw, job_id=row.id, status=201, answer=answer):
            raise _AnsweredMeanwhileError
    return row, answer


def announce(services: Services, row: JobRow) -> None:
    """Tell the queue of a job that is already committed; where the queue is away, a worker's reconciler tells it later."""
    with bound(job_id=row.id), services.traces.span("announce", "producer", {"braidcast.job_id": row.id, "braidcast.queue": row.queue}):
        try:
            services.queue.submit(row.id, row.queue, row.priority)
        except UnavailableError as error:
            log.warning("Not announced: %s", error.detail)
            return
        try:
            with services.database.begin() as db:
                mark_dispatched(db, row.id)
        except OperationalError as error:
            # The job exists, and its answer is due; the worst is that it is announced once more.
            log.warning("Announced, but not noted: %s", error)


@router.get("/v1/jobs")
def list_all(
    services: Served,
    asker: Asker,
    status: Status | None = None,
    dataset: Filter = None,
    kind: Filter = None,
    limit: Limit = DEFAULT_LIMIT,
    after: After = None,
) -> PageOf[JobBody]:
    """Your jobs, newest first."""
    with services.database.read() as db:
        page = list_jobs(db, asker.owner, status=status, dataset=dataset, kind=kind, limit=limit, after=after)
    return page_body(page, job_body)


@router.get("/v1/jobs/{job_id}", response_model=JobBody, responses={304: {"description": "Nothing has changed."}})
def get_one(job_id: Id, services: Served, asker: Asker, if_none_match: IfNoneMatch = None) -> Response:
    """A job. Its ETag moves when its answer does; while it has not ended, `Retry-After` says when to ask again."""
    with services.database.read() as db:
        row = get_job(db, asker.owner, job_id)
    headers = polled_headers(row)
    if is_known(headers["ETag"], if_none_match):
        return Response(status_code=304, headers=headers)
    return JSONResponse(job_body(row).model_dump(mode="json"), headers=headers)


@router.post("/v1/jobs/{job_id}/cancel", responses={202: {"model": JobBody, "description": "Its worker has been told to stop."}})
def cancel(job_id: Id, services: Served, asker: Asker, response: Response) -> JobBody:
    """End a job: at once where nobody runs it, else within seconds. A job that has ended stays as it is."""
    with services.database.begin() as db:
        refuse_stage(db, asker.owner, job_id)
        row = cancel_job(db, asker.owner, job_id)
    response.status_code = 200 if has_ended(row) else 202
    return job_body(row)


@router.post(
    "/v1/jobs/{job_id}/retry",
    status_code=202,
    response_model=JobBody,
    responses={200: {"model": JobBody, "description": "It was retried before, and is at work."}},
)
def retry(job_id: Id, services: Served, asker: Asker, response: Response) -> JobBody:
    """Queue a failed or cancelled job again; it goes on from its newest checkpoint, or begins anew where it has none."""
    with services.database.begin() as db:
        refuse_stage(db, asker.owner, job_id)
        row = retry_job(db, asker.owner, job_id)
    if row.status == "queued" and row.dispatched_at is None:
        announce(services, row)
    response.status_code = 202 if row.status == "queued" else 200
    return job_body(row)


@router.get("/v1/jobs/{job_id}/attempts")
def get_attempts(job_id: Id, services: Served, asker: Asker) -> AttemptsBody:
    """Every claim of a job, and how it ended."""
    with services.database.read() as db:
        get_job(db, asker.owner, job_id)
        rows = list_attempts(db, asker.owner, job_id)
    return AttemptsBody(data=[AttemptBody.model_validate(row, from_attributes=True) for row in rows])


@router.get("/v1/jobs/{job_id}/events")
def get_events(
    job_id: Id,
    services: Served,
    asker: Asker,
    after: Seq = 0,
    limit: Limit = DEFAULT_LIMIT,
) -> EventsBody:
    """What has happened to a job, ascending. Events and metric points share one numbering."""
    with services.database.read() as db:
        last_seq = get_job(db, asker.owner, job_id).last_seq
        rows = [row for row in list_events(db, asker.owner, job_id, after, limit + 1) if row.seq <= last_seq]
    kept, has_more = rows[:limit], len(rows) > limit
    events = [EventBody.model_validate(row, from_attributes=True) for row in kept]
    return EventsBody(data=events, last_seq=kept[-1].seq if has_more else max(after, last_seq), has_more=has_more)
