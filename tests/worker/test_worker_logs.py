"""What a worker writes bears the job and the attempt that it is at."""

import json
from pathlib import Path

import pytest

from tests.worker.broker import announce, running_broker
from tests.worker.stage import Stage, small_spec, wait_until
from tests.worker.workers import running_worker, wait_until_ended


@pytest.mark.services
@pytest.mark.slow
def test_every_line_of_a_worker_is_an_object_and_those_of_an_attempt_bear_its_ids(
    local_stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAIDCAST_LOG_FORMAT", "json")
    job = local_stage.add_job(small_spec(epochs=2))
    with running_broker() as broker, running_worker(local_stage, broker, tmp_path) as worker:
        announce(broker, job)
        wait_until_ended(local_stage, job, "succeeded")
        announce(broker, job)  # as the reconciler does when a message was slow
        wait_until(lambda: "is not to be had" in worker.said())
    lines = [json.loads(line) for line in worker.said().splitlines() if line.startswith("{")]
    of_jobs = [line for line in lines if line["logger"] in {"worker.runner", "worker.attempt"}]
    assert {line["job_id"] for line in of_jobs} == {job}
    assert [line["attempt"] for line in of_jobs if "attempt" in line] == [1]
    assert len(of_jobs) > 1
    assert {"celery.worker.strategy", "celery.apps.worker"} & {line["logger"] for line in lines}
    assert "[INFO" not in worker.said()
