"""What should be changed? Sentences with a remedy, from the curves of a training and from how its gradients flow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

LONG_CONTEXT = 16
"""Steps below which a short memory is no finding."""

SHORT_MEMORY = 0.25
"""Of the context: a network that learns from less could do with a shorter one."""

SHALLOW_RATIO = 0.01
"""First layer's gradient over the last one's: what is less hardly learns."""

SATURATED, DEAD = 0.8, 0.3
"""Shares of gates and of units that are too many; chrono initialisation alone makes two gates of three nearly shut or open."""

OVERFITTED = 1.1
"""Validation loss at the end over the best one."""

STILL_FALLING = 0.98
"""Loss at the end over that of an epoch before: a fall by more than two in a hundred is not over."""

FEWEST_EPOCHS = 4
"""Of a curve that says anything."""


@dataclass(frozen=True)
class Finding:
    """Something to know of a training.

    Attributes:
        code: for programs.
        severity: `info` or `warning`.
        place: the block, or `training`.
        sentence: what was found, with its value.
        remedy: what to change.
    """

    code: str
    severity: str
    place: str
    sentence: str
    remedy: str


def advise(history: Sequence[tuple[float, float | None]], flow: Mapping[str, float], context: int) -> list[Finding]:
    """What a training says of itself.

    Args:
        history: training and validation loss of each epoch of its last stage.
        flow: see `worker.training.flow`.
        context: steps that the network sees.
    """
    return [*_from_curves(history), *_from_flow(flow, context)]


def _from_curves(history: Sequence[tuple[float, float | None]]) -> Iterator[Finding]:
    losses = [train for train, _ in history]
    seen = [val for _, val in history if val is not None]
    if len(history) < FEWEST_EPOCHS or len(seen) < len(history):
        return
    best = min(seen)
    if seen[-1] > OVERFITTED * best and losses[-1] < losses[seen.index(best)]:
        yield Finding(
            "overfitting",
            "warning",
            "training",
            f"after epoch {seen.index(best) + 1} the training loss fell on and the validation loss rose from {best:.4g} to {seen[-1]:.4g}",
            "use fewer units or layers, more dropout, weight decay with 'adamw', or more data; the best epoch's weights were kept",
        )
    elif seen[-1] < STILL_FALLING * seen[-2] and losses[-1] < STILL_FALLING * losses[-2]:
        yield Finding(
            "underfitting",
            "info",
            "training",
            f"both losses still fell by more than 2 % at the last epoch, the validation loss to {seen[-1]:.4g}",
            "train for more epochs, or with a higher learning rate",
        )


def _from_flow(flow: Mapping[str, float], context: int) -> Iterator[Finding]:
    for name, value in flow.items():
        kind, _, place = name.partition("/")
        if kind == "memory" and context >= LONG_CONTEXT and value < SHORT_MEMORY * context:
            yield Finding(
                "vanishing_in_time",
                "warning",
                place,
                f"{place} learns from the newest {value:.0f} of {context} steps: further back its gradient is below 1 % of its largest",
                "use 'lstm' or 'gru' with 'init': 'chrono', a dilation, the decoder 'forking', or a shorter context",
            )
        elif kind == "saturation" and value > SATURATED:
            yield Finding(
                "saturated",
                "warning",
                place,
                f"{value:.0%} of the gates of {place} are nearly shut or nearly open",
                "scale the target ('standard'), use 'layer_norm', or lower the learning rate",
            )
        elif kind == "dead_units" and value > DEAD:
            yield Finding(
                "dead_units",
                "warning",
                place,
                f"{value:.0%} of the units of {place} never change",
                "use fewer units, a lower learning rate, or 'tanh' in place of 'relu'",
            )
    if flow.get("depth_ratio", 1.0) < SHALLOW_RATIO:
        yield Finding(
            "vanishing_in_depth",
            "warning",
            "network",
            f"the first layer's gradient is {flow['depth_ratio']:.2g} of the last one's",
            "use 'residual' on the layers, or 'skip' on their stack, or train layer by layer",
        )
