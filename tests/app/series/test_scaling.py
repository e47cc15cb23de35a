import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.series.scaling import CovariateScaling, TargetScaling, WindowScaling

NAN = float("nan")
WINDOWS = arrays(np.float64, (3, 5), elements=st.floats(-1e6, 1e6).map(lambda value: round(value, 6)) | st.just(NAN))
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
