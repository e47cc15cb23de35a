"""What is one training loop of its own, and which weights does it leave aside?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

REFIT_SHARE = 2
"""A refit has one in so many of the last phase's epochs."""

JUDGED = "judged"
"""What the weights are put aside as that are scored, where the network learns on from all windows after them."""

REFERENCE = "joint"
"""What the weights of a network are put aside as that was trained all together, for comparison."""


MEMBER = "member"
"""What the weights of an ensemble's members are put aside as, with their number."""


@dataclass(frozen=True)
class Stage:
    """One training loop of its own.

    Attributes:
        name: what it is called in progress and reports.
        first: top-level blocks before this one are frozen.
        last: top-level blocks from this one on do not run; their number where all do.
        branch: the only branch of block `first` that runs, or None for all.
        own_head: whether it learns under a head of its own rather than under the decoder.
        only: the only blocks that learn, by name; None for all that run.
        frozen: blocks that do not learn, by name.
        epochs: at most.
        lr: at the start; `auto` where a range test finds it.
        patience: epochs without a better validation loss, or None.
        draw: what its random draws are told apart by from those of other stages.
        folds: folds that the training windows are cut into, or None.
        fold: it learns from windows that share nothing with those of this fold; with folds and without one, it learns from all of them on
            what those before it give that were trained without their fold.
        restarts: whether it begins from the weights that the training began with.
        kept_as: what the weights are put aside as that it ends with, or None.
        rebuilds: the number, in document order, of the autoencoder that learns to rebuild what it reads; None where forecasts are learnt.
        carries_head: whether its head begins as that of the stage before it, where both are of one shape.
        is_refit: whether it learns from all windows, those that are held back included.
        drawn_as: the member of an ensemble whose first weights are drawn before it, or None.
        context: newest steps of the context that it reads, or None for all.
    """

    name: str
    first: int
    last: int
    branch: int | None
    own_head: bool
    only: frozenset[str] | None
    frozen: frozenset[str]
    epochs: int
    lr: float | Literal["auto"]
    patience: int | None
    draw: int = 0
    folds: int | None = None
    fold: int | None = None
    restarts: bool = False
    kept_as: str | None = None
    rebuilds: int | None = None
    carries_head: bool = False
    is_refit: bool = False
    drawn_as: int | None = None
    context: int | None = None

    @property
    def is_apart(self) -> bool:
        """Whether how it goes says nothing of the phases."""
        return self.is_reference or self.is_refit

    @property
    def is_reference(self) -> bool:
        """Whether it is the joint training that the phases are compared with, and no part of the model."""
        return self.kept_as == REFERENCE


def kept_without(fold: int) -> str:
    """What the weights are put aside as that have not seen a fold."""
    return f"fold{fold}"


def of_members(stages: Sequence[Stage], contexts: Sequence[int | None], *, redraws: bool) -> tuple[Stage, ...]:
    """The stages of all members of an ensemble, one member after another.

    Args:
        stages: of one.
        contexts: of each member, None for the whole one.
        redraws: whether each begins with weights of its own; otherwise all begin with the training's first, and differ by their draws.
    """
    made: list[Stage] = []
    for member, context in enumerate(contexts):
        whose = f"member {member + 1} of {len(contexts)}" + ("" if context is None else f", context {context}")
        own = [replace(stage, name=f"{stage.name}, {whose}", draw=stage.draw + member * len(stages), context=context) for stage in stages]
        if member:
            own[0] = replace(own[0], drawn_as=member) if redraws else replace(own[0], restarts=True)
        own = [replace(stage, kept_as=f"{JUDGED}{member}") if stage.kept_as == JUDGED else stage for stage in own]
        made += [*own[:-1], replace(own[-1], kept_as=f"{MEMBER}{member}")]
    return tuple(made)


def members_in(stages: Sequence[Stage]) -> tuple[range, ...]:
    """The stages of each member of an ensemble, by number; nothing where there is none."""
    ends = [number + 1 for number, stage in enumerate(stages) if stage.kept_as is not None and stage.kept_as.startswith(MEMBER)]
    return tuple(range(begin, end) for begin, end in zip([0, *ends], ends, strict=False))
