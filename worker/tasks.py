"""What does a message start? Unpack it, run the job whose turn it is. Nothing else."""

from __future__ import annotations

from celery import Celery

from app.queue import TRAIN_TASK
from app.store.turns import claim_next
from worker.attempt import Workplace
from worker.draining import listen_for_drain
from worker.runner import run_job


def register_tasks(celery: Celery, workplace: Workplace) -> None:
    """Make the task known to a worker.

    Args:
        celery: whose tasks they are.
        workplace: what a job is run with.
    """

    @celery.task(name=TRAIN_TASK)  # type: ignore[untyped-decorator] # Celery has no types
    def run(job_id: str) -> None:
        run_job(job_id, workplace, listen_for_drain(), claim_next)
