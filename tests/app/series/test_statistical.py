import numpy as np
import pytest

from app.series.statistical import METHODS, Method, Values, is_installed, statistical_forecast

NAN = float("nan")
LEVELS = (0.8, 0.95)

needs_library = pytest.mark.skipif(not is_installed(), reason="statsforecast, an optional extra, is not installed")


def season_with_trend(length: int) -> Values:
    steps = np.arange(float(length))
    return np.asarray(50 + 0.2 * steps + 5 * np.sin(2 * np.pi * steps / 7), dtype=np.float64)


def forecast(method: Method, history: Values, horizon: int = 7) -> dict[float, Values]:
    found = statistical_forecast(method, history, 7, horizon, LEVELS)
    assert found is not None
    return found


@needs_library
@pytest.mark.parametrize("method", METHODS)
def test_a_season_and_a_trend_are_carried_on_within_rising_bounds(method: Method) -> None:
    whole = season_with_trend(91) + np.random.default_rng(0).normal(0, 0.3, 91)
    found = forecast(method, whole[:84])
    assert sorted(found) == [0.025, 0.1, 0.5, 0.9, 0.975]
    assert np.abs(found[0.5] - whole[84:]).mean() < 1.5
    assert (found[0.025] <= found[0.1]).all()
    assert (found[0.1] < found[0.9]).all()
    assert (found[0.9] <= found[0.975]).all()


@needs_library
@pytest.mark.parametrize("method", METHODS)
def test_gaps_are_straight_lines_and_what_comes_before_the_first_value_is_nothing(method: Method) -> None:
    line = np.arange(40.0)
    holed = np.concatenate([[NAN, NAN], line])
    holed[[10, 11, 30]] = NAN
    np.testing.assert_allclose(forecast(method, holed)[0.5], forecast(method, line)[0.5])


@needs_library
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("history", [np.empty(0), np.full(5, NAN), np.array([3.0]), np.array([1.0, 2.0])])
def test_what_cannot_be_fitted_has_no_forecast(method: Method, history: Values) -> None:
    assert statistical_forecast(method, history, 7, 3, LEVELS) is None


@needs_library
@pytest.mark.parametrize("method", METHODS)
def test_the_same_history_gives_the_same_forecast(method: Method) -> None:
    history = season_with_trend(60)
    first, second = forecast(method, history), forecast(method, history)
    assert all((first[level] == second[level]).all() for level in first)
