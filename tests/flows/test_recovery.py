"""kill -9 of the whole worker, which `up` starts again: the job succeeds as attempt 2, from its checkpoint, with gapless metrics.

A killed training process is a matter of tests/chaos/test_processes.py.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flows.service import Service, running

pytestmark = [pytest.mark.services, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
EPOCHS = 150


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that soon notices who is not heard of any more."""
    with running(tmp_path_factory.mktemp("recovery") / "home", {"BRAIDCAST_LEASE_SECONDS": "2"}) as ready:
        yield ready


def start_training(service: Service, name: str) -> str:
    """A job that trains and has a checkpoint."""
    dataset = service.upload((ROOT / "app" / "demo" / "air_passengers.csv").read_text(), name)
    training = {"epochs": EPOCHS, "patience": None, "batch_size": 8}
    job = service.train(
        {"name": name, "dataset": dataset, "architecture": "gallery:stacked", "context": 24, "horizon": 6, "training": training}
    )
    until = time.monotonic() + 180
    while not any(event["kind"] == "checkpoint" for event in events_of(service, job)):
        assert time.monotonic() < until, service.job(job)
        time.sleep(0.1)
    return job


def events_of(service: Service, job: str) -> list[dict[str, Any]]:
    return list(service.http.get(f"/v1/jobs/{job}/events", params={"limit": 500}).raise_for_status().json()["data"])


def trainer_of(service: Service, job: str) -> int:
    attempts = service.http.get(f"/v1/jobs/{job}/attempts").json()["data"]
    return int(attempts[-1]["worker"].rpartition(":")[2])


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def assert_went_on_from_its_checkpoint(service: Service, job: str) -> None:
    ended = service.wait(job, status="succeeded")
    assert ended["attempt"] == 2
    attempts = service.http.get(f"/v1/jobs/{job}/attempts").json()["data"]
    assert [attempt["outcome"] for attempt in attempts] == ["lost", "succeeded"]
    assert attempts[1]["resumed_from_step"] > 0
    metrics = service.http.get(f"/v1/jobs/{job}/metrics", params={"names": "epoch"}).json()
    assert metrics["series"]["epoch"] == list(range(1, EPOCHS + 1))
    assert metrics["step"] == sorted(set(metrics["step"]))
    assert service.http.get(f"/v1/models/{ended['model']}").json()["lineage"]["attempt"] == 2


def test_a_killed_worker_does_not_lose_its_job(service: Service) -> None:
    job = start_training(service, "killed worker")
    os.kill(parent_of(trainer_of(service, job)), signal.SIGKILL)
    assert_went_on_from_its_checkpoint(service, job)
