"""Series that are laid end to end keep their own times, alone and together."""

import numpy as np
import pytest

from app.series.frequency import parse_frequency
from app.series.panel import Panel

STARTS = [
    np.datetime64("2026-01-31T00:00:00", "us"),
    np.datetime64("2024-02-29T00:00:00", "us"),
    np.datetime64("2025-06-30T00:00:00", "us"),
]


def panel(freq: str, lengths: list[int]) -> Panel:
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Panel(("a", "b", "c"), parse_frequency(freq), np.array(STARTS), offsets, {"y": np.zeros(offsets[-1])})


@pytest.mark.parametrize("freq", ["h", "ME", "2D"])
def test_times_of_several_series_are_those_of_each_one_after_another(freq: str) -> None:
    data = panel(freq, [5, 1, 7])
    assert [data.start(series) for series in range(3)] == STARTS
    for first, end in ((0, 3), (1, 3), (0, 1)):
        expected = np.concatenate([data.freq.range(data.start(series), (5, 1, 7)[series]) for series in range(first, end)])
        np.testing.assert_array_equal(data.times_of(first, end), expected)


@pytest.mark.parametrize(
    ("steps", "groups"),
    [
        (100, [(0, 3)]),
        (13, [(0, 3)]),
        (12, [(0, 2), (2, 3)]),
        (6, [(0, 2), (2, 3)]),
        (5, [(0, 1), (1, 2), (2, 3)]),
        (1, [(0, 1), (1, 2), (2, 3)]),
    ],
)
def test_groups_are_as_large_as_they_may_be_and_hold_each_series_whole(steps: int, groups: list[tuple[int, int]]) -> None:
    assert list(panel("h", [5, 1, 7]).groups(steps)) == groups
