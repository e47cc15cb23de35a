"""How does a training do some stages out of their turn, and take over what others have done of it?

    alone      stage 0 -> stage 1 -> stage 2 -> stage 3
    shared     stage 0: here, stage 1: elsewhere, stage 2: elsewhere; all taken over in their turn -> stage 3

Only runs of stages that need nothing of one another (`app.spec.phases.side_by_side`): the weights are those of the training alone, to the
bit on a CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from app.spec.stages import JUDGED, MEMBER
from worker.training.fit import Training
from worker.training.kept import kept_after, kept_in
from worker.training.looks import Look
from worker.training.stage import OWN_HEAD
from worker.training.state import StageOutcome, part, progress_in


def confine(training: Training, stages: range, tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> None:
    """Have a training do one run of its stages and nothing else; what is seen of gradients is of that run alone.

    Args:
        training: to go on with.
        stages: numbers of those that it is to do.
        tensors: what `Training.capture` gave at the beginning of a stage before them, or within them, or at their end.
        document: the same.
    """
    # First of all: the stage after them would begin with weights of its own, and have another head than what was captured at their end.
    training.stages = training.stages[: stages.stop]
    training.restore(tensors, document)
    if training.progress.stage < stages.start:
        training.progress = replace(training.progress, stage=stages.start)
        training.begin_stage()
    if training.progress.stage == stages.start and training.progress.stage_step == 0:
        training.progress.look = Look()


@dataclass(frozen=True)
class Taken:
    """A run of stages that was done elsewhere.

    Attributes:
        outcomes: what each has come to.
        steps: how many more batches came before it here than are counted there.
        epochs: the same of epochs.
    """

    outcomes: tuple[StageOutcome, ...]
    steps: int
    epochs: int


def take_over(training: Training, stages: range, tensors: Mapping[str, Tensor], document: Mapping[str, Any], *, begun_at: int) -> Taken:
    """Take the next stages as done elsewhere, and go on to the one after them.

    Args:
        training: at the beginning of the first of them.
        stages: their numbers.
        tensors: what `Training.capture` gave where they were done, at their end.
        document: the same.
        begun_at: batches that were counted there before them.
    """
    before, done = training.progress, progress_in(document)
    earlier, outcomes = done.outcomes[: -len(stages)], tuple(done.outcomes[-len(stages) :])
    taken = Taken(outcomes, before.step - begun_at, before.epochs_before - sum(outcome.epochs for outcome in earlier))
    if len(stages) > 1:  # what is put aside is the last one's
        training.progress = replace(before, stage=stages[-1])
        training.begin_stage()
    _take_weights(training, tensors)
    training.progress = replace(
        training.progress,
        step=before.step + done.step - begun_at,
        lr=done.lr,
        history=done.history,
        halvings=max(before.halvings, done.halvings),
        look=before.look.then(done.look),
        outcomes=[*before.outcomes, *outcomes[:-1]],
    ).next_stage(outcomes[-1])
    if not training.is_done:
        training.begin_stage()
    return taken


def _take_weights(training: Training, tensors: Mapping[str, Tensor]) -> None:
    """Those that a branch has learnt, or all of a member of an ensemble; and what was put aside of it."""
    run = training.run
    weights = {name: weight for name, weight in part(tensors, "now.").items() if not name.startswith(f"{OWN_HEAD}.")}
    if run.stage.branch is not None:
        weights = {name: weight for name, weight in weights.items() if name in run.learners}
    training.network.load_state_dict({**training.network.state_dict(), **weights})
    aside = {what: kept for what, kept in kept_in(tensors).items() if what.startswith((JUDGED, MEMBER))}
    training.kept = kept_after(run, training.stages[training.progress.stage + 1 :], {**training.kept, **aside})
