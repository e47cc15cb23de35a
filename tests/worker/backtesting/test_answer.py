"""Scores by window, step and series are of the same forecasts, and lists are cut where nobody reads on."""

import numpy as np
import pytest

from app.series.frequency import parse_frequency
from app.series.panel import Panel
from app.series.windows import Cutoffs
from worker.backtesting import answer
from worker.backtesting.answer import answer_of
from worker.backtesting.windows import MODEL, NAIVE, QUANTILES, Forecasts, Window, baseline_forecasts, packed, unpacked

NAN = float("nan")
LENGTH, HORIZON = 10, 2


def panel(series: int = 3) -> Panel:
    y = np.tile(np.arange(float(LENGTH)), series)
    offsets = np.arange(series + 1, dtype=np.int64) * LENGTH
    return Panel(tuple(f"s{number}" for number in range(series)), parse_frequency("1"), np.zeros(series, dtype=np.int64), offsets, {"y": y})


def window(position: int, errors: list[list[float]], scale: float = 2.0) -> Window:
    """Zeros came; the model is off by the errors, seasonal naive by 4 everywhere."""
    rows = len(errors)
    model = np.repeat(np.array(errors)[..., None], 1 + len(QUANTILES), axis=2)
    series = np.arange(rows, dtype=np.int64)
    forecasts = Forecasts({MODEL: model, NAIVE: np.where(np.arange(1 + len(QUANTILES)) == 0, 4.0, NAN) * np.ones((rows, HORIZON, 1))})
    actual = np.zeros((rows, HORIZON))
    return Window(Cutoffs(series, series * LENGTH + position), actual, np.full(rows, scale), np.full(rows, scale**2), forecasts)


def test_scores_are_means_over_all_windows_series_and_steps() -> None:
    found = answer_of(panel(), [window(6, [[1.0, 3.0], [1.0, 3.0]]), window(8, [[2.0, 2.0], [0.0, 4.0]])], 2, "integer")
    model = found["scores"][MODEL]
    assert (model["mae"], model["mase"]) == (2.0, 1.0)
    assert model["rmse"] == pytest.approx(np.sqrt((1 + 9 + 1 + 9 + 4 + 4 + 0 + 16) / 8), rel=1e-5)
    roots = [np.sqrt(5) / 2, np.sqrt(5) / 2, 1.0, np.sqrt(8) / 2]
    assert model["rmsse"] == pytest.approx(np.mean(roots), rel=1e-5)
    assert found["skill"] == {NAIVE: 0.5}
    assert [step["scores"][MODEL]["mae"] for step in found["steps"]] == [1.0, 3.0]
    assert [one["scores"][MODEL]["mae"] for one in found["windows"]] == [2.0, 2.0]
    assert [(one["first_cutoff"], one["last_cutoff"]) for one in found["windows"]] == [(6, 6), (8, 8)]
    assert {one["unique_id"]: one["windows"] for one in found["series"]} == {"s0": 2, "s1": 2}
    assert (found["series_scored"], found["series_left_out"]) == (2, 1)


def test_the_series_that_the_model_is_worst_at_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "MOST_SERIES", 2)
    monkeypatch.setattr(answer, "MOST_STEPS", 1)
    found = answer_of(panel(), [window(6, [[1.0, 1.0], [5.0, 5.0], [3.0, 3.0]])], 2, "integer")
    assert [one["unique_id"] for one in found["series"]] == ["s1", "s2"]
    assert [one["step"] for one in found["steps"]] == [1]
    assert found["scores"][MODEL]["mae"] == 3.0


def test_without_a_scale_there_is_no_skill_and_the_worst_are_told_by_mae() -> None:
    found = answer_of(panel(), [window(6, [[1.0, 1.0], [5.0, 5.0]], scale=0.0)], 2, "integer")
    assert found["skill"] == {NAIVE: None}
    assert found["scores"][MODEL]["mase"] is None
    assert [one["unique_id"] for one in found["series"]] == ["s1", "s0"]


def test_a_window_without_series_is_told_as_such() -> None:
    empty = window(6, [[0.0, 0.0]])
    nobody = np.empty(0, dtype=np.int64)
    by = {name: values[:0] for name, values in empty.forecasts.by.items()}
    none = Window(Cutoffs(nobody, nobody), empty.actual[:0], empty.scales[:0], empty.squares[:0], Forecasts(by))
    found = answer_of(panel(), [none, window(8, [[1.0, 1.0]])], 2, "integer")
    assert found["windows"][0] == {"first_cutoff": None, "last_cutoff": None, "series": 0, "scores": {}}
    assert found["scores"][MODEL]["mae"] == 1.0


def test_what_cannot_be_fitted_is_seasonal_naives_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.backtesting.windows.statistical_forecast", lambda *_: None)
    cutoffs = Cutoffs(np.array([0, 1]), np.array([6, 16]))
    heeded: list[int] = []
    found = baseline_forecasts(panel(), cutoffs, 3, HORIZON, ["theta"], lambda: heeded.append(1))
    assert found.replaced == {"theta": 2}
    assert found.by["theta"][..., 0].tolist() == found.by[NAIVE][..., 0].tolist() == [[3.0, 4.0], [3.0, 4.0]]
    assert len(heeded) == 2


def test_windows_come_back_from_a_checkpoint_as_they_were() -> None:
    done = [Forecasts({MODEL: np.ones((2, 1, 6)), NAIVE: np.zeros((2, 1, 6))}, {"theta": 1}), Forecasts({MODEL: np.empty((0, 1, 6))})]
    again = unpacked(*packed(done))
    assert [dict(one.replaced) for one in again] == [{"theta": 1}, {}]
    for one, other in zip(done, again, strict=True):
        assert one.by.keys() == other.by.keys()
        assert all((one.by[name] == other.by[name]).all() for name in one.by)
