"""Which rows do we keep? Every row has its owner; times are the database's, in UTC.

owner ─┬─ key
       ├─ dataset ── dataset version (an artifact)
       ├─ architecture (identity: digest of the canonical document)
       ├─ job ─┬─ attempt       one claim of a worker; its number fences every write
       │       ├─ event         numbered with the metric points by one counter, jobs.last_seq
       │       ├─ metric point
       │       ├─ checkpoint    (an artifact; of forecasts, a part of the result)
       │       ├─ trial         of a search; held by an attempt at it, or at a job that helps
       │       └─ model         (an artifact) ── session (the state of a stream of observations)
       └─ idempotency key
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.store.database import UtcDateTime, utc_now

JOB_STATES = ("queued", "running", "cancelling", "cancelled", "pausing", "paused", "succeeded", "failed")
LIVE_STATES = ("queued", "running", "cancelling", "pausing", "paused")
HELD_STATES = ("running", "cancelling", "pausing")
"""In which an attempt may write."""

ENDED_STATES = ("succeeded", "failed", "cancelled")

Id = Annotated[str, mapped_column(sa.String(40), primary_key=True)]
Owner = Annotated[str, mapped_column(sa.ForeignKey("owners.id"), index=True)]
Label = Annotated[str, mapped_column(sa.String(128))]
Digest = Annotated[str, mapped_column(sa.String(64))]
Json = Annotated[dict[str, Any], mapped_column(sa.JSON)]
Time = Annotated[datetime, mapped_column(UtcDateTime)]
Created = Annotated[datetime, mapped_column(UtcDateTime, default=utc_now())]


class Base(DeclarativeBase):
    """All of our tables; constraint names are the same on every database, so that migrations can name them."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {datetime: UtcDateTime, int: sa.BigInteger().with_variant(sa.Integer, "sqlite"), float: sa.Double}


class OwnerRow(Base):
    """Whom things belong to."""

    __tablename__ = "owners"
    id: Mapped[Id]
    name: Mapped[Label] = mapped_column(unique=True)
    created_at: Mapped[Created]


class KeyRow(Base):
    """A bearer key: only the sha256 of its secret is kept."""

    __tablename__ = "keys"
    id: Mapped[Id]
    owner_id: Mapped[Owner]
    public_id: Mapped[str] = mapped_column(sa.String(32), unique=True)
    secret_sha256: Mapped[Digest]
    name: Mapped[Label]
    scopes: Mapped[list[str]] = mapped_column(sa.JSON)
    created_at: Mapped[Created]
    revoked_at: Mapped[Time | None]


class DatasetRow(Base):
    """Time series under a name; its numbers lie in versions."""

    __tablename__ = "datasets"
    id: Mapped[Id]
    owner_id: Mapped[Owner]
    name: Mapped[Label]
    newest_version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Created]


class DatasetVersionRow(Base):
    """What a dataset held at one time: an Arrow artifact, and what was found in it."""

    __tablename__ = "dataset_versions"
    dataset_id: Mapped[str] = mapped_column(sa.ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[Owner]
    digest: Mapped[Digest] = mapped_column(index=True)
    size_bytes: Mapped[int]
    freq: Mapped[str] = mapped_column(sa.String(32))
    season: Mapped[int]
    target: Mapped[Label]
    covariates: Mapped[list[str]] = mapped_column(sa.JSON)
    facts: Mapped[Json]
    audit: Mapped[Json]
    created_at: Mapped[Created]


class ArchitectureRow(Base):
    """A named, immutable document."""

    __tablename__ = "architectures"
    __table_args__ = (sa.UniqueConstraint("owner_id", "digest"),)
    id: Mapped[Id]
    owner_id: Mapped[Owner]
    name: Mapped[Label]
    digest: Mapped[Digest]
    spec: Mapped[Json]
    parameters: Mapped[int]
    created_at: Mapped[Created]


class JobRow(Base):
    """Something that a worker is to do, and how far it is."""

    __tablename__ = "jobs"
    __table_args__ = (
        sa.CheckConstraint(f"status in {JOB_STATES}", "status"),
        sa.Index("ix_jobs_status_lease_until", "status", "lease_until"),
        sa.Index("ix_jobs_owner_id_id", "owner_id", "id"),
        sa.Index("ix_jobs_turn", "status", "queue", "owner_id", "priority", "id"),
    )
    id: Mapped[Id]
    owner_id: Mapped[Owner]
    kind: Mapped[str] = mapped_column(sa.String(16))
    name: Mapped[Label]
    status: Mapped[str] = mapped_column(sa.String(16), default="queued")
    request: Mapped[Json]
    spec: Mapped[Json]
    dataset_id: Mapped[str] = mapped_column(sa.String(40), index=True)
    dataset_version: Mapped[int]
    origin_id: Mapped[str | None] = mapped_column(sa.String(40), index=True)
    origin_digest: Mapped[str | None] = mapped_column(sa.String(64))
    parent_id: Mapped[str | None] = mapped_column(sa.String(40), index=True)
    metadata_: Mapped[Json] = mapped_column("metadata")
    queue: Mapped[str] = mapped_column(sa.String(16))
    priority: Mapped[int]
    attempt: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int]
    max_runtime_seconds: Mapped[int | None]
    lease_until: Mapped[Time | None]
    queued_at: Mapped[Time | None]
    dispatched_at: Mapped[Time | None]
    dispatches: Mapped[int] = mapped_column(default=0)
    last_seq: Mapped[int] = mapped_column(default=0)
    last_step: Mapped[int] = mapped_column(default=0)
    progress: Mapped[Json]
    metrics: Mapped[Json]
    error: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    model_id: Mapped[str | None] = mapped_column(sa.String(40))
    result_digest: Mapped[str | None] = mapped_column(sa.String(64), index=True)
    trace_parent: Mapped[str | None] = mapped_column(sa.String(64))
    created_at: Mapped[Created]
    started_at: Mapped[Time | None]
    finished_at: Mapped[Time | None]


class AttemptRow(Base):
    """One claim of a job by a worker."""

    __tablename__ = "attempts"
    __table_args__ = (sa.Index("ix_attempts_owner_id_started_at", "owner_id", "started_at"),)
    job_id: Mapped[str] = mapped_column(sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[Owner]
    worker: Mapped[Label]
    resumed_from_step: Mapped[int | None]
    started_at: Mapped[Created]
    ended_at: Mapped[Time | None]
    outcome: Mapped[str | None] = mapped_column(sa.String(16))


class EventRow(Base):
    """Something that happened to a job."""

    __tablename__ = "events"
    job_id: Mapped[str] = mapped_column(sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[Owner]
    attempt: Mapped[int]
    kind: Mapped[str] = mapped_column(sa.String(16))
    data: Mapped[Json]
    created_at: Mapped[Created]


class MetricPointRow(Base):
    """What was measured at one step of a job."""

    __tablename__ = "metric_points"
    __table_args__ = (sa.UniqueConstraint("job_id", "step"),)
    job_id: Mapped[str] = mapped_column(sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[Owner]
    attempt: Mapped[int]
    step: Mapped[int]
    values: Mapped[dict[str, float | None]] = mapped_column(sa.JSON)
    created_at: Mapped[Created]


class CheckpointRow(Base):
    """Where a job can go on from."""

    __tablename__ = "checkpoints"
    id: Mapped[Id]
    owner_id: Mapped[Owner]
    job_id: Mapped[str] = mapped_column(sa.ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    attempt: Mapped[int]
    step: Mapped[int]
    is_best: Mapped[bool]
    digest: Mapped[Digest] = mapped_column(index=True)
    size_bytes: Mapped[int]
    created_at: Mapped[Created]


class TrialRow(Base):
    """One draw of a search, and what has come of it: `windows` has a score for each that is done, `losses` counts workers lost at it."""

    __tablename__ = "trials"
    job_id: Mapped[str] = mapped_column(sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[Owner]
    holder_id: Mapped[str] = mapped_column(sa.String(40))
    holder_attempt: Mapped[int]
    state: Mapped[str] = mapped_column(sa.String(16), default="running")
    drawn: Mapped[Json]
    windows: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON)
    parameters: Mapped[int | None]
    score: Mapped[float | None]
    standard_error: Mapped[float | None]
    reason: Mapped[str | None] = mapped_column(sa.Text)
    losses: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[Created]
    ended_at: Mapped[Time | None]


class ModelRow(Base):
    """A trained forecaster: an artifact, how it scored, and where it comes from."""

    __tablename__ = "models"
    __table_args__ = (sa.UniqueConstraint("job_id"), sa.Index("ix_models_owner_id_name", "owner_id", "name"))
    id: Mapped[Id]
    owner_id: Mapped[Owner]
    name: Mapped[Label]
    tags: Mapped[list[str]] = mapped_column(sa.JSON)
    job_id: Mapped[str] = mapped_column(sa.String(40))
    dataset_id: Mapped[str] = mapped_column(sa.String(40))
    digest: Mapped[Digest] = mapped_column(index=True)
    size_bytes: Mapped[int]
    spec: Mapped[Json]
    spec_digest: Mapped[Digest]
    parameters: Mapped[int]
    freq: Mapped[str] = mapped_column(sa.String(32))
    scores: Mapped[Json]
    lineage: Mapped[Json]
    created_at: Mapped[Created]


class SessionRow(Base):
    """What a model carries of a series: `state` is safetensors, `sequence` counts the observations in it."""

    __tablename__ = "sessions"
    id: Mapped[Id]
    owner_id: Mapped[Owner]
    model_id: Mapped[str] = mapped_column(sa.ForeignKey("models.id", ondelete="CASCADE"), index=True)
    unique_id: Mapped[str] = mapped_column(sa.String(256))
    sequence: Mapped[int] = mapped_column(default=0)
    state: Mapped[bytes] = mapped_column(sa.LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    created_at: Mapped[Created]


class IdempotencyRow(Base):
    """A request that was made under a key, and its answer once it has one."""

    __tablename__ = "idempotency_keys"
    owner_id: Mapped[str] = mapped_column(sa.ForeignKey("owners.id"), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    body_sha256: Mapped[Digest]
    job_id: Mapped[str | None] = mapped_column(sa.String(40))
    status: Mapped[int | None]
    answer: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    created_at: Mapped[Created]
