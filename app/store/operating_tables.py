"""Which rows tell how the service itself is? Workers and what was measured belong to the deployment, not to an owner."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.store.tables import Base, Created, Time

__all__ = ["Base", "MeasureRow", "WorkerRow"]


class WorkerRow(Base):
    """A worker's main process, known by its heartbeats."""

    __tablename__ = "workers"
    id: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    host: Mapped[str] = mapped_column(sa.String(128))
    queues: Mapped[list[str]] = mapped_column(sa.JSON)
    device: Mapped[str] = mapped_column(sa.String(16))
    processes: Mapped[int]
    version: Mapped[str] = mapped_column(sa.String(32))
    started_at: Mapped[Created]
    seen_at: Mapped[Time]


class MeasureRow(Base):
    """A counter: what one source has counted under a name and labels. The sources' sum only grows."""

    __tablename__ = "measures"
    source: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    labels: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    value: Mapped[float]
