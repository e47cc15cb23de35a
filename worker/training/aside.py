"""How does a training do one stage out of its turn, and take over what others have done of it?

    alone      stage 0 -> stage 1 -> stage 2 -> stage 3
    shared     stage 0: here, stage 1: elsewhere, stage 2: elsewhere; all taken over in their turn -> stage 3

Only stages that need nothing of one another (`app.spec.phases.side_by_side`): the weights are those of the training alone, to the bit on
a CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from worker.training.fit import Training
from worker.training.kept import kept_after
from worker.training.looks import Look
from worker.training.stage import OWN_HEAD
from worker.training.state import StageOutcome, part, progress_in


def confine(training: Training, stage: int) -> None:
    """Have a training do one stage and no other; what is seen of gradients is of that stage alone.

    Args:
        training: at the beginning of a stage, or within the one that it is to do, or at its end.
        stage: number of the one that it is to do.
    """
    # The next stage would begin with weights of its own.
    training.stages = training.stages[: stage + 1]
    if training.progress.stage < stage:
        training.progress = replace(training.progress, stage=stage, look=Look())
        training.begin_stage()


@dataclass(frozen=True)
class Taken:
    """A stage that was done elsewhere.

    Attributes:
        outcome: what it has come to.
        steps: how many more batches came before it here than are counted there.
        epochs: the same of epochs.
    """

    outcome: StageOutcome
    steps: int
    epochs: int


def take_over(training: Training, tensors: Mapping[str, Tensor], document: Mapping[str, Any], begun_at: int) -> Taken:
    """Take the present stage as done elsewhere, and go on to the next.

    Args:
        training: at the beginning of the stage.
        tensors: what `Training.capture` gave where it was done, at its end.
        document: the same.
        begun_at: batches that were counted there before it.
    """
    progress, done = training.progress, progress_in(document)
    outcome, run = done.outcomes[-1], training.run
    taken = Taken(outcome, progress.step - begun_at, progress.epochs_before - (done.epochs_before - outcome.epochs))
    weights = part(tensors, "now.")
    learnt = [name for name in run.learners if not name.startswith(f"{OWN_HEAD}.")]
    training.network.load_state_dict({**training.network.state_dict(), **{name: weights[name] for name in learnt}})
    training.kept = kept_after(run, training.stages[progress.stage + 1 :], training.kept)
    progress.step += done.step - begun_at
    progress.lr, progress.history = done.lr, done.history
    progress.halvings = max(progress.halvings, done.halvings)
    progress.look = progress.look.then(done.look)
    training.progress = progress.next_stage(outcome)
    if not training.is_done:
        training.begin_stage()
    return taken
