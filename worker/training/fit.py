"""How does a network learn? A loop that yields after each batch and each epoch; who runs it decides about metrics, lease and end.

for event in fit(training):            batch: loss of one step         training.capture() is a checkpoint, after any event
    match event: ...                   epoch: losses, rate, is_best    training.finish() puts the best weights into the network
                                       rollback: back to the best weights, at half the rate; halved: see there
                                       part, trial: a step, or a test of rates, goes on; a checkpoint is of where it began
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.nets.build import Network, build_head
from app.spec.forecaster import ForecasterSpec
from app.spec.phases import plan
from app.spec.stages import Stage
from app.spec.training import Training as TrainingSpec
from worker.training.averaging import averaged
from worker.training.batching import draw_epoch, is_look_due, steps_of_epoch, windows_of_step
from worker.training.events import Batch, Epoch, Event, Part, RateFound, Rollback
from worker.training.first_weights import draw_first
from worker.training.folds import check_folds, lessons_of
from worker.training.gradients import measure
from worker.training.halving import within_memory
from worker.training.kept import HEAD, START, Kept, kept_after, kept_in
from worker.training.looks import Look
from worker.training.material import Material
from worker.training.optimisers import optimiser_of
from worker.training.range_test import find_rate, trial_rows
from worker.training.schedules import factor_at
from worker.training.stage import StageRun
from worker.training.state import (
    EpochFacts,
    Moment,
    Progress,
    StageOutcome,
    capture,
    clone,
    part,
    progress_in,
    restore_generators,
    restore_optimizer,
)
from worker.training.steps import Lesson, Stepper, diverged
from worker.training.validation import mean_loss

ROLLBACKS_AT_MOST = 1
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
        JobError: the device has not the precision that is asked for.
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
        self.spec, self._device = spec, device
        self._span = (spec.context or 1) + (spec.horizon or 1)
        # Where a step or a test of rates began that goes on: what a checkpoint keeps meanwhile.
        self.held: tuple[dict[str, Tensor], dict[str, Any]] | None = None
        check_folds(self.stages, material.split, self._span)
        draw_first(spec, network, material, 0)
        self.begin_with({})

    def begin_with(self, weights: Mapping[str, Tensor]) -> None:
        """Take some of the first weights from elsewhere; the others are as they were drawn."""
        self.network.load_state_dict({**self.network.state_dict(), **weights})
        self.kept: Kept = {START: clone(self.network.state_dict())} if any(stage.restarts for stage in self.stages) else {}
        self.begin_stage()

    def begin_stage(self) -> None:
        """Freeze what does not learn, and take a new optimiser."""
        stage = self.stages[min(self.progress.stage, len(self.stages) - 1)]
        if stage.restarts and START in self.kept:
            self.network.load_state_dict(self.kept[START])
        if stage.drawn_as is not None:
            draw_first(self.spec, self.network, self.material, stage.drawn_as)
        self.lessons, self.source = lessons_of(stage, self.material.split, self._span), self.material.source.reading(stage.context)
        self.run = StageRun(self.spec, stage, self.network, self._device)
        self.optimizer = optimiser_of(self.network, self.run.learners.values(), self.settings)
        lesson = Lesson(self.source, self.lessons.train, self.head, self._device)
        self.stepper = Stepper(self.spec, self.run, lesson, self.optimizer, self.progress.halvings)
        self.best = clone(self.run.weights())
        self._is_cached = False

    def cache(self) -> None:
        """Compute what is frozen in this stage, once for all its epochs."""
        lessons, epochs = self.lessons, self.run.stage.epochs
        if not self._is_cached:
            self.run.read_out_of_fold(lessons, self.kept)
            drawn = min(self.batches * windows_of_step(self.settings, len(lessons.train)), len(lessons.train))
            # With noise no window is read twice.
            self.run.cache(self.source, lessons.train, 0 if self.settings.input_noise else drawn * epochs)
            self.run.cache(self.source, lessons.validation, len(lessons.validation) * epochs)
        self._is_cached = True

    def capture(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that decides how it goes on, as tensors and a JSON document."""
        if self.held is not None:
            return self.held
        return capture(self.run.weights(), self.best, self.kept, self.run.learners, self.optimizer, self.progress)

    def begin_test(self) -> Iterator[npt.NDArray[np.int64]]:
        """Hold what the stage begins with, as a test of rates moves it; the windows of its trials."""
        self.held = capture(clone(self.best), self.best, self.kept, self.run.learners, self.optimizer, self.progress)
        self.run.set_training(is_training=True)
        return trial_rows(self.settings, self.run.stage.draw, len(self.lessons.train))

    def end_test(self, found: RateFound) -> None:
        """Forget what a test has learnt, but for the rate that it found."""
        self.run.load(self.best)
        self.optimizer.state.clear()
        restore_generators(self.capture()[0])
        self.held = None
        self.progress.found_lr = found.lr

    @property
    def is_testing(self) -> bool:
        """Whether the present stage still has to find its learning rate."""
        return not self.is_done and self.run.stage.lr == "auto" and self.progress.found_lr is None

    def restore(self, tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> None:
        """Go on from what `capture` gave."""
        self.progress, self.kept = progress_in(document), kept_in(tensors)
        self.begin_stage()
        self.run.load(part(tensors, "now."))
        self.best = {name: tensor.to(self._device) for name, tensor in part(tensors, "best.").items()}
        restore_optimizer(tensors, self.run.learners, self.optimizer)
        restore_generators(tensors)

    def end_stage(self) -> StageOutcome:
        """Put the stage's best weights into the network, and go on to the next stage."""
        progress = self.progress
        outcome = progress.outcome_of(self.run.stage, sum(parameter.numel() for parameter in self.run.learners.values()))
        self.run.load(self.best)
        progress.updates = progress.largest_updates
        progress.look = progress.look if self.run.stage.is_apart else progress.look.then(self.look())
        self.kept = kept_after(self.run, self.stages[progress.stage + 1 :], self.kept)
        self.progress = progress.next_stage(outcome)
        if not self.is_done:
            self.begin_stage()
        return outcome

    def look(self) -> Look:
        """How the gradients flow now; see `worker.training.gradients`."""
        return measure(self.run, self.head, self.source, self.lessons.train, self.progress.updates)

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
        epoch, stage = self.progress.epoch, self.run.stage
        return epoch >= stage.epochs or (stage.patience is not None and epoch - self.progress.better_epoch >= stage.patience)

    @property
    def batches(self) -> int:
        """Of an epoch of the present stage."""
        return steps_of_epoch(self.settings, len(self.lessons.train))

    @property
    def epochs(self) -> int:
        """Epochs of the whole training at most, as far as is known: stages that are over count with what they took."""
        return self.progress.epochs_before + sum(stage.epochs for stage in self.stages[self.progress.stage :])

    @property
    def first_lr(self) -> float:
        """Learning rate at the start of the present stage."""
        return self.run.stage.lr if self.run.stage.lr != "auto" else self.progress.found_lr or 0.0

    @property
    def lr(self) -> float:
        """Learning rate of the next batch: of the stage's step and a plateau's cuts, and halved by each rollback."""
        progress, steps = self.progress, self.batches * self.run.stage.epochs
        factor = factor_at(self.settings, progress.stage_step, steps, progress.epoch, progress.cuts)
        return float(self.first_lr * factor * 0.5**progress.rollbacks)


def fit(training: Training) -> Iterator[Event]:
    """Trains until it is done, from wherever it is.

    Raises:
        DivergedError: the loss stopped being a number a second time.
    """
    while not training.is_done:
        yield from _begin_if_new(training)
        while not training.is_stage_done:
            began_at = Moment.now()
            rows = rows_of_epoch(training)
            training.run.set_training(is_training=True)
            while training.progress.batch < training.batches:
                yield from within_memory(partial(_learn, training, rows), training.progress, training.stepper)
            yield _end_epoch(training, began_at)
        yield training.end_stage()


def _begin_if_new(training: Training) -> Iterator[Event]:
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
    if training.is_testing:
        began_at = Moment.now()
        found = yield from find_rate(training.stepper, training.begin_test(), progress)
        training.end_test(found)
        progress.spend(began_at)
        yield found


def rows_of_epoch(training: Training) -> npt.NDArray[np.int64]:
    """Training windows of the present epoch in the order of its steps."""
    return draw_epoch(training.settings, training.run.stage.draw, training.progress.epoch, len(training.lessons.train))


def _learn(training: Training, order: npt.NDArray[np.int64]) -> Generator[Part | Batch | Rollback, None, None]:
    progress = training.progress
    progress.lr = training.lr
    rows = order[progress.batch * (size := windows_of_step(training.settings, len(training.lessons.train))) :][:size]
    if training.stepper.is_in_parts(len(rows)):
        training.held = training.capture()
    is_last = progress.batch + 1 == training.batches
    taken = yield from training.stepper.take(rows, progress.lr, is_measured=is_last and is_look_due(progress.epoch + 1, training.batches))
    training.held = None
    progress.advance()
    if not taken.is_finite:
        yield _roll_back(training, taken.loss)
        return
    progress.count(taken.loss, taken.norm, is_clipped=taken.is_clipped, updates=taken.updates)
    yield Batch(progress.epochs_before + progress.epoch + 1, progress.batch, training.batches, progress.step, taken.loss, taken.norm)


def _roll_back(training: Training, loss: float) -> Rollback:
    progress = training.progress
    if progress.rollbacks >= ROLLBACKS_AT_MOST:
        raise diverged(training.settings, progress, training.first_lr, loss)
    progress.rollbacks += 1
    training.run.load(training.best)
    training.optimizer.state.clear()
    return Rollback(progress.step, loss)


def _end_epoch(training: Training, began_at: Moment) -> Epoch:
    progress = training.progress
    with averaged(training.run, training.kept, progress.epoch, training.settings.average):
        val_loss = validation_loss(training)
        is_best = progress.end_epoch(val_loss, training.settings)
        if is_best:
            training.best = clone(training.run.weights())
    train_loss, norm = progress.loss_sum / training.batches, progress.norm_sum / training.batches
    facts = EpochFacts(train_loss, val_loss, norm, progress.clipped / training.batches)
    progress.batch, progress.loss_sum, progress.norm_sum, progress.clipped = 0, 0.0, 0.0, 0
    if not training.run.stage.is_refit:
        progress.history = [*(progress.history if progress.epoch > 1 else []), facts]
    looked = training.look().metrics() if is_look_due(progress.epoch, training.batches) else {}
    flow = {"clipped": facts.clipped, **training.stepper.penalty(), **looked}
    seconds = progress.spend(began_at)
    return Epoch(progress.epochs_before + progress.epoch, progress.step, train_loss, val_loss, norm, progress.lr, is_best, flow, seconds)


def validation_loss(training: Training) -> float | None:
    """Of the present stage; None where there are no validation windows."""
    return mean_loss(training.run, training.head, training.source, training.lessons.validation)
