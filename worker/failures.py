"""What is a job's owner told when it went wrong? A sentence of ours; what is nobody's mistake but ours goes to the log."""

from __future__ import annotations

import logging

import torch

from app.errors import InputError, JobError, TrainingMemoryError, UnfitDataError

log = logging.getLogger(__name__)


def failure_of(error: Exception, job_id: str) -> JobError:
    """What a job's owner is told; what is nobody's mistake but ours goes to the log."""
    match error:
        case JobError():
            return error
        case InputError():
            return UnfitDataError(error.detail, pointer=error.pointer)
        case torch.OutOfMemoryError() | MemoryError():
            return TrainingMemoryError(
                "the device has not enough memory for this network and batch; lower training.batch_size, context or units"
            )
        case _:
            log.error("Job %s failed in a way that nobody has thought of.", job_id, exc_info=error)
            return JobError(f"something went wrong here, not in your request: {type(error).__name__}; the worker's log has more")
