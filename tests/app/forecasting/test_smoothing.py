"""A series' parameters are found from its history: its season, wherever it begins, and rates that forecast it well."""

import numpy as np
import pytest

from app.forecasting.smoothing import fit_series, stretch
from app.nets.smoothing import Smoothing
from app.spec.forecaster import ForecasterSpec
from app.spec.leaves import Smooth
from app.spec.parse import parse_spec

SEASON = np.array([0.6, 0.8, 1.0, 1.6])
ADDED = np.array([-3.0, -1.0, 0.0, 4.0])


def spec_of(form: str, seasons: list[int], scaling: str) -> tuple[ForecasterSpec, Smoothing]:
    block = {"kind": "smooth", "form": form, "seasons": seasons, "from": "target"}
    spec = parse_spec({"context": 8, "horizon": 2, "network": block, "scaling": {"target": scaling}})
    assert isinstance(spec.network, Smooth)
    return spec, Smoothing(spec.network, "place")


@pytest.mark.parametrize("first", [0, 3, -5])
def test_the_season_of_a_series_is_found_wherever_it_begins(first: int) -> None:
    steps = first + np.arange(40)
    values = (10.0 * SEASON[steps % 4])[None]
    spec, layer = spec_of("multiplicative", [4], "mean_abs")
    row = fit_series(spec, layer, values, np.array([first]))[0]
    np.testing.assert_allclose(row[2:].exp().numpy(), SEASON, rtol=1e-3)
    spec, layer = spec_of("additive", [4], "none")
    row = fit_series(spec, layer, (20.0 + ADDED[steps % 4])[None], np.array([first]))[0]
    np.testing.assert_allclose(row[2:].numpy(), ADDED, atol=1e-3)


def test_two_seasons_are_found_one_after_the_other() -> None:
    steps = np.arange(120)
    values = (10.0 * SEASON[steps % 4] * np.where(steps % 12 < 6, 0.8, 1.2))[None]
    spec, layer = spec_of("multiplicative", [4, 12], "mean_abs")
    row = fit_series(spec, layer, values, np.array([0]))[0]
    found = row[2:6].exp().numpy()[steps[:12] % 4] * row[7:].exp().numpy()
    np.testing.assert_allclose(found, values[0, :12] / 10.0, rtol=0.05)


def test_a_level_that_wanders_is_followed_fast_and_noise_slowly() -> None:
    generator = np.random.default_rng(0)
    wander = 50.0 + np.cumsum(generator.normal(size=400))
    noise = 50.0 + generator.normal(size=400)
    spec, layer = spec_of("additive", [], "none")
    rows = fit_series(spec, layer, np.stack([wander, noise]), np.array([0, 0]))
    assert rows[0, 0].sigmoid() > 0.7
    assert rows[1, 0].sigmoid() < 0.1


def test_a_season_that_was_not_seen_twice_or_nothing_at_all_is_no_season() -> None:
    spec, layer = spec_of("multiplicative", [4], "mean_abs")
    values = stretch([np.array([1.0, 2.0, 3.0]), np.full(9, np.nan)], 40)
    assert values.shape == (2, 9)
    rows = fit_series(spec, layer, values, np.array([0, 0]))
    assert rows.isfinite().all()
    assert (rows[:, 2:] == 0).all()


def test_missing_values_are_no_observations() -> None:
    steps = np.arange(60)
    values = 10.0 * SEASON[steps % 4]
    values[[5, 17, 18, 40]] = np.nan
    spec, layer = spec_of("multiplicative", [4], "mean_abs")
    row = fit_series(spec, layer, values[None], np.array([0]))[0]
    np.testing.assert_allclose(row[2:].exp().numpy(), SEASON, rtol=0.1)
