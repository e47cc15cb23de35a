"""Forecasts of many series are arrays; each series' own are views of them."""

import numpy as np

from app.forecasting.forecasts import Forecasts

LEVELS = (0.1, 0.9)
SERIES, STEPS = 3, 4


def some(first: int = 0, paths: int = 0) -> Forecasts:
    rows = np.arange(first, first + SERIES)
    mean = (10 * rows[:, None] + np.arange(STEPS + 1)).astype(np.float64)
    drawn = np.broadcast_to(mean[:, None], (SERIES, paths, STEPS + 1))
    times = rows[:, None] + np.arange(STEPS)
    return Forecasts.of([f"s{row}" for row in rows], times, mean, np.stack([mean - 1, mean + 1], axis=2), LEVELS, drawn)


def test_each_series_has_its_own_up_to_the_horizon() -> None:
    found = some(paths=2)
    assert len(found) == SERIES
    for row, one in enumerate(found):
        assert one.unique_id == f"s{row}"
        assert one.times.tolist() == [row, row + 1, row + 2, row + 3]
        assert one.mean.tolist() == [10 * row, 10 * row + 1, 10 * row + 2, 10 * row + 3]
        assert (one.quantiles[0.1] == one.mean - 1).all()
        assert (one.quantiles[0.9] == one.mean + 1).all()
        assert one.paths.shape == (2, STEPS)
    assert (found.mean == [one.mean for one in found]).all()
    assert (found.quantile(0.9) == [one.quantiles[0.9] for one in found]).all()


def test_parts_are_joined_in_their_order() -> None:
    parts = [some(0, paths=1), some(SERIES, paths=1)]
    joined = Forecasts.joined(parts)
    assert joined.levels == LEVELS
    assert list(joined.unique_ids) == [f"s{row}" for row in range(2 * SERIES)]
    for row, one in enumerate(joined):
        own = parts[row // SERIES][row % SERIES]
        assert (one.times == own.times).all()
        assert (one.mean == own.mean).all()
        assert (one.paths == own.paths).all()
