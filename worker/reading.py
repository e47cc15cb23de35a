"""What does an attempt note down of a training? Points to plot, and how far it is."""

from __future__ import annotations

import math
import time
from typing import assert_never

from app.spec.stages import REFERENCE
from app.store.progress import Point
from worker.training.batching import steps_of_epoch
from worker.training.events import Batch, Epoch, Event, Halved, Part, RateFound, Rollback, Trial
from worker.training.fit import Training
from worker.training.range_test import TRIALS
from worker.training.state import StageOutcome

BATCH_POINTS = 500
"""Points of single batches in a whole training, about; a curve needs no more."""


class Reading:
    """Turns what the loop yields into points and progress.

    Which steps have a point depends on the step alone, so that a resumed attempt makes the same ones.

    Args:
        training: that runs.
    """

    def __init__(self, training: Training) -> None:
        self._training = training
        windows = len(training.material.split.train)
        planned = steps_of_epoch(training.settings, windows) * sum(stage.epochs for stage in training.stages)
        self._every = max(1, planned // BATCH_POINTS)
        self._first_step = training.progress.step
        self._began_at = time.monotonic()

    def points(self, event: Event) -> tuple[Point, ...]:
        """What the event measured; an epoch's point stands at its last batch."""
        match event:
            case Batch():
                is_shown = event.step % self._every == 0 and event.batch < event.batches
                return (Point(event.step, {f"{self._series()}batch_loss": event.loss}),) if is_shown else ()
            case Epoch():
                best = self._training.progress.best_loss
                values = {
                    "epoch": float(event.epoch),
                    "train_loss": event.train_loss,
                    "val_loss": event.val_loss,
                    "best_val_loss": best,
                    "lr": event.lr,
                    "grad_norm": event.grad_norm,
                    **event.flow,
                }
                return (Point(event.step, {f"{self._series()}{name}": _finite(value) for name, value in values.items()}),)
            case Trial():
                values = {"range_test/lr": event.lr, "range_test/loss": _finite(event.loss)}
                return (Point(event.step, {f"{self._series()}{name}": value for name, value in values.items()}),)
            case Halved() | Rollback() | StageOutcome() | RateFound() | Part():
                return ()
            case _:
                assert_never(event)

    def _series(self) -> str:
        """What series begin with: those of the network that the phases are compared with are apart."""
        return f"{REFERENCE}/" if self._training.run.stage.is_reference else ""

    def progress(self) -> dict[str, object]:
        """How far the training is; `eta_seconds` is until the last epoch, at the pace so far."""
        training, progress = self._training, self._training.progress
        done = progress.step - self._first_step
        seconds = time.monotonic() - self._began_at
        steps = steps_at_most(training)
        eta_seconds = round(seconds / done * (steps - progress.step), 1) if done else None
        return {
            "phase": f"range test, {training.run.stage.name}" if training.is_testing else training.run.stage.name,
            "epoch": progress.epochs_before + progress.epoch,
            "epochs": training.epochs,
            "step": progress.step,
            "fraction": round(progress.step / steps, 4),
            "eta_seconds": eta_seconds,
        }


def steps_at_most(training: Training) -> int:
    """Batches of the whole training, those of range tests too, as far as is known: stages that are over count with what they took."""
    progress, later = training.progress, training.stages[training.progress.stage + 1 :]
    ahead = steps_of_epoch(training.settings, len(training.material.split.train)) * sum(stage.epochs for stage in later)
    present = 0 if training.is_done else training.batches * training.run.stage.epochs
    tests = sum(stage.lr == "auto" for stage in later) + training.is_testing
    return progress.step - progress.stage_step + present + ahead + tests * TRIALS


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
