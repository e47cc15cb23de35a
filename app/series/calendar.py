"""Where in its hour, day, week, month and year does a timestamp lie?

Each feature is an angle on its period and gives a sine and a cosine, so that the last step of a period is next to the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, assert_never

import numpy as np
import numpy.typing as npt

from app.errors import SeriesError
from app.series.frequency import Times
from app.spec.inputs import CalendarFeature

MINUTES = 60_000_000
HOURS = 60 * MINUTES
DAYS = 24 * HOURS
EPOCH_WEEKDAY = 3
"""1 January 1970 was a Thursday; Monday is 0."""


def calendar_features(times: Times, features: Sequence[CalendarFeature]) -> npt.NDArray[np.float64]:
    """Sine and cosine of each feature, in the order given; float64 [times, 2 features].

    Raises:
        SeriesError: when the times are step numbers, which have no calendar.
    """
    if not features:
        return np.empty((len(times), 0))
    if times.dtype.kind != "M":
        raise SeriesError(
            f"the times are whole numbers and have no {features[0]}; leave `features` out, or upload timestamps", code="no_calendar"
        )
    stamps = times.astype("datetime64[us]", copy=False)
    # Written where they belong: stacking takes longer than a few of them.
    waves = np.empty((len(times), 2 * len(features)))
    for place, feature in enumerate(features):
        angle = _turn(stamps, feature) * (2 * np.pi)
        waves[:, 2 * place], waves[:, 2 * place + 1] = np.sin(angle), np.cos(angle)
    return waves


def _turn(stamps: npt.NDArray[np.datetime64], feature: CalendarFeature) -> npt.NDArray[np.float64]:
    """How far into its period each stamp is, from 0 up to 1."""
    phase, period = _phase(stamps, feature)
    turn: npt.NDArray[np.float64] = phase % period / period
    return turn


def _phase(stamps: npt.NDArray[np.datetime64], feature: CalendarFeature) -> tuple[npt.NDArray[np.int64], int]:
    """Units since the period began, and how many of them the longest period has."""
    micros = stamps.astype(np.int64)
    match feature:
        case "minute_of_hour":
            return micros // MINUTES, 60
        case "hour_of_day":
            return micros // HOURS, 24
        case "day_of_week":
            return micros // DAYS + EPOCH_WEEKDAY, 7
        case "day_of_month":
            return _days_into(stamps, "datetime64[M]"), 31
        case "day_of_year":
            return _days_into(stamps, "datetime64[Y]"), 366
        case "week_of_year":
            return _days_into(stamps, "datetime64[Y]") // 7, 53
        case _:
            return _months(stamps, feature)


def _months(stamps: npt.NDArray[np.datetime64], feature: Literal["month_of_year", "quarter_of_year"]) -> tuple[npt.NDArray[np.int64], int]:
    months = stamps.astype("datetime64[M]").astype(np.int64)
    match feature:
        case "month_of_year":
            return months, 12
        case "quarter_of_year":
            return months // 3, 4
        case _:
            assert_never(feature)


def _days_into(stamps: npt.NDArray[np.datetime64], period: Literal["datetime64[M]", "datetime64[Y]"]) -> npt.NDArray[np.int64]:
    days = stamps.astype("datetime64[D]")
    since: npt.NDArray[np.int64] = (days - days.astype(period).astype("datetime64[D]")).astype(np.int64)
    return since
