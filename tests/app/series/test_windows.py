import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.series.frequency import parse_frequency
from app.series.panel import Panel
from app.series.split import split_panel, training_part
from app.series.windows import train_cutoffs


def panel_with(*values: list[float]) -> Panel:
    offsets = np.cumsum([0, *map(len, values)]).astype(np.int64)
    ids = tuple(f"series-{number}" for number in range(len(values)))
    flat = np.array([value for series in values for value in series], dtype=np.float64)
    return Panel(ids, parse_frequency("1"), np.zeros(len(values), dtype=np.int64), offsets, {"y": flat})


def panel_of_lengths(*lengths: int) -> Panel:
    return panel_with(*([float(step) for step in range(length)] for length in lengths))


def test_every_window_lies_whole_in_its_series() -> None:
    cutoffs = train_cutoffs(panel_of_lengths(6, 4, 7), context=3, horizon=2)
    assert cutoffs.position.tolist() == [3, 4, 13, 14, 15]
    assert cutoffs.series.tolist() == [0, 0, 2, 2, 2]
    assert len(cutoffs) == 5


def test_holdout_keeps_windows_away_from_the_end() -> None:
    panel = panel_of_lengths(8, 8)
    assert train_cutoffs(panel, 3, 2, holdout=2).position.tolist() == [3, 4, 11, 12]
    assert train_cutoffs(panel, 3, 2, holdout=np.array([3, 0])).position.tolist() == [3, 11, 12, 13, 14]


def test_window_with_nothing_to_learn_is_left_out() -> None:
    nan = float("nan")
    panel = panel_with([1, 2, nan, nan, 5, 6, nan, nan])
    assert train_cutoffs(panel, 2, 2).position.tolist() == [3, 5]  # 2: no horizon, 4: no context, 6: no horizon


def test_windows_of_an_empty_panel_are_none() -> None:
    assert len(train_cutoffs(panel_of_lengths(2), 5, 5)) == 0


def test_one_long_series_gets_rolling_validation() -> None:
    split = split_panel(panel_of_lengths(144), context=24, horizon=12)
    assert split.test.position.tolist() == [132]
    assert split.validation.position[-1] == 120
    assert 12 <= len(split.validation) <= 64
    assert split.train.position[-1] + 12 <= split.validation.position[0]


def test_a_series_of_context_and_three_horizons_gets_one_window_each() -> None:
    split = split_panel(panel_of_lengths(9), context=3, horizon=2)
    assert [part.position.tolist() for part in (split.train, split.validation, split.test)] == [[3], [5], [7]]


@pytest.mark.parametrize(("length", "parts"), [(8, (0, 1, 1)), (6, (0, 0, 1)), (4, (0, 0, 0))])
def test_shorter_series_lose_training_first_and_the_test_last(length: int, parts: tuple[int, int, int]) -> None:
    split = split_panel(panel_of_lengths(length, 9), context=3, horizon=2)
    assert tuple(int((part.series == 0).sum()) for part in (split.train, split.validation, split.test)) == parts


@pytest.mark.parametrize(("length", "parts"), [(8, ([3, 4], [], [6])), (7, ([3], [], [5])), (6, ([], [], [4])), (4, ([], [], []))])
def test_where_all_series_are_shorter_nothing_is_held_back_to_stop_by(length: int, parts: tuple[list[int], ...]) -> None:
    split = split_panel(panel_of_lengths(length), context=3, horizon=2)
    assert tuple(part.position.tolist() for part in (split.train, split.validation, split.test)) == parts
    assert split.holdout.tolist() == [2]
    assert split.measured is split.test


@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(1, 8), st.integers(1, 8))
def test_targets_of_the_parts_never_overlap(lengths: list[int], context: int, horizon: int) -> None:
    panel = panel_of_lengths(*lengths)
    split = split_panel(panel, context, horizon)
    for series in range(len(lengths)):
        steps = [
            {int(at) + step for at in part.position[part.series == series] for step in range(horizon)}
            for part in (split.train, split.validation, split.test)
        ]
        assert not (steps[0] & steps[1])
        assert not (steps[0] & steps[2])
        assert not (steps[1] & steps[2])
        assert not steps[0] or not steps[1] or max(steps[0]) < min(steps[1])
        assert steps[0] <= set(np.flatnonzero(training_part(panel, split.holdout)))
    for part in (split.train, split.validation, split.test):
        assert (part.position - context >= panel.offsets[part.series]).all()
        assert (part.position + horizon <= panel.offsets[part.series + 1]).all()
