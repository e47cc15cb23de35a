"""Who learns when? Phases become stages: what runs, what of it learns, and which head it learns under.

A network is taken as the blocks of its outermost stack (one block where it is none):

    block 0   block 1   block 2   decoder        one stage:  frozen prefix [0, first)   learns [first, last)   head
    ------------------  ======================                cached, as it never changes
    `layer by layer`    first = last - 1, under a head of its own but for the last
    `each branch`       one branch of block `first`, under a head of its own; then all behind the connection, under the decoder
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.errors import Fault
from app.spec.blocks import WITHOUT_WEIGHTS, Block, Connect, Stack, inside, names_in
from app.spec.forecaster import ForecasterSpec
from app.spec.training import Phase

DECODER = "decoder"
"""What `only` and `freeze` call the map from the newest state to the horizon."""


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
        lr: at the start.
        patience: epochs without a better validation loss, or None.
    """

    name: str
    first: int
    last: int
    branch: int | None
    own_head: bool
    only: frozenset[str] | None
    frozen: frozenset[str]
    epochs: int
    lr: float
    patience: int | None


def top_blocks(spec: ForecasterSpec) -> tuple[Block, ...]:
    """The blocks of the outermost stack; the network itself where it is no stack, or one with a name or a source."""
    network = spec.network
    return network.blocks * network.repeat if isinstance(network, Stack) and network.name is None and network.source is None else (network,)


def plan(spec: ForecasterSpec) -> tuple[Stage, ...]:
    """The stages of a description that `phase_faults` finds nothing wrong with."""
    return tuple(stage for phase in spec.training.phases for stage in _stages(spec, phase))


def _stages(spec: ForecasterSpec, phase: Phase) -> Iterator[Stage]:
    blocks = top_blocks(spec)
    count = len(blocks)
    match phase:
        case Phase(learn="layer by layer"):
            for first in range(count):
                yield _stage(spec, phase, f"layer {first + 1} of {count}", first, first + 1, own_head=first + 1 < count)
        case Phase(learn="each branch"):
            yield from _branch_stages(spec, phase, blocks)
        case Phase(only=tuple() as only):
            first = next((first for first, block in enumerate(blocks) if names_in(block) & set(only)), count)
            yield _stage(spec, phase, f"only {', '.join(only)}", first, count)
        case Phase(freeze=tuple() as freeze):
            first = next((first for first, block in enumerate(blocks) if block.name not in freeze), count)
            yield _stage(spec, phase, f"all but {', '.join(freeze)}", first, count)
        case _:
            yield _stage(spec, phase, "all", 0, count)


def _branch_stages(spec: ForecasterSpec, phase: Phase, blocks: tuple[Block, ...]) -> Iterator[Stage]:
    """The branches of each connection, and the blocks before, between and behind connections in their turn."""
    behind = 0
    for first, block in enumerate(blocks):
        if not isinstance(block, Connect):
            continue
        if behind < first:
            yield _stage(spec, phase, f"blocks {behind + 1} to {first}", behind, first, own_head=True)
        for branch, one in enumerate(block.branches):
            yield _stage(spec, phase, f"branch {one.name or one.source or branch + 1}", first, first + 1, branch=branch, own_head=True)
        behind = first + 1
    yield _stage(spec, phase, "merge", behind, len(blocks))


def _stage(
    spec: ForecasterSpec, phase: Phase, name: str, first: int, last: int, *, branch: int | None = None, own_head: bool = False
) -> Stage:
    training = spec.training
    return Stage(
        name=name,
        first=first,
        last=last,
        branch=branch,
        own_head=own_head,
        only=None if phase.only is None else frozenset(phase.only),
        frozen=frozenset(phase.freeze or ()),
        epochs=phase.epochs or training.epochs,
        lr=phase.lr or training.lr,
        patience=phase.patience if "patience" in phase.model_fields_set else training.patience,
    )


def _learners(block: Block, phase: Phase, is_chosen: bool) -> Iterator[Block]:
    """The blocks without blocks in them that learn in a phase of `only` or `freeze`."""
    if phase.freeze is not None and block.name in phase.freeze:
        return
    is_chosen = is_chosen or (phase.only is not None and block.name in phase.only)
    if is_chosen and not inside(block):
        yield block
    for one in inside(block):
        yield from _learners(one, phase, is_chosen)


def phase_faults(spec: ForecasterSpec, pointer: str) -> Iterator[Fault]:
    """What is wrong with the phases.

    Args:
        spec: the description.
        pointer: JSON pointer of `training`.
    """
    for number, phase in enumerate(spec.training.phases):
        yield from _faults_of(spec, phase, f"{pointer}/phases/{number}")


def _faults_of(spec: ForecasterSpec, phase: Phase, pointer: str) -> Iterator[Fault]:
    said = [name for name in ("learn", "only", "freeze") if getattr(phase, name) is not None]
    blocks = top_blocks(spec)
    if len(said) != 1:
        yield Fault(pointer, "ambiguous", f"a phase has one of learn, only and freeze, and this one has {', '.join(said) or 'none'}")
    elif phase.learn == "layer by layer" and len(blocks) == 1:
        yield Fault(f"{pointer}/learn", "inert", "the network is no stack of several blocks, so 'layer by layer' does what 'all' does")
    elif phase.learn == "each branch" and not any(isinstance(block, Connect) for block in blocks):
        yield Fault(f"{pointer}/learn", "inert", "no block of the outermost stack is a connection, so there are no branches to train")
    elif phase.learn is None:
        yield from _name_faults(spec, phase, pointer)


def _name_faults(spec: ForecasterSpec, phase: Phase, pointer: str) -> Iterator[Fault]:
    known = names_in(spec.network) | {DECODER}
    key, names = ("only", phase.only or ()) if phase.only is not None else ("freeze", phase.freeze or ())
    for position, name in enumerate(names):
        if name not in known:
            sentence = f"{name!r} is not a block; names are: {', '.join(sorted(known))}; give a block a name to train or freeze it"
            yield Fault(f"{pointer}/{key}/{position}", "unknown_block", sentence)
    has_decoder = (DECODER in names) == (key == "only")
    learners = list(_learners(spec.network, phase, is_chosen=key == "freeze"))
    if not has_decoder and all(isinstance(block, WITHOUT_WEIGHTS) for block in learners):
        yield Fault(
            f"{pointer}/{key}",
            "trains_nothing",
            "this phase trains nothing: no block with weights is left to learn; change it, or leave it out",
        )
