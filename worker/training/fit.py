"""How does a network learn? A loop that yields after each batch and each epoch; who runs it decides about metrics, lease and end.

for event in fit(training):            batch: loss of one step         training.capture() is a checkpoint, after any event
    match event: ...                   epoch: losses, rate, is_best    training.finish() puts the best weights into the network
                                       rollback: back to the best weights, at half the rate
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.errors import DivergedError
from app.nets.build import Network, build_head
from app.spec.forecaster import ForecasterSpec
from app.spec.training import Training as TrainingSpec
from worker.training.material import Material
from worker.training.state import Progress, capture, clone_weights, restore

VALIDATION_BATCH = 1024
"""Windows that are validated at once."""

ROLLBACKS_AT_MOST = 1

DROPOUT_SEED = 0x5DEECE66D
"""Set apart from the seed of the weights by these bits."""


@dataclass(frozen=True)
class Batch:
    """One step is done.

    Attributes:
        epoch: the present one, from 1.
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
        epoch: which one, from 1.
        step: batches done in all.
        train_loss: mean over its batches.
        val_loss: mean over the validation windows; None where there are none.
        grad_norm: mean over its batches.
        lr: of its last batch.
        is_best: whether its weights are the best so far.
        seconds: that it took in this process.
    """

    epoch: int
    step: int
    train_loss: float
    val_loss: float | None
    grad_norm: float
    lr: float
    is_best: bool
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
        torch.manual_seed(self.settings.seed)
        network.initialise()
        self.optimizer = _optimizer(network, self.settings)
        self.best = clone_weights(network)
        self.progress = Progress()
        windows = len(material.split.train)
        self.batches = min(self.settings.steps_per_epoch, math.ceil(windows / self.settings.batch_size))

    def capture(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that decides how it goes on, as tensors and a JSON document."""
        return capture(self.network, self.best, self.optimizer, self.progress)

    def restore(self, tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> None:
        """Go on from what `capture` gave."""
        self.best, self.progress = restore(tensors, document, self.network, self.optimizer)

    def finish(self) -> None:
        """Put the best weights into the network, for forecasting."""
        self.network.load_state_dict(self.best)
        self.network.eval().requires_grad_(requires_grad=False)

    @property
    def is_done(self) -> bool:
        """Whether all epochs are done, or too many without a better validation loss."""
        waited, patience = self.progress.epoch - self.progress.best_epoch, self.settings.patience
        return self.progress.epoch >= self.settings.epochs or (patience is not None and waited >= patience)

    @property
    def lr(self) -> float:
        """Learning rate of the next batch: of the step alone, and halved by each rollback (Loshchilov and Hutter 2017 for the cosine)."""
        done = self.progress.step / (self.batches * self.settings.epochs)
        factor = 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0))) if self.settings.schedule == "cosine" else 1.0
        return float(self.settings.lr * factor * 0.5**self.progress.rollbacks)


def fit(training: Training) -> Iterator[Batch | Epoch | Rollback]:
    """Trains until it is done, from wherever it is.

    Raises:
        DivergedError: the loss stopped being a number a second time.
    """
    progress = training.progress
    if progress.step == 0:
        # Dropout draws from torch's own generator: not the numbers that the weights were drawn with.
        torch.manual_seed(training.settings.seed ^ DROPOUT_SEED)
    while not training.is_done:
        began_at = time.monotonic()
        order = windows_of_epoch(training, progress.epoch)
        training.network.train()
        while progress.batch < training.batches:
            yield _learn(training, order)
        yield _end_epoch(training, began_at)


def _optimizer(network: Network, settings: TrainingSpec) -> torch.optim.Optimizer:
    match settings.optimizer:
        case "adam":
            return torch.optim.Adam(network.parameters(), lr=settings.lr, fused=True)
        case "adamw":
            return torch.optim.AdamW(network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay, fused=True)
        case _:
            assert_never(settings.optimizer)


def windows_of_epoch(training: Training, epoch: int) -> npt.NDArray[np.int64]:
    """Cutoffs of an epoch in the order of its batches, drawn from (seed, epoch) without replacement; [batches * batch_size at most]."""
    positions = training.material.split.train.position
    wanted = min(training.batches * training.settings.batch_size, len(positions))
    generator = np.random.default_rng((training.settings.seed, epoch))
    return positions[generator.choice(len(positions), wanted, replace=False)]


def _learn(training: Training, order: npt.NDArray[np.int64]) -> Batch | Rollback:
    progress, settings = training.progress, training.settings
    progress.lr = training.lr
    for group in training.optimizer.param_groups:
        group["lr"] = progress.lr
    first = progress.batch * settings.batch_size
    windows = training.material.source.batch(order[first : first + settings.batch_size])
    training.optimizer.zero_grad(set_to_none=True)
    loss = training.head.loss(training.network(windows.inputs, windows.future), windows.target, windows.observed)
    torch.autograd.backward(loss)
    limit = math.inf if settings.clip_norm is None else settings.clip_norm
    norm = float(torch.nn.utils.clip_grad_norm_(training.network.parameters(), limit))
    value = loss.item()
    progress.batch += 1
    progress.step += 1
    if not (math.isfinite(value) and math.isfinite(norm)):
        return _roll_back(training, value)
    training.optimizer.step()
    progress.loss_sum += value
    progress.norm_sum += norm
    return Batch(progress.epoch + 1, progress.batch, training.batches, progress.step, value, norm)


def _roll_back(training: Training, loss: float) -> Rollback:
    progress, settings = training.progress, training.settings
    if progress.rollbacks >= ROLLBACKS_AT_MOST:
        raise DivergedError(
            f"the loss was {loss} at batch {progress.step} (epoch {progress.epoch + 1}), and before that once more, at twice the learning "
            f"rate; lr is {settings.lr:g} and clip_norm {settings.clip_norm}: lower training.lr, set training.clip_norm to 1, or look for "
            "extreme values in the data",
            pointer="#/training/lr",
        )
    progress.rollbacks += 1
    training.network.load_state_dict(training.best)
    training.optimizer.state.clear()
    return Rollback(progress.step, loss)


def _end_epoch(training: Training, began_at: float) -> Epoch:
    progress = training.progress
    val_loss = validation_loss(training)
    is_best = val_loss is None or progress.best_loss is None or val_loss < progress.best_loss
    progress.epoch += 1
    if is_best:
        training.best = clone_weights(training.network)
        progress.best_loss, progress.best_epoch = val_loss, progress.epoch
    train_loss, norm = progress.loss_sum / training.batches, progress.norm_sum / training.batches
    progress.batch, progress.loss_sum, progress.norm_sum = 0, 0.0, 0.0
    return Epoch(progress.epoch, progress.step, train_loss, val_loss, norm, progress.lr, is_best, time.monotonic() - began_at)


def validation_loss(training: Training) -> float | None:
    """Mean loss over the validation windows, or None where there are none."""
    positions = training.material.split.validation.position
    if len(positions) == 0:
        return None
    training.network.eval()
    total = 0.0
    with torch.no_grad():
        for first in range(0, len(positions), VALIDATION_BATCH):
            chunk = positions[first : first + VALIDATION_BATCH]
            windows = training.material.source.batch(chunk)
            raw = training.network(windows.inputs, windows.future)
            total += len(chunk) * training.head.loss(raw, windows.target, windows.observed).item()
    training.network.train()
    return total / len(positions)
