"""How does a network learn? A loop that yields after each batch and each epoch; who runs it decides about metrics, lease and end.

for event in fit(training):            batch: loss of one step         training.capture() is a checkpoint, after any event
    match event: ...                   epoch: losses, rate, is_best    training.finish() puts the best weights into the network
                                       rollback: back to the best weights, at half the rate
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from app.errors import DivergedError
from app.nets.build import Network, build_head
from app.spec.forecaster import ForecasterSpec
from app.spec.phases import plan
from app.spec.training import Training as TrainingSpec
from worker.training.events import Batch, Epoch, Event, Rollback
from worker.training.flow import measure, probe_rows
from worker.training.material import Material
from worker.training.series import begin_series
from worker.training.stage import StageRun
from worker.training.state import (
    Progress,
    StageOutcome,
    capture,
    clone,
    part,
    progress_in,
    restore_generators,
    restore_optimizer,
)

VALIDATION_BATCH = 1024
"""Windows that are validated at once."""

ROLLBACKS_AT_MOST = 1

FLOW_BATCHES = 100
"""Batches between two looks at the gradients, each of which costs about as much as two batches."""

STAGE_SEED = 0x5DEECE66D
"""Sets the draws of the stages apart from those of the first weights."""


class Training:
    """A network, what it learns from, and where it is.

    Args:
        spec: complete: with context and horizon.
        network: with its weights still to be drawn.
        material: see `prepare`.
        device: where to compute.
    """

    def __init__(self, spec: ForecasterSpec, network: Network, material: Material, device: torch.device) -> None:
        self.network = network.to(device)
        self.settings: TrainingSpec = spec.training
        self.material = material
        self.head = build_head(spec)
        self.stages = plan(spec)
        self.progress = Progress()
        self._spec, self._device = spec, device
        windows = len(material.split.train)
        self.batches = min(self.settings.steps_per_epoch, math.ceil(windows / self.settings.batch_size))
        torch.manual_seed(self.settings.seed)
        network.initialise()
        begin_series(spec, network, material)
        self._begin_stage()

    def _begin_stage(self) -> None:
        """Freeze what does not learn, and take a new optimiser."""
        stage = self.stages[min(self.progress.stage, len(self.stages) - 1)]
        self.run = StageRun(self._spec, stage, self.network, self._device)
        self.optimizer = _optimizer(list(self.run.learners.values()), self.settings)
        self.best = clone(self.run.weights())
        self._is_cached = False

    def cache(self) -> None:
        """Compute what is frozen in this stage, once for all its epochs."""
        if not self._is_cached:
            split = self.material.split
            drawn = min(self.batches * self.settings.batch_size, len(split.train))
            self.run.cache(self.material.source, split.train.position, drawn * self.run.stage.epochs)
            self.run.cache(self.material.source, split.validation.position, len(split.validation) * self.run.stage.epochs)
            self._is_cached = True

    def capture(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that decides how it goes on, as tensors and a JSON document."""
        return capture(self.run.weights(), self.best, self.run.learners, self.optimizer, self.progress)

    def restore(self, tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> None:
        """Go on from what `capture` gave."""
        self.progress = progress_in(document)
        self._begin_stage()
        self.run.load(part(tensors, "now."))
        self.best = {name: tensor.to(self._device) for name, tensor in part(tensors, "best.").items()}
        restore_optimizer(tensors, self.run.learners, self.optimizer)
        restore_generators(tensors)

    def end_stage(self) -> StageOutcome:
        """Put the stage's best weights into the network, and go on to the next stage."""
        progress = self.progress
        outcome = StageOutcome(
            name=self.run.stage.name,
            parameters=sum(parameter.numel() for parameter in self.run.learners.values()),
            epochs=progress.epoch,
            best_epoch=progress.best_epoch,
            val_loss=progress.best_loss,
            seconds=round(progress.stage_seconds, 2),
        )
        self.run.load(self.best)
        self.progress = progress.next_stage(outcome)
        if not self.is_done:
            self._begin_stage()
        return outcome

    def flow(self) -> dict[str, float]:
        """How the gradients flow now; see `worker.training.flow`."""
        cutoffs = self.material.split.train.position
        rows = probe_rows(len(cutoffs))
        return measure(self.run, self.head, self.material.source.lesson(cutoffs[rows], is_whole=False), cutoffs, rows)

    @property
    def is_flow_due(self) -> bool:
        """Whether enough batches have passed for another look at the gradients to cost next to nothing: of the epoch alone."""
        return self.progress.epoch % math.ceil(FLOW_BATCHES / self.batches) == 0

    def finish(self) -> None:
        """Make the network one to forecast with."""
        self.network.eval().requires_grad_(requires_grad=False)

    @property
    def is_done(self) -> bool:
        """Whether all stages are."""
        return self.progress.stage >= len(self.stages)

    @property
    def is_stage_done(self) -> bool:
        """Whether all epochs of the stage are done, or too many without a better validation loss."""
        progress, stage = self.progress, self.run.stage
        waited = progress.epoch - progress.best_epoch
        return progress.epoch >= stage.epochs or (stage.patience is not None and waited >= stage.patience)

    @property
    def epochs(self) -> int:
        """Epochs of the whole training at most, as far as is known: stages that are over count with what they took."""
        return self.progress.epochs_before + sum(stage.epochs for stage in self.stages[self.progress.stage :])

    @property
    def lr(self) -> float:
        """Learning rate of the next batch: of the stage's step alone, and halved by each rollback.

        The cosine is Loshchilov and Hutter's (2017), without restarts.
        """
        stage = self.run.stage
        done = self.progress.stage_step / (self.batches * stage.epochs)
        factor = 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0))) if self.settings.schedule == "cosine" else 1.0
        return float(stage.lr * factor * 0.5**self.progress.rollbacks)


def fit(training: Training) -> Iterator[Event]:
    """Trains until it is done, from wherever it is.

    Raises:
        DivergedError: the loss stopped being a number a second time.
    """
    while not training.is_done:
        _begin_if_new(training)
        while not training.is_stage_done:
            began_at = time.monotonic()
            rows = rows_of_epoch(training)
            training.run.set_training(is_training=True)
            while training.progress.batch < training.batches:
                yield _learn(training, rows)
            yield _end_epoch(training, began_at)
        yield training.end_stage()


def _begin_if_new(training: Training) -> None:
    if training.progress.stage_step == 0:
        # Own heads and dropout draw from torch's own generator: not the numbers that the weights were drawn with.
        torch.manual_seed((training.settings.seed ^ STAGE_SEED) + training.progress.stage)
        training.run.draw_head()
        training.best = clone(training.run.weights())
    training.cache()


def _optimizer(parameters: list[nn.Parameter], settings: TrainingSpec) -> torch.optim.Optimizer:
    lr, decay, momentum = settings.lr, settings.weight_decay, settings.momentum
    match settings.optimizer:
        case "adam":
            return torch.optim.Adam(parameters, lr=lr, fused=True)
        case "adamw":
            return torch.optim.AdamW(parameters, lr=lr, weight_decay=decay, fused=True)
        case "sgd":
            return torch.optim.SGD(parameters, lr=lr, weight_decay=decay, momentum=momentum, nesterov=momentum > 0.0)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, lr=lr, weight_decay=decay, momentum=momentum)
        case _:
            assert_never(settings.optimizer)


def rows_of_epoch(training: Training) -> npt.NDArray[np.int64]:
    """Training windows of the present epoch in the order of its batches, drawn from (seed, stage, epoch) without replacement."""
    windows, progress = len(training.material.split.train), training.progress
    wanted = min(training.batches * training.settings.batch_size, windows)
    generator = np.random.default_rng((training.settings.seed, progress.stage, progress.epoch))
    return generator.choice(windows, wanted, replace=False).astype(np.int64)


def _learn(training: Training, order: npt.NDArray[np.int64]) -> Batch | Rollback:
    progress, settings = training.progress, training.settings
    progress.lr = training.lr
    for group in training.optimizer.param_groups:
        group["lr"] = progress.lr
    first = progress.batch * settings.batch_size
    rows, cutoffs = order[first : first + settings.batch_size], training.material.split.train.position
    windows = training.material.source.lesson(cutoffs[rows], is_whole=True)
    training.optimizer.zero_grad(set_to_none=True)
    raw, windows = training.run.look(windows, cutoffs, rows)
    loss = training.head.loss(raw, windows.target, windows.observed, windows.scales)
    torch.autograd.backward(loss)
    if settings.clip_value is not None:
        torch.nn.utils.clip_grad_value_(training.run.learners.values(), settings.clip_value)
    limit = math.inf if settings.clip_norm is None else settings.clip_norm
    norm = float(torch.nn.utils.clip_grad_norm_(training.run.learners.values(), limit))
    value = loss.item()
    progress.batch += 1
    progress.step += 1
    progress.stage_step += 1
    if not (math.isfinite(value) and math.isfinite(norm)):
        return _roll_back(training, value)
    training.optimizer.step()
    progress.loss_sum += value
    progress.norm_sum += norm
    return Batch(progress.epochs_before + progress.epoch + 1, progress.batch, training.batches, progress.step, value, norm)


def _roll_back(training: Training, loss: float) -> Rollback:
    progress, settings = training.progress, training.settings
    if progress.rollbacks >= ROLLBACKS_AT_MOST:
        raise DivergedError(
            f"the loss was {loss} at batch {progress.step} (epoch {progress.epochs_before + progress.epoch + 1}), and before that once "
            f"more, at twice the learning rate; lr is {training.run.stage.lr:g} and clip_norm {settings.clip_norm}: lower training.lr, set "
            "training.clip_norm to 1, or look for extreme values in the data",
            pointer="#/training/lr",
        )
    progress.rollbacks += 1
    training.run.load(training.best)
    training.optimizer.state.clear()
    return Rollback(progress.step, loss)


def _end_epoch(training: Training, began_at: float) -> Epoch:
    progress = training.progress
    val_loss = validation_loss(training)
    is_best = val_loss is None or progress.best_loss is None or val_loss < progress.best_loss
    progress.epoch += 1
    if is_best:
        training.best = clone(training.run.weights())
        progress.best_loss, progress.best_epoch = val_loss, progress.epoch
    train_loss, norm = progress.loss_sum / training.batches, progress.norm_sum / training.batches
    progress.batch, progress.loss_sum, progress.norm_sum = 0, 0.0, 0.0
    progress.history = [*(progress.history if progress.epoch > 1 else []), (train_loss, val_loss)]
    flow = training.flow() if training.is_flow_due else {}
    seconds = time.monotonic() - began_at
    progress.stage_seconds += seconds
    return Epoch(progress.epochs_before + progress.epoch, progress.step, train_loss, val_loss, norm, progress.lr, is_best, flow, seconds)


def validation_loss(training: Training) -> float | None:
    """Mean loss over the validation windows, or None where there are none."""
    cutoffs = training.material.split.validation.position
    if len(cutoffs) == 0:
        return None
    training.run.set_training(is_training=False)
    total = 0.0
    with torch.no_grad():
        for first in range(0, len(cutoffs), VALIDATION_BATCH):
            rows = np.arange(first, min(first + VALIDATION_BATCH, len(cutoffs)))
            windows = training.material.source.lesson(cutoffs[rows], is_whole=False)
            raw, windows = training.run.look(windows, cutoffs, rows)
            total += len(rows) * training.head.loss(raw, windows.target, windows.observed, windows.scales).item()
    return total / len(cutoffs)
