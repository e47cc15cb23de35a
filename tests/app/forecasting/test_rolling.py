"""A forecast at a cutoff is the one that the history up to there would have had; what is known ahead, and no more, lies behind it."""

import numpy as np
import pytest

from app.forecasting import rolling
from app.forecasting.rolling import forecasts_at, history_at
from app.series.frequency import parse_frequency
from app.series.panel import Panel
from app.series.windows import Cutoffs
from tests.app.forecasting.examples import HORIZON, START, forecaster_of

LENGTH, LEVELS = 20, (0.1, 0.9)


def panel(changed_from: int | None = None) -> Panel:
    """Two series of three columns; of the first, all but what is known ahead may be other from some step on."""
    generator = np.random.default_rng(4)
    columns = {name: 10 + generator.normal(size=2 * LENGTH) for name in ("y", "x", "z")}
    if changed_from is not None:
        for name in ("y", "z"):
            columns[name][changed_from:LENGTH] = -1e3
    return Panel(("a", "b"), parse_frequency("D"), np.array([START, START]), np.array([0, LENGTH, 2 * LENGTH]), columns)


def test_a_history_ends_at_its_cutoff_and_knows_ahead_only_what_is_known_ahead() -> None:
    whole = panel()
    history = history_at(forecaster_of(), whole, 1, LENGTH + 12)
    assert (history.unique_id, history.start) == ("b", START)
    assert {name: len(values) for name, values in history.columns.items()} == {"y": 12, "x": 12, "z": 12}
    assert list(history.future) == ["x"]
    np.testing.assert_array_equal(history.future["x"], whole.values(1, "x")[12 : 12 + HORIZON])


@pytest.mark.parametrize("over", ["window", "series"])
def test_nothing_after_a_cutoff_moves_a_forecast(monkeypatch: pytest.MonkeyPatch, over: str) -> None:
    monkeypatch.setattr(rolling, "LARGEST_BATCH", 1)
    forecaster, cutoffs = forecaster_of(scaling={"target": "standard", "over": over}), Cutoffs(np.array([0, 1]), np.array([12, LENGTH + 9]))
    first = list(forecasts_at(forecaster, panel(), cutoffs, LEVELS))
    assert [rows.shape for rows in first] == [(1, HORIZON, 3), (1, HORIZON, 3)]
    for rows, others in zip(first, forecasts_at(forecaster, panel(changed_from=12), cutoffs, LEVELS), strict=True):
        np.testing.assert_array_equal(rows, others)
    moved = next(iter(forecasts_at(forecaster, panel(changed_from=11), cutoffs, LEVELS)))
    assert (moved != first[0]).all()
