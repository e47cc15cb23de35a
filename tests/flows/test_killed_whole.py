"""kill -9 of everything, Redis too, and `braidcast up` again: the job ends with the model of one that nobody touched, byte for byte."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.flows.service import Service, running
from tests.flows.test_recovery import start_training
from tests.processes import processes_where

pytestmark = [pytest.mark.services, pytest.mark.slow]

ENVIRONMENT = {"BRAIDCAST_LEASE_SECONDS": "5"}


def processes_of(home: Path) -> list[int]:
    """Everything that has the home in its command or its environment."""
    return processes_where(lambda *told: any(str(home).encode() in one for one in told))


def weights_of(service: Service, model: str) -> bytes:
    return service.http.get(f"/v1/models/{model}/weights").raise_for_status().content


def test_a_service_that_was_killed_whole_gives_the_model_of_one_that_was_not(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running(home, ENVIRONMENT) as service:
        job = start_training(service, "killed")
        request = {key: service.job(job)[key] for key in ("name", "dataset", "architecture")}
        parts = processes_of(home)
        assert len(parts) >= 5
        for process in parts:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        until = time.monotonic() + 180
        while processes_of(home):
            assert time.monotonic() < until
            time.sleep(0.1)
    with running(home, ENVIRONMENT) as service:
        ended = service.wait(job, status="succeeded")
        attempts = service.http.get(f"/v1/jobs/{job}/attempts").json()["data"]
        assert [attempt["outcome"] for attempt in attempts] == ["lost", "succeeded"]
        assert attempts[1]["resumed_from_step"] > 0
        document = request["architecture"]
        again = service.train(request | {"context": document["context"], "horizon": document["horizon"]})
        untouched = service.wait(again, status="succeeded")
        assert untouched["attempt"] == 1
        assert weights_of(service, ended["model"]) == weights_of(service, untouched["model"])
