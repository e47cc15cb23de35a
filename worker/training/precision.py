"""In how many bits are products computed? Automatic mixed precision, where the device has it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from app.errors import JobError
from app.spec.training import Training


def check_precision(settings: Training, device: torch.device) -> None:
    """Find out before anything is learnt whether a device can do what a training asks for.

    A CPU without instructions for it computes the same numbers, only more slowly.

    Args:
        settings: ask for a precision.
        device: where it is computed.

    Raises:
        JobError: the device has no such precision.
    """
    if settings.precision == "float32":
        return
    has_it = torch.amp.is_autocast_available(device.type)
    if has_it and device.type == "cuda":
        has_it = torch.cuda.is_bf16_supported(including_emulation=False)
    if not has_it:
        raise JobError(
            f"this worker's device {device.type!r} cannot compute in {settings.precision!r}; set training.precision to 'float32', or "
            "resources.device to 'cpu'",
            code="no_such_precision",
            pointer="#/training/precision",
        )


def mixed(settings: Training, device: torch.device) -> AbstractContextManager[object]:
    """Within it products are computed in the precision that is asked for; weights and sums stay in single precision."""
    return nullcontext() if settings.precision == "float32" else torch.autocast(device.type, torch.bfloat16)
