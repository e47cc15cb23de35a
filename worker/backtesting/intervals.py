"""Do the model's intervals hold what they say, and what would make them? Coverage before and after a split conformal correction.

The margins of a window come from earlier windows alone, and of these from those whose targets had all come when it was forecast, so
that every corrected interval could have been given on its day. The first windows have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from app.series.conformal import margins, outside_scores, widen
from app.series.scores import coverage, msis
from worker.backtesting.windows import LEVELS, MODEL, QUANTILES, Window, known

Values = npt.NDArray[np.float64]


def interval_answers(windows: Sequence[Window], step: int) -> list[dict[str, Any]]:
    """One answer a level.

    Args:
        windows: oldest first.
        step: steps from one cutoff to the next.
    """
    return [_answer(windows, step, level) for level in LEVELS]


def earlier(windows: Sequence[Window], number: int, step: int) -> list[Window]:
    """The windows whose last target comes before a window's first: those that a correction of it may learn from."""
    horizon = windows[number].actual.shape[1]
    return [windows[other] for other in range(number) if (number - other) * step >= horizon]


def bounds_of(window: Window, level: float) -> tuple[Values, Values]:
    """The model's interval of a level."""
    low, high = (1 + QUANTILES.index(round(0.5 + sign * level / 2, 6)) for sign in (-1, 1))
    forecast = window.forecasts.by[MODEL]
    return forecast[..., low], forecast[..., high]


def _answer(windows: Sequence[Window], step: int, level: float) -> dict[str, Any]:
    corrected: list[tuple[Window, Values, Values]] = []
    for number, window in enumerate(windows):
        margin = _margins(earlier(windows, number, step), level)
        if margin is not None and len(window.cutoffs):
            corrected.append((window, *widen(*bounds_of(window, level), window.scales, margin)))
    own = [(window, *bounds_of(window, level)) for window in windows]
    same = [(window, *_where_corrected(bounds_of(window, level), wide)) for window, wide, _ in corrected]
    now = _margins(list(windows), level)
    return {
        "level": round(100 * level),
        **_measured(own, level),
        "corrected": {"windows": len(corrected), **_measured(corrected, level)} if corrected else None,
        "uncorrected_same_windows": _measured(same, level) if corrected else None,
        "margins": None if now is None else [known(margin) for margin in now],
    }


def _where_corrected(bounds: tuple[Values, Values], corrected: Values) -> tuple[Values, Values]:
    """Bounds without those of rows that have no scale, and so no correction."""
    return np.where(np.isfinite(corrected), bounds[0], np.nan), bounds[1]


def _margins(windows: Sequence[Window], level: float) -> Values | None:
    scores = [outside_scores(window.actual, *bounds_of(window, level), window.scales) for window in windows]
    return margins(np.concatenate(scores), level) if scores else None


def _measured(parts: Sequence[tuple[Window, Values, Values]], level: float) -> dict[str, float | None]:
    """Coverage and mean scaled interval score of some windows' intervals."""
    actual, scales = np.concatenate([part[0].actual for part in parts]), np.concatenate([part[0].scales for part in parts])
    low, high = np.concatenate([part[1] for part in parts]), np.concatenate([part[2] for part in parts])
    found = {"coverage": coverage(actual, low, high), "msis": msis(actual, low, high, scales, level)}
    return {name: known(value) for name, value in found.items()}
