"""Forecasts of a whole dataset are a file, whose bytes no kill, pause or lost part changes; what cannot be forecast is named."""

import io
import threading
import time
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest
import sqlalchemy as sa

from app.errors import LeaseLostError
from app.forecasting.checkpoint import load
from app.forecasting.histories import History
from app.series.frequency import parse_frequency
from app.series.panel import panel_of
from app.spec.forecaster import Scaling
from app.spec.inputs import Input
from app.store.database import Database, utc_in
from app.store.jobs import cancel_job, list_checkpoints, pause_job, resume_job
from app.store.leases import claim
from app.store.models import get_model
from app.store.progress import list_events, record_part
from app.store.tables import JobRow
from tests.worker.stage import CONTEXT, HORIZON, Stage, set_stage, small_spec, wait_until, waves
from tests.worker.workers import assert_recorded_without_gaps
from worker.attempt import Workplace
from worker.forecast import ForecastAttempt
from worker.heartbeat import Order
from worker.runner import run_job

SERIES = 8


@pytest.fixture
def many(migrated_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A dataset of eight series, of which parts have three."""
    monkeypatch.setattr("worker.forecast.MOST_SERIES", 3)
    return stage_of(migrated_sqlite, tmp_path, waves(SERIES))


def stage_of(migrated: Path, folder: Path, frame: pl.DataFrame) -> Stage:
    (folder / "local.db").write_bytes(migrated.read_bytes())
    return set_stage(Database(f"sqlite:///{folder / 'local.db'}"), folder, frame)


def run(stage: Stage, job: str, drain: threading.Event | None = None, lease_seconds: float = 30) -> JobRow:
    run_job(job, Workplace(stage.database, stage.artifacts, lease_seconds, 1), drain or threading.Event())
    return stage.job(job)


def model_of(stage: Stage, spec: Any = None) -> dict[str, Any]:
    """A trained model as the origin of a job."""
    row = run(stage, stage.add_job(spec))
    with stage.database.read() as db:
        return {"origin_id": row.model_id, "origin_digest": get_model(db, stage.owner, str(row.model_id)).digest}


def asked(stage: Stage, model: dict[str, Any], **request: Any) -> str:
    return stage.add_job(kind="forecast", request={"model": model["origin_id"], **request}, **model)


def succeeded(stage: Stage, job: str) -> bytes:
    row = run(stage, job)
    assert (row.status, row.error, row.model_id) == ("succeeded", None, None)
    return stage.artifacts.read(str(row.result_digest))


def told(stage: Stage, job: str, kind: str = "forecast") -> list[dict[str, Any]]:
    with stage.database.read() as db:
        return [dict(event.data) for event in list_events(db, stage.owner, job, 0, 1000, kinds=[kind])]


@pytest.mark.parametrize("over", ["window", "series"])
def test_the_file_has_what_each_series_is_forecast_by_itself(many: Stage, over: Literal["window", "series"]) -> None:
    model = model_of(many, small_spec().model_copy(update={"scaling": Scaling(target="standard", over=over)}))
    job = asked(many, model, horizon=3, levels=[90], quantiles=[0.5])
    frame = pl.read_parquet(io.BytesIO(succeeded(many, job)))
    assert frame.columns == ["unique_id", "ds", "mean", "q0.05", "q0.5", "q0.95"]
    forecaster = load(many.artifacts.read(model["origin_digest"]))
    panel = panel_of(waves(SERIES), parse_frequency("D"), ["x"])
    for number in range(SERIES):
        history = History(panel.ids[number], panel.start(number), {"y": panel.values(number)}, {})
        (one,) = forecaster.predict([history], [0.05, 0.5, 0.95], 3)
        mine = frame.filter(pl.col("unique_id") == f"s{number}")
        assert mine["mean"].to_list() == pytest.approx(one.mean, rel=1e-5)
        assert mine["q0.95"].to_list() == pytest.approx(one.quantiles[0.95], rel=1e-5)
        assert mine["ds"].dt.replace_time_zone(None).to_list() == one.times.tolist()
    (found,) = told(many, job)
    assert (found["series"], found["series_left_out"], found["left_out"]) == (SERIES, 0, [])
    assert (found["horizon"], found["quantiles"], found["size_bytes"]) == (
        3,
        [0.05, 0.5, 0.95],
        len(many.artifacts.read(str(many.job(job).result_digest))),
    )
    assert many.job(job).progress["fraction"] == 1.0


def test_parts_are_gone_once_the_file_is_there(many: Stage) -> None:
    model = model_of(many)
    before = many.artifacts.digests()
    job = asked(many, model)
    succeeded(many, job)
    with many.database.read() as db:
        assert list_checkpoints(db, many.owner, job) == []
    assert many.artifacts.digests() - before == {many.job(job).result_digest}
    assert [event["step"] for event in told(many, job, "checkpoint")] == [360, 720, 960]


class _KilledError(BaseException):
    """The end of a process, as far as an attempt can tell."""


@pytest.mark.parametrize("form", ["parquet", "csv"])
@pytest.mark.parametrize("end", ["drained", "killed", "paused"])
def test_an_interrupted_job_writes_the_same_bytes_and_repeats_no_part(
    end: str, form: str, many: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(many)
    straight = succeeded(many, asked(many, model, format=form))
    job, drain, seen = asked(many, model, format=form), threading.Event(), list[int]()
    real = ForecastAttempt._part

    def interrupted(self: ForecastAttempt, frame: pl.DataFrame, first: int) -> Any:
        seen.append(first)
        if seen == [0, 360] and end == "killed":
            raise _KilledError
        if seen == [0, 360]:
            if end == "drained":
                drain.set()
            else:
                with many.database.begin() as db:
                    pause_job(db, many.owner, job)
            wait_until(lambda: self._heartbeat.order is not Order.GO_ON)
        return real(self, frame, first)

    monkeypatch.setattr(ForecastAttempt, "_part", interrupted)
    if end == "killed":
        with pytest.raises(_KilledError):
            run(many, job)
        with many.database.begin() as db:
            db.execute(sa.update(JobRow).where(JobRow.id == job).values(lease_until=utc_in(-1)))
    else:
        assert run(many, job, drain, lease_seconds=1.0).status == {"drained": "queued", "paused": "paused"}[end]
    if end == "paused":
        with many.database.begin() as db:
            resume_job(db, many.owner, job)
    assert succeeded(many, job) == straight
    assert seen == [0, 360, 360, 720]
    assert_recorded_without_gaps(many, job)


def test_a_part_that_cannot_be_read_is_forecast_again(many: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(many)
    straight = succeeded(many, asked(many, model))
    job, drain = asked(many, model), threading.Event()
    real = ForecastAttempt._part

    def drained(self: ForecastAttempt, frame: pl.DataFrame, first: int) -> Any:
        if first == 720:
            drain.set()
        return real(self, frame, first)

    monkeypatch.setattr(ForecastAttempt, "_part", drained)
    assert run(many, job, drain).status == "queued"
    monkeypatch.setattr(ForecastAttempt, "_part", real)
    with many.database.read() as db:
        _, first = list_checkpoints(db, many.owner, job)
    many.artifacts.delete(first.digest)
    assert succeeded(many, job) == straight


def test_a_job_is_cancelled_between_two_batches(many: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    job = asked(many, model_of(many))
    real = ForecastAttempt._histories

    def cancelled(self: ForecastAttempt, panel: Any) -> Any:
        with many.database.begin() as db:
            cancel_job(db, many.owner, job)
        time.sleep(1.5)
        return real(self, panel)

    monkeypatch.setattr(ForecastAttempt, "_histories", cancelled)
    assert run(many, job, lease_seconds=1.0).status == "cancelled"
    assert many.job(job).result_digest is None


def test_an_attempt_that_lost_its_job_keeps_no_part(many: Stage) -> None:
    job = asked(many, model_of(many))
    with many.database.begin() as db:
        first = claim(db, job, worker="one", lease_seconds=-1)
    with many.database.begin() as db:
        second = claim(db, job, worker="two", lease_seconds=60)
    assert first is not None
    assert second is not None
    with pytest.raises(LeaseLostError), many.database.begin() as db:
        record_part(db, first.lease, "0" * 64, 1, 360)
    with many.database.begin() as db:
        record_part(db, second.lease, "1" * 64, 1, 360)
        record_part(db, second.lease, "2" * 64, 1, 360)
    with many.database.read() as db:
        assert [row.digest for row in list_checkpoints(db, many.owner, job)] == ["2" * 64]


def test_series_that_cannot_be_forecast_are_left_out_and_named(migrated_sqlite: Path, tmp_path: Path) -> None:
    place, length = pl.int_range(pl.len()).over("unique_id"), pl.len().over("unique_id")
    is_short, is_silent = pl.col("unique_id") == "s1", pl.col("unique_id") == "s3"
    frame = waves(4).filter(~is_short | (place < CONTEXT - 1))
    frame = frame.with_columns(y=pl.when(is_silent & (place >= length - CONTEXT)).then(None).otherwise(pl.col("y")))
    stage = stage_of(migrated_sqlite, tmp_path, frame)
    job = asked(stage, model_of(stage))
    result = pl.read_parquet(io.BytesIO(succeeded(stage, job)))
    assert result["unique_id"].unique(maintain_order=True).to_list() == ["s0", "s2"]
    (found,) = told(stage, job)
    assert (found["series"], found["series_left_out"]) == (2, 2)
    assert [(one["unique_id"], one["code"]) for one in found["left_out"]] == [("s1", "history_too_short"), ("s3", "nothing_observed")]
    assert "looks back 12" in found["left_out"][0]["reason"]


def test_a_dataset_of_which_nothing_can_be_forecast_is_a_failure_with_a_reason(migrated_sqlite: Path, tmp_path: Path) -> None:
    stage = stage_of(migrated_sqlite, tmp_path, waves(2))
    knows = small_spec().model_copy(update={"inputs": {"past": Input(columns=("y",)), "ahead": Input(columns=("x",), known="future")}})
    row = run(stage, asked(stage, model_of(stage, knows)))
    assert (row.status, row.result_digest) == ("failed", None)
    assert row.error is not None
    assert row.error["pointer"] == "#/dataset"
    assert "lacks the future of 'x'" in row.error["message"]


def test_steps_without_a_target_at_the_end_are_what_is_known_ahead(migrated_sqlite: Path, tmp_path: Path) -> None:
    place, length = pl.int_range(pl.len()).over("unique_id"), pl.len().over("unique_id")
    frame = waves(2).with_columns(y=pl.when(place < length - HORIZON).then(pl.col("y")))
    stage = stage_of(migrated_sqlite, tmp_path, frame)
    knows = small_spec().model_copy(update={"inputs": {"past": Input(columns=("y",)), "ahead": Input(columns=("x",), known="future")}})
    result = pl.read_parquet(io.BytesIO(succeeded(stage, asked(stage, model_of(stage, knows)))))
    assert result.height == 2 * HORIZON
    assert result["ds"].max() == frame["ds"].max()
