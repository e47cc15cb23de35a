r"""What is a worker put together from? The one reader of settings here.

Started as `braidcast worker` does, which is, but for the number of processes,

    REMAP_SIGTERM=SIGQUIT OMP_NUM_THREADS=1 \
        python -m celery -A worker.celery worker --without-gossip --without-mingle --queues cpu,gpu --concurrency 1

Everything else is configuration: app/queue.py says what and why. REMAP_SIGTERM is read by Celery while it is imported, see
worker/draining.py; --without-gossip and --without-mingle have no other form: workers need to know nothing of each other. OMP_NUM_THREADS
must stand before torch is imported.

The main process takes messages and holds the reconciler; each job trains in a child of the pool, which imports this module anew.
"""

from __future__ import annotations

import os
import socket
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from celery import Celery, signals
from celery.app.utils import Settings as CelerySettings
from celery.concurrency.prefork import TaskPool
from celery.platforms import EX_OK
from celery.worker import state
from celery.worker.consumer import Consumer

from app.logs import configure_logs
from app.queue import QUEUES, Queue, make_celery
from app.settings import Settings
from app.store.artifacts import open_artifacts
from app.store.database import Database
from app.store.workers import Presence
from app.traces import open_traces
from worker.attempt import Workplace
from worker.counting import Counts, worker_name
from worker.draining import Drain
from worker.memory import keep_freed_memory
from worker.presence import PresenceBeat
from worker.reconciler import Reconciler
from worker.tasks import register_tasks

NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


def make_worker(settings: Settings) -> Celery:
    """Celery with the task and the reconciler.

    Args:
        settings: the deployment's.
    """
    celery = make_celery(settings.resolved_broker_url, drain_seconds=settings.drain_seconds)
    # A spawned child is given a copy of this object without its tasks, and imports what stands here to have them.
    celery.conf.include = [__name__]
    database = Database(settings.resolved_database_url)
    threads = max(1, (os.cpu_count() or 1) // settings.workers)
    artifacts, traces = open_artifacts(settings.resolved_artifacts_url), open_traces(settings.traces_url, "worker")
    queue = Queue(settings.resolved_broker_url)
    register_tasks(celery, Workplace(database, artifacts, settings.lease_seconds, threads, traces=traces, queue=queue))
    counts = Counts(worker_name(os.getpid()))
    reconciler = Reconciler(
        database,
        queue,
        lease_seconds=settings.lease_seconds,
        redispatch_seconds=settings.redispatch_seconds,
        counts=counts,
    )
    presence = PresenceBeat(database, counts, settings.lease_seconds)
    # Celery keeps weak references to receivers otherwise.
    signals.setup_logging.connect(partial(_configure_logs, settings), weak=False)
    signals.celeryd_init.connect(_renew_gpu_processes, weak=False)
    signals.worker_ready.connect(partial(_begin, reconciler, presence), weak=False)
    signals.worker_shutdown.connect(partial(_end, reconciler, presence), weak=False)
    signals.worker_process_init.connect(_prepare_child, weak=False)
    return celery


def _configure_logs(settings: Settings, **_: object) -> None:
    # In the main process and in each child; Celery leaves logging alone where this is connected.
    configure_logs(settings.log_format, settings.log_level)


def _renew_gpu_processes(conf: CelerySettings, options: dict[str, Any], **_: object) -> None:
    # CUDA gives its memory back only with the process.
    if "gpu" in (options.get("queues") or QUEUES) and NVIDIA_DRIVER.exists():
        conf.worker_max_tasks_per_child = 1


def _begin(reconciler: Reconciler, presence: PresenceBeat, sender: Consumer, **_: object) -> None:
    # Comes again whenever the connection to Redis does.
    reconciler.start()
    presence.start(_presence_of(sender))
    Drain(_stop_taking, partial(_children, sender.pool), sender.app.conf.worker_soft_shutdown_timeout).install()


def _presence_of(consumer: Consumer) -> Presence:
    queues, processes = tuple(sorted(consumer.app.amqp.queues.consume_from)), consumer.pool.limit
    device = "gpu" if NVIDIA_DRIVER.exists() else "cpu"
    return Presence(worker_name(os.getpid()), socket.gethostname(), queues, device, processes, version("braidcast"))


def _stop_taking() -> None:
    # What Celery's own handler for a warm shutdown does.
    state.should_stop = EX_OK


def _children(pool: TaskPool) -> list[int]:
    # Celery's pool has no inner one once it has ended.
    return [process.pid for process in pool._pool._pool] if pool._pool is not None else []


def _end(reconciler: Reconciler, presence: PresenceBeat, **_: object) -> None:
    reconciler.stop()
    presence.stop()


def _prepare_child(**_: object) -> None:
    keep_freed_memory()


celery = make_worker(Settings())
