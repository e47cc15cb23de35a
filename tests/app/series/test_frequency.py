import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import SeriesError
from app.series.frequency import Frequency, as_times, parse_frequency

CANONICAL = ["ms", "s", "min", "5min", "15min", "h", "2h", "D", "W", "W-FRI", "MS", "ME", "2MS", "QS", "QE", "YS", "YE", "1", "10"]


@pytest.mark.parametrize("text", CANONICAL)
def test_canonical_text_is_read_and_written_alike(text: str) -> None:
    assert str(parse_frequency(text)) == text


@pytest.mark.parametrize(
    ("text", "canonical"), [("H", "h"), ("T", "min"), ("M", "MS"), ("Q", "QS"), ("A", "YS"), ("daily", "D"), (" D ", "D"), ("1h", "h")]
)
def test_older_names_are_understood(text: str, canonical: str) -> None:
    assert str(parse_frequency(text)) == canonical


@pytest.mark.parametrize("text", ["", "fortnight", "0", "-1", "0h", "1.5h", "DS", "hE", "M-FRI", "W-XXX", "h" * 50, "1" * 30, "٣"])
def test_anything_else_is_refused_with_the_list(text: str) -> None:
    with pytest.raises(SeriesError, match=r"a frequency is one of s, min, h, D, W, MS, ME") as caught:
        parse_frequency(text)
    assert caught.value.pointer == "?freq"


@pytest.mark.parametrize(
    ("text", "season"),
    [("h", 24), ("D", 7), ("W", 52), ("MS", 12), ("QE", 4), ("YS", 1), ("30min", 48), ("15min", 96), ("min", 60), ("s", 60), ("1", 1),
     ("2h", 12), ("5h", 1), ("2W", 26), ("7min", 1), ("ms", 1000)],
)  # fmt: skip
def test_season_is_the_natural_cycle(text: str, season: int) -> None:
    assert parse_frequency(text).season == season


def days(*texts: str) -> list[np.datetime64]:
    return [np.datetime64(text, "us") for text in texts]


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        ("h", "2026-01-31T23:00", days("2026-01-31T23:00", "2026-02-01T00:00", "2026-02-01T01:00")),
        ("W", "2026-01-30", days("2026-01-30", "2026-02-06", "2026-02-13")),
        ("MS", "2025-12-01", days("2025-12-01", "2026-01-01", "2026-02-01")),
        ("ME", "2023-12-31", days("2023-12-31", "2024-01-31", "2024-02-29")),
        ("QE", "2024-11-30", days("2024-11-30", "2025-02-28", "2025-05-31")),
        ("YS", "2024-01-01", days("2024-01-01", "2025-01-01", "2026-01-01")),
    ],
)
def test_range_follows_the_calendar(text: str, start: str, expected: list[np.datetime64]) -> None:
    freq = parse_frequency(text)
    assert freq.range(np.datetime64(start, "us"), 3).tolist() == as_times(expected).tolist()
    assert freq.after(np.datetime64(start, "us"), 2).tolist() == as_times(expected[1:]).tolist()


def test_steps_are_counted_in_whole_numbers() -> None:
    assert parse_frequency("10").after(5, 3).tolist() == [15, 25, 35]
    assert parse_frequency("1").is_integer


@given(st.sampled_from(CANONICAL).map(parse_frequency), st.integers(-500, 500), st.integers(1, 50))
def test_shifting_there_and_back_changes_nothing(freq: Frequency, first: int, steps: int) -> None:
    times = freq.times(np.arange(first, first + 3, dtype=np.int64))
    assert (freq.shift(freq.shift(times, steps), -steps) == times).all()
    assert (freq.ordinals(freq.shift(times, steps)) - freq.ordinals(times) == steps * freq.stride).all()
