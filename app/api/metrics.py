"""What has a job measured? Columns by name, from a cursor on; asking again for nothing new costs one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from app.api.access import Asker
from app.api.bodies import Id
from app.api.job_body import IfNoneMatch, Seq, entity_tag, is_known, polled_headers
from app.api.services import Served
from app.series.thinning import FEWEST_POINTS, thinned
from app.store.jobs import get_job
from app.store.progress import Measured, list_measured

router = APIRouter(tags=["jobs"])

MOST_POINTS = 10_000


class MetricsBody(BaseModel):
    """Points after a cursor, ascending; `step` is the number of batches, null is a value that was not measured or is no number.

    Ask again with `after` = `last_seq`.
    """

    last_seq: int
    has_more: bool
    step: list[int]
    series: dict[str, list[float | None]]


@router.get("/v1/jobs/{job_id}/metrics", response_model=MetricsBody, responses={304: {"description": "Nothing has changed."}})
def get_metrics(
    request: Request,
    job_id: Id,
    services: Served,
    asker: Asker,
    names: Annotated[str | None, Query(max_length=4096, description="Names with commas between; all by default.")] = None,
    after: Seq = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_POINTS, description="Points read at most.")] = MOST_POINTS,
    max_points: Annotated[int | None, Query(ge=FEWEST_POINTS, le=MOST_POINTS, description="Points answered at most; peaks stay.")] = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """What a job has measured, by columns."""
    with services.database.read() as db:
        job = get_job(db, asker.owner, job_id)
        headers = polled_headers(job) | {"ETag": entity_tag(job.id, job.last_seq, request.url.query)}
        if is_known(headers["ETag"], if_none_match):
            return Response(status_code=304, headers=headers)
        # Bounded by the number that was read first: a point that is committed meanwhile may come before an event that is not seen yet.
        rows = list_measured(db, asker.owner, job_id, after, job.last_seq, limit + 1)
    kept, has_more = rows[:limit], len(rows) > limit
    last_seq = kept[-1].seq if has_more else max(after, job.last_seq)
    body = _columns(kept, [name for name in (names or "").split(",") if name], max_points)
    content = orjson.dumps({"last_seq": last_seq, "has_more": has_more, **body})
    return Response(content, headers=headers, media_type="application/json")


def _columns(rows: Sequence[Measured], names: Sequence[str], max_points: int | None) -> dict[str, object]:
    wanted = list(dict.fromkeys(names or (name for row in rows for name in row.values)))
    shown = [row for row in rows if any(name in row.values for name in wanted)]
    if max_points is not None and wanted and len(shown) > max_points:
        values = [[row.values.get(name) for row in shown] for name in wanted]
        kept = thinned([np.array([np.nan if value is None else value for value in column]) for column in values], max_points)
        shown = [shown[position] for position in kept]
    return {"step": [row.step for row in shown], "series": {name: [row.values.get(name) for row in shown] for name in wanted}}
