"""A job goes from its claim to its stored model, once, however often it is interrupted; what goes wrong ends as data in its row."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from app.forecasting.checkpoint import load
from app.spec.forecaster import ForecasterSpec
from app.spec.parse import parse_spec
from app.store.datasets import NewDataset, insert_dataset
from app.store.jobs import cancel_job, list_attempts
from app.store.leases import claim
from app.store.models import get_model
from app.store.progress import list_events
from app.store.tables import CheckpointRow, JobRow, ModelRow
from tests.worker.stage import Stage, away, small_spec, wait_until, waves
from tests.worker.workers import assert_recorded_without_gaps, curve_of
from worker import ledger
from worker.attempt import Workplace
from worker.runner import run_job

LONG = {"epochs": 2000, "lr": 1e-4}
"""Far longer than any test waits."""


def place_of(stage: Stage, lease_seconds: float = 30) -> Workplace:
    return Workplace(stage.database, stage.artifacts, lease_seconds, 1)


def run(stage: Stage, job: str) -> JobRow:
    run_job(job, place_of(stage), threading.Event())
    return stage.job(job)


def model_of(stage: Stage, job: JobRow) -> ModelRow:
    with stage.database.read() as db:
        return get_model(db, stage.owner, str(job.model_id))


def checkpoints_of(stage: Stage, job: str) -> list[CheckpointRow]:
    with stage.database.read() as db:
        return list(db.scalars(sa.select(CheckpointRow).where(CheckpointRow.job_id == job).order_by(CheckpointRow.step.desc())))


def while_it_runs(
    stage: Stage, job: str, act: Callable[[], object], drain: threading.Event | None = None, lease_seconds: float = 30
) -> JobRow:
    """Runs a job and does something once it has measured a few epochs."""
    runner = threading.Thread(target=run_job, args=(job, place_of(stage, lease_seconds), drain or threading.Event()))
    runner.start()
    try:
        wait_until(lambda: stage.job(job).last_step > 20)
        act()
    finally:
        runner.join(60)
    assert not runner.is_alive()
    return stage.job(job)


def test_a_job_goes_from_its_claim_to_a_model_that_forecasts(stage: Stage) -> None:
    job = run(stage, stage.add_job())
    assert (job.status, job.error, job.attempt) == ("succeeded", None, 1)
    model = model_of(stage, job)
    assert model.name == "waves"
    assert set(model.scores) == {"model", "seasonal_naive"}
    assert model.lineage["job"] == job.id
    assert model.lineage["season"] == 7
    forecaster = load(stage.artifacts.read(model.digest))
    assert (forecaster.context, forecaster.horizon, forecaster.time_kind) == (12, 4, "zoned")
    assert forecaster.residuals is not None
    assert sum(weight.numel() for weight in forecaster.network.parameters()) == model.parameters
    curve = [values for _, values in curve_of(stage, job.id) if "val_loss" in values]
    assert [values["epoch"] for values in curve] == [1, 2, 3]
    assert {"train_loss", "val_loss", "best_val_loss", "lr", "grad_norm"} < set(curve[0])
    assert_recorded_without_gaps(stage, job.id)
    assert checkpoints_of(stage, job.id) == []


def test_a_second_delivery_does_nothing(stage: Stage) -> None:
    first = run(stage, stage.add_job())
    again = run(stage, first.id)
    assert (again.attempt, again.last_seq, again.model_id) == (1, first.last_seq, first.model_id)
    run_job("job_that_never_was", place_of(stage), threading.Event())


def test_what_the_job_asks_for_wins_over_the_dataset(local_stage: Stage) -> None:
    job = run(local_stage, local_stage.add_job(request={"season": [3, 7], "resources": {"device": "cpu"}}))
    assert model_of(local_stage, job).lineage["season"] == 3


@pytest.mark.slow
def test_a_job_that_was_drained_twice_ends_with_the_model_of_one_that_never_was(
    local_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "CHECKPOINT_SECONDS", 0.0)
    stage, spec = local_stage, small_spec(epochs=60)
    straight = run(stage, stage.add_job(spec))
    job = stage.add_job(spec)
    for _ in range(2):
        drain = threading.Event()
        step = stage.job(job).last_step
        runner = threading.Thread(target=run_job, args=(job, place_of(stage), drain))
        runner.start()
        wait_until(lambda step=step: stage.job(job).last_step > step)  # type: ignore[misc]
        drain.set()
        runner.join(30)
        if stage.job(job).status == "queued":
            assert len(checkpoints_of(stage, job)) in {1, 2, 3}
    ended = run(stage, job)
    assert ended.status == "succeeded"
    assert ended.attempt > 1
    assert model_of(stage, ended).digest == model_of(stage, straight).digest
    assert curve_of(stage, job) == curve_of(stage, straight.id)
    assert_recorded_without_gaps(stage, job)


def test_a_cancelled_job_stops_within_seconds_and_keeps_a_checkpoint(local_stage: Stage) -> None:
    job_id = local_stage.add_job(small_spec(**LONG))

    def cancel() -> None:
        with local_stage.database.begin() as db:
            cancel_job(db, local_stage.owner, job_id)

    job = while_it_runs(local_stage, job_id, cancel, lease_seconds=2)
    assert (job.status, job.model_id, job.error) == ("cancelled", None, None)
    assert len(checkpoints_of(local_stage, job_id)) > 0
    assert local_stage.artifacts.read(checkpoints_of(local_stage, job_id)[0].digest)


def test_an_attempt_that_lost_its_lease_writes_nothing_more(local_stage: Stage) -> None:
    job_id = local_stage.add_job(small_spec(**LONG))
    seen: list[int] = []

    def take_it_away() -> None:
        with local_stage.database.begin() as db:
            # In one transaction: the heartbeat of the first attempt must not renew between.
            db.execute(sa.update(JobRow).values(lease_until=sa.func.datetime("now", "-1 minute")))
            assert claim(db, job_id, worker="another", lease_seconds=60) is not None
        seen.append(local_stage.job(job_id).last_seq)

    job = while_it_runs(local_stage, job_id, take_it_away, lease_seconds=2)
    assert (job.status, job.attempt) == ("running", 2)
    assert job.last_seq == seen[0]
    with local_stage.database.read() as db:
        assert [attempt.outcome for attempt in list_attempts(db, local_stage.owner, job_id)] == ["lost", None]


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_read_gives_way_to_the_one_before(local_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "CHECKPOINT_SECONDS", 0.0)
    stage, spec = local_stage, small_spec(epochs=40)
    straight = run(stage, stage.add_job(spec))
    job_id, drain = stage.add_job(spec), threading.Event()
    while_it_runs(stage, job_id, drain.set, drain)
    newest, *older = checkpoints_of(stage, job_id)
    assert older
    stage.artifacts.delete(newest.digest)
    job = run(stage, job_id)
    assert job.status == "succeeded"
    assert model_of(stage, job).digest == model_of(stage, straight).digest
    assert curve_of(stage, job_id) == curve_of(stage, straight.id)


@pytest.mark.parametrize(
    ("spec", "fields", "code", "sentence"),
    [
        (
            small_spec(lr=10.0, optimizer="adam", clip_norm=None, epochs=300, schedule="constant"),
            {"dataset": "huge"},
            "diverged",
            "lower training.lr",
        ),
        (small_spec(**LONG), {"max_runtime_seconds": 1}, "timeout", "may take 1 s; allow more in resources.max_runtime_seconds"),
        (small_spec(), {"request": {"resources": {"device": "gpu"}}}, "no_gpu", "this worker has no GPU"),
        (small_spec(), {"dataset": "empty"}, "data_invalid", "use a shorter context or horizon"),
        (small_spec(), {"dataset": "gone"}, "internal", "something went wrong here, not in your request: NotFoundError"),
    ],
    ids=["diverged", "timeout", "no_gpu", "data_invalid", "internal"],
)
def test_what_goes_wrong_is_told_in_a_sentence(
    local_stage: Stage, tmp_path: Any, spec: ForecasterSpec, fields: dict[str, Any], code: str, sentence: str
) -> None:
    stage, kind = local_stage, fields.pop("dataset", None)
    if kind is not None:
        spec = spec.model_copy(update={"scaling": spec.scaling.model_copy(update={"target": "none"})})
        fields["dataset_id"] = odd_dataset(stage, tmp_path, kind)
    job = run(stage, stage.add_job(spec, **fields))
    assert job.status == "failed"
    assert job.error is not None
    assert job.error["code"] == code
    assert sentence in job.error["message"]
    assert job.model_id is None
    assert_recorded_without_gaps(stage, job.id)


def odd_dataset(stage: Stage, folder: Any, kind: str) -> str:
    """A dataset that no network learns from: values too large to square, none at all, or a file that is not there."""
    frame = waves().with_columns(y=waves()["y"] * (1e30 if kind == "huge" else float("nan")))
    path = folder / "odd.arrow"
    frame.write_ipc(path, compression="uncompressed")
    digest = "0" * 64 if kind == "gone" else stage.artifacts.put(path)
    with stage.database.begin() as db:
        return insert_dataset(db, stage.owner, NewDataset(kind, digest, 1, "D", 7, "y", ["x"], {}, {})).id


def test_a_database_that_is_away_leaves_the_job_to_be_announced_again(local_stage: Stage) -> None:
    job = local_stage.add_job()
    with away(local_stage.database):
        run_job(job, place_of(local_stage), threading.Event())
    assert (local_stage.job(job).status, local_stage.job(job).attempt) == ("queued", 0)


def test_a_job_that_learns_in_phases_says_what_each_came_to(local_stage: Stage) -> None:
    blocks = [{"kind": "lstm", "units": 4}, {"kind": "gru", "units": 4}]
    training = {"phases": [{"learn": "layer by layer", "epochs": 2}, {"learn": "all", "epochs": 1}], "patience": None}
    spec = parse_spec({"context": 12, "horizon": 4, "network": {"kind": "stack", "blocks": blocks}, "training": training})
    job = run(local_stage, local_stage.add_job(spec))
    assert job.status == "succeeded", job.error
    phases = model_of(local_stage, job).lineage["phases"]
    assert [(phase["name"], phase["epochs"]) for phase in phases] == [("layer 1 of 2", 2), ("layer 2 of 2", 2), ("all", 1)]
    with local_stage.database.read() as db:
        events = list_events(db, local_stage.owner, job.id, 0, 100)
    assert [event.data["name"] for event in events if event.kind == "phase"] == ["layer 1 of 2", "layer 2 of 2", "all"]
    assert [values["epoch"] for _, values in curve_of(local_stage, job.id) if "epoch" in values] == [1, 2, 3, 4, 5]
    assert (job.progress["epoch"], job.progress["epochs"], job.progress["fraction"]) == (5, 5, 1.0)


def test_a_job_says_how_its_gradients_flow_and_what_to_change(local_stage: Stage) -> None:
    job = run(local_stage, local_stage.add_job(small_spec(epochs=80, batch_size=64)))
    measured = [values for _, values in curve_of(local_stage, job.id) if "memory/network.0" in values]
    assert measured
    assert {
        "grad_norm/network.0",
        "saturation/network.0",
        "radius/network.0",
        "update_ratio/network.0",
        "grad_norm/network.0/forget",
    } <= set(measured[0])
    assert all("clipped" in values for _, values in curve_of(local_stage, job.id) if "epoch" in values)
    unready = run(local_stage, local_stage.add_job(small_spec(epochs=5, lr=1e-6, clip_norm=None, schedule="constant")))
    with local_stage.database.read() as db:
        findings = [event.data for event in list_events(db, local_stage.owner, unready.id, 0, 1000) if event.kind == "finding"]
    assert [finding["code"] for finding in findings] == ["underfitting"]
    assert "raise training.lr" in findings[0]["remedy"]
    with local_stage.database.read() as db:
        (told,) = [event.data for event in list_events(db, local_stage.owner, job.id, 0, 1000) if event.kind == "gradients"]
    (layer,) = told["layers"]
    assert len(layer["lags"]) == len(layer["norms"]) > 3
    assert layer["lags"][0] == 0


def test_a_job_ends_early_by_the_patience_of_its_training(local_stage: Stage) -> None:
    job = run(local_stage, local_stage.add_job(small_spec(epochs=300, lr=0.05, patience=2, schedule="constant")))
    (phase,) = model_of(local_stage, job).lineage["phases"]
    assert phase["epochs"] == phase["best_epoch"] + 2 < 300
