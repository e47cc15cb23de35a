import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.series.scaling import CovariateScaling, TargetScaling, WindowScaling

NAN = float("nan")
WINDOWS = arrays(np.float64, (3, 5), elements=st.floats(-1e6, 1e6).map(lambda value: round(value, 6)) | st.just(NAN))
LEVELS = st.sampled_from([0.0, 1e4])
KINDS = st.sampled_from(["mean_abs", "standard", "log", "standard_log", "none"])


@given(WINDOWS, KINDS)
def test_inverting_gives_back_what_was_scaled(windows: np.ndarray, kind: TargetScaling) -> None:
    windows = np.abs(windows) + 1e-3 if kind.endswith("log") else windows
    scaling = WindowScaling.fit(windows, kind)
    np.testing.assert_allclose(scaling.invert(scaling.apply(windows)), windows, rtol=1e-9, atol=1e-6)
    assert (scaling.scale > 0).all()


def test_mean_abs_divides_by_the_mean_of_what_was_observed() -> None:
    scaling = WindowScaling.fit(np.array([[1.0, -3.0, NAN], [0.0, 0.0, 0.0], [NAN, NAN, NAN]]), "mean_abs")
    assert scaling.scale.tolist() == [2.0, 1.0, 1.0]
    assert scaling.shift.tolist() == [0.0, 0.0, 0.0]


def test_standard_gives_mean_zero_and_deviation_one() -> None:
    windows = np.array([[1.0, 2.0, 3.0, NAN]])
    scaled = WindowScaling.fit(windows, "standard").apply(windows)
    assert np.nanmean(scaled) == pytest.approx(0.0)
    assert np.nanstd(scaled) == pytest.approx(1.0)


def test_log_is_the_logarithm_of_the_values_over_their_geometric_mean() -> None:
    windows = np.array([[1.0, 4.0, 16.0, NAN]])
    np.testing.assert_allclose(WindowScaling.fit(windows, "log").apply(windows), np.log([[0.25, 1.0, 4.0, NAN]]), atol=1e-12)


@given(st.lists(arrays(np.float64, st.integers(1, 8), elements=st.floats(-1e3, 1e3) | st.just(NAN)), min_size=1, max_size=4), KINDS, LEVELS)
def test_running_units_are_those_of_a_window_from_the_first_step_on(series: list[np.ndarray], kind: TargetScaling, level: float) -> None:
    series = [level + (np.abs(one) + 1e-3 if kind.endswith("log") else one) for one in series]
    offsets = np.cumsum([0, *map(len, series)])
    found = WindowScaling.running(np.concatenate(series), offsets, kind)
    for first, one in zip(offsets, series, strict=False):
        for step in range(len(one)):
            expected, running = WindowScaling.fit(one[None, : step + 1], kind), found.at([first + step])
            rounding = 1e-14 * max(1.0, np.nan_to_num(np.abs(one)).max())
            np.testing.assert_allclose(running.shift, expected.shift, rtol=1e-12, atol=rounding)
            if expected.scale > 1e6 * rounding:  # else it is rounding itself, as of equal values
                np.testing.assert_allclose(running.scale, expected.scale, rtol=1e-6)
            assert running.is_log == expected.is_log


@pytest.mark.parametrize("kind", ["standard", "standard_log"])
def test_running_units_of_small_swings_at_a_high_level_do_not_cancel(kind: TargetScaling) -> None:
    generator = np.random.default_rng(0)
    low, high = generator.normal(size=500) * 1e-3 + 2.0, generator.normal(size=100_000) * 1e-2 + 1e8
    found = WindowScaling.running(np.concatenate([high, low, high]), (0, len(high), len(high) + 500, 2 * len(high) + 500), kind)
    for end, own in ((len(high), high), (len(high) + 500, low), (2 * len(high) + 500, high)):
        expected = WindowScaling.fit(own[None], kind)
        np.testing.assert_allclose(found.shift[end - 1], expected.shift[0], rtol=1e-14)
        np.testing.assert_allclose(found.scale[end - 1], expected.scale[0], rtol=1e-7)


def test_running_units_after_a_first_value_far_from_all_others_are_exact_to_rounding() -> None:
    values = np.append(0.0, 1e8 + np.random.default_rng(0).normal(size=10_000))
    found, expected = WindowScaling.running(values, (0, len(values)), "standard"), WindowScaling.fit(values[None], "standard")
    np.testing.assert_allclose(found.scale[-1], expected.scale[0], rtol=1e-9)
    constant = np.full(1000, 1e8 + 0.1)
    assert WindowScaling.running(constant, (0, 1000), "standard").scale.tolist() == [1.0] * 1000


def test_several_outputs_of_a_step_are_brought_back_alike() -> None:
    scaling = WindowScaling(np.array([1.0, 2.0]), np.array([10.0, 100.0]))
    assert scaling.invert(np.ones((2, 3, 4)))[:, 0, 0].tolist() == [11.0, 102.0]


def test_covariates_are_measured_on_what_was_observed() -> None:
    columns = {"temperature": np.array([1.0, 3.0, NAN]), "constant": np.array([5.0, 5.0, 5.0]), "nothing": np.array([NAN, NAN, NAN])}
    scaling = CovariateScaling.fit(columns)
    assert scaling.mean == {"temperature": 2.0, "constant": 5.0, "nothing": 0.0}
    assert scaling.deviation == {"temperature": 1.0, "constant": 1.0, "nothing": 1.0}
    back = scaling.invert(scaling.apply(columns))
    for name, values in columns.items():
        np.testing.assert_allclose(back[name], values)


def test_a_column_that_was_not_measured_is_handed_through() -> None:
    scaling = CovariateScaling.fit({})
    values = np.array([1.0, 2.0])
    assert scaling.apply({"y": values})["y"] is values
    assert scaling.invert({"y": values})["y"] is values
