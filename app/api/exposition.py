"""How is the service, to Prometheus? Requests and models in memory of this process, and what the rows say of jobs, queues and workers.

Every API process tells the rows alike: what is summed over processes is the requests and the cache, of the rest one is enough
(docs/operations.md). Nothing here names an owner, a job or a model.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from app.api.probes import Probes
from app.api.services import Services
from app.forecasting.cache import CacheCounts
from app.queue import QUEUES
from app.store.database import Database
from app.store.measures import WAIT_BOUNDS_SECONDS, Counter, total_counts
from app.store.queues import Depth, depths, job_states
from app.store.workers import SeenWorker, list_workers

router = APIRouter(tags=["service"])

ROWS_SECONDS = 5.0
"""How long what was read of the rows is told again: many may scrape, and a long list of jobs takes a while to count."""

LATENCY_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the buckets of latencies."""

FOLDED_AT_ONCE = 256
"""Requests that are put into their buckets together, unless somebody looks: one by one it takes five times as long."""

COUNTED = {
    "lease_losses": "Attempts whose worker was not heard of for a lease, by what became of the job.",
    "redispatches": "Jobs that were announced again, as no worker had taken them.",
    "heartbeats": "Renewals of leases, by what the database answered.",
    "training_steps": "Batches of jobs of the kind train.",
}


@dataclass(frozen=True)
class Rows:
    """What one look at the database found."""

    states: dict[tuple[str, str], int]
    depths: tuple[Depth, ...]
    workers: tuple[SeenWorker, ...]
    counts: dict[Counter, float]


class RowsCollector(Collector):
    """Jobs, queues, workers and what these have counted; without a database, only that it does not answer.

    Args:
        database: where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._rows: Rows | None = None

    def collect(self) -> Iterator[Metric]:
        """The families of metrics."""
        rows = self._recent()
        yield GaugeMetricFamily("braidcast_database_up", "Whether the database answers.", value=float(rows is not None))
        if rows is not None:
            yield _jobs(rows.states)
            yield _oldest_waits(rows.depths)
            yield from _workers(rows.workers)
            yield _waits(rows.counts)
            yield from (_counted(name, text, rows.counts) for name, text in COUNTED.items())

    def _recent(self) -> Rows | None:
        with self._lock:
            if time.monotonic() - self._read_at > ROWS_SECONDS:
                self._rows = self._read()
                self._read_at = time.monotonic()
            return self._rows

    def _read(self) -> Rows | None:
        try:
            with self._database.read() as db:
                return Rows(job_states(db), tuple(depths(db)), tuple(list_workers(db)), total_counts(db))
        except SQLAlchemyError:
            return None


class CacheCollector(Collector):
    """The models in this process's memory.

    Args:
        counts: what the cache has done so far.
    """

    def __init__(self, counts: Callable[[], CacheCounts]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """The families of metrics."""
        counts, name = self._counts(), "braidcast_forecaster_cache"
        misses = counts.loads + counts.failures
        yield CounterMetricFamily(f"{name}_hits", "Forecasts whose model was in memory.", value=counts.hits)
        yield CounterMetricFamily(f"{name}_misses", "Forecasts whose model had to be loaded.", value=misses)
        yield CounterMetricFamily(f"{name}_evictions", "Models that made room for others.", value=counts.evictions)
        yield GaugeMetricFamily(f"{name}_bytes", "Bytes of the artifacts of the models in memory.", value=counts.bytes)
        yield GaugeMetricFamily(f"{name}_forecasters", "Models in memory.", value=counts.forecasters)


class PartsCollector(Collector):
    """The parts that the service can do without for a while.

    Args:
        parts: whether each is well.
    """

    def __init__(self, parts: Callable[[], Mapping[str, bool]]) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        """The family of metrics."""
        family = GaugeMetricFamily("braidcast_part_up", "Whether a part is well that the service can do without.", labels=("part",))
        for part, is_well in self._parts().items():
            family.add_metric((part,), float(is_well))
        yield family


class Exposition:
    """The metrics of one API process.

    Args:
        services: what they are of.
        probes: how its parts are.
    """

    def __init__(self, services: Services, probes: Probes) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(RowsCollector(services.database))
        self._registry.register(CacheCollector(services.forecasters.counts))
        self._registry.register(PartsCollector(probes.parts))
        ProcessCollector(registry=self._registry)
        self._requests = Histogram(
            "braidcast_http_request_seconds",
            "Seconds until a request's answer begins.",
            ("method", "route", "status"),
            buckets=LATENCY_SECONDS,
            registry=self._registry,
        )
        self._by_labels: dict[tuple[str, str, int], Histogram] = {}
        self._unfolded: deque[tuple[tuple[str, str, int], float]] = deque()

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a request; `route` is its template, never an id."""
        self._unfolded.append(((method, route, status), seconds))
        if len(self._unfolded) >= FOLDED_AT_ONCE:
            self._fold()

    def render(self) -> bytes:
        """Everything, as Prometheus reads it."""
        self._fold()
        return generate_latest(self._registry)

    def _fold(self) -> None:
        with suppress(IndexError):  # another thread may have taken the last one
            while self._unfolded:
                labels, seconds = self._unfolded.popleft()
                if (found := self._by_labels.get(labels)) is None:
                    found = self._by_labels[labels] = self._requests.labels(*labels)
                found.observe(seconds)


async def exposition_of(request: Request) -> Exposition:
    """The metrics that `app.main` put together."""
    exposition = request.app.state.exposition
    assert isinstance(exposition, Exposition)  # noqa: S101 for the type checker: a state has no types
    return exposition


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def get_metrics(exposition: Annotated[Exposition, Depends(exposition_of)]) -> Response:
    """How the service is, in Prometheus' text format."""
    return Response(exposition.render(), media_type=CONTENT_TYPE_LATEST)


def _jobs(states: dict[tuple[str, str], int]) -> Metric:
    family = GaugeMetricFamily("braidcast_jobs", "Jobs by queue and state.", labels=("queue", "status"))
    for (queue, status), count in {**{(queue, "queued"): 0 for queue in QUEUES}, **states}.items():
        family.add_metric((queue, status), count)
    return family


def _oldest_waits(found: Iterable[Depth]) -> Metric:
    family = GaugeMetricFamily("braidcast_queue_oldest_wait_seconds", "Wait of the oldest waiting job.", labels=("queue", "priority"))
    for depth in found:
        family.add_metric((depth.queue, str(depth.priority)), depth.oldest_wait_seconds or 0.0)
    return family


def _workers(workers: Iterable[SeenWorker]) -> Iterator[Metric]:
    seen = list(workers)
    states = GaugeMetricFamily("braidcast_workers", "Workers by whether they were heard of lately.", labels=("state",))
    for state, is_silent in (("active", False), ("silent", True)):
        states.add_metric((state,), sum(worker.is_silent is is_silent for worker in seen))
    yield states
    places = GaugeMetricFamily("braidcast_queue_places", "Jobs that the workers of a queue can run at once.", labels=("queue",))
    for queue in QUEUES:
        serving = [worker.presence for worker in seen if not worker.is_silent and queue in worker.presence.queues]
        places.add_metric((queue,), sum(presence.processes for presence in serving))
    yield places


def _waits(counts: dict[Counter, float]) -> Metric:
    family = HistogramMetricFamily("braidcast_queue_wait_seconds", "Wait of the jobs that workers have taken.", labels=("queue",))
    for queue in QUEUES:
        buckets, total = [], 0.0
        for bound in (*(f"{bound:g}" for bound in WAIT_BOUNDS_SECONDS), "+Inf"):
            total += counts.get(Counter("queue_wait", f"queue={queue},le={bound}"), 0.0)
            buckets.append((bound, total))
        family.add_metric((queue,), buckets, counts.get(Counter("queue_wait_seconds", f"queue={queue}"), 0.0))
    return family


def _counted(name: str, text: str, counts: dict[Counter, float]) -> Metric:
    found = [
        (dict(pair.split("=", 1) for pair in labels.split(",") if pair), value) for (kind, labels), value in counts.items() if kind == name
    ]
    family = CounterMetricFamily(f"braidcast_{name}", text, labels=tuple(found[0][0]) if found else ())
    for labels, value in found or [({}, 0.0)]:
        family.add_metric(tuple(labels.values()), value)
    return family
