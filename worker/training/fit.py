"""How does a network learn? A loop that yields after each batch and each epoch; who runs it decides about metrics, lease and end.

for event in fit(training):            batch: loss of one step         training.capture() is a checkpoint, after any event
    match event: ...                   epoch: losses, rate, is_best    training.finish() puts the best weights into the network
                                       rollback: back to the best weights, at half the rate
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from app.errors import DivergedError
from app.nets.build import Network, build_head
from app.spec.forecaster import ForecasterSpec
from app.spec.phases import Stage, plan
from app.spec.training import Training as TrainingSpec
from worker.training.events import Batch, Epoch, Event, Rollback
from worker.training.flow import measure, probe_rows
from worker.training.folds import check_folds, lessons_of
from worker.training.kept import HEAD, START, Kept, kept_after, kept_in
from worker.training.material import Material
from worker.training.series import begin_series
from worker.training.stage import StageRun
from worker.training.state import Moment, Progress, StageOutcome, capture, clone, part, progress_in, restore_generators, restore_optimizer
from worker.training.validation import mean_loss

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
        stages: those of the description's phases by default.

    Raises:
        UnfitDataError: a fold leaves nothing to learn from.
    """

    def __init__(
        self, spec: ForecasterSpec, network: Network, material: Material, device: torch.device, stages: tuple[Stage, ...] | None = None
    ) -> None:
        self.network = network.to(device)
        self.settings: TrainingSpec = spec.training
        self.material = material
        self.head = build_head(spec)
        self.stages, self.progress = stages or plan(spec), Progress()
        self._spec, self._device = spec, device
        self._span = (spec.context or 1) + (spec.horizon or 1)
        check_folds(self.stages, material.split, self._span)
        torch.manual_seed(self.settings.seed)
        network.initialise()
        begin_series(spec, network, material)
        self.begin_with({})

    def begin_with(self, weights: Mapping[str, Tensor]) -> None:
        """Take some of the first weights from elsewhere; the others are as they were drawn."""
        self.network.load_state_dict({**self.network.state_dict(), **weights})
        self.kept: Kept = {START: clone(self.network.state_dict())} if any(stage.restarts for stage in self.stages) else {}
        self._begin_stage()

    def _begin_stage(self) -> None:
        """Freeze what does not learn, and take a new optimiser."""
        stage = self.stages[min(self.progress.stage, len(self.stages) - 1)]
        if stage.restarts and START in self.kept:
            self.network.load_state_dict(self.kept[START])
        self.lessons = lessons_of(stage, self.material.split, self._span)
        self.run = StageRun(self._spec, stage, self.network, self._device)
        self.optimizer = _optimizer(list(self.run.learners.values()), self.settings)
        self.best = clone(self.run.weights())
        self._is_cached = False

    def cache(self) -> None:
        """Compute what is frozen in this stage, once for all its epochs."""
        lessons, epochs = self.lessons, self.run.stage.epochs
        if not self._is_cached:
            self.run.read_out_of_fold(lessons, self.kept)
            drawn = min(self.batches * self.settings.batch_size, len(lessons.train))
            self.run.cache(self.material.source, lessons.train, drawn * epochs)
            self.run.cache(self.material.source, lessons.validation, len(lessons.validation) * epochs)
        self._is_cached = True

    def capture(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that decides how it goes on, as tensors and a JSON document."""
        return capture(self.run.weights(), self.best, self.kept, self.run.learners, self.optimizer, self.progress)

    def restore(self, tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> None:
        """Go on from what `capture` gave."""
        self.progress = progress_in(document)
        self.kept = kept_in(tensors)
        self._begin_stage()
        self.run.load(part(tensors, "now."))
        self.best = {name: tensor.to(self._device) for name, tensor in part(tensors, "best.").items()}
        restore_optimizer(tensors, self.run.learners, self.optimizer)
        restore_generators(tensors)

    def end_stage(self) -> StageOutcome:
        """Put the stage's best weights into the network, and go on to the next stage."""
        progress = self.progress
        outcome = progress.outcome_of(self.run.stage, sum(parameter.numel() for parameter in self.run.learners.values()))
        self.run.load(self.best)
        self.kept = kept_after(self.run, self.stages[progress.stage + 1 :], self.kept)
        self.progress = progress.next_stage(outcome)
        if not self.is_done:
            self._begin_stage()
        return outcome

    def flow(self) -> dict[str, float]:
        """How the gradients flow now; see `worker.training.flow`."""
        cutoffs = self.lessons.train
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
    def batches(self) -> int:
        """Of an epoch of the present stage."""
        return self.batches_of(len(self.lessons.train))

    def batches_of(self, windows: int) -> int:
        """Of an epoch of so many windows."""
        return min(self.settings.steps_per_epoch, math.ceil(windows / self.settings.batch_size))

    @property
    def steps(self) -> int:
        """Batches of the whole training at most, as far as is known: stages that are over count with what they took."""
        progress, later = self.progress, sum(stage.epochs for stage in self.stages[self.progress.stage + 1 :])
        ahead = self.batches_of(len(self.material.split.train)) * later
        present = 0 if self.is_done else self.batches * self.run.stage.epochs
        return progress.step - progress.stage_step + present + ahead

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
            began_at = Moment.now()
            rows = rows_of_epoch(training)
            training.run.set_training(is_training=True)
            while training.progress.batch < training.batches:
                yield _learn(training, rows)
            yield _end_epoch(training, began_at)
        yield training.end_stage()


def _begin_if_new(training: Training) -> None:
    began_at, progress, is_new = Moment.now(), training.progress, training.progress.stage_step == 0
    if is_new:
        # Own heads and dropout draw from torch's own generator: not the numbers that the weights were drawn with.
        torch.manual_seed((training.settings.seed ^ STAGE_SEED) + training.run.stage.draw)
        training.run.draw_head(training.kept.get(HEAD))
        training.best = clone(training.run.weights())
    training.cache()
    if is_new:
        progress.loss_before = validation_loss(training)
    progress.spend(began_at)


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
    windows, progress = len(training.lessons.train), training.progress
    wanted = min(training.batches * training.settings.batch_size, windows)
    generator = np.random.default_rng((training.settings.seed, training.run.stage.draw, progress.epoch))
    return generator.choice(windows, wanted, replace=False).astype(np.int64)


def _learn(training: Training, order: npt.NDArray[np.int64]) -> Batch | Rollback:
    progress, settings = training.progress, training.settings
    progress.lr = training.lr
    for group in training.optimizer.param_groups:
        group["lr"] = progress.lr
    first = progress.batch * settings.batch_size
    rows, cutoffs = order[first : first + settings.batch_size], training.lessons.train
    windows = training.material.source.lesson(cutoffs[rows], is_whole=True, has_inputs=training.run.wants_inputs(cutoffs))
    training.optimizer.zero_grad(set_to_none=True)
    loss = training.run.loss(training.head, windows, cutoffs, rows)
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


def _end_epoch(training: Training, began_at: Moment) -> Epoch:
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
    seconds = progress.spend(began_at)
    return Epoch(progress.epochs_before + progress.epoch, progress.step, train_loss, val_loss, norm, progress.lr, is_best, flow, seconds)


def validation_loss(training: Training) -> float | None:
    """Of the present stage; None where there are no validation windows."""
    return mean_loss(training.run, training.head, training.material.source, training.lessons.validation)
