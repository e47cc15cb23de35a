"""Where is a training? All that decides how it goes on, so that killed and resumed equals never killed, to the bit on a CPU.

Order of windows comes from (seed, stage, epoch) and the learning rate from the step: neither has a state. The rest is here: weights, the
best weights, those that were put aside, the optimiser's moments, torch's generator, and the counters.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from app.spec.stages import Stage
from app.spec.training import Training
from worker.training.looks import Look, look_in
from worker.training.optimisers import Optimiser
from worker.training.schedules import is_cut_due

MOMENTS = ("step", "exp_avg", "exp_avg_sq", "square_avg", "momentum_buffer")
"""What the optimisers keep of each weight, each some of it."""


@dataclass(frozen=True)
class StageOutcome:
    """What a stage has come to.

    Attributes:
        name: of the stage.
        parameters: that it trained.
        epochs: that it took.
        best_epoch: which of them gave the weights that were kept.
        val_loss: of these weights under the stage's head, None without validation windows.
        seconds: that it took, over all attempts.
        cpu_seconds: of all threads of the process, the same.
        val_loss_before: as `val_loss`, before its first batch.
        is_reference: whether it is the joint training that the others are compared with.
        lr: learning rate at its start.
    """

    name: str
    parameters: int
    epochs: int
    best_epoch: int
    val_loss: float | None
    seconds: float
    cpu_seconds: float | None = None
    val_loss_before: float | None = None
    is_reference: bool = False
    lr: float | None = None


@dataclass(frozen=True)
class Moment:
    """When something began: by the clock on the wall, and by that of all threads of the process."""

    wall_seconds: float
    cpu_seconds: float

    @classmethod
    def now(cls) -> Moment:
        """The present one."""
        return cls(time.monotonic(), time.process_time())


@dataclass(frozen=True)
class EpochFacts:
    """What an epoch came to.

    Attributes:
        train_loss: mean over its batches.
        val_loss: mean over the validation windows, None where there are none.
        grad_norm: mean over its batches, before clipping.
        clipped: share of its steps whose gradient was clipped.
    """

    train_loss: float
    val_loss: float | None
    grad_norm: float = 0.0
    clipped: float = 0.0


@dataclass
class Progress:
    """The counters of a training; plain numbers that JSON gives back to the bit.

    Attributes:
        stage: stages that are complete.
        epoch: epochs of the present stage that are complete.
        batch: batches of the present epoch that are done.
        step: batches that are done in all.
        stage_step: batches of the present stage that are done.
        loss_sum: of the present epoch's batches.
        norm_sum: the same of the gradient norms.
        clipped: how many of them were clipped.
        updates: sizes of the last step that was looked at, see `worker.training.gradients.update_ratios`.
        largest_updates: the largest of them in the present stage: a schedule takes the last ones to nothing.
        look: at the end of each stage, of each layer the last one.
        lr: of the last batch.
        best_loss: smallest validation loss of the present stage, None before the first.
        best_epoch: the epoch that gave it, 0 before the first.
        better_loss: the validation loss that patience compares with, None before the first.
        better_epoch: the epoch that gave it, 0 before the first.
        cuts: that a plateau has made in the present stage's rate.
        cut_epoch: the epoch after which it made the last one.
        found_lr: what a range test has chosen for the present stage, None where there was none.
        rollbacks: times that the loss of the present stage stopped being a number.
        halvings: times that the device had not the memory for a batch, which is computed in halves since.
        stage_seconds: that the present stage has taken.
        stage_cpu_seconds: of all threads of the process, the same.
        loss_before: validation loss of the present stage before its first batch.
        history: what each epoch of the present stage came to, or of the last where all are complete.
        outcomes: of the stages that are complete.
    """

    stage: int = 0
    epoch: int = 0
    batch: int = 0
    step: int = 0
    stage_step: int = 0
    loss_sum: float = 0.0
    norm_sum: float = 0.0
    clipped: int = 0
    updates: dict[str, float] = field(default_factory=dict)
    largest_updates: dict[str, float] = field(default_factory=dict)
    look: Look = field(default_factory=Look)
    lr: float = 0.0
    best_loss: float | None = None
    best_epoch: int = 0
    better_loss: float | None = None
    better_epoch: int = 0
    cuts: int = 0
    cut_epoch: int = 0
    found_lr: float | None = None
    rollbacks: int = 0
    halvings: int = 0
    stage_seconds: float = 0.0
    stage_cpu_seconds: float = 0.0
    loss_before: float | None = None
    history: list[EpochFacts] = field(default_factory=list)
    outcomes: list[StageOutcome] = field(default_factory=list)

    @property
    def epochs_before(self) -> int:
        """Epochs of the stages that are complete."""
        return sum(outcome.epochs for outcome in self.outcomes)

    def spend(self, since: Moment) -> float:
        """Count what the present stage has taken since a moment; seconds on the wall."""
        now = Moment.now()
        self.stage_cpu_seconds += now.cpu_seconds - since.cpu_seconds
        self.stage_seconds += now.wall_seconds - since.wall_seconds
        return now.wall_seconds - since.wall_seconds

    def advance(self) -> None:
        """Count a step that was taken, whether it moved the weights or not."""
        self.batch += 1
        self.step += 1
        self.stage_step += 1

    def count(self, loss: float, norm: float, *, is_clipped: bool, updates: Mapping[str, float]) -> None:
        """Count a step that moved the weights.

        Args:
            loss: before it.
            norm: of its gradient before clipping.
            is_clipped: whether it was clipped.
            updates: how far it moved each layer; nothing where that was not looked at.
        """
        self.loss_sum += loss
        self.norm_sum += norm
        self.clipped += is_clipped
        self.updates = {**self.updates, **updates}
        self.largest_updates |= {place: max(ratio, self.largest_updates.get(place, 0.0)) for place, ratio in updates.items()}

    def end_epoch(self, val_loss: float | None, settings: Training) -> bool:
        """Count an epoch, and what patience and a plateau make of it.

        Args:
            val_loss: of the epoch; None without validation windows, where every epoch is the best.
            settings: of the training.

        Returns:
            Whether its weights are the best so far.
        """
        self.epoch += 1
        is_best = val_loss is None or self.best_loss is None or val_loss < self.best_loss
        if is_best:
            self.best_loss, self.best_epoch = val_loss, self.epoch
        if val_loss is None or self.better_loss is None or val_loss < self.better_loss - settings.min_delta:
            self.better_loss, self.better_epoch = val_loss, self.epoch
        if is_cut_due(settings, self.epoch, self.better_epoch, self.cut_epoch):
            self.cuts, self.cut_epoch = self.cuts + 1, self.epoch
        return is_best

    def outcome_of(self, stage: Stage, parameters: int) -> StageOutcome:
        """What the present stage has come to.

        Args:
            stage: the present one.
            parameters: that it trained.
        """
        return StageOutcome(
            name=stage.name,
            parameters=parameters,
            epochs=self.epoch,
            best_epoch=self.best_epoch,
            val_loss=self.best_loss,
            seconds=round(self.stage_seconds, 2),
            cpu_seconds=round(self.stage_cpu_seconds, 2),
            val_loss_before=self.loss_before,
            is_reference=stage.is_reference,
            lr=stage.lr if stage.lr != "auto" else self.found_lr,
        )

    def next_stage(self, outcome: StageOutcome) -> Progress:
        """The counters at the beginning of the stage after this one."""
        outcomes, halvings = [*self.outcomes, outcome], self.halvings
        return Progress(
            stage=self.stage + 1, step=self.step, lr=self.lr, history=self.history, outcomes=outcomes, look=self.look, halvings=halvings
        )


def clone(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights as they are now."""
    return {name: tensor.detach().clone() for name, tensor in weights.items()}


def capture(
    weights: Mapping[str, Tensor],
    best: Mapping[str, Tensor],
    kept: Mapping[str, Mapping[str, Tensor]],
    learners: Mapping[str, nn.Parameter],
    optimizer: Optimiser,
    progress: Progress,
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Everything as tensors and a JSON document."""
    tensors = {f"now.{name}": tensor for name, tensor in weights.items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    tensors |= {f"kept.{what}.{name}": tensor for what, aside in kept.items() for name, tensor in aside.items()}
    for name, parameter in learners.items():
        moments = optimizer.state.get(parameter, {})
        tensors |= {f"optimizer.{moment}.{name}": moments[moment] for moment in MOMENTS if moment in moments}
    tensors["generator.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["generator.cuda"] = torch.cuda.get_rng_state()
    return tensors, {"progress": asdict(progress)}


def progress_in(document: Mapping[str, Any]) -> Progress:
    """The counters in what `capture` gave."""
    fields = dict(document["progress"])
    outcomes = [StageOutcome(**outcome) for outcome in fields.pop("outcomes")]
    # A checkpoint without what is seen of gradients has two losses for each epoch.
    history = [EpochFacts(**facts) if isinstance(facts, dict) else EpochFacts(*facts) for facts in fields.pop("history")]
    look = look_in(fields.pop("look")) if "look" in fields else Look()
    # A checkpoint without what patience compares with is of when that was the best loss.
    better = {"better_loss": fields["best_loss"], "better_epoch": fields["best_epoch"]}
    return Progress(**{**better, **fields}, history=history, outcomes=outcomes, look=look)


def restore_optimizer(tensors: Mapping[str, Tensor], learners: Mapping[str, nn.Parameter], optimizer: Optimiser) -> None:
    """Put the moments back that `capture` gave."""
    for moment in MOMENTS:
        found = part(tensors, f"optimizer.{moment}.")
        for name, parameter in learners.items():
            if name in found:
                # A fused Adam wants its step beside the weights.
                optimizer.state.setdefault(parameter, {})[moment] = found[name].to(parameter.device)


def restore_generators(tensors: Mapping[str, Tensor]) -> None:
    """Put torch's generators back as they were."""
    torch.set_rng_state(tensors["generator.cpu"])
    if torch.cuda.is_available() and "generator.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["generator.cuda"])


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors under a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
