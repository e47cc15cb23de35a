"""Which windows does each step of an epoch learn from? All of them once, or as many as there are steps for, drawn anew each epoch."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from app.spec.compile import compile_spec
from app.spec.forecaster import ForecasterSpec
from app.spec.limits import UNLIMITED
from app.spec.training import Training

LOOK_BATCHES = 100
"""Batches between two looks at the gradients, each of which costs as much as one to two and a half of them."""


def windows_at_once(spec: ForecasterSpec) -> int:
    """Windows that the network computes at once: a batch, or a part of a full one that fits into memory."""
    size = spec.training.batch_size
    return compile_spec(spec, UNLIMITED).batch if size == "full" else size


def windows_of_step(settings: Training, windows: int) -> int:
    """Windows of a step: of some batches, or all that there are."""
    return max(windows, 1) if settings.batch_size == "full" else settings.batch_size * settings.accumulate


def steps_of_epoch(settings: Training, windows: int) -> int:
    """Steps of an epoch of so many windows; the last one may have fewer than the others."""
    return min(settings.steps_per_epoch, math.ceil(windows / windows_of_step(settings, windows)))


def draw_epoch(settings: Training, draw: int, epoch: int, windows: int) -> npt.NDArray[np.int64]:
    """The windows of an epoch in the order of its steps, drawn without replacement from the seed, the stage and the epoch alone.

    Args:
        settings: have the seed.
        draw: what tells the stages apart.
        epoch: the stage's epochs before it.
        windows: that there are.
    """
    wanted = min(steps_of_epoch(settings, windows) * windows_of_step(settings, windows), windows)
    return np.random.default_rng((settings.seed, draw, epoch)).choice(windows, wanted, replace=False).astype(np.int64)


def is_look_due(epoch: int, batches: int) -> bool:
    """Whether enough batches have passed after an epoch for another look at the gradients to cost next to nothing: of the epoch alone.

    Args:
        epoch: of a stage, from 1.
        batches: that an epoch has.
    """
    return epoch % math.ceil(LOOK_BATCHES / batches) == 0
