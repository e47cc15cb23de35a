"""A job begins with the weights of the model that it starts from, and can be killed as any other."""

import threading

import pytest
import torch

from app.forecasting.checkpoint import load
from app.spec.forecaster import ForecasterSpec
from app.store.models import delete_model
from app.store.progress import list_events
from app.store.tables import JobRow, ModelRow
from tests.worker.stage import Stage, small_spec
from tests.worker.test_runner import model_of, place_of, run
from tests.worker.workers import assert_recorded_without_gaps, curve_of
from worker import ledger
from worker.runner import run_job


def origin_of(stage: Stage) -> ModelRow:
    return model_of(stage, run(stage, stage.add_job(small_spec(epochs=8, lr=0.01))))


def add(stage: Stage, origin: ModelRow, spec: ForecasterSpec) -> str:
    return stage.add_job(spec, origin_id=origin.id, origin_digest=origin.digest)


def weights_of(stage: Stage, job: JobRow) -> dict[str, torch.Tensor]:
    return load(stage.artifacts.read(model_of(stage, job).digest)).network.state_dict()


def test_a_job_begins_with_the_weights_of_its_origin(local_stage: Stage) -> None:
    origin = origin_of(local_stage)
    job = run(local_stage, add(local_stage, origin, small_spec(epochs=1, lr=1e-9)))
    assert job.status == "succeeded", job.error
    before = load(local_stage.artifacts.read(origin.digest)).network.state_dict()
    for name, weight in weights_of(local_stage, job).items():
        torch.testing.assert_close(weight, before[name])
    with local_stage.database.read() as db:
        (told,) = [event.data for event in list_events(db, local_stage.owner, job.id, 0, 100) if event.kind == "inherited"]
    assert [taken["place"] for taken in told["taken"]] == ["network.0", "decoder"]
    assert (told["model"], told["left"]) == (origin.id, [])


@pytest.mark.slow
def test_a_drained_job_goes_on_to_the_bit_without_its_origin(local_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "CHECKPOINT_SECONDS", 0.0)
    stage, spec = local_stage, small_spec(epochs=40)
    origin = origin_of(stage)
    straight = run(stage, add(stage, origin, spec))
    job, drain = add(stage, origin, spec), threading.Event()
    drain.set()
    run_job(job, place_of(stage), drain)
    for _ in range(2):
        run_for_a_moment(stage, job)
    stage.artifacts.delete(origin.digest)
    ended = run(stage, job)
    assert ended.status == "succeeded", ended.error
    assert model_of(stage, ended).digest == model_of(stage, straight).digest
    assert curve_of(stage, job) == curve_of(stage, straight.id)
    assert_recorded_without_gaps(stage, job)


def run_for_a_moment(stage: Stage, job: str) -> None:
    drain = threading.Event()
    threading.Timer(0.3, drain.set).start()
    run_job(job, place_of(stage), drain)


def test_an_origin_that_is_gone_before_the_job_begins_is_told_in_a_sentence(local_stage: Stage) -> None:
    origin = origin_of(local_stage)
    with local_stage.database.begin() as db:
        digests = delete_model(db, local_stage.owner, origin.id)
    for digest in digests:
        local_stage.artifacts.delete(digest)
    job = run(local_stage, add(local_stage, origin, small_spec()))
    assert job.status == "failed"
    assert job.error is not None
    assert (job.error["code"], job.error["pointer"]) == ("origin_gone", "#/init_from")
