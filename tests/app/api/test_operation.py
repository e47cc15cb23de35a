"""Workers, queues and usage: seen by everybody, with the names of nobody else's jobs."""

from typing import Any

from app.store.leases import claim
from app.store.workers import Presence, see_worker
from tests.app.api.conftest import Api, problem_of


def add_job(api: Api, **fields: Any) -> str:
    body = {"kind": "train", "dataset": api.upload(), "horizon": 2, "context": 4} | fields
    answer = api.client.post("/v1/jobs", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def run(api: Api, job: str, process: str) -> None:
    with api.services.database.begin() as db:
        assert claim(db, job, worker=process, lease_seconds=60) is not None


def see(api: Api, worker_id: str, *queues: str) -> None:
    with api.services.database.begin() as db:
        see_worker(db, Presence(worker_id, worker_id.partition(":")[0], queues, "cpu", 2, "0.1.0"))


def test_a_worker_is_told_with_your_jobs_named_and_those_of_others_counted(api: Api) -> None:
    see(api, "host:1", "cpu", "gpu")
    run(api, job := add_job(api), "host:1:2")
    (told,) = api.client.get("/v1/workers").json()["data"]
    assert (told["id"], told["host"], told["queues"], told["device"]) == ("host:1", "host", ["cpu", "gpu"], "cpu")
    assert (told["processes"], told["version"], told["running"], told["jobs"]) == (2, "0.1.0", 1, [job])
    assert not told["is_silent"]
    assert told["seen_at"].endswith("Z")
    (told,) = api.client_of("somebody else").get("/v1/workers").json()["data"]
    assert (told["running"], told["jobs"]) == (1, [])


def test_queues_are_told_with_their_workers_and_priorities(api: Api) -> None:
    see(api, "host:1", "cpu")
    add_job(api, resources={"priority": 6})
    run(api, add_job(api), "host:1:2")
    add_job(api, resources={"device": "gpu"})
    cpu, gpu = api.client_of("somebody else").get("/v1/queues").json()["data"]
    assert (cpu["queue"], cpu["workers"], cpu["waiting"], cpu["running"]) == ("cpu", 1, 1, 1)
    assert [(one["priority"], one["waiting"], one["running"]) for one in cpu["priorities"]] == [(3, 0, 1), (6, 1, 0)]
    assert cpu["oldest_wait_seconds"] == cpu["priorities"][1]["oldest_wait_seconds"] >= 0
    assert (gpu["queue"], gpu["workers"], gpu["waiting"], gpu["running"]) == ("gpu", 0, 1, 0)


def test_queues_that_nobody_uses_are_told_as_empty(api: Api) -> None:
    empty: dict[str, Any] = {"workers": 0, "waiting": 0, "running": 0, "oldest_wait_seconds": None, "priorities": []}
    assert api.client.get("/v1/queues").json() == {"data": [{"queue": name} | empty for name in ("cpu", "gpu")]}


def test_usage_is_ones_own(api: Api) -> None:
    add_job(api)
    mine, theirs = api.client.get("/v1/usage").json(), api.client_of("somebody else").get("/v1/usage").json()
    assert (mine["datasets"], mine["models"], mine["jobs"]) == (1, 0, {"queued": 1})
    assert mine["dataset_bytes"] > 0
    assert theirs == {"datasets": 0, "dataset_bytes": 0, "models": 0, "model_bytes": 0, "checkpoint_bytes": 0, "jobs": {}}


def test_workers_and_queues_want_a_key(api: Api) -> None:
    api.client.headers.pop("Authorization")
    for path in ("/v1/workers", "/v1/queues", "/v1/usage"):
        problem_of(api.client.get(path), 401)
