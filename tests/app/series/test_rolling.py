import numpy as np

from app.series.frequency import parse_frequency
from app.series.panel import Panel
from app.series.rolling import cut_panel, cutoffs_at, rolling_positions

NAN = float("nan")


def panel(*series: list[float]) -> Panel:
    offsets = np.concatenate([[0], np.cumsum([len(values) for values in series])]).astype(np.int64)
    y = np.concatenate([np.array(values) for values in series])
    ids = tuple(f"s{number}" for number in range(len(series)))
    starts = np.arange(len(series), dtype=np.int64) * 100
    return Panel(ids, parse_frequency("1"), starts, offsets, {"y": y, "x": -y})


def test_cutoffs_count_back_from_the_last_observed_value_of_each_series() -> None:
    numbers = [float(step) for step in range(10)]
    found = rolling_positions(panel(numbers, [*numbers, NAN, NAN]), horizon=2, windows=3, step=2)
    assert found.tolist() == [[4, 14], [6, 16], [8, 18]]


def test_cutoffs_never_leave_their_series() -> None:
    found = rolling_positions(panel([1.0, 2.0], [NAN, NAN, NAN], [1.0, 2.0, 3.0]), horizon=1, windows=3, step=1)
    assert found.tolist() == [[0, 2, 5], [0, 2, 6], [1, 2, 7]]


def test_a_window_has_the_series_with_a_whole_context_and_something_to_compare() -> None:
    series = panel([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0], [NAN, NAN, 3.0, 4.0], [1.0, 2.0, NAN, 4.0])
    found = cutoffs_at(series, np.array([2, 5, 9, 13]), context=2, horizon=1)
    assert found.series.tolist() == [0]
    assert found.position.tolist() == [2]


def test_a_series_that_has_enough_is_looked_at_as_far_as_it_reaches_back() -> None:
    series = panel([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [NAN, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0, 5.0])
    found = cutoffs_at(series, np.array([1, 5, 7, 13]), context=4, horizon=1, least=1)
    assert found.series.tolist() == [0, 1, 3]  # what the series before it has is not the third one's
    assert cutoffs_at(series, np.array([1, 5, 7, 13]), context=4, horizon=1).series.tolist() == [3]


def test_a_panel_cut_at_its_cutoffs_has_nothing_from_there_on() -> None:
    cut = cut_panel(panel([1.0, 2.0, 3.0], [4.0, 5.0], [6.0, 7.0, 8.0, 9.0]), np.array([2, 3, 8]))
    assert cut.ids == ("s0", "s2")
    assert cut.starts.tolist() == [0, 200]
    assert [cut.values(series).tolist() for series in range(2)] == [[1.0, 2.0], [6.0, 7.0, 8.0]]
    assert cut.values(1, "x").tolist() == [-6.0, -7.0, -8.0]
