"""What do endpoints work with? Put together once in `app.main`, handed to each request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.forecasting.batcher import Batcher
from app.forecasting.cache import ForecasterCache
from app.queue import Queue
from app.series.options import TableLimits
from app.spec.limits import NetworkLimits
from app.store.artifacts import ArtifactStore
from app.store.database import Database
from app.store.recent import Recent
from app.traces import Traces


@dataclass(frozen=True)
class Services:
    """What a request needs of the service.

    Attributes:
        database: rows.
        recent: what was read of them a moment ago.
        artifacts: bytes by content.
        queue: where jobs are announced.
        forecasters: models in memory.
        batcher: who computes forecasts.
        table_limits: of an uploaded table.
        network_limits: of a document.
        max_body_bytes: of an upload, as it is sent.
        max_json_bytes: of any other request.
        traces: where spans go.
        session_idle_seconds: how long a session is kept that nobody uses.
    """

    database: Database
    recent: Recent
    artifacts: ArtifactStore
    queue: Queue
    forecasters: ForecasterCache
    batcher: Batcher
    table_limits: TableLimits
    network_limits: NetworkLimits
    max_body_bytes: int
    max_json_bytes: int
    traces: Traces
    session_idle_seconds: float


def services_of(request: Request) -> Services:
    """The services that `app.main` put together."""
    services = request.app.state.services
    assert isinstance(services, Services)  # noqa: S101 for the type checker: a state has no types
    return services


async def _served(request: Request) -> Services:
    # Async, as it waits for nothing: a thread would cost more than it does.
    return services_of(request)


Served = Annotated[Services, Depends(_served)]
"""An endpoint's parameter: the services."""
