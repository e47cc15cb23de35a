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
        flow: share of clipped steps, and of the gradients where they were looked at; see `worker.training.gradients`.
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
class Part:
    """One batch of a step of several is done; nothing has moved yet, and what is kept now is where the step began.

    Attributes:
        number: of the batch, from 1.
        parts: batches of the step.
    """

    number: int
    parts: int


@dataclass(frozen=True)
class Trial:
    """One step of a range test is done; what is kept now is where the test began.

    Attributes:
        step: batches done in all, those of tests too.
        lr: that was tried.
        loss: of this step, before it.
    """

    step: int
    lr: float
    loss: float


@dataclass(frozen=True)
class RateFound:
    """A range test is over, and all but the number of batches is as before it.

    Attributes:
        stage: the one that it was for, by the number of those before it.
        lr: the rate that was chosen.
        rates: that were tried, rising.
        losses: of the steps at these rates, before each; None where one was no number.
    """

    stage: int
    lr: float
    rates: tuple[float, ...]
    losses: tuple[float | None, ...]


@dataclass(frozen=True)
class Rollback:
    """The loss stopped being a number: back to the best weights, at half the rate.

    Attributes:
        step: the batch that did it.
        loss: what it was.
    """

    step: int
    loss: float


@dataclass(frozen=True)
class Halved:
    """The device has not the memory for a batch: it is computed in halves from here on, whose gradients are added up.

    Attributes:
        step: the batches before it.
        windows: that are computed at once now.
    """

    step: int
    windows: int


Event = Batch | Epoch | Halved | Part | RateFound | Rollback | StageOutcome | Trial
"""All that `fit` yields; an outcome says that a stage is over."""
