"""What if the device has not the memory for a batch? It is computed in halves from there on, once; a step still learns from all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from worker.training.events import Event, Halved
from worker.training.state import Progress
from worker.training.steps import Stepper

HALVINGS_AT_MOST = 1


def within_memory(step: Callable[[], Iterator[Event]], progress: Progress, stepper: Stepper) -> Iterator[Event]:
    """A step; where it finds no memory nothing has moved yet, and the next call takes it again, in halves.

    Args:
        step: takes it, from the same windows each time.
        progress: counts the halvings.
        stepper: computes it.

    Raises:
        OutOfMemoryError: there is not the memory for half a batch either.
    """
    try:
        yield from step()
    except torch.OutOfMemoryError:
        if progress.halvings >= HALVINGS_AT_MOST or stepper.windows_at_once == 1:
            raise
    else:
        return
    # Not in the handler: the error holds on to all that the batch had computed.
    progress.halvings += 1
    stepper.halve()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    yield Halved(progress.step, stepper.windows_at_once)
