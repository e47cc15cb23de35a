"""What other workers learn of a training gives the network that one worker learns alone, whoever dies, waits or fails meanwhile."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.errors import ConflictError
from app.spec.forecaster import ForecasterSpec
from app.spec.parse import parse_spec
from app.store.jobs import STAGE, cancel_job, pause_job, refuse_stage, resume_job, retry_job
from app.store.leases import claim
from app.store.parts import count_idle
from app.store.progress import list_events
from app.store.tables import CheckpointRow, JobRow
from app.store.workers import Presence, see_worker
from tests.worker.broker import running_broker
from tests.worker.searches import KilledError, model_of, told
from tests.worker.stage import Stage, wait_until
from tests.worker.workers import (
    assert_recorded_without_gaps,
    curve_of,
    outcomes_of,
    resumed_from,
    running_worker,
    trainer_of,
    wait_for_checkpoint,
    wait_until_ended,
)
from worker.attempt import Workplace
from worker.runner import run_job
from worker.training.events import Batch, Event
from worker.training.fit import Training, fit
from worker.training.state import StageOutcome

BRANCHES = [{"kind": "lstm", "units": 4, "name": "one", "dropout": 0.2}, {"kind": "gru", "units": 3}, {"kind": "elman", "units": 3}]


def spec_of(
    epochs: int = 2, *, first: tuple[dict[str, Any], ...] = ({"kind": "lstm", "units": 3},), branches: int = 3, **training: Any
) -> ForecasterSpec:
    """Branches behind a layer, if need be; one has dropout, so that the order of draws would show."""
    blocks = [*first, {"kind": "connect", "branches": BRANCHES[:branches]}]
    phases = [{"learn": "each branch", "epochs": epochs}, {"learn": "all", "epochs": 1}]
    described = {"phases": phases, "patience": None, "batch_size": 16} | training
    return parse_spec({"context": 12, "horizon": 4, "network": {"kind": "stack", "blocks": blocks}, "training": described})


def idle_worker(stage: Stage) -> None:
    """Another worker that says it is there; that nobody is behind it does not show."""
    with stage.database.begin() as db:
        see_worker(db, Presence("elsewhere:1", "elsewhere", ("cpu",), "cpu", 1, "0.1.0"))


def run(stage: Stage, job: str, drain: threading.Event | None = None, lease_seconds: float = 30) -> JobRow:
    run_job(job, Workplace(stage.database, stage.artifacts, lease_seconds, 1), drain or threading.Event())
    return stage.job(job)


def parts_of(stage: Stage, job: str) -> list[JobRow]:
    with stage.database.read() as db:
        rows = db.scalars(sa.select(JobRow).where(JobRow.parent_id == job).order_by(JobRow.id)).all()
        return list(rows)


def alone(stage: Stage, spec: ForecasterSpec) -> JobRow:
    """The job of a worker that has nobody beside it."""
    job = run(stage, stage.add_job(spec))
    assert parts_of(stage, job.id) == []
    return job


def points(stage: Stage, job: str) -> list[dict[str, float | None]]:
    """What each epoch measured."""
    return [values for _, values in curve_of(stage, job) if "epoch" in values]


def assert_like(stage: Stage, job: JobRow, straight: JobRow) -> None:
    assert model_of(stage, job).digest == model_of(stage, straight).digest
    assert points(stage, job.id) == points(stage, straight.id)
    assert job.last_step == straight.last_step
    assert_recorded_without_gaps(stage, job.id)


@pytest.mark.parametrize(
    "training", [{}, {"phases": [{"learn": "each branch", "epochs": 2, "folds": 2}]}, {"members": 2, "refit": True}], ids=str
)
def test_a_training_with_a_worker_beside_it_makes_jobs_of_its_branches_or_members_and_ends_with_the_same_network(
    stage: Stage, training: dict[str, Any]
) -> None:
    straight = alone(stage, spec_of(**training))
    idle_worker(stage)
    job = run(stage, stage.add_job(spec_of(**training)))
    assert_like(stage, job, straight)
    parts = parts_of(stage, job.id)
    assert len(parts) == (2 if "members" in training else 3 * len(BRANCHES) if "phases" in training else len(BRANCHES))
    assert {(part.kind, part.status, part.model_id, part.name[:7]) for part in parts} == {(STAGE, "succeeded", None, "waves (")}
    phases = [{name: told[name] for name in ("name", "epochs", "val_loss", "stage")} for told in told(stage, job.id, "phase")]
    assert phases == [{name: told[name] for name in ("name", "epochs", "val_loss", "stage")} for told in told(stage, straight.id, "phase")]
    assert {one["job"] for one in told(stage, job.id, "phase") if "job" in one} == {part.id for part in parts}
    assert told(stage, job.id, "gradients")[-1] == told(stage, straight.id, "gradients")[-1]
    with stage.database.read() as db:
        assert db.scalars(sa.select(CheckpointRow)).all() == []


def test_branches_that_share_weights_stay_with_their_training(local_stage: Stage) -> None:
    idle_worker(local_stage)
    branches = [{"kind": "lstm", "units": 4, "from": "target"}, {"kind": "lstm", "units": 4, "from": "target"}]
    network = {"kind": "connect", "branches": branches, "share_weights": True}
    phases = [{"learn": "each branch", "epochs": 1}]
    spec = parse_spec({"context": 12, "horizon": 4, "network": network, "training": {"phases": phases, "batch_size": 16}})
    assert alone(local_stage, spec).status == "succeeded"


def is_within(event: Event, training: Training) -> bool:
    return isinstance(event, Batch) and training.progress.step == 11


def is_at_its_end(event: Event, _: Training) -> bool:
    return isinstance(event, StageOutcome)


@pytest.mark.parametrize("moment", [is_within, is_at_its_end])
@pytest.mark.parametrize("order", ["drain", "pause"])
def test_a_shared_training_that_waits_goes_on_to_the_same_network(
    local_stage: Stage, monkeypatch: pytest.MonkeyPatch, order: str, moment: Callable[[Event, Training], bool]
) -> None:
    stage, spec, drain = local_stage, spec_of(first=()), threading.Event()
    straight = alone(stage, spec)
    idle_worker(stage)
    job = stage.add_job(spec)

    def interrupted(training: Training) -> Iterator[Event]:
        for event in fit(training):
            if moment(event, training):
                give(stage, job, order, drain)
            yield event

    with monkeypatch.context() as patched:
        patched.setattr("worker.shared.fit", interrupted)
        run(stage, job, drain, 1.0)
    wanted = "queued" if order == "drain" else "paused"
    assert {one.status for one in (stage.job(job), *parts_of(stage, job))} == {wanted}
    if order == "pause":
        with stage.database.begin() as db:
            resume_job(db, stage.owner, job)
    ended = run(stage, job)
    assert (ended.status, ended.attempt) == ("succeeded", 2)
    assert_like(stage, ended, straight)
    assert any((first := resumed_from(stage, part.id)[-1]) is not None and first > 10 for part in parts_of(stage, job))


def give(stage: Stage, job: str, order: str, drain: threading.Event) -> None:
    """Tell a training to stop, and wait until the stage that is done here has heard of it: its lease is renewed with what it is told."""
    if order == "drain":
        drain.set()
        return
    with stage.database.begin() as db:
        pause_job(db, stage.owner, job)
    seen: set[datetime] = set()

    def is_renewed_twice() -> bool:
        seen.update(part.lease_until for part in parts_of(stage, job) if part.lease_until is not None)
        return len(seen) > 2

    wait_until(is_renewed_twice)


def test_a_cancel_ends_the_stages_too_and_they_go_their_training_s_way(local_stage: Stage) -> None:
    idle_worker(local_stage)
    job = local_stage.add_job(spec_of(epochs=3000, first=()))
    runner = threading.Thread(target=run, args=(local_stage, job, None, 1.0))
    runner.start()
    wait_until(lambda: any(part.last_step > 5 for part in parts_of(local_stage, job)), 240)
    with local_stage.database.begin() as db:
        with pytest.raises(ConflictError, match=f"is a stage of {job}, and goes its way"):
            refuse_stage(db, local_stage.owner, parts_of(local_stage, job)[0].id)
        cancel_job(db, local_stage.owner, job)
    runner.join(60)
    assert {one.status for one in (local_stage.job(job), *parts_of(local_stage, job))} == {"cancelled"}


def test_an_attempt_that_loses_its_training_puts_the_stage_that_it_does_back(local_stage: Stage) -> None:
    idle_worker(local_stage)
    job = local_stage.add_job(spec_of(epochs=3000, first=()))
    runner = threading.Thread(target=run, args=(local_stage, job, None, 2.0))
    runner.start()
    wait_until(lambda: any(part.last_step > 5 for part in parts_of(local_stage, job)), 240)
    with local_stage.database.begin() as db:
        # In one transaction: the heartbeat of the first attempt must not renew between.
        db.execute(sa.update(JobRow).where(JobRow.id == job).values(lease_until=sa.func.datetime("now", "-1 minute")))
        assert claim(db, job, worker="another", lease_seconds=60) is not None
    runner.join(60)
    assert not runner.is_alive()
    assert (local_stage.job(job).status, local_stage.job(job).attempt) == ("running", 2)
    assert {part.status for part in parts_of(local_stage, job)} == {"queued"}
    assert [outcome for part in parts_of(local_stage, job) for outcome in outcomes_of(local_stage, part.id)] == ["released"]


def test_a_stage_that_fails_fails_its_training_with_its_reason_and_a_retry_does_both_again(local_stage: Stage) -> None:
    stage, spec = local_stage, spec_of()
    straight = alone(stage, spec)
    idle_worker(stage)
    job = stage.add_job(spec, max_runtime_seconds=600)
    with stage.database.begin() as db:
        # The training's own time is the stages' too: a stage that is given none fails at its first look at the clock.
        db.execute(sa.update(JobRow).where(JobRow.id == job).values(max_runtime_seconds=0))
    failed = run(stage, job)
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error["code"] == "timeout"
    with stage.database.begin() as db:
        db.execute(sa.update(JobRow).values(max_runtime_seconds=None))
        retry_job(db, stage.owner, job)
    assert_like(stage, run(stage, job), straight)


def test_an_attempt_that_dies_while_it_takes_over_leaves_what_the_stages_have_done(
    local_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, spec = local_stage, spec_of()
    straight = alone(stage, spec)
    idle_worker(stage)
    job = stage.add_job(spec)

    def dying(training: Training) -> Iterator[Any]:
        for event in fit(training):
            if isinstance(event, Batch) and training.run.stage.name == "merge":
                raise KilledError
            yield event

    with monkeypatch.context() as patched:
        patched.setattr("worker.shared.fit", dying)
        with pytest.raises(KilledError):
            run(stage, job)
    assert {part.status for part in parts_of(stage, job)} == {"succeeded"}
    with stage.database.begin() as db:
        db.execute(sa.update(JobRow).where(JobRow.id == job).values(lease_until=sa.func.datetime("now", "-1 minute")))
    ended = run(stage, job)
    assert {part.attempt for part in parts_of(stage, job)} == {1}
    assert_like(stage, ended, straight)


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_workers_share_the_branches_and_one_of_them_may_die(local_stage: Stage, tmp_path: Path) -> None:
    stage, spec = local_stage, spec_of(epochs=150, first=(), branches=2)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "artifacts").symlink_to(tmp_path / "artifacts")
    with running_broker() as broker, running_worker(stage, broker, tmp_path):
        straight = stage.add_job(spec)
        wait_until_ended(stage, straight, "succeeded", 240)
        assert parts_of(stage, straight) == []
        with running_worker(stage, broker, tmp_path / "other"):
            wait_until(lambda: idle_places(stage) == 2, 240)
            job = stage.add_job(spec)
            part = begun_elsewhere(stage, job)
            wait_for_checkpoint(stage, part)
            os.kill(trainer_of(stage, part), signal.SIGKILL)
            wait_until_ended(stage, job, "succeeded", 240)
    assert outcomes_of(stage, part)[-1] == "succeeded"
    assert len(outcomes_of(stage, part)) == 2
    assert_like(stage, stage.job(job), stage.job(straight))
    with stage.database.read() as db:
        assert [event.data["status"] for event in list_events(db, stage.owner, part, 0, 1000, ("state",))][-1] == "succeeded"


def idle_places(stage: Stage) -> int:
    with stage.database.read() as db:
        return count_idle(db, "cpu")


def begun_elsewhere(stage: Stage, job: str) -> str:
    """A stage that another process does than the training's."""

    def found() -> list[str]:
        running = [part.id for part in parts_of(stage, job) if part.status == "running"]
        return [part for part in running if trainer_of(stage, part) != trainer_of(stage, job)]

    wait_until(lambda: bool(found()), 240)
    return found()[0]
