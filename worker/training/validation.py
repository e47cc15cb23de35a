"""How good is a stage on windows that it does not learn from?"""

from __future__ import annotations

import numpy as np
import torch

from app.forecasting.windows import WindowSource
from app.nets.heads import Head
from worker.training.stage import Rows, StageRun

VALIDATION_BATCH = 64
"""Windows that are validated at once: what they give would otherwise be the largest thing in memory."""


def mean_loss(run: StageRun, head: Head, source: WindowSource, cutoffs: Rows) -> float | None:
    """Mean loss over the validation windows, or None where there are none.

    Args:
        run: the stage.
        head: what the loss is of.
        source: gives the windows.
        cutoffs: of all of them.
    """
    if len(cutoffs) == 0:
        return None
    run.set_training(is_training=False)
    total = 0.0
    with torch.no_grad():
        for first in range(0, len(cutoffs), VALIDATION_BATCH):
            rows = np.arange(first, min(first + VALIDATION_BATCH, len(cutoffs)))
            windows = source.lesson(cutoffs[rows], is_whole=False, has_inputs=run.wants_inputs(cutoffs))
            total += len(rows) * run.loss(head, windows, cutoffs, rows).item()
    return total / len(cutoffs)
