"""What is always known of a step? Where it lies in its hours, days and years, and how old its series is then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from app.series.calendar import calendar_features
from app.series.frequency import Frequency
from app.spec.inputs import CalendarFeature, Input

SHORTEST_KEPT, LONGEST_KEPT = 256, 1024
"""Steps whose calendar is computed at once, and kept for who asks of steps near them: some tens of kilobytes."""

Values = npt.NDArray[np.float64]
Ordinals = npt.NDArray[np.int64]
Features = tuple[CalendarFeature, ...]


@dataclass(frozen=True, eq=False)
class Turns:
    """What is always known of some steps.

    Attributes:
        waves: sine and cosine of each calendar feature, [sessions, steps], or of all sessions [1, steps].
        age: of the series, [sessions, steps]; None where no input has it.
    """

    waves: Mapping[str, tuple[Values, Values]]
    age: Values | None

    def of(self, group: Input) -> list[Values]:
        """Those that an input has."""
        waves = [wave for feature in group.features for wave in self.waves[feature]]
        return [*waves, self.age] if group.age and self.age is not None else waves


def turns_of(frequency: Frequency, features: Features, newest: Ordinals, born: Ordinals | None, first: int, steps: int) -> Turns:
    """What is always known of so many steps, from one on that is counted from the step behind the newest.

    Args:
        frequency: of the series.
        features: of the calendar.
        newest: the newest step of each session.
        born: the first observed one of each; None where no age is asked for.
        first: where the steps begin.
        steps: how many they are.
    """
    age = None
    if born is not None:
        age = np.log1p(np.maximum(_behind(frequency, newest, first, steps) - born[:, None], 0) / frequency.stride)
    if not features:
        return Turns({}, age)
    # Most who ask together ask of the same moments.
    moments = tuple(dict.fromkeys(newest.tolist()))
    if len(moments) == 1 and steps <= LONGEST_KEPT:
        waves = _near(frequency, features, moments[0], first, steps)
    else:
        waves = _waves(frequency, features, _behind(frequency, newest, first, steps))
    return Turns({feature: (waves[..., 2 * place], waves[..., 2 * place + 1]) for place, feature in enumerate(features)}, age)


def _behind(frequency: Frequency, newest: Ordinals, first: int, steps: int) -> Ordinals:
    """The steps of each session, [sessions, steps]."""
    return newest[:, None] + frequency.stride * (1 + first + np.arange(steps))


def _near(frequency: Frequency, features: Features, newest: int, first: int, steps: int) -> Values:
    """Waves of one session, [1, steps, 2 features], out of those of more steps: who goes on from one to the next finds them there."""
    size = max(SHORTEST_KEPT, 1 << (steps - 1).bit_length())
    step, rest = divmod(newest, frequency.stride)
    block, begin = divmod(step + 1 + first, size)
    return _kept(frequency, features, rest, block * size, 2 * size)[:, begin : begin + steps]


@lru_cache(maxsize=128)
def _kept(frequency: Frequency, features: Features, rest: int, begin: int, steps: int) -> Values:
    """Waves of steps that are counted from the first moment of all, and lie so far behind it. Nobody may change them."""
    return _waves(frequency, features, rest + frequency.stride * (begin + np.arange(steps))[None])


def _waves(frequency: Frequency, features: Features, ordinals: Ordinals) -> Values:
    """Sine and cosine of features, [sessions, steps, 2 features]."""
    return calendar_features(frequency.times(ordinals.ravel()), features).reshape(*ordinals.shape, -1)
