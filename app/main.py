"""What is the service put together from? The only reader of Settings on the API's side.

Run as `uvicorn --factory app.main:create_app`.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version

import torch
from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from app.api import (
    anomalies,
    architectures,
    dashboard,
    datasets,
    export,
    exposition,
    forecasts,
    health,
    job_orders,
    jobs,
    keys,
    limits,
    metrics,
    models,
    operation,
    report,
    results,
    sessions,
    stream,
    uploads,
    weights,
)
from app.api.access import authorize
from app.api.compat import inference, nixtla, nixtla_tuning
from app.api.exposition import Exposition
from app.api.middleware import Accounted, BodyLimit, Logged, Traced
from app.api.polls import Polls
from app.api.probes import Probes
from app.api.problems import Problem, answer_problems
from app.api.quick import QuickForecasts
from app.api.services import Services
from app.forecasting.batcher import Batcher
from app.forecasting.cache import ForecasterCache
from app.forecasting.warmup import warm_up
from app.logs import configure_logs
from app.queue import Queue
from app.series.options import TableLimits
from app.settings import Settings
from app.spec.limits import NetworkLimits
from app.store.artifacts import open_artifacts
from app.store.database import Database
from app.store.recent import Recent
from app.traces import NO_TRACES, open_traces

ROUTERS = (
    forecasts,
    sessions,
    jobs,
    job_orders,
    metrics,
    report,
    results,
    stream,
    uploads,
    datasets,
    architectures,
    models,
    anomalies,
    weights,
    export,
    nixtla,
    nixtla_tuning,
    inference,
    keys,
    limits,
    operation,
    exposition,
    health,
    dashboard,
)
"""One module per noun, each with its `router`; a request is matched with one after another, so what has to be fast comes first."""

COLLECTED_AFTER = (10_000, 5, 2)
"""Thresholds of garbage collection: by default it goes through every batch of forecasts, which leave none. A model that was let go of does,
and all is gone through after as many new objects as by default."""

DESCRIPTION = "Trains and serves recurrent forecasters that you design. Every answer but /health wants `Authorization: Bearer bc_...`."


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service.

    Args:
        settings: the deployment's; read from the environment when left out.
    """
    is_alone = settings is None  # a process of its own, whose log is ours
    if settings is None:
        settings = Settings()
        configure_logs(settings.log_format, settings.log_level)
    services = services_from(settings)
    # Two threads in each of two busy processes on two cores were 20 to 40 times slower than one.
    torch.set_num_threads(1)
    app = FastAPIOffline(
        redoc_url=None,
        title="Braidcast",
        version=version("braidcast"),
        description=DESCRIPTION,
        dependencies=[Depends(authorize)],
        responses={"default": {"model": Problem, "description": "RFC 9457 problem+json"}},
        lifespan=_lifespan(services, is_alone=is_alone),
        # Spans are ours (app/traces.py), and each request would ask for providers that nobody has set.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.services = services
    app.state.probes = Probes(services)
    app.state.exposition = Exposition(services, app.state.probes)
    for module in ROUTERS:
        app.include_router(module.router)
    answer_problems(app)
    app.add_middleware(BodyLimit, upload_bytes=services.max_body_bytes, other_bytes=services.max_json_bytes)
    app.add_middleware(Polls, database=services.database)
    app.add_middleware(Logged)
    # Before the framework's own layers, which take as long as all that is done here for a forecast.
    first: ASGIApp = QuickForecasts(app.build_middleware_stack(), services)
    if services.traces is not NO_TRACES:
        first = Traced(first, services.traces)
    app.middleware_stack = Accounted(first, app.state.exposition.observe)
    return app


def services_from(settings: Settings) -> Services:
    """What the settings say, as endpoints use it."""
    artifacts = open_artifacts(settings.resolved_artifacts_url)
    database = Database(settings.resolved_database_url)
    return Services(
        database=database,
        recent=Recent(database),
        artifacts=artifacts,
        queue=Queue(settings.resolved_broker_url),
        forecasters=ForecasterCache(artifacts.read, settings.cache_bytes),
        batcher=Batcher(),
        table_limits=TableLimits(
            settings.max_rows, settings.max_series, settings.max_columns, settings.max_field_bytes, settings.max_expanded_bytes
        ),
        network_limits=NetworkLimits(settings.max_parameters, settings.max_blocks, settings.max_depth, settings.max_units),
        max_body_bytes=settings.max_body_bytes,
        max_json_bytes=settings.max_json_bytes,
        traces=open_traces(settings.traces_url, "api"),
        session_idle_seconds=settings.session_idle_seconds,
    )


def _lifespan(services: Services, *, is_alone: bool) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def run(app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(warm_up)
        if is_alone:
            # Half a million objects of what is imported, which stay: looked through again and again they cost a tenth of all time.
            gc.collect()
            gc.freeze()
            gc.set_threshold(*COLLECTED_AFTER)
        yield
        app.state.probes.close()
        services.batcher.close()
        services.queue.close()
        services.traces.close()
        services.database.dispose()

    return run
