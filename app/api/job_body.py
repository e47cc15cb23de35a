"""How is a job told? What it is, how far it is, how it ended, and where more is."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Header, Query
from pydantic import BaseModel, JsonValue

from app.store.progress import JobVersion
from app.store.tables import ENDED_STATES, JobRow

Status = Literal["queued", "running", "pausing", "paused", "cancelling", "succeeded", "failed", "cancelled"]

POLL_SECONDS = 1
"""How soon it is worth asking again for a job that has not ended."""

HIGHEST_SEQ = 2**63 - 1
"""What a database counts to."""

Seq = Annotated[int, Query(ge=0, le=HIGHEST_SEQ, description="`last_seq` of the answer before.")]
"""An endpoint's parameter, with 0 (from the beginning) as its default."""

IfNoneMatch = Annotated[str | None, Header(description="ETags of answers that are known: 304 where nothing has changed.")]


class JobProgress(BaseModel):
    """How far a job is; null where nobody knows yet. `eta_seconds` is until the last epoch, at the pace so far."""

    phase: str | None = None
    epoch: int | None = None
    epochs: int | None = None
    step: int | None = None
    fraction: float | None = None
    eta_seconds: float | None = None


class JobFailure(BaseModel):
    """Why a job failed, and whether a retry may help."""

    code: str
    message: str
    pointer: str | None
    retryable: bool


class JobUrls(BaseModel):
    """Where more is told; `result` is of a job of the kind `forecast` that has succeeded: a file."""

    self: str
    events: str
    metrics: str
    stream: str
    report: str
    result: str | None
    attempts: str
    checkpoints: str
    cancel: str
    pause: str
    resume: str
    retry: str


class JobBody(BaseModel):
    """A job.

    `architecture` is the complete document that it trains, `init_from` the model whose weights it begins with, or that a backtest or
    forecasts are of; `metrics` has the newest values, and the best. A backtest makes no `model`, nor do forecasts. `parent` is the search
    that a job of the kind `trials` helps, or the training that one of the kind `stage` does a part of.
    """

    id: str
    kind: str
    name: str
    status: Status
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int
    max_attempts: int
    dataset: str
    dataset_version: int
    progress: JobProgress
    metrics: dict[str, JsonValue]
    error: JobFailure | None
    model: str | None
    init_from: str | None
    parent: str | None
    architecture: dict[str, JsonValue]
    metadata: dict[str, JsonValue]
    urls: JobUrls


def job_body(row: JobRow) -> JobBody:
    """A job as it is answered."""
    here = f"/v1/jobs/{row.id}"
    newest = {name: value for name, value in row.metrics.items() if name != "best_val_loss"}
    return JobBody(
        id=row.id,
        kind=row.kind,
        name=row.name,
        status=row.status,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        attempt=row.attempt,
        max_attempts=row.max_attempts,
        dataset=row.dataset_id,
        dataset_version=row.dataset_version,
        progress=JobProgress.model_validate(row.progress),
        metrics={**newest, "best": {"val_loss": row.metrics.get("best_val_loss")}} if newest else {},
        error=None if row.error is None else JobFailure.model_validate(row.error),
        model=row.model_id,
        init_from=row.origin_id,
        parent=row.parent_id,
        architecture=row.spec,
        metadata=row.metadata_,
        urls=JobUrls(
            self=here,
            events=f"{here}/events",
            metrics=f"{here}/metrics",
            stream=f"{here}/stream",
            report=f"{here}/report",
            result=None if row.result_digest is None else f"{here}/result",
            attempts=f"{here}/attempts",
            checkpoints=f"{here}/checkpoints",
            cancel=f"{here}/cancel",
            pause=f"{here}/pause",
            resume=f"{here}/resume",
            retry=f"{here}/retry",
        ),
    )


def has_ended(row: JobRow | JobVersion) -> bool:
    """Whether nothing more will happen to a job by itself."""
    return row.status in ENDED_STATES


def etag_of(row: JobRow | JobVersion) -> str:
    """The entity tag of a job's answer: it moves whenever the answer does."""
    return entity_tag(row.id, row.status, row.attempt, row.max_attempts, row.last_seq, row.progress)


def polled_headers(row: JobRow | JobVersion) -> dict[str, str]:
    """What tells who polls a job whether its answer has changed, and when to ask again."""
    return {"ETag": etag_of(row)} | ({} if has_ended(row) else {"Retry-After": str(POLL_SECONDS)})


def entity_tag(*parts: object) -> str:
    """A weak entity tag: equal parts, equal tags."""
    return f'W/"{hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]}"'


def is_known(etag: str, if_none_match: str | None) -> bool:
    """Whether who asks has the answer already (RFC 9110, 13.1.2): a list of tags, compared weakly, or `*`."""
    tags = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
    return "*" in tags or etag.removeprefix("W/") in tags
