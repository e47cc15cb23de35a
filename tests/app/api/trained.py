"""Jobs and models for the tests of the API: as a worker would leave them."""

import threading
from typing import Any

from app.store.leases import Claim, claim
from tests.app.api.conftest import Api
from worker.attempt import Workplace
from worker.runner import run_job

SMALL: dict[str, Any] = {"network": {"kind": "lstm", "units": 3}, "head": {"kind": "point"}}

AHEAD: dict[str, Any] = {
    "architecture": {
        "network": {"kind": "lstm", "units": 3},
        "inputs": {"a": {"columns": ["y"]}, "b": {"columns": ["x"], "known": "future"}},
    }
}
"""Of a training whose network knows the column x ahead."""


def train_request(dataset: str, **changes: Any) -> dict[str, Any]:
    """A request for a small training; None leaves a key out."""
    request = {"kind": "train", "dataset": dataset, "architecture": SMALL, "context": 7, "horizon": 2, "training": {"epochs": 2}} | changes
    return {name: value for name, value in request.items() if value is not None}


def add_job(api: Api, dataset: str | None = None, **changes: Any) -> str:
    answer = api.client.post("/v1/jobs", json=train_request(dataset or api.upload(), **changes))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def start(api: Api, job: str) -> Claim:
    """Claims a job, as a worker does that will be slow."""
    with api.services.database.begin() as db:
        claimed = claim(db, job, worker="a test:1", lease_seconds=60)
    assert claimed is not None
    return claimed


def run(api: Api, job: str) -> None:
    """Runs a job to its end."""
    run_job(job, Workplace(api.services.database, api.services.artifacts, 30, 1), threading.Event())


def add_model(api: Api, dataset: str | None = None, **changes: Any) -> str:
    """A trained model's id."""
    job = add_job(api, dataset, **changes)
    run(api, job)
    body = api.client.get(f"/v1/jobs/{job}").json()
    assert body["status"] == "succeeded", body
    return str(body["model"])
