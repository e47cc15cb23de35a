"""What does the training loop say as it goes?"""

from __future__ import annotations

from dataclasses import dataclass

from worker.training.state import StageOutcome


@dataclass(frozen=True)
class Batch:
    """One step is done.

    Attributes:
        epoch: the present one, from 1 over all stages.
        batch: how many of its batches are done.
        batches: how many it has.
        step: batches done in all.
        loss: of this batch.
        grad_norm: before clipping.
    """

    epoch: int
    batch: int
    batches: int
    step: int
    loss: float
    grad_norm: float


@dataclass(frozen=True)
class Epoch:
    """One epoch is done.

    Attributes:
        epoch: which one, from 1 over all stages.
        step: batches done in all.
        train_loss: mean over its batches.
        val_loss: mean over the validation windows; None where there are none.
        grad_norm: mean over its batches.
        lr: of its last batch.
        is_best: whether its weights are the best so far.
        flow: of the gradients, where it was measured; see `worker.training.flow`.
        seconds: that it took in this process.
    """

    epoch: int
    step: int
    train_loss: float
    val_loss: float | None
    grad_norm: float
    lr: float
    is_best: bool
    flow: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class Rollback:
    """The loss stopped being a number: back to the best weights, at half the rate.

    Attributes:
        step: the batch that did it.
        loss: what it was.
    """

    step: int
    loss: float


Event = Batch | Epoch | Rollback | StageOutcome
"""All that `fit` yields; an outcome says that a stage is over."""
