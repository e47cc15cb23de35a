"""How is a job watched while it runs? As server-sent events, in order and without gap or double, from any number on.

snapshot                        the job, where no number was given
state, phase, log, checkpoint   events, called by their kind
metric                          a point
end                             the job has ended, and so does the stream
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated

import anyio
from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from app.api.access import Asker
from app.api.bodies import Id
from app.api.job_body import Seq, has_ended, job_body
from app.api.services import Served, Services
from app.store.jobs import get_job
from app.store.progress import list_events, list_points
from app.store.tables import EventRow, JobRow, MetricPointRow

router = APIRouter(tags=["jobs"])

POLL_SECONDS = 0.5
CHUNK = 500
"""Events, and points, that are read at once."""

LONGEST_SECONDS = 3600.0
"""A stream ends after so long; whoever still watches resumes it by its last id."""


def find_job(job_id: Id, services: Served, asker: Asker) -> JobRow:
    """The job, looked up before the stream begins: afterwards there is no other status to answer with."""
    with services.database.read() as db:
        return get_job(db, asker.owner, job_id)


@router.get("/v1/jobs/{job_id}/stream", response_class=EventSourceResponse)
async def stream(
    job: Annotated[JobRow, Depends(find_job)],
    services: Served,
    after: Seq | None = None,
    last_event_id: Annotated[str | None, Header(pattern=r"^\d{1,18}$", description="The same, as browsers resume.")] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Watch a job: a snapshot, then everything that happens, then its end."""
    cursor = after if last_event_id is None else int(last_event_id)
    async for event in follow(services, job, cursor, LONGEST_SECONDS):
        yield event


async def follow(services: Services, job: JobRow, cursor: int | None, longest_seconds: float) -> AsyncIterator[ServerSentEvent]:
    """What happens to a job, until it has ended or the time is over.

    Args:
        services: where it is read.
        job: as it is when the stream begins.
        cursor: number of the last event that is known; None begins with a snapshot.
        longest_seconds: how long.
    """
    if cursor is None:
        cursor = job.last_seq
        yield ServerSentEvent(event="snapshot", id=str(cursor), data=job_body(job).model_dump(mode="json"))
    ends_at = time.monotonic() + longest_seconds
    while time.monotonic() < ends_at:
        current, news = await run_in_threadpool(_read, services, job, cursor)
        for row in news:
            cursor = row.seq
            yield _event(row)
        if has_ended(current) and cursor >= current.last_seq:
            yield ServerSentEvent(event="end", id=str(cursor), data={"status": current.status, "model": current.model_id})
            return
        if not news:
            await anyio.sleep(POLL_SECONDS)
    yield ServerSentEvent(comment=f"the time of a stream is over; go on with after={cursor}")


def _read(services: Services, job: JobRow, after: int) -> tuple[JobRow, list[EventRow | MetricPointRow]]:
    with services.database.read() as db:
        current = get_job(db, job.owner_id, job.id)
        events = list_events(db, job.owner_id, job.id, after, CHUNK)
        points = list_points(db, job.owner_id, job.id, after, CHUNK)
    # Up to the number that was read first, and up to where neither list was cut: beyond that, one may hold what the other lacks.
    cuts = [rows[-1].seq for rows in (events, points) if len(rows) == CHUNK]
    last = min([current.last_seq, *cuts])
    rows: list[EventRow | MetricPointRow] = [*events, *points]
    return current, sorted((row for row in rows if row.seq <= last), key=lambda row: row.seq)


def _event(row: EventRow | MetricPointRow) -> ServerSentEvent:
    if isinstance(row, EventRow):
        return ServerSentEvent(event=row.kind, id=str(row.seq), data={**row.data, "at": row.created_at.isoformat().replace("+00:00", "Z")})
    return ServerSentEvent(event="metric", id=str(row.seq), data={"step": row.step, **row.values})
