"""What is a job's owner told when it went wrong? A sentence of ours; what is nobody's mistake but ours goes to the log."""

from __future__ import annotations

import errno
import logging

import torch

from app.errors import InputError, InterruptedJobError, JobError, TrainingMemoryError, UnfitDataError

CPU_ALLOCATOR = "DefaultCPUAllocator"
"""What torch's error names where the machine itself has no memory left."""

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What a disk answers that has no room, or a user who may have no more of it."""

log = logging.getLogger(__name__)


def failure_of(error: Exception, job_id: str) -> JobError:
    """What a job's owner is told; what is nobody's mistake but ours goes to the log."""
    match error:
        case JobError():
            return error
        case InputError():
            return UnfitDataError(error.detail, pointer=error.pointer)
        case torch.OutOfMemoryError() | MemoryError():
            return _out_of_memory()
        case RuntimeError() if CPU_ALLOCATOR in str(error):
            return _out_of_memory()
        case OSError() if error.errno in FULL:
            log.error("Job %s: the storage is full: %s", job_id, error)
            return InterruptedJobError(
                "the service's storage is full; once there is room again, a retry goes on from the newest checkpoint"
            )
        case _:
            log.error("Job %s failed in a way that nobody has thought of.", job_id, exc_info=error)
            return InterruptedJobError(
                f"something went wrong here, not in your request: {type(error).__name__}; the worker's log has more, and a retry may help"
            )


def _out_of_memory() -> TrainingMemoryError:
    return TrainingMemoryError(
        "the device has not enough memory for this network, even for half a batch at once; lower training.batch_size, context or units",
        pointer="#/training/batch_size",
    )
