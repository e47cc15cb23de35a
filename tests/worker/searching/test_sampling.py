"""Draws follow from the seed, their number and the trials before them; what lags behind the others is stopped."""

from typing import Any

import pytest

from app.spec.space import Choices, Range, Space
from worker.searching.sampling import RANDOM_TRIALS, UNPRUNED_TRIALS, Tried, is_hopeless, means_of, propose

SPACE: Space = {
    "units": Range(low=4, high=64, log=True),
    "lr": Range(low=1e-4, high=1e-1, log=True),
    "dropout": Range(low=0.0, high=0.4, step=0.1),
    "/head": Choices(choices=({"kind": "point"}, {"kind": "normal"}, None)),
}


def drawn_trials(count: int, seed: int = 3) -> list[Tried]:
    tried: list[Tried] = []
    for _ in range(count):
        drawn = propose(SPACE, tried, seed)
        score = abs(drawn.get("units", 60) - 8.0)
        tried.append(Tried(drawn, (score, score), is_complete=len(tried) % 4 != 3))
    return tried


def test_the_first_draw_is_the_document_as_it_is() -> None:
    assert propose(SPACE, [], 1) == {}


def test_draws_are_of_the_space_and_the_same_each_time() -> None:
    tried = drawn_trials(14)
    assert tried == drawn_trials(14)
    assert tried != drawn_trials(14, seed=4)
    for one in tried[1:]:
        assert 4 <= one.drawn["units"] <= 64
        assert isinstance(one.drawn["units"], int)
        assert 1e-4 <= one.drawn["lr"] <= 1e-1
        assert len(f"{one.drawn['lr']:.10g}".replace(".", "").lstrip("0").split("e")[0]) <= 4
        assert one.drawn["dropout"] in {0.0, 0.1, 0.2, 0.3, 0.4}
        assert one.drawn["/head"] in ({"kind": "point"}, {"kind": "normal"}, None)


def test_after_the_random_draws_good_values_are_drawn_more_often() -> None:
    later = [one.drawn["units"] for one in drawn_trials(RANDOM_TRIALS + 16)[RANDOM_TRIALS:]]
    assert sum(4 <= units <= 16 for units in later) > len(later) / 2


def test_a_draw_of_trials_that_came_to_nothing_or_still_run_is_no_trouble() -> None:
    tried: list[Tried] = [Tried({}, (), is_complete=False)]
    for _ in range(RANDOM_TRIALS + 3):
        tried.append(Tried(propose(SPACE, tried, 1), (), is_complete=False))
    assert len({one.drawn["lr"] for one in tried[1:]}) == RANDOM_TRIALS + 3


@pytest.mark.parametrize(("means", "hopeless"), [((2.9,), False), ((3.1,), True), ((9.0, 1.9), False), ((0.1, 2.1), True)])
def test_what_is_worse_than_the_median_after_as_many_windows_is_stopped(means: tuple[float, ...], hopeless: bool) -> None:
    others = [Tried({}, (float(number + 1), 2.0, 2.0), is_complete=True) for number in range(UNPRUNED_TRIALS + 1)]
    running = [Tried({}, (0.0,), is_complete=False)]
    assert is_hopeless([*others, *running], means) is hopeless
    assert not is_hopeless([*others[: UNPRUNED_TRIALS - 1], *running], means)


def test_means_are_of_the_windows_so_far() -> None:
    windows: list[dict[str, Any]] = [{"score": 1.0}, {"score": 3.0}, {"score": 5.0}]
    assert means_of(windows) == (1.0, 2.0, 3.0)
