"""The calendar of steps is that of their moments, wherever they lie in what is kept."""

import numpy as np
import pytest

from app.forecasting.turns import LONGEST_KEPT, SHORTEST_KEPT, turns_of
from app.series.calendar import calendar_features
from app.series.frequency import parse_frequency
from app.spec.inputs import CalendarFeature

FEATURES: tuple[CalendarFeature, ...] = ("hour_of_day", "day_of_week", "month_of_year")


@pytest.mark.parametrize("start", ["1969-12-30T22:30:00", "2024-02-28T23:00:00"])
@pytest.mark.parametrize("freq", ["15min", "h", "2h", "D", "W", "MS", "QE"])
@pytest.mark.parametrize(("first", "steps"), [(0, 1), (-96, 96), (0, SHORTEST_KEPT), (-600, 600), (0, LONGEST_KEPT), (0, LONGEST_KEPT + 1)])
def test_a_step_has_the_calendar_of_its_moment(start: str, freq: str, first: int, steps: int) -> None:
    frequency = parse_frequency(freq)
    begin = frequency.ordinals(np.array([start], dtype="datetime64[us]"))
    for ahead in (0, 1, SHORTEST_KEPT - 1, SHORTEST_KEPT, 1000):
        newest = begin + frequency.stride * ahead
        moments = frequency.times(newest[0] + frequency.stride * (1 + first + np.arange(steps)))
        expected = calendar_features(moments, FEATURES)
        found = turns_of(frequency, FEATURES, newest, None, first, steps).waves
        for place, feature in enumerate(FEATURES):
            sine, cosine = found[feature]
            np.testing.assert_array_equal(sine, expected[None, :, 2 * place])
            np.testing.assert_array_equal(cosine, expected[None, :, 2 * place + 1])


def test_sessions_at_other_moments_have_each_its_own() -> None:
    frequency = parse_frequency("h")
    newest = frequency.ordinals(np.array(["2024-01-01T05", "2024-01-01T23"], dtype="datetime64[us]"))
    sine, _ = turns_of(frequency, ("hour_of_day",), newest, None, 0, 2).waves["hour_of_day"]
    np.testing.assert_allclose(sine, np.sin(2 * np.pi * np.array([[6, 7], [0, 1]]) / 24), atol=1e-12)


def test_an_age_is_counted_from_each_sessions_first_observation() -> None:
    found = turns_of(parse_frequency("1"), (), np.array([9, 9]), np.array([0, 8]), 0, 2)
    assert found.age is not None
    np.testing.assert_allclose(found.age, np.log1p([[10, 11], [2, 3]]))
    assert found.waves == {}
