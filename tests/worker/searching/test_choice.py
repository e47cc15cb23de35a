"""The smallest network that is as good as the best wins, on numbers made by hand."""

from worker.searching.choice import Candidate, WindowScore, choose, mean_of

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
    assert "is the best of all and no smaller network is within one standard error (0.1) of it" in choice.sentence
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
