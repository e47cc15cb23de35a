"""How do waiting jobs reach a worker? By a message with a job's id: a wake-up call, never the truth (docs/decisions/0001).

Here is the one Celery configuration, for those who send and those who work, each line with its reason. A message may be lost, doubled or
late: the reconciler announces again what nobody took, and only one claim of a job wins.
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from kombu.entity import Queue as MessageQueue
from kombu.exceptions import OperationalError

from app.errors import UnavailableError

TRAIN_TASK = "braidcast.run_job"
"""The one task; its argument is a job's id."""

QUEUES = ("cpu", "gpu")

PRIORITIES = (0, 3, 6, 9)
"""What Redis tells apart, one list each; 0 goes first, anything between belongs to the step below it."""

VISIBILITY_SECONDS = 43_200
"""After this Redis gives a message to somebody else although its worker still has it: longer than training takes, as leases find lost
workers much sooner."""

SUBMIT_SECONDS = 2.0
"""How long a sender waits for Redis. A request waits meanwhile, and the reconciler sends what could not be sent."""


def make_celery(broker_url: str, *, drain_seconds: float = 60.0, transport_options: dict[str, Any] | None = None) -> Celery:
    """Celery, configured.

    Args:
        broker_url: `redis://host:port/0`, `rediss://...` or `redis+socket:///path?virtual_host=0`.
        drain_seconds: how long a worker that was asked to end may take to put its jobs back.
        transport_options: what differs for a sender.
    """
    celery = Celery("braidcast", broker=broker_url, set_as_current=False)
    celery.conf.update(
        _what_a_message_is() | _how_a_worker_works(drain_seconds),
        broker_transport_options=_how_redis_is_spoken_to() | (transport_options or {}),
        # Redis comes back sooner or later; a worker that gave up would have to be started by hand.
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
    )
    return celery


def _what_a_message_is() -> dict[str, Any]:
    return {
        "task_serializer": "json",
        "accept_content": ["json"],
        # The result is the job's row. Redis as a result backend breaks senders once it was restarted.
        "result_backend": None,
        "task_ignore_result": True,
        "task_queues": tuple(MessageQueue(name) for name in QUEUES),  # type: ignore[no-untyped-call]
        "task_default_queue": QUEUES[0],
        # A misspelt queue is an error, not a list in Redis that nobody reads.
        "task_create_missing_queues": False,
    }


def _how_a_worker_works(drain_seconds: float) -> dict[str, Any]:
    return {
        # A message is done when its task is, and comes again when its process was killed.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        # A worker takes only what it can start at once; the rest stays for others.
        "worker_prefetch_multiplier": 1,
        # A forked child of a process that ran a threaded torch operation hangs for ever, and CUDA does not survive a fork.
        "worker_pool": "prefork",
        "worker_pool_start_method": "spawn",
        # A spawned child imports torch before it is ready.
        "worker_proc_alive_timeout": 60.0,
        # Training does not need Redis; True killed running tasks.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # How long jobs may take to write a checkpoint once the worker is to end: read by worker.draining, and by Celery itself at SIGQUIT.
        "worker_soft_shutdown_timeout": drain_seconds,
    }


def _how_redis_is_spoken_to() -> dict[str, Any]:
    return {
        "visibility_timeout": VISIBILITY_SECONDS,
        # Look for abandoned messages every 5 s, each time (by default only each tenth time).
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        # A Redis that vanished without closing its connections is noticed.
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 15,
        "priority_steps": list(PRIORITIES),
        "queue_order_strategy": "priority",
    }


class Queue:
    """Where jobs are announced.

    Args:
        broker_url: see `make_celery`.
    """

    def __init__(self, broker_url: str) -> None:
        # Tried once and for a short time: the caller's own transaction is already committed, and the reconciler tries again.
        patience = {"max_retries": 0, "socket_timeout": SUBMIT_SECONDS, "socket_connect_timeout": SUBMIT_SECONDS}
        self._celery = make_celery(broker_url, transport_options=patience)

    def submit(self, job_id: str, queue: str, priority: int) -> None:
        """Announces a job that is already stored.

        Args:
            job_id: the job.
            queue: `cpu` or `gpu`.
            priority: 0 goes first.

        Raises:
            UnavailableError: Redis does not answer; the job waits until it is announced again.
        """
        try:
            self._celery.send_task(TRAIN_TASK, args=(job_id,), queue=queue, priority=priority, retry=False)
        except OperationalError as error:
            detail = "The queue does not answer; the job is kept and starts once it does."
            raise UnavailableError(detail, code="queue_unavailable") from error

    def is_answering(self) -> bool:
        """Whether Redis answers."""
        connection = self._celery.connection_for_write()
        try:
            connection.connect()  # kombu's transport says PING
        except (OperationalError, *connection.connection_errors):
            return False
        finally:
            connection.release()
        return True

    def close(self) -> None:
        """Close its connections to Redis."""
        self._celery.close()
