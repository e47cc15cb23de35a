"""A backtest scores what would have been forecast at each cutoff; nothing that came after one moves it, and a kill repeats no window."""

import shutil
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

from app.forecasting.checkpoint import load
from app.forecasting.histories import History
from app.series.statistical import is_installed
from app.spec.forecaster import ForecasterSpec, Scaling
from app.spec.inputs import Input
from app.store.database import Database, utc_in
from app.store.jobs import cancel_job
from app.store.models import get_model
from app.store.progress import list_events
from app.store.tables import JobRow
from tests.worker.stage import HORIZON, Stage, set_stage, small_spec, wait_until, waves
from tests.worker.workers import assert_recorded_without_gaps, curve_of
from worker import ledger
from worker.attempt import Workplace
from worker.backtest import BacktestAttempt
from worker.backtesting.answer import answer_of
from worker.backtesting.windows import MODEL, NAIVE, Window, baseline_forecasts
from worker.heartbeat import Order
from worker.runner import run_job
from worker.training.material import prepare

WINDOWS, STEP = 3, 4


@pytest.fixture
def spied(monkeypatch: pytest.MonkeyPatch) -> list[list[Window]]:
    """The windows of every backtest that ends, as they are handed to be scored."""
    seen: list[list[Window]] = []

    def spy(panel: Any, windows: Sequence[Window], *others: Any) -> dict[str, Any]:
        seen.append(list(windows))
        return answer_of(panel, windows, *others)

    monkeypatch.setattr("worker.backtest.answer_of", spy)
    return seen


def run(stage: Stage, job: str, drain: threading.Event | None = None) -> JobRow:
    run_job(job, Workplace(stage.database, stage.artifacts, 30, 1), drain or threading.Event())
    return stage.job(job)


def trained(stage: Stage, spec: ForecasterSpec | None = None) -> JobRow:
    return run(stage, stage.add_job(spec))


def of_model(stage: Stage, model_job: JobRow, **request: Any) -> str:
    with stage.database.read() as db:
        digest = get_model(db, stage.owner, str(model_job.model_id)).digest
    asked = {"model": model_job.model_id, "windows": WINDOWS, "step": STEP} | request
    return stage.add_job(kind="backtest", request=asked, origin_id=model_job.model_id, origin_digest=digest)


def of_document(stage: Stage, **request: Any) -> str:
    return stage.add_job(kind="backtest", request={"windows": WINDOWS, "step": STEP, "baselines": []} | request)


def answer(stage: Stage, job: str) -> dict[str, Any]:
    with stage.database.read() as db:
        events = list_events(db, stage.owner, job, 0, 1000, kinds=["backtest"])
    assert len(events) == 1
    return dict(events[0].data)


def succeeded(stage: Stage, job: str) -> dict[str, Any]:
    row = run(stage, job)
    assert (row.status, row.error, row.model_id) == ("succeeded", None, None)
    return answer(stage, job)


def altered(frame: pl.DataFrame, last: int) -> pl.DataFrame:
    """The same with other values in the last steps of each series, target and covariate alike."""
    place = pl.int_range(pl.len()).over("unique_id")
    is_late = place >= pl.len().over("unique_id") - last
    return frame.with_columns(pl.when(is_late).then(900.0 - 7 * pl.col(name)).otherwise(pl.col(name)).alias(name) for name in ("y", "x"))


def test_a_stored_model_is_scored_beside_seasonal_naive_over_all_windows(stage: Stage, spied: list[list[Window]]) -> None:
    found = succeeded(stage, of_model(stage, trained(stage), baselines=[]))
    assert (found["trained"], found["horizon"], found["season"], found["step"]) == ("before", HORIZON, 7, STEP)
    assert set(found["scores"]) == {MODEL, NAIVE}
    assert {"smape", "mase", "rmsse", "mae", "rmse", "pinball", "coverage_80", "coverage_95", "msis"} == set(found["scores"][MODEL])
    assert None not in found["scores"][MODEL].values()
    assert found["scores"][NAIVE]["msis"] is None
    mine, theirs = (found["scores"][name]["mase"] for name in (MODEL, NAIVE))
    assert found["skill"] == {NAIVE: pytest.approx(1 - mine / theirs, rel=1e-4)}
    # Cutoffs end where the data does: 120 steps from the first of January, and 4 of them ahead.
    assert [window["first_cutoff"] for window in found["windows"]] == [f"2024-04-{day:02d}T00:00:00Z" for day in (18, 22, 26)]
    assert [window["series"] for window in found["windows"]] == [2, 2, 2]
    (windows,) = spied
    errors = np.abs(np.concatenate([one.actual - one.forecasts.by[MODEL][..., 0] for one in windows]))
    assert found["scores"][MODEL]["mae"] == pytest.approx(errors.mean(), rel=1e-5)
    assert [step["scores"][MODEL]["mae"] for step in found["steps"]] == pytest.approx(errors.mean(axis=0), rel=1e-5)
    by_series = {one["unique_id"]: one["scores"][MODEL]["mae"] for one in found["series"]}
    assert by_series == {f"s{number}": pytest.approx(errors[number::2].mean(), rel=1e-5) for number in range(2)}


@pytest.mark.parametrize("over", ["window", "series"])
def test_the_forecasts_are_those_that_the_service_would_have_given(
    stage: Stage, spied: list[list[Window]], over: Literal["window", "series"]
) -> None:
    model = trained(stage, small_spec().model_copy(update={"scaling": Scaling(target="standard", over=over)}))
    succeeded(stage, of_model(stage, model, baselines=[]))
    with stage.database.read() as db:
        forecaster = load(stage.artifacts.read(get_model(db, stage.owner, str(model.model_id)).digest))
    values = waves().filter(pl.col("unique_id") == "s1")["y"].to_numpy()
    start = np.datetime64("2024-01-01", "us")
    for number, window in enumerate(spied[0]):
        known = values[: 120 - HORIZON - STEP * (WINDOWS - 1 - number)]
        (forecast,) = forecaster.predict([History("s1", start, {"y": known}, {})], [0.1])
        np.testing.assert_allclose(window.forecasts.by[MODEL][1, :, 0], forecast.mean, rtol=1e-4)
        np.testing.assert_allclose(window.forecasts.by[MODEL][1, :, 2], forecast.quantiles[0.1], rtol=1e-4)


def test_a_series_without_a_whole_context_is_scored_where_the_document_says_that_less_is_enough(local_stage: Stage) -> None:
    spec = small_spec(epochs=1).model_copy(update={"context": 112, "min_context": 20})
    found = succeeded(local_stage, local_stage.add_job(spec, kind="backtest", request={"windows": WINDOWS, "step": STEP, "baselines": []}))
    assert [window["series"] for window in found["windows"]] == [2, 2, 2]  # 108, 112 and 116 steps lie before their cutoffs
    assert found["scores"][MODEL]["mase"] is not None


def test_the_answer_says_what_a_model_had_seen_of_the_windows(stage: Stage) -> None:
    found = succeeded(stage, of_model(stage, trained(stage), baselines=[]))
    # Its training kept the last four steps for its own test; those of the last window.
    assert [window["seen"] for window in found["windows"]] == [1.0, 1.0, 0.0]
    (sentence,) = [note for note in found["notes"] if "trained or chosen" in note]
    assert "windows 1, 2" in sentence
    assert "refit" in sentence


@pytest.mark.parametrize(("refit", "over"), [(False, "window"), (True, "window"), (True, "series")])
def test_nothing_after_a_cutoff_moves_what_was_forecast_there(
    refit: bool, over: Literal["window", "series"], migrated_sqlite: Path, tmp_path: Path, spied: list[list[Window]]
) -> None:
    reading = small_spec().model_copy(update={"inputs": {"past": Input(columns=("y", "x"))}, "scaling": Scaling(over=over)})
    for place, frame in enumerate([waves(), *(altered(waves(), HORIZON + STEP * back) for back in range(WINDOWS))]):
        folder = tmp_path / str(place)
        folder.mkdir()
        shutil.copy(migrated_sqlite, folder / "local.db")
        database = Database(f"sqlite:///{folder / 'local.db'}")
        stage = set_stage(database, folder, frame)
        request = {"windows": WINDOWS, "step": STEP, "refit": refit, "baselines": ["theta"]}
        found = succeeded(stage, stage.add_job(reading, kind="backtest", request=request))
        assert found["trained"] == ("each" if refit else "once")
        database.dispose()
    first, *others = spied
    for back, changed in enumerate(others):
        number = WINDOWS - 1 - back
        assert (changed[number].actual != first[number].actual).all()
        for window, other in zip(first[: number + 1], changed[: number + 1], strict=True):
            for name, values in window.forecasts.by.items():
                np.testing.assert_array_equal(values, other.forecasts.by[name], err_msg=name)
        for window, other in zip(first[number + 1 :], changed[number + 1 :], strict=True):
            assert (window.forecasts.by[MODEL] != other.forecasts.by[MODEL]).any()


def test_with_refit_each_window_has_a_forecaster_of_its_own(local_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[list[int]] = []

    def spy(spec: Any, panel: Any, device: Any) -> Any:
        lengths.append(panel.lengths.tolist())
        return prepare(spec, panel, device)

    monkeypatch.setattr("worker.backtest.prepare", spy)
    succeeded(local_stage, of_document(local_stage, refit=True))
    assert lengths == [[108, 108], [112, 112], [116, 116]]
    lengths.clear()
    succeeded(local_stage, of_document(local_stage))
    assert lengths == [[108, 108]]


class _KilledError(BaseException):
    """The end of a process, as far as an attempt can tell."""


@pytest.mark.parametrize("end", ["drained", "killed"])
@pytest.mark.parametrize("refit", [False, True])
def test_an_interrupted_backtest_goes_on_and_repeats_no_window(
    refit: bool, end: str, local_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(ledger, "CHECKPOINT_SHARE", 1e9)
    whole = of_document(local_stage, refit=refit)
    straight = succeeded(local_stage, whole)
    job, drain, forecast, trained_on = of_document(local_stage, refit=refit), threading.Event(), list[int](), list[int]()
    real = BacktestAttempt._forecasts

    def interrupted(self: BacktestAttempt, number: int) -> Any:
        forecast.append(number)
        if forecast == [0, 1] and end == "killed":
            raise _KilledError
        if forecast == [0, 1]:
            drain.set()
            wait_until(lambda: self._heartbeat.order is not Order.GO_ON)
        return real(self, number)

    def spy(spec: Any, panel: Any, device: Any) -> Any:
        trained_on.append(int(panel.lengths[0]))
        return prepare(spec, panel, device)

    monkeypatch.setattr(BacktestAttempt, "_forecasts", interrupted)
    monkeypatch.setattr("worker.backtest.prepare", spy)
    if end == "killed":
        with pytest.raises(_KilledError):
            run(local_stage, job)
        with local_stage.database.begin() as db:
            db.execute(sa.update(JobRow).where(JobRow.id == job).values(lease_until=utc_in(-1)))
    else:
        assert run(local_stage, job, drain).status == "queued"
    found = succeeded(local_stage, job)
    assert local_stage.job(job).attempt == 2
    assert forecast == [0, 1, 1, 2]
    # The window that was interrupted is trained on from where its training was, where it had begun.
    assert trained_on == ([108] if not refit else [108, 112, 112, 116] if end == "drained" else [108, 112, 116])
    assert found == straight
    assert [values["window"] for _, values in curve_of(local_stage, whole)] == [1.0, 2.0, 3.0]
    assert curve_of(local_stage, job) == curve_of(local_stage, whole)
    assert_recorded_without_gaps(local_stage, job)


def test_a_backtest_is_cancelled_between_two_series(local_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    job = of_document(local_stage)

    def cancelled(*arguments: Any) -> Any:
        with local_stage.database.begin() as db:
            cancel_job(db, local_stage.owner, job)
        time.sleep(1.5)
        return baseline_forecasts(*arguments)

    monkeypatch.setattr("worker.backtest.baseline_forecasts", cancelled)
    run_job(job, Workplace(local_stage.database, local_stage.artifacts, 1.0, 1), threading.Event())
    assert local_stage.job(job).status == "cancelled"


def test_too_many_windows_for_the_series_end_with_a_way_out(local_stage: Stage) -> None:
    row = run(local_stage, of_document(local_stage, windows=26, refit=True))
    assert row.status == "failed"
    assert row.error is not None
    assert row.error["pointer"] == "#/windows"
    assert "ask for fewer windows" in row.error["message"]


def test_without_the_library_the_answer_says_how_to_get_theta_and_ets(local_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.backtest.is_installed", lambda: False)
    found = succeeded(local_stage, local_stage.add_job(kind="backtest", request={"windows": 1}))
    assert set(found["scores"]) == {MODEL, NAIVE}
    assert any("pip install 'braidcast[baselines]'" in note for note in found["notes"])


@pytest.mark.skipif(not is_installed(), reason="statsforecast, an optional extra, is not installed")
def test_theta_and_ets_are_scored_in_the_same_answer(local_stage: Stage) -> None:
    found = succeeded(local_stage, local_stage.add_job(kind="backtest", request={"windows": 2}))
    assert set(found["scores"]) == {MODEL, NAIVE, "theta", "ets"}
    assert set(found["skill"]) == {NAIVE, "theta", "ets"}
    # Waves of a season of seven with a tenth of noise: whoever knows the season is near to 0.1, and the old noise comes on top for naive.
    assert found["scores"]["ets"]["mae"] < found["scores"][NAIVE]["mae"] < 0.3
    assert found["scores"]["theta"]["coverage_95"] > 0.7
