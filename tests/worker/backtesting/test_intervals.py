"""A correction learns from windows whose targets had all come, and its coverage is measured on what it never saw."""

import numpy as np
import pytest

from app.series.conformal import margins, outside_scores
from app.series.windows import Cutoffs
from worker.backtesting.intervals import bounds_of, earlier, interval_answers
from worker.backtesting.windows import MODEL, QUANTILES, Forecasts, Window

SERIES, HORIZON = 60, 3


def window(seed: int, width: float = 0.5, spread: float = 1.0) -> Window:
    """Noise of a standard deviation, forecast as 0 with intervals of some half-width for 80 % and twice that for 95 %."""
    actual = spread * np.random.default_rng(seed).standard_normal((SERIES, HORIZON))
    bounds = {0.025: -2 * width, 0.1: -width, 0.5: 0.0, 0.9: width, 0.975: 2 * width}
    forecast = np.zeros((SERIES, HORIZON, 1 + len(QUANTILES)))
    for place, level in enumerate(QUANTILES):
        forecast[..., 1 + place] = bounds[level]
    everyone = np.arange(SERIES, dtype=np.int64)
    return Window(Cutoffs(everyone, everyone), actual, np.full(SERIES, 2.0), np.ones(SERIES), Forecasts({MODEL: forecast}))


def test_a_window_is_corrected_by_those_that_were_over_when_it_began() -> None:
    windows = [window(seed) for seed in range(4)]
    assert [len(earlier(windows, number, step=HORIZON)) for number in range(4)] == [0, 1, 2, 3]
    assert [len(earlier(windows, number, step=1)) for number in range(4)] == [0, 0, 0, 1]
    assert earlier(windows, 3, step=1) == windows[:1]


def test_intervals_that_are_too_narrow_hold_what_they_say_once_corrected() -> None:
    for found, level in zip(interval_answers([window(seed) for seed in range(6)], HORIZON), (0.8, 0.95), strict=True):
        assert found["level"] == round(100 * level)
        assert found["coverage"] < level - 0.15
        assert found["uncorrected_same_windows"]["coverage"] < level - 0.15
        assert found["corrected"]["windows"] == 5
        assert found["corrected"]["coverage"] == pytest.approx(level, abs=0.03)
        assert found["corrected"]["msis"] < found["uncorrected_same_windows"]["msis"]


def test_intervals_that_are_too_wide_are_made_narrower() -> None:
    found = interval_answers([window(seed, width=4.0) for seed in range(6)], HORIZON)[0]
    assert found["coverage"] > 0.99
    assert found["corrected"]["coverage"] == pytest.approx(0.8, abs=0.03)
    assert max(found["margins"]) < 0


def test_what_a_window_came_to_changes_no_correction_of_it_or_before() -> None:
    calm = [window(seed) for seed in range(3)]
    wild = [*calm[:2], window(2, spread=50.0)]
    for found, other in zip(interval_answers(calm, HORIZON), interval_answers(wild, HORIZON), strict=True):
        assert found["corrected"]["coverage"] > other["corrected"]["coverage"] + 0.2
        assert found["margins"] != other["margins"]
    assert interval_answers(calm[:2], HORIZON) == interval_answers(wild[:2], HORIZON)


def test_margins_are_those_of_all_windows_in_units_of_the_seasonal_error() -> None:
    windows = [window(seed) for seed in range(2)]
    scores = np.concatenate([outside_scores(one.actual, *bounds_of(one, 0.8), one.scales) for one in windows])
    expected = margins(scores, 0.8)
    assert expected is not None
    assert interval_answers(windows, HORIZON)[0]["margins"] == pytest.approx(expected.tolist(), rel=1e-5)


def test_a_single_window_has_no_correction() -> None:
    found = interval_answers([window(0)], HORIZON)[0]
    assert found["corrected"] is None
    assert found["uncorrected_same_windows"] is None
