"""How high is the learning rate beside the one that training begins with? Of step and epoch alone, but for a plateau's cuts."""

from __future__ import annotations

import math

from app.spec.schedules import OneCycleSchedule, PlateauSchedule, StepSchedule
from app.spec.training import Training


def factor_at(settings: Training, step: int, steps: int, epoch: int, cuts: int) -> float:
    """What the first rate is multiplied by.

    Args:
        settings: has the schedule and its warmup.
        step: steps of the stage that are done.
        steps: that it has at most.
        epoch: epochs of the stage that are done.
        cuts: that a plateau has made.
    """
    warm = round(settings.warmup * steps)
    if step < warm:
        return (step + 1) / (warm + 1)
    done = min((step - warm) / max(steps - warm, 1), 1.0)
    match settings.schedule:
        case "cosine":
            return _falling(done)
        case "constant":
            return 1.0
        case StepSchedule(every=every, factor=factor):
            return float(factor ** (epoch // every))
        case PlateauSchedule(factor=factor):
            return float(factor**cuts)
        case OneCycleSchedule(rise=rise, divide=divide):
            return (1.0 + (divide - 1.0) * done / rise) / divide if done < rise else _falling((done - rise) / (1.0 - rise))


def _falling(done: float) -> float:
    """The half of a cosine from 1 to 0, without restarts (Loshchilov and Hutter 2017)."""
    return 0.5 * (1.0 + math.cos(math.pi * done))


def is_cut_due(settings: Training, epoch: int, better_epoch: int, cut_epoch: int) -> bool:
    """Whether a plateau cuts the rate after this epoch.

    Args:
        settings: has the schedule.
        epoch: epochs of the stage that are done.
        better_epoch: the last one whose validation loss was better.
        cut_epoch: the one after which the rate was last cut, 0 for none.
    """
    return isinstance(settings.schedule, PlateauSchedule) and epoch - max(better_epoch, cut_epoch) >= settings.schedule.patience
