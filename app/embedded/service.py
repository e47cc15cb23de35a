"""How does the whole service start, run and end as one command?

    lock on the home -> address is free -> Redis -> migrations, local key -> worker, API -> ready -> ... -> API, worker, Redis end

Everything the parts are told goes through their environment.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.embedded.address import Address
from app.embedded.children import Command
from app.embedded.key import ensure_local_key, has_local_key
from app.embedded.lock import HomeLock
from app.embedded.redis import RedisPlace, find_redis_server, place_redis
from app.embedded.signals import EndRequest
from app.embedded.supervisor import Echo, Supervisor
from app.errors import ForbiddenError
from app.store.database import Database
from app.store.migrate import migrate

API_GRACE_SECONDS = 10.0
STREAM_GRACE_SECONDS = 5
"""What open requests, event streams among them, get when the API ends."""

REDIS_GRACE_SECONDS = 10.0
WORKER_MARGIN_SECONDS = 15.0
"""What a worker gets to end once its jobs are back in the queue."""

CODE_FOLDER = Path(__file__).parents[2]


@dataclass(frozen=True)
class Plan:
    """What is started, and where.

    Attributes:
        home: folder of everything that is kept.
        address: where the API listens.
        workers: jobs at the same time.
        drain_seconds: how long the worker may take to put its jobs back.
        log_level: the least serious line that is logged.
        database_url: the database.
        broker_url: a Redis of one's own; None starts one under the home.
        artifacts_url: where data sets and models lie.
        api_processes: that answer requests, on one socket.
    """

    home: Path
    address: Address
    workers: int
    drain_seconds: int
    log_level: str
    database_url: str
    broker_url: str | None
    artifacts_url: str
    api_processes: int = 1


def serve(plan: Plan, *, echo: Echo, on_ready: Callable[[float], None], request: EndRequest) -> None:
    """Runs the service until somebody asks for its end.

    Args:
        plan: what is started, and where.
        echo: shows a line of a part.
        on_ready: told once the API answers, with the seconds it took.
        request: whether to end.

    Raises:
        BraidcastError: the service cannot start: the home is in use, the port taken, a part missing or broken.
    """
    started_at = time.monotonic()
    with request, HomeLock(plan.home, plan.address.url) as lock:
        plan.address.refuse_if_taken()
        place = place_redis(plan.home) if plan.broker_url is None else None
        borrowed = [place.borrowed] if place is not None and place.borrowed is not None else []
        with Supervisor(plan.home / "logs", lock.descriptor, borrowed, request, echo) as supervisor:
            if place is not None and not _start_redis(supervisor, place):
                return
            prepare_database(plan)
            environment = environment_of(plan, plan.broker_url or (place.url if place else ""))
            supervisor.start(worker_command(plan, environment))
            supervisor.start(api_command(plan, environment))
            if supervisor.run_until(plan.address.is_ready):
                supervisor.has_been_ready = True
                on_ready(time.monotonic() - started_at)
                supervisor.run_until(lambda: False)


def _start_redis(supervisor: Supervisor, place: RedisPlace) -> bool:
    place.end_leftover()
    supervisor.start(Command("redis", place.command(find_redis_server()), dict(os.environ), REDIS_GRACE_SECONDS))
    return supervisor.run_until(place.is_answering)


def prepare_database(plan: Plan) -> None:
    """Brings the database to the newest migration and makes the local key.

    Raises:
        ForbiddenError: the API would be reachable from elsewhere, and nobody has made a key yet.
    """
    migrate(plan.database_url)
    database = Database(plan.database_url)
    try:
        if not plan.address.is_loopback() and not has_local_key(database):
            raise ForbiddenError(
                f"--host is {plan.address.host}, which other machines can reach, and there is no API key yet. "
                f"Make one first (braidcast key create NAME --home {plan.home}), or listen on 127.0.0.1.",
                code="no_key",
            )
        ensure_local_key(database, plan.home / "key")
    finally:
        database.dispose()


def environment_of(plan: Plan, broker_url: str) -> dict[str, str]:
    """The environment of the API and the worker: this process's, with the plan written out."""
    plan_variables = {
        "BRAIDCAST_HOME": str(plan.home),
        "BRAIDCAST_HOST": plan.address.host,
        "BRAIDCAST_PORT": str(plan.address.port),
        "BRAIDCAST_WORKERS": str(plan.workers),
        "BRAIDCAST_DATABASE_URL": plan.database_url,
        "BRAIDCAST_BROKER_URL": broker_url,
        "BRAIDCAST_ARTIFACTS_URL": plan.artifacts_url,
        "BRAIDCAST_LOG_LEVEL": plan.log_level,
        "BRAIDCAST_DRAIN_SECONDS": str(plan.drain_seconds),
        "PYTHONUNBUFFERED": "1",
    }
    # Two threads in each of two busy processes on two cores were 20 to 40 times slower than one.
    return {"OMP_NUM_THREADS": "1", **os.environ, **plan_variables}


def api_command(plan: Plan, environment: dict[str, str]) -> Command:
    """How the API is started."""
    arguments = (
        *(sys.executable, "-P", "-m", "uvicorn", "--factory", "app.main:create_app"),
        *("--app-dir", str(CODE_FOLDER), "--host", plan.address.host, "--port", str(plan.address.port)),
        *(("--workers", str(plan.api_processes)) if plan.api_processes > 1 else ()),
        *("--log-level", plan.log_level, "--timeout-graceful-shutdown", str(STREAM_GRACE_SECONDS)),
    )
    return Command("api", arguments, environment, API_GRACE_SECONDS)


def worker_command(plan: Plan, environment: dict[str, str]) -> Command:
    """How the worker is started; the reconciler is a thread of it."""
    arguments = celery_arguments(plan.workers, plan.log_level)
    return Command("worker", arguments, environment | CELERY_ENVIRONMENT, plan.drain_seconds + WORKER_MARGIN_SECONDS)


CELERY_ENVIRONMENT = {"REMAP_SIGTERM": "SIGQUIT"}
"""SIGTERM lets running jobs write a checkpoint and go back to the queue (Celery's soft shutdown)."""


def celery_arguments(workers: int, log_level: str) -> tuple[str, ...]:
    """The command of a worker."""
    return (
        *(sys.executable, "-P", "-m", "celery", "-A", "worker.celery", "worker", "--without-gossip", "--without-mingle"),
        *("--queues", "cpu,gpu", "--concurrency", str(workers), "--loglevel", log_level),
    )
