"""How is one step taken? Its windows go through the network batch by batch, and their gradients are one step's.

    windows of a step -> batches: noise, network, loss -> gradient of their mean, and of what weights cost -> clipped -> optimiser

A batch's loss is a mean over the steps that were observed, so batches count by these: the sum is the gradient of the whole to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from app.errors import DivergedError
from app.forecasting.windows import WindowSource
from app.nets.heads import Head
from app.spec.forecaster import ForecasterSpec
from app.spec.training import Training
from worker.training.batching import windows_at_once
from worker.training.events import Part
from worker.training.gradients import update_ratios
from worker.training.noise import InputNoise
from worker.training.optimisers import Optimiser
from worker.training.penalties import penalties_of, total
from worker.training.precision import check_precision, mixed
from worker.training.stage import Rows, StageRun
from worker.training.state import Progress

CLIP_EPSILON = 1e-6
"""Added to a norm that is divided by, as torch's own clipping does."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is learnt from.

    Attributes:
        source: gives the windows.
        cutoffs: of all training windows.
        head: what the loss is of.
        device: where it is computed.
    """

    source: WindowSource
    cutoffs: Rows
    head: Head
    device: torch.device


@dataclass(frozen=True)
class Taken:
    """What a step was.

    Attributes:
        loss: before it, with what the weights cost.
        norm: of its gradient before clipping.
        is_clipped: whether it was.
        updates: how far it moved the weights of each layer, where that was asked for.
    """

    loss: float
    norm: float
    is_clipped: bool = False
    updates: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_finite(self) -> bool:
        """Whether the weights could be moved."""
        return math.isfinite(self.loss) and math.isfinite(self.norm)


class Stepper:
    """Takes the steps of a stage.

    Args:
        spec: the description.
        run: the stage.
        lesson: what it learns from.
        optimiser: of the weights that learn.
        halvings: how often the device had not the memory for a batch.

    Raises:
        JobError: the device has not the precision that is asked for.
    """

    def __init__(self, spec: ForecasterSpec, run: StageRun, lesson: Lesson, optimiser: Optimiser, halvings: int = 0) -> None:
        check_precision(spec.training, lesson.device)
        self._settings = spec.training
        self._noise = InputNoise(spec)
        self._batch = windows_at_once(spec)
        self._run = run
        self._lesson = lesson
        self._penalties = penalties_of(run.network, run.learners.values())
        self._optimiser = optimiser
        self._weights = list(run.learners.values())
        self.halve(halvings)

    @property
    def windows_at_once(self) -> int:
        """Windows that are computed at once."""
        return self._batch

    def halve(self, times: int = 1) -> None:
        """Compute half as many windows at once from here on; what a step learns from stays as it is."""
        self._batch = max(math.ceil(self._batch / 2**times), 1)
        self._forget_gradients()

    def is_in_parts(self, windows: int) -> bool:
        """Whether a step of so many windows is computed batch by batch."""
        return windows > self._batch

    def take(self, rows: Rows, lr: float, *, is_measured: bool = False) -> Generator[Part, None, Taken]:
        """One step; weights stay as they are where the loss is no number.

        Args:
            rows: its windows.
            lr: learning rate.
            is_measured: whether to say how far it moves the weights.

        Yields:
            After each batch but the last, before anything has moved.

        Returns:
            What it was.
        """
        self._forget_gradients()
        loss = yield from self._gradients(rows)
        if self._penalties:
            cost = total(self._penalties)
            torch.autograd.backward(cost)
            loss += cost.item()
        norm, is_clipped = self._clipped()
        taken = Taken(loss, norm, is_clipped=is_clipped)
        if not taken.is_finite:
            return taken
        before = {id(weight): weight.detach().clone() for weight in self._weights} if is_measured else {}
        self._optimiser.step(lr)
        return replace(taken, updates=update_ratios(self._run.layers, before)) if is_measured else taken

    def _forget_gradients(self) -> None:
        for weight in self._weights:
            weight.grad = None

    def penalty(self) -> Mapping[str, float]:
        """What the weights cost now, as a measured value; nothing where they cost nothing."""
        with torch.no_grad():
            return {"penalty": total(self._penalties).item()} if self._penalties else {}

    def _gradients(self, rows: Rows) -> Generator[Part, None, float]:
        """The loss of some windows, whose gradient is added to that of the weights."""
        if not self.is_in_parts(len(rows)):
            loss, _ = self._loss(rows)
            torch.autograd.backward(loss)
            return loss.item()
        batches = np.split(rows, range(self._batch, len(rows), self._batch))
        summed, counted = 0.0, 0.0
        for number, batch in enumerate(batches, start=1):
            loss, count = self._loss(batch)
            torch.autograd.backward(loss * count)
            summed, counted = summed + loss.item() * count.item(), counted + count.item()
            if number < len(batches):
                yield Part(number, len(batches))
        for weight in self._weights:
            if weight.grad is not None:
                weight.grad /= max(counted, 1.0)
        return summed / max(counted, 1.0)

    def _loss(self, rows: Rows) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Mean loss of a batch, and the observed steps that it is the mean of."""
        lesson, cutoffs = self._lesson, self._lesson.cutoffs
        windows = lesson.source.lesson(cutoffs[rows], is_whole=True, has_inputs=self._run.wants_inputs(cutoffs))
        with mixed(self._settings, lesson.device):
            return self._run.counted_loss(lesson.head, self._noise.added(windows), cutoffs, rows)

    def _clipped(self) -> tuple[float, bool]:
        """The gradient's norm before it is clipped as the settings say, and whether that changes it."""
        gradients, settings, is_cut = [weight.grad for weight in self._weights if weight.grad is not None], self._settings, False
        if not gradients:
            return 0.0, False
        if settings.clip_value is not None:
            is_cut = any(float(gradient.abs().amax()) > settings.clip_value for gradient in gradients)
            torch.nn.utils.clip_grad_value_(self._weights, settings.clip_value)
        # Side by side: of a small network's gradients one norm is much sooner taken than a dozen.
        norm = float(torch.linalg.vector_norm(torch.cat([gradient.flatten() for gradient in gradients])))
        is_clipped = settings.clip_norm is not None and norm > settings.clip_norm
        if is_clipped:
            torch._foreach_mul_(gradients, (settings.clip_norm or 1.0) / (norm + CLIP_EPSILON))
        return norm, is_cut or is_clipped


def diverged(settings: Training, progress: Progress, lr: float, loss: float) -> DivergedError:
    """What a training ends with whose loss stopped being a number a second time.

    Args:
        settings: of the training.
        progress: where it is.
        lr: learning rate at the start of the stage.
        loss: that was none.
    """
    return DivergedError(
        f"the loss was {loss} at batch {progress.step} (epoch {progress.epochs_before + progress.epoch + 1}), and before that once "
        f"more, at twice the learning rate; lr is {lr:g} and clip_norm {settings.clip_norm}: lower training.lr, set "
        "training.clip_norm to 1, or look for extreme values in the data",
        pointer="#/training/lr",
    )
