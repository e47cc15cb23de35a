import numpy as np
import pytest

from app.series.conformal import margins, outside_scores, widen

NAN = float("nan")


def test_a_score_is_the_distance_to_the_nearer_bound_in_units_of_the_series() -> None:
    actual, low, high = np.array([[0.0, 4.0, 9.0, NAN], [1.0, 1.0, 1.0, 1.0]]), np.full((2, 4), 2.0), np.full((2, 4), 8.0)
    scores = outside_scores(actual, low, high, np.array([2.0, 0.0]))
    assert scores[0, :3].tolist() == [1.0, -1.0, 0.5]
    assert np.isnan(scores[0, 3])
    assert np.isnan(scores[1]).all()


def test_the_margin_is_the_next_order_statistic_above_the_level() -> None:
    # (9 + 1) 0.8 = 8: the eighth of nine.
    assert margins(np.arange(1.0, 10.0)[:, None], 0.8) == pytest.approx([8.0])


def test_a_step_with_few_scores_has_the_margin_of_all_steps() -> None:
    # (39 + 1) 0.8 = 32 of the first step; of both 42 are known, and (42 + 1) 0.8 = 34.4 makes the 35th.
    scores = np.column_stack([np.arange(1.0, 40.0), [90.0, 91.0, 92.0, *[NAN] * 36]])
    assert margins(scores, 0.8) == pytest.approx([32.0, 35.0])


def test_nineteen_are_enough_for_95_percent_and_eighteen_are_not() -> None:
    assert margins(np.arange(19.0)[:, None], 0.95) == pytest.approx([18.0])
    assert margins(np.arange(18.0)[:, None], 0.95) is None


def test_an_interval_grows_by_the_margin_at_both_sides_and_never_turns_over() -> None:
    low, high = widen(np.array([[0.0, 0.0]]), np.array([[4.0, 4.0]]), np.array([2.0]), np.array([1.5, -3.0]))
    assert low.tolist() == [[-3.0, 2.0]]
    assert high.tolist() == [[7.0, 2.0]]


def test_corrected_intervals_hold_what_they_say_on_data_of_the_same_kind() -> None:
    generator = np.random.default_rng(3)
    past, new = generator.standard_normal((2000, 1)), generator.standard_normal((20_000, 1))
    ones, narrow = np.ones(20_000), 0.2
    margin = margins(outside_scores(past, past * 0 - narrow, past * 0 + narrow, ones[:2000]), 0.9)
    assert margin is not None
    low, high = widen(new * 0 - narrow, new * 0 + narrow, ones, margin)
    assert float(((new >= low) & (new <= high)).mean()) == pytest.approx(0.9, abs=0.02)
