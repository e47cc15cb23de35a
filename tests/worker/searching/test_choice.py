"""The smallest network that is as good as the best wins, on numbers made by hand."""

from typing import Any

import numpy as np
import pytest

from worker.searching.choice import Candidate, WindowScore, choose, mean_of
from worker.searching.trying import candidate_of

BEST = Candidate(4, 1.00, 0.10, 5000)


def test_the_smallest_within_one_standard_error_of_the_best_wins() -> None:
    others = [Candidate(1, 1.11, 0.01, 10), Candidate(2, 1.10, 0.9, 300), Candidate(3, 1.05, 0.1, 400), Candidate(5, 2.0, 9.0, 5)]
    choice = choose([*others, BEST], "mase", 2.2)
    assert (choice.winner, choice.best) == (2, 4)
    assert choice.sentence == (
        "trial 2 with 300 parameters and a mase of 1.1 is the smallest network within one standard error of the best, trial 4 with 5,000 "
        "parameters and 1 (up to 1.1); repeating the last season has a mase of 2.2, and the winner is 50 % better"
    )


def test_the_best_wins_where_no_smaller_one_is_near() -> None:
    choice = choose([BEST, Candidate(1, 1.2, 0.1, 10), Candidate(2, 1.05, 0.1, 6000)], "mae", 0.5)
    assert (choice.winner, choice.best) == (4, 4)
    assert "is the best of all and no smaller network is within one standard error; repeating" in choice.sentence
    assert "the winner is 100 % worse: use seasonal naive" in choice.sentence


def test_without_a_standard_error_the_best_wins_and_of_equals_the_smaller_then_the_earlier() -> None:
    assert choose([Candidate(1, 1.0, None, 10), Candidate(2, 1.1, None, 5)], "mase", 0.0).winner == 1
    assert choose([Candidate(2, 1.0, None, 10), Candidate(1, 1.0, None, 10), Candidate(3, 1.0, None, 9)], "mase", 1.0).winner == 3
    assert choose([Candidate(2, 1.0, None, 10), Candidate(1, 1.0, None, 10)], "mase", 1.0).winner == 1


def test_the_error_is_over_series_and_over_windows_where_there_is_a_single_one() -> None:
    assert mean_of([WindowScore(1.0, None, 1)]) == (1.0, None)
    assert mean_of([WindowScore(1.0, 0.3, 9)]) == (1.0, 0.3)
    assert mean_of([WindowScore(1.0, None, 1), WindowScore(3.0, None, 1)]) == (2.0, 1.0)
    assert mean_of([WindowScore(1.0, 0.6, 5), WindowScore(3.0, 0.9, 5)]) == (2.0, 0.75)


def test_what_makes_series_hard_for_all_trials_hides_no_difference_between_them() -> None:
    hard = np.linspace(0.1, 9.0, 100)
    best = Candidate(1, hard.mean(), 0.26, 900, hard, 100)
    worse = Candidate(2, hard.mean() + 0.1, 0.26, 10, hard + 0.1 + np.resize([0.2, -0.2], 100), 100)
    near = Candidate(3, hard.mean() + 0.01, 0.26, 300, hard + 0.01 + np.resize([0.2, -0.2], 100), 100)
    assert worse.error_beside(best) == pytest.approx(0.02, rel=0.01)
    choice = choose([best, worse, near], "mase", 5.0)
    assert (choice.winner, choice.best) == (3, 1)
    assert f"(up to {best.score + near.error_beside(best):.4g})" in choice.sentence


def test_the_error_of_a_difference_is_of_all_series_and_of_those_that_both_have() -> None:
    best = Candidate(1, 1.0, 0.5, 900, np.zeros(4), 400)
    other = Candidate(2, 1.0, 0.5, 10, np.array([1.0, -1.0, 1.0, np.nan]), 400)
    assert other.error_beside(best) == pytest.approx(np.std([1.0, -1.0, 1.0], ddof=1) / 20)
    assert Candidate(3, 1.0, 0.1, 10, np.array([1.0]), 1).error_beside(best) == 0.5


def test_trials_of_an_earlier_version_are_compared_by_the_error_of_the_best() -> None:
    window: dict[str, Any] = {"score": 1.0, "standard_error": 0.2, "series": 3, "epochs": 2, "seconds": 1.0}
    told = {**window, "errors": [0.5, None, 1.5]}
    both = candidate_of(1, 50, [told, {**told, "errors": [1.5, 2.0, 2.5]}])
    np.testing.assert_array_equal(both.errors, [1.0, np.nan, 2.0])
    assert (both.score, both.standard_error, both.series) == (1.0, 0.2, 3)
    for windows in ([window, told], [window]):
        assert len((earlier := candidate_of(2, 50, windows)).errors) == 0
        assert earlier.error_beside(both) == 0.2
