import numpy as np
import pytest

from app.series.baselines import naive2, seasonal_naive
from app.series.scores import coverage, mae, mase, msis, pinball, rmse, rmsse, seasonal_error, smape, squared_step

NAN = float("nan")
ACTUAL = np.array([[1.0, 2.0], [NAN, 4.0]])
FORECAST = np.array([[2.0, 2.0], [9.0, 2.0]])


def test_missing_steps_do_not_count() -> None:
    assert mae(ACTUAL, FORECAST) == 1.0
    assert rmse(ACTUAL, FORECAST) == pytest.approx(np.sqrt(5 / 3))
    assert coverage(ACTUAL, FORECAST - 1, FORECAST + 1) == pytest.approx(2 / 3)


def test_scores_of_nothing_are_not_numbers() -> None:
    nothing = np.full((2, 2), NAN)
    assert np.isnan([mae(nothing, FORECAST), rmse(nothing, FORECAST), smape(nothing, FORECAST), pinball(nothing, FORECAST, 0.5)]).all()


def test_smape_is_zero_where_both_are_zero_and_at_most_200() -> None:
    assert smape(np.zeros((1, 3)), np.zeros((1, 3))) == 0.0
    assert smape(np.ones((1, 3)), np.zeros((1, 3))) == 200.0


def test_mase_leaves_series_without_a_scale_out() -> None:
    assert mase(np.array([[2.0], [2.0], [2.0]]), np.zeros((3, 1)), np.array([1.0, 0.0, NAN])) == 2.0


def test_rmsse_is_a_root_of_each_series_and_then_their_mean() -> None:
    actual, forecast = np.array([[1.0, 5.0], [4.0, NAN], [7.0, 7.0]]), np.array([[4.0, 1.0], [2.0, 0.0], [0.0, 0.0]])
    # sqrt((9 + 16) / 2 / 2) = 2.5 and sqrt(4 / 1) = 2; the third has no scale.
    assert rmsse(actual, forecast, np.array([2.0, 1.0, 0.0])) == pytest.approx((2.5 + 2.0) / 2)
    assert np.isnan(rmsse(actual, forecast, np.full(3, NAN)))


def test_the_scale_of_rmsse_begins_with_the_first_sale_and_knows_no_season() -> None:
    assert squared_step(np.array([0.0, 0.0, 2.0, 3.0, 0.0])) == (1.0 + 9.0) / 2
    assert squared_step(np.array([NAN, 1.0, NAN, 4.0, 6.0])) == 4.0
    assert np.isnan([squared_step(np.zeros(4)), squared_step(np.array([5.0]))]).all()


def test_msis_is_the_width_and_what_lies_outside_over_the_scale() -> None:
    actual = np.array([[5.0, 1.0, 12.0, NAN]])
    lower, upper = np.full((1, 4), 2.0), np.full((1, 4), 10.0)
    # widths of 8; 1 is 1 below and 12 is 2 above, each times 2 / 0.05 = 40; (8 + 48 + 88) / 3 / scale 2
    assert msis(actual, lower, upper, np.array([2.0]), 0.95) == pytest.approx((8 + 48 + 88) / 3 / 2)
    assert msis(actual, lower, upper, np.array([2.0]), 0.8) == pytest.approx((8 + 18 + 28) / 3 / 2)
    assert np.isnan(msis(actual, lower, upper, np.array([0.0]), 0.95))


def test_seasonal_error_needs_more_than_a_season() -> None:
    assert seasonal_error(np.array([1.0, 2.0, 4.0]), 1) == 1.5
    assert seasonal_error(np.array([1.0, NAN, 4.0, 3.0]), 1) == 1.0
    assert np.isnan(seasonal_error(np.array([1.0]), 1))


def test_pinball_of_the_median_is_half_the_absolute_error() -> None:
    assert pinball(ACTUAL, FORECAST, 0.5) == mae(ACTUAL, FORECAST) / 2


def test_pinball_punishes_the_unlikely_side() -> None:
    high, low = np.array([[10.0]]), np.array([[0.0]])
    assert pinball(high, low, 0.9) == 9.0
    assert pinball(low, high, 0.9) == pytest.approx(1.0)


def test_seasonal_naive_repeats_the_last_season() -> None:
    assert seasonal_naive(np.arange(10.0), 3, 7).tolist() == [7, 8, 9, 7, 8, 9, 7]


def test_seasonal_naive_goes_back_to_the_newest_observed_value_of_the_phase() -> None:
    assert seasonal_naive(np.array([1.0, 2, 3, 4, NAN, 6]), 3, 3).tolist() == [4, 2, 6]
    assert seasonal_naive(np.array([NAN, 2, NAN, NAN]), 2, 2).tolist() == [2, 2]


def test_seasonal_naive_of_a_series_shorter_than_its_season_repeats_the_newest_value() -> None:
    assert seasonal_naive(np.array([1.0, 2.0]), 4, 4).tolist() == [2.0, 2.0, 1.0, 2.0]
    assert seasonal_naive(np.array([]), 4, 2).tolist() == pytest.approx([NAN, NAN], nan_ok=True)


def test_naive2_of_a_seasonal_series_follows_the_season() -> None:
    history = np.tile([1.0, 2.0, 3.0, 2.0], 6) * np.linspace(1, 1.1, 24)
    forecast = naive2(history, 4, 8)
    np.testing.assert_allclose(forecast[:4], forecast[4:])
    assert forecast.argmax() == 2


@pytest.mark.parametrize("history", [np.arange(1.0, 9.0), np.full(40, 3.0)])
def test_naive2_of_a_series_without_season_is_the_last_value(history: np.ndarray) -> None:
    assert naive2(history, 4, 3).tolist() == pytest.approx([history[-1]] * 3)


def test_naive2_with_odd_seasons_weighs_all_steps_alike() -> None:
    history = np.tile([1.0, 5.0, 3.0], 8)
    np.testing.assert_allclose(naive2(history, 3, 3), [1.0, 5.0, 3.0])
