"""A season is found where series have one, and none where they have none."""

import numpy as np
import pytest

from app.series.season import find_season


def laid_out(*series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate(series), np.array([len(one) for one in series])


@pytest.mark.parametrize("season", [4, 7, 12, 24, 52, 96])
def test_a_season_is_found_under_a_trend_with_noise_and_gaps(season: int) -> None:
    generator = np.random.default_rng(season)
    shape = generator.normal(size=season).cumsum()
    series = []
    for number in range(5):
        steps = np.arange(6 * season + number)
        values = 0.3 * steps + shape[steps % season] + 0.2 * shape.std() * generator.normal(size=len(steps))
        values[generator.random(len(values)) < 0.03] = np.nan
        series.append(values)
    assert find_season(*laid_out(*series)) == season


def test_noise_and_walks_and_constants_have_none() -> None:
    generator = np.random.default_rng(0)
    noise = [generator.normal(size=400) for _ in range(10)]
    assert find_season(*laid_out(*noise)) == 1
    assert find_season(*laid_out(*(one.cumsum() for one in noise))) == 1
    assert find_season(*laid_out(np.ones(100), np.full(50, np.nan))) == 1
    assert find_season(*laid_out(np.arange(3.0))) == 1


def test_most_series_decide() -> None:
    wave = np.sin(2 * np.pi * np.arange(300) / 12)
    generator = np.random.default_rng(1)
    noise = generator.normal(size=300)
    assert find_season(*laid_out(wave, wave, noise)) == 12
    assert find_season(*laid_out(wave, noise, noise[::-1])) == 1
