from typing import get_args

import numpy as np
import pytest

from app.errors import SeriesError
from app.series.calendar import calendar_features
from app.series.frequency import parse_frequency
from app.spec.inputs import CalendarFeature

FEATURES: tuple[CalendarFeature, ...] = get_args(CalendarFeature)
MONDAY = np.datetime64("2024-01-01T00:00", "us")


@pytest.mark.parametrize("feature", FEATURES)
def test_each_feature_is_a_point_on_the_circle(feature: CalendarFeature) -> None:
    values = calendar_features(parse_frequency("h").range(MONDAY, 24 * 400), [feature])
    assert values.shape == (24 * 400, 2)
    np.testing.assert_allclose((values**2).sum(axis=1), 1.0)
    assert values[0].tolist() == [0.0, 1.0]  # the first minute of a Monday, month, quarter and year


@pytest.mark.parametrize(
    ("feature", "freq", "steps"),
    [
        ("minute_of_hour", "min", 60),
        ("hour_of_day", "h", 24),
        ("day_of_week", "D", 7),
        ("month_of_year", "MS", 12),
        ("quarter_of_year", "QS", 4),
    ],
)
def test_a_feature_comes_back_after_its_period(feature: CalendarFeature, freq: str, steps: int) -> None:
    values = calendar_features(parse_frequency(freq).range(MONDAY, 3 * steps), [feature])
    np.testing.assert_allclose(values[steps:], values[:-steps], atol=1e-12)
    assert len(np.unique(values[:steps].round(9), axis=0)) == steps


def test_times_before_1970_have_a_calendar_too() -> None:
    before = np.array(["1969-12-29T06:00"], dtype="datetime64[us]")  # a Monday
    after = np.array(["1970-01-05T06:00"], dtype="datetime64[us]")
    np.testing.assert_allclose(
        calendar_features(before, ["hour_of_day", "day_of_week"]), calendar_features(after, ["hour_of_day", "day_of_week"])
    )


def test_features_stand_in_the_order_given() -> None:
    times = parse_frequency("h").range(MONDAY, 5)
    both = calendar_features(times, ["day_of_week", "hour_of_day"])
    np.testing.assert_array_equal(both[:, 2:], calendar_features(times, ["hour_of_day"]))


def test_no_features_are_no_columns() -> None:
    assert calendar_features(np.arange(3), []).shape == (3, 0)


def test_step_numbers_have_no_calendar() -> None:
    with pytest.raises(SeriesError, match="the times are whole numbers and have no hour_of_day; leave `features` out"):
        calendar_features(np.arange(3), ["hour_of_day"])
