"""Which options of a training do nothing, or cannot be together?"""

from __future__ import annotations

from collections.abc import Iterator

from app.spec.forecaster import ForecasterSpec
from app.spec.inputs import Input
from app.spec.schedules import OneCycleSchedule, PlateauSchedule, StepSchedule
from app.spec.training import Training

Option = tuple[str, str, str]
"""The option's key, a code, and a sentence."""


def training_faults(spec: ForecasterSpec) -> Iterator[Option]:
    """What is wrong with `training`, beside its phases; places are within the document."""
    training = spec.training
    if training.weight_decay != Training().weight_decay and training.optimizer == "adam":
        yield "training/weight_decay", "inert", "weight_decay belongs to the optimizers 'adamw', 'sgd' and 'rmsprop'"
    if training.momentum != Training().momentum and training.optimizer in {"adam", "adamw"}:
        yield "training/momentum", "inert", f"{training.optimizer!r} has a momentum of its own; momentum belongs to 'sgd' and 'rmsprop'"
    if training.patience not in {None, Training().patience} and training.patience >= training.epochs:
        sentence = f"a patience of {training.patience} never ends a training of {training.epochs} epochs; make it smaller, or null"
        yield "training/patience", "inert", sentence
    if training.input_noise and not any(noisy_columns(group) for group in spec.inputs.values()):
        sentence = f"no input has a column that is known up to the cutoff only, so that a noise of {training.input_noise:g} has nothing"
        yield "training/input_noise", "inert", f"{sentence} to be added to; leave it out"
    if training.members > 1 and any(phase.folds is not None for phase in training.phases):
        yield "training/members", "with_folds", "members with folds would train each fold once more for each; leave members or folds out"
    yield from _context_faults(spec)
    yield from _batch_faults(training)
    yield from _schedule_faults(training)


def noisy_columns(group: Input) -> int:
    """Of how many of its first numbers a step of an input has noise: of its columns, where they are known up to the cutoff only."""
    return len(group.columns) if group.known == "past" else 0


def _context_faults(spec: ForecasterSpec) -> Iterator[Option]:
    members, contexts, context = spec.training.members, spec.training.contexts or (), spec.context
    if list(contexts) != sorted(set(contexts)):
        yield "training/contexts", "not_rising", f"contexts rise, and these are {list(contexts)}"
    if contexts and len(contexts) >= members:
        sentence = f"members have the document's context and these {len(contexts)} in turn, and there are {members} of them"
        yield "training/contexts", "inert", f"{sentence}; make 'members' at least {len(contexts) + 1}, or leave some out"
    for place, one in enumerate(contexts):
        if context is not None and one >= context:
            sentence = f"a member reads the newest part of the document's {context} steps, and {one} is no part of them"
            yield f"training/contexts/{place}", "too_large", f"{sentence}; make it smaller, or 'context' the longest one"


def _batch_faults(training: Training) -> Iterator[Option]:
    if training.batch_size != "full":
        return
    if training.accumulate > 1:
        sentence = f"a step of all windows has none to add, so that an accumulate of {training.accumulate} does nothing; leave it out"
        yield "training/accumulate", "inert", sentence
    if training.steps_per_epoch != Training().steps_per_epoch:
        sentence = f"an epoch of a full batch is one step, so that {training.steps_per_epoch} at most does nothing; leave it out"
        yield "training/steps_per_epoch", "inert", sentence


def _schedule_faults(training: Training) -> Iterator[Option]:
    epochs = [phase.epochs or training.epochs for phase in training.phases]
    patiences = [phase.patience if "patience" in phase.model_fields_set else training.patience for phase in training.phases]
    schedule = training.schedule
    if isinstance(schedule, OneCycleSchedule) and training.warmup:
        sentence = f"'one_cycle' rises by itself, so that a warmup of {training.warmup:g} would rise twice; leave it out, or use its 'rise'"
        yield "training/warmup", "inert", sentence
    if isinstance(schedule, StepSchedule) and schedule.every >= max(epochs):
        sentence = f"the rate would be cut after {schedule.every} epochs, and training takes {max(epochs)} at most; make it smaller"
        yield "training/schedule/every", "inert", sentence
    if isinstance(schedule, PlateauSchedule):
        ends = max(most if patience is None else min(most, patience) for most, patience in zip(epochs, patiences, strict=True))
        if schedule.patience >= ends:
            sentence = f"the rate would be cut after {schedule.patience} epochs without a better loss, and training ends after {ends}"
            yield "training/schedule/patience", "inert", f"{sentence}; make it smaller than the training's patience and its epochs"
    elif training.min_delta and all(patience is None for patience in patiences):
        sentence = f"patience is null, so that nothing asks whether the loss fell by {training.min_delta:g}; leave it out, or be patient"
        yield "training/min_delta", "inert", sentence
