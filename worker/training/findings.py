"""What should be changed? What a training says of itself epoch by epoch, put in sentences with a way out.

vanishing_in_time    it learns from the newest steps alone          dead_units     units give the same always
vanishing_in_depth   the first layers hardly learn                  step_size      weights move too far at once, or not at all
exploding            gradients grow, in time or as it learns        clipped        gradients are cut at most steps
wide_radius          recurrent weights are about to make them       overfitting    training and validation part ways
saturated            gates have no slope to learn by                underfitting   it is not done, or it cannot
no_validation        no series is long enough to hold steps back to stop by

A finding is what the numbers say, not what the scores say: a network with any of them may still be the best there is.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from app.series.panel import Panel
from app.spec.forecaster import ForecasterSpec
from app.spec.resolve import HELD_OUT_HORIZONS
from worker.training.looks import LayerLook, Look
from worker.training.state import EpochFacts

LONG_CONTEXT = 16
"""Steps, below which a quarter is so few that the draw of the weights decides it."""

SHORT_MEMORY = 0.25
"""Of the steps that a layer reads: with less than that, most of what is read costs time and teaches nothing."""

SHALLOW_RATIO = 0.01
"""First block's gradient over the last one's: under plain descent its weights move a hundredth as far."""

WIDEST_RADIUS = 2.0
"""Largest eigenvalue of recurrent weights: an orthogonal matrix has 1, and what is doubled at every step explodes."""

EXPLODED_GROWTH = 100.0
"""Largest gradient of a state over all that the loss puts in at all steps together: at most 1 where nothing grows on its way back."""

GROWN = 10.0
"""The same, from which on a wide radius is told: gates that are shut or open keep many a gradient from growing by it."""

HEALTHY_NORM = 1.0
"""Of a gradient, about: losses are of scaled values."""

RISEN = 10.0
"""Times that the gradient norm of the latest epochs is that of the first ones."""

EXPLODED_NORM = 100.0
"""Median gradient norm, see HEALTHY_NORM."""

MOSTLY_CLIPPED = 0.5
"""Of the steps: clipping is for the odd step; when it is the rule, it is what sets the learning rate."""

SATURATED = 0.6
"""Of gate values. Chrono initialisation alone, which wants two gates of four shut or open, makes up to a half."""

DEAD = 0.3
"""Of a layer's units: some are always idle after `relu`; a third is a smaller network at the price of a larger."""

LARGEST_UPDATE, SMALLEST_UPDATE = 1e-1, 1e-6
"""|dw| / |w| of a step; about 1e-3 is healthy. At 1e-1 ten steps replace the weights, at 1e-6 a whole training does not."""

OVERFITTED = 0.1
"""Rise of the validation loss above its best, which an epoch's noise alone seldom makes."""

FALLING = 0.02
"""Fall of a loss per epoch that is not over: fifty such epochs more would take two thirds of it."""

LATEST = 3
"""Epochs whose fall is looked at: one may be an accident."""

UNMOVED = 0.05
"""Fall of the training loss from its first epoch's mean to the last one's, that is hardly any."""

FEWEST_EPOCHS = 4
"""Of a curve that says anything."""

TRAINING = "training"
"""The place of what is no layer's."""


@dataclass(frozen=True)
class Finding:
    """Something to know of a training.

    Attributes:
        code: for programs.
        severity: `warning` where something is wrong, `info` where something could be better.
        place: the layer, or `training`.
        value: what was compared with the rule.
        sentence: the place, the value and the rule.
        remedy: what to change.
    """

    code: str
    severity: Literal["info", "warning"]
    place: str
    value: float
    sentence: str
    remedy: str


def find(history: Sequence[EpochFacts], look: Look) -> list[Finding]:
    """What a training says of itself.

    Args:
        history: of one stage, in order: losses of two stages have two heads.
        look: at the gradients.
    """
    of_layers = [finding for layer in look.layers for finding in _of_layer(layer)]
    return [*_of_memory(look.layers), *_of_depth(look.depth_ratio), *of_layers, *_of_norms(history), *_of_losses(history)]


def find_in(panel: Panel, spec: ForecasterSpec) -> list[Finding]:
    """What a training says of its data.

    Args:
        panel: what it was trained on, with what `min_context` puts before each series.
        spec: complete.
    """
    context, horizon = spec.least_context, spec.horizon or 1
    needed = context + HELD_OUT_HORIZONS * horizon
    longest = int(panel.lengths.max(initial=0)) - (spec.context or 1) + context
    if longest >= needed:
        return []
    sentence = (
        f"the longest series has {longest} steps; to hold some back to stop by, a context of {context} and {HELD_OUT_HORIZONS} horizons of "
        f"{horizon} want {needed}, so all epochs were run"
    )
    remedy = "upload longer series, or ask for a shorter horizon or context"
    return [Finding("no_validation", "info", TRAINING, float(longest), sentence, remedy)]


def _of_memory(layers: Sequence[LayerLook]) -> Iterator[Finding]:
    # Behind what shortens a sequence there are few steps, and nothing to forget.
    long = [layer for layer in layers if layer.steps >= LONG_CONTEXT]
    forgetful = [layer for layer in long if layer.memory < SHORT_MEMORY * layer.steps]
    # What a layer forgets may be kept by the one that it reads, so one alone says nothing.
    if 2 * len(forgetful) <= len(long):
        return
    worst = max(forgetful, key=lambda layer: layer.memory)
    how_many = "" if len(long) == 1 else f", as {len(forgetful)} of {len(long)} layers do or less"
    yield Finding(
        "vanishing_in_time",
        "warning",
        worst.place,
        float(worst.memory),
        f"{worst.place} learns from the newest {worst.memory} of {worst.steps} steps, less than a quarter{how_many}: its older states' "
        "gradient is below 1 % of the largest",
        "use 'lstm', whose forget gate begins open, or 'lstm' or 'gru' with 'init': 'chrono'; a 'dilation'; a 'segment' before it; "
        "the decoder 'forking'; or a shorter context",
    )


def _of_depth(ratio: float | None) -> Iterator[Finding]:
    if ratio is not None and ratio < SHALLOW_RATIO:
        yield Finding(
            "vanishing_in_depth",
            "warning",
            "network",
            ratio,
            f"the gradient of network's first recurrent block is {ratio:.2g} of the last one's; below {SHALLOW_RATIO:g} it hardly learns",
            "set 'residual' on the layers or 'skip' on their stack, use fewer layers, or train them 'layer by layer'",
        )


def _of_layer(layer: LayerLook) -> Iterator[Finding]:
    place, share = layer.place, layer.saturation
    if share is not None and share > SATURATED:
        yield Finding(
            "saturated",
            "warning",
            place,
            share,
            f"{share:.0%} of the gate values of {place} are at their bounds, where they have hardly a slope; more than {SATURATED:.0%}",
            "scale the target ('standard') and the covariates, set 'layer_norm' on the layer before it, or lower training.lr",
        )
    if layer.dead_units > DEAD:
        yield Finding(
            "dead_units",
            "warning",
            place,
            layer.dead_units,
            f"{layer.dead_units:.0%} of the units of {place} give the same at every step, more than {DEAD:.0%}",
            "use fewer units, lower training.lr, or take 'tanh' in place of 'relu'",
        )
    if layer.update_ratio is not None and not SMALLEST_UPDATE <= layer.update_ratio <= LARGEST_UPDATE:
        yield _step_size(place, layer.update_ratio)
    yield from _of_growth(layer)


def _of_growth(layer: LayerLook) -> Iterator[Finding]:
    place, growth, radius = layer.place, layer.growth, layer.radius
    if growth is not None and growth > EXPLODED_GROWTH:
        why = "" if radius is None else f"; the largest eigenvalue of its recurrent weights has size {radius:.2g}"
        sentence = f"the gradient of the states of {place} grows {growth:.3g} times on its way back, more than {EXPLODED_GROWTH:g}{why}"
        remedy = (
            "set training.clip_norm to 1, lower training.lr, set its 'l2', or use 'tanh' in place of 'relu', or 'lstm' or 'gru': recurrent "
            "weights begin orthogonal, with eigenvalues of size 1"
        )
        yield Finding("exploding", "warning", place, growth, sentence, remedy)
    elif growth is not None and growth > GROWN and radius is not None and radius > WIDEST_RADIUS:
        sentence = (
            f"the recurrent weights of {place} have an eigenvalue of size {radius:.2g}, above {WIDEST_RADIUS:g}, and the gradient of its "
            f"states grows {growth:.3g} times on its way back"
        )
        yield Finding("wide_radius", "info", place, radius, sentence, "lower training.lr, set its 'l2', or training.clip_norm to 1")


def _step_size(place: str, ratio: float) -> Finding:
    is_large = ratio > LARGEST_UPDATE
    return Finding(
        "step_size",
        "warning" if is_large else "info",
        place,
        ratio,
        f"a step changes the weights of {place} by {ratio:.1g} of their size, {'above' if is_large else 'below'} "
        f"{LARGEST_UPDATE if is_large else SMALLEST_UPDATE:g}; about 0.001 is healthy",
        "lower training.lr" if is_large else "raise training.lr, or stop: there is nothing left to learn",
    )


def _of_norms(history: Sequence[EpochFacts]) -> Iterator[Finding]:
    finite = [epoch.grad_norm for epoch in history if math.isfinite(epoch.grad_norm)]
    if not finite:
        return
    norm, clipped = statistics.median(finite), statistics.median(epoch.clipped for epoch in history)
    first, last = statistics.median(finite[:LATEST]), statistics.median(finite[-LATEST:])
    has_risen = len(finite) >= 2 * LATEST and last > RISEN * first and last > HEALTHY_NORM
    if norm > EXPLODED_NORM or has_risen:
        sentence = f"the gradient norm of training has a median of {norm:.3g}, above {EXPLODED_NORM:g}"
        if has_risen:
            sentence = f"the gradient norm of training rose from {first:.3g} to {last:.3g}, more than {RISEN:g} times"
        remedy = "set training.clip_norm to 1, lower training.lr, scale the target, or use 'lstm' or 'gru' in place of 'elman' with 'relu'"
        yield Finding("exploding", "warning", TRAINING, last if has_risen else norm, sentence, remedy)
    elif clipped > MOSTLY_CLIPPED and len(history) >= FEWEST_EPOCHS:
        sentence = f"{clipped:.0%} of the steps of training are clipped, more than {MOSTLY_CLIPPED:.0%}: clipping sets the rate"
        yield Finding("clipped", "info", TRAINING, clipped, sentence, "lower training.lr, scale the target, or raise training.clip_norm")


def _of_losses(history: Sequence[EpochFacts]) -> Iterator[Finding]:
    train = [epoch.train_loss for epoch in history]
    val = [epoch.val_loss for epoch in history if epoch.val_loss is not None]
    if len(train) < FEWEST_EPOCHS or not all(map(math.isfinite, [*train, *val])):
        return
    best = val.index(min(val)) if len(val) == len(train) else None
    falls = [_fall_per_epoch(losses) for losses in (train, val) if len(losses) == len(train)]
    moved = (train[0] - train[-1]) / _size(train)
    if best is not None and best < len(val) / 2 and (rise := (val[-1] - val[best]) / _size(val)) >= OVERFITTED and train[-1] < train[best]:
        yield _overfitting(history, best, rise)
    elif min(falls) > FALLING:
        yield Finding(
            "underfitting",
            "info",
            TRAINING,
            min(falls),
            f"the losses of training still fell by {min(falls):.1%} an epoch at its end, more than {FALLING:.0%}",
            "raise training.epochs or training.lr",
        )
    elif moved < UNMOVED:
        yield Finding(
            "underfitting",
            "info",
            TRAINING,
            moved,
            f"the loss of training fell by {moved:.1%} since its first epoch, less than {UNMOVED:.0%}: it was learnt at once or not at all",
            "use more units, raise training.lr, or give it more inputs",
        )


def _overfitting(history: Sequence[EpochFacts], best: int, rise: float) -> Finding:
    return Finding(
        "overfitting",
        "warning",
        TRAINING,
        rise,
        f"the validation loss of training was best in epoch {best + 1} and is {rise:.0%} higher now, {OVERFITTED:.0%} or more, "
        "while the training loss fell on",
        "use fewer units or layers, more dropout, training.weight_decay with 'adamw', more data, or a smaller training.patience; the "
        "weights of the best epoch are kept",
    )


def _fall_per_epoch(losses: Sequence[float]) -> float:
    """Mean share that the latest epochs took of what the first of them had."""
    start, end = losses[-LATEST], losses[-1]
    return (start - end) / (LATEST - 1) / (abs(start) if min(losses) > 0.0 else _size(losses))


def _size(losses: Sequence[float]) -> float:
    """What a change of a loss is a share of: its best value, or, as a likelihood's zero means nothing, all of its way if it goes below."""
    size = min(losses) if min(losses) > 0.0 else max(losses) - min(losses)
    return max(size, 1e-12)
