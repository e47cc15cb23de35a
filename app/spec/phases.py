"""Who learns when? Phases become stages: what runs, what of it learns, and which head it learns under.

A network is taken as the blocks of its outermost stack (one block where it is none):

    block 0   block 1   block 2   decoder        one stage:  frozen prefix [0, first)   learns [first, last)   head
    ------------------  ======================                cached, as it never changes
    `layer by layer`    first = last - 1, under a head of its own but for the last
    `each branch`       one branch of block `first`, under a head of its own; then all behind the connection, under the decoder
      with folds        the same without each fold in its turn, then with all windows; what is behind the last connection learns on what
                        each fold's windows give in the network that has not seen them
    `reconstruct`       one autoencoder in block `first`, to rebuild what it reads; nothing else learns
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from app.errors import Fault
from app.spec.blocks import WITHOUT_WEIGHTS, Autoencoder, Block, Connect, Model, Share, Stack, every, inside, names_in
from app.spec.forecaster import ForecasterSpec
from app.spec.leaves import Smooth
from app.spec.reconstruction import autoencoders, reconstruct_faults
from app.spec.stages import JUDGED, REFERENCE, REFIT_SHARE, Stage, kept_without, members_in, of_members
from app.spec.training import Phase

DECODER = "decoder"
"""What `only` and `freeze` call the map from the newest state to the horizon."""


def top_blocks(spec: ForecasterSpec) -> tuple[Block, ...]:
    """The blocks of the outermost stack; the network itself where it is no stack, or one with a name or a source."""
    network = spec.network
    return network.blocks * network.repeat if isinstance(network, Stack) and network.name is None and network.source is None else (network,)


def plan(spec: ForecasterSpec, *, is_compared: bool = False, is_inherited: bool = False) -> tuple[Stage, ...]:
    """The stages of a description that `phase_faults` finds nothing wrong with.

    Args:
        spec: the description.
        is_compared: whether the network is to be trained all together too, before everything else. The stages after it draw as they
            would without it.
        is_inherited: whether the first weights are another model's, so that the decoder is not only drawn.
    """
    stages: list[Stage] = []
    draws = 0
    for phase in spec.training.phases:
        found = [replace(stage, draw=draws + number) for number, stage in enumerate(_stages(spec, phase))]
        if stages or is_inherited:
            found = [replace(stage, carries_head=stage.carries_head and stage.own_head) for stage in found]
        draws += len(found)
        stages += found if phase.folds is None else _folded(found, phase.folds)
    if spec.training.refit:
        stages[-1] = replace(stages[-1], kept_as=JUDGED)
        stages.append(_refit(spec, draws))
    if spec.training.members > 1:
        is_given = is_inherited or any(isinstance(block, Model) for block in every(spec.network))
        contexts = [None if context == (spec.context or 1) else context for context in spec.member_contexts]
        return of_members(stages, contexts, redraws=not is_given)
    if not is_compared:
        return tuple(stages)
    (joint,) = _stages(spec, Phase(learn="all"))
    return replace(joint, name="all, for comparison", kept_as=REFERENCE), replace(stages[0], restarts=True), *stages[1:]


def side_by_side(spec: ForecasterSpec, stages: tuple[Stage, ...], first: int) -> tuple[range, ...]:
    """Runs of stages, by number, that begin with a stage and need nothing of one another, so that they can be learnt at once.

    Members of an ensemble, or branches of one connection; one run of that stage alone where there is nothing beside it. So it is where
    branches share weights, or words of an input, which each of them would move.

    Args:
        spec: the description.
        stages: its plan, or one that is compared or of an ensemble.
        first: the number of a stage.
    """
    members = tuple(member for member in members_in(stages) if member.start >= first)
    if len(members) > 1 and members[0].start == first:
        return members
    shares = any(isinstance(block, Share) or (isinstance(block, Connect) and block.share_weights) for block in every(spec.network))
    last = first + 1
    if not shares and not any(group.known == "static" for group in spec.inputs.values()):
        while last < len(stages) and _is_beside(stages[last - 1], stages[last]):
            last += 1
    return tuple(range(number, number + 1) for number in range(first, last))


def _is_beside(before: Stage, stage: Stage) -> bool:
    """Whether a stage is of the next branch, and begins with nothing that the one before it has left."""
    if before.branch is None or stage.branch is None or stage.restarts or stage.drawn_as is not None:
        return False
    return stage.branch > before.branch and (stage.first, stage.fold, before.kept_as) == (before.first, before.fold, None)


def _refit(spec: ForecasterSpec, draw: int) -> Stage:
    last = spec.training.phases[-1]
    epochs = -(-(last.epochs or spec.training.epochs) // REFIT_SHARE)
    stage = _stage(spec, Phase(learn="all", epochs=epochs, lr=last.lr, patience=None), "refit", 0, len(top_blocks(spec)))
    return replace(stage, is_refit=True, draw=draw)


def is_joint(spec: ForecasterSpec) -> bool:
    """Whether the phases are nothing but joint training."""
    return [phase.learn for phase in spec.training.phases] == ["all"]


def _folded(stages: list[Stage], folds: int) -> list[Stage]:
    """Those before the last once without each fold, from the same weights with the same draws; then all."""
    *before, merge = stages
    without = [
        replace(
            stage,
            name=f"{stage.name}, without fold {fold + 1} of {folds}",
            folds=folds,
            fold=fold,
            restarts=number == 0,
            kept_as=kept_without(fold) if stage is before[-1] else None,
        )
        for fold in range(folds)
        for number, stage in enumerate(before)
    ]
    return [*without, replace(before[0], restarts=True), *before[1:], replace(merge, folds=folds)]


def _stages(spec: ForecasterSpec, phase: Phase) -> Iterator[Stage]:
    blocks = top_blocks(spec)
    count = len(blocks)
    match phase:
        case Phase(learn="layer by layer"):
            for first in range(count):
                stage = _stage(spec, phase, f"layer {first + 1} of {count}", first, first + 1, own_head=first + 1 < count)
                yield replace(stage, carries_head=first > 0)
        case Phase(learn="reconstruct"):
            for number, (first, autoencoder) in enumerate(autoencoders(blocks)):
                called = autoencoder.name or f"block {first + 1}"
                yield replace(_stage(spec, phase, f"reconstruct {called}", first, first + 1), rebuilds=number)
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
    # An autoencoder's decoder learns in the phase 'reconstruct' alone.
    for one in inside(block) if not isinstance(block, Autoencoder) else (block.encoder,):
        yield from _learners(one, phase, is_chosen)


def phase_faults(spec: ForecasterSpec, pointer: str) -> Iterator[Fault]:
    """What is wrong with the phases.

    Args:
        spec: the description.
        pointer: JSON pointer of `training`.
    """
    for number, phase in enumerate(spec.training.phases):
        yield from _faults_of(spec, phase, f"{pointer}/phases/{number}")
        if phase.folds is not None:
            yield from _fold_faults(spec, phase, number, f"{pointer}/phases/{number}/folds")
    if {phase.learn for phase in spec.training.phases} <= {"each branch", "reconstruct"}:
        yield from _merge_faults(spec, f"{pointer}/phases")


def _merge_faults(spec: ForecasterSpec, pointer: str) -> Iterator[Fault]:
    for block in top_blocks(spec):
        if isinstance(block, Connect) and block.merge in {"gate", "attention"}:
            sentence = (
                f"the weights of the merge {block.merge!r} would never learn: branches learn without it, and what follows it behind it"
            )
            yield Fault(pointer, "trains_nothing", f"{sentence}; put {{'learn': 'all'}} behind, or use another merge")


def _fold_faults(spec: ForecasterSpec, phase: Phase, number: int, pointer: str) -> Iterator[Fault]:
    if phase.learn != "each branch":
        yield Fault(pointer, "inert", f"folds are of a phase that learns 'each branch', and are {phase.folds} here; leave them out")
    elif number:
        sentence = f"an earlier phase has learnt from all windows, so that no branch would be without any of the {phase.folds} folds"
        yield Fault(pointer, "inert", f"{sentence}; put this phase first, or leave folds out")
    elif any(isinstance(block, Smooth) for block in every(spec.network)):
        sentence = (
            f"a block 'smooth' begins with parameters that are fitted to whole series, so that none is without any of the {phase.folds}"
        )
        yield Fault(pointer, "inert", f"{sentence} folds; leave folds or the block out")


def _faults_of(spec: ForecasterSpec, phase: Phase, pointer: str) -> Iterator[Fault]:
    said = [name for name in ("learn", "only", "freeze") if getattr(phase, name) is not None]
    blocks = top_blocks(spec)
    if len(said) != 1:
        yield Fault(pointer, "ambiguous", f"a phase has one of learn, only and freeze, and this one has {', '.join(said) or 'none'}")
    elif phase.learn == "layer by layer" and len(blocks) == 1:
        yield Fault(f"{pointer}/learn", "inert", "the network is no stack of several blocks, so 'layer by layer' does what 'all' does")
    elif phase.learn == "each branch" and not any(isinstance(block, Connect) for block in blocks):
        yield Fault(f"{pointer}/learn", "inert", "no block of the outermost stack is a connection, so there are no branches to train")
    elif phase.learn == "reconstruct":
        yield from reconstruct_faults(blocks, spec.training, phase, pointer)
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
