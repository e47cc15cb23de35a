"""Which weights does a training put aside? What it began with, what has not seen a fold, and networks that are scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from app.spec.stages import JUDGED, MEMBER, REFERENCE, Stage
from worker.training.averaging import EPOCH
from worker.training.stage import StageRun
from worker.training.state import clone, part

START = "start"
"""What the weights are put aside as that a training begins with."""

HEAD = "head"
"""What the head of the last stage is put aside as, for the next one to begin with."""

Kept = dict[str, dict[str, Tensor]]


def kept_after(run: StageRun, later: Sequence[Stage], kept: Kept) -> Kept:
    """What is aside once a stage is over: its own weights if they are wanted, and no more what no later stage wants.

    Args:
        run: the stage that is over, with its best weights.
        later: stages to come.
        kept: what was aside before.
    """
    wanted = {name for name in kept if name.startswith((REFERENCE, JUDGED, MEMBER))}
    if any(other.restarts for other in later):
        wanted.add(START)
    if any(other.folds is not None for other in later):
        wanted |= {name for name in kept if name not in {START, HEAD} and not name.startswith(EPOCH)}
    left = {name: aside for name, aside in kept.items() if name in wanted}
    if later and later[0].carries_head:
        left[HEAD] = clone(run.decoder.state_dict())
    return left if run.stage.kept_as is None else {**left, run.stage.kept_as: clone(run.network.state_dict())}


def kept_in(tensors: Mapping[str, Tensor]) -> Kept:
    """What was aside, in what `worker.training.state.capture` gave."""
    kept: Kept = {}
    for name, tensor in part(tensors, "kept.").items():
        what, _, weight = name.partition(".")
        kept.setdefault(what, {})[weight] = tensor
    return kept
