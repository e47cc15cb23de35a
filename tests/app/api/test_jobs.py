"""A job is asked for once, told truly, and ended when its owner says so."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from app.queue import Queue
from app.store.jobs import get_job
from app.store.leases import fail
from app.store.sweep import undispatched
from tests.app.api.conftest import Api, problem_of
from tests.app.api.trained import add_job, run, start, train_request


def jobs_of(api: Api, **filters: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.client.get("/v1/jobs", params=filters).raise_for_status().json()["data"]
    return found


def test_a_job_is_accepted_while_the_queue_is_away_and_waits_to_be_announced(api: Api) -> None:
    dataset = api.upload(name="waves")
    answer = api.client.post("/v1/jobs", json=train_request(dataset, metadata={"mine": [1, None]}))
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/jobs/{body['id']}" == body["urls"]["self"]
    assert (body["status"], body["attempt"], body["name"], body["metadata"]) == ("queued", 0, "waves forecaster", {"mine": [1, None]})
    assert (body["dataset"], body["dataset_version"]) == (dataset, 1)
    assert (body["architecture"]["context"], body["architecture"]["horizon"]) == (7, 2)
    assert body["created_at"].endswith("Z")
    assert body == api.client.get(answer.headers["location"]).json()
    with api.services.database.read() as db:
        assert [waiting.job_id for waiting in undispatched(db, 60, 10)] == [body["id"]]


@pytest.mark.services
def test_an_announced_job_is_not_announced_again_soon(api: Api, redis_url: str) -> None:
    queue = Queue(redis_url)
    api.app.state.services = replace(api.services, queue=queue)
    job = add_job(api)
    with api.services.database.read() as db:
        assert undispatched(db, 60, 10) == []
        row = get_job(db, api.owner, job)
    assert (row.dispatches, row.status) == (1, "queued")
    queue.close()


def test_only_kind_dataset_and_horizon_are_required(api: Api) -> None:
    answer = api.client.post("/v1/jobs", json={"kind": "train", "dataset": api.upload(name="waves"), "horizon": 2})
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] == "waves default"
    assert answer.json()["architecture"]["context"] == 14


def test_a_job_that_ran_tells_its_progress_its_metrics_and_its_model(api: Api) -> None:
    job = add_job(api, name="mine")
    run(api, job)
    body = api.client.get(f"/v1/jobs/{job}").json()
    assert (body["status"], body["error"]) == ("succeeded", None)
    assert body["progress"] | {"eta_seconds": 0} == {
        "phase": "all",
        "epoch": 2,
        "epochs": 2,
        "step": 2,
        "fraction": 1.0,
        "eta_seconds": 0,
    }
    assert {"train_loss", "val_loss", "best"} < set(body["metrics"])
    assert body["metrics"]["best"]["val_loss"] <= body["metrics"]["val_loss"]
    assert api.client.get(f"/v1/models/{body['model']}").json()["name"] == "mine"
    attempts = api.client.get(body["urls"]["attempts"]).json()["data"]
    assert [(attempt["attempt"], attempt["outcome"]) for attempt in attempts] == [(1, "succeeded")]


def test_an_answer_that_has_not_changed_is_not_sent_again(api: Api) -> None:
    job = add_job(api)
    first = api.client.get(f"/v1/jobs/{job}")
    assert first.headers["retry-after"] == "1"
    again = api.client.get(f"/v1/jobs/{job}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    start(api, job)
    changed = api.client.get(f"/v1/jobs/{job}", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.json()["status"] == "running"
    run(api, job)
    assert changed.headers["etag"] != first.headers["etag"]


def test_a_known_answer_is_found_in_a_list_of_tags_strong_or_weak(api: Api) -> None:
    job = add_job(api)
    etag = api.client.get(f"/v1/jobs/{job}").headers["etag"]
    for known in ("*", f'"other", {etag}', etag.removeprefix("W/")):
        assert api.client.get(f"/v1/jobs/{job}", headers={"If-None-Match": known}).status_code == 304
    for unknown in ('"other"', "", etag[:-2]):
        assert api.client.get(f"/v1/jobs/{job}", headers={"If-None-Match": unknown}).status_code == 200


def test_a_retried_job_waits_to_be_announced_and_goes_on_counting_attempts(api: Api) -> None:
    job = add_job(api)
    claimed = start(api, job)
    with api.services.database.begin() as db:
        fail(db, claimed.lease, code="worker_lost", message="gone", retryable=True)
    api.client.post(f"/v1/jobs/{job}/retry")
    with api.services.database.read() as db:
        assert [waiting.job_id for waiting in undispatched(db, 60, 10)] == [job]
    assert start(api, job).lease.attempt == 2


@pytest.mark.parametrize("answer", ["events", "metrics", "stream"])
def test_a_cursor_that_no_database_counts_to_is_refused(api: Api, answer: str) -> None:
    job = add_job(api)
    problem = problem_of(api.client.get(f"/v1/jobs/{job}/{answer}", params={"after": 2**63}), 422)
    assert problem["errors"][0]["pointer"] == "?after"


def test_a_job_of_somebody_else_does_not_exist(api: Api) -> None:
    job, other = add_job(api), api.client_of("somebody else")
    assert jobs_of(replace(api, client=other)) == []
    for path in ("", "/attempts", "/events", "/metrics", "/stream"):
        assert problem_of(other.get(f"/v1/jobs/{job}{path}"), 404)["detail"].startswith(job)
    for path in ("/cancel", "/retry"):
        assert problem_of(other.post(f"/v1/jobs/{job}{path}"), 404)["detail"].startswith(job)
    assert api.client.get(f"/v1/jobs/{job}").json()["status"] == "queued"


def test_a_queued_job_is_cancelled_at_once_and_a_running_one_when_its_worker_has_heard(api: Api) -> None:
    queued, running = add_job(api), add_job(api)
    start(api, running)
    answer = api.client.post(f"/v1/jobs/{queued}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    for _ in range(2):
        answer = api.client.post(f"/v1/jobs/{running}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (202, "cancelling")
    assert api.client.post(f"/v1/jobs/{queued}/cancel").json()["status"] == "cancelled"


def test_a_failed_job_says_why_and_can_be_retried_and_no_other_can(api: Api) -> None:
    job = add_job(api)
    assert problem_of(api.client.post(f"/v1/jobs/{job}/retry"), 409)["detail"] == (
        f"{job} is queued; only a failed or cancelled job can be retried"
    )
    claimed = start(api, job)
    with api.services.database.begin() as db:
        fail(db, claimed.lease, code="diverged", message="lower training.lr", pointer="#/training/lr", retryable=False)
    body = api.client.get(f"/v1/jobs/{job}").json()
    assert body["error"] == {"code": "diverged", "message": "lower training.lr", "pointer": "#/training/lr", "retryable": False}
    assert "retry-after" not in api.client.get(f"/v1/jobs/{job}").headers
    answer = api.client.post(f"/v1/jobs/{job}/retry")
    assert (answer.status_code, answer.json()["status"], answer.json()["error"]) == (202, "queued", None)


def test_lists_are_filtered_and_paged_newest_first(api: Api) -> None:
    dataset = api.upload()
    jobs = [add_job(api, dataset) for _ in range(3)]
    other = add_job(api)
    start(api, jobs[0])
    assert [job["id"] for job in jobs_of(api)] == [other, *reversed(jobs)]
    assert [job["id"] for job in jobs_of(api, dataset=dataset, status="queued", kind="train")] == [jobs[2], jobs[1]]
    assert [job["id"] for job in jobs_of(api, status="running")] == [jobs[0]]
    page = api.client.get("/v1/jobs", params={"limit": 3}).json()
    assert (page["has_more"], len(page["data"])) == (True, 3)
    rest = api.client.get("/v1/jobs", params={"limit": 3, "after": page["next_after"]}).json()
    assert (rest["has_more"], [job["id"] for job in rest["data"]]) == (False, [jobs[0]])


def test_events_come_in_order_from_a_cursor_on(api: Api) -> None:
    job = add_job(api)
    run(api, job)
    whole = api.client.get(f"/v1/jobs/{job}/events").json()
    states = [event["data"]["status"] for event in whole["data"] if event["kind"] == "state"]
    assert states == ["queued", "running", "succeeded"]
    first = api.client.get(f"/v1/jobs/{job}/events", params={"limit": 1}).json()
    assert (first["has_more"], first["last_seq"], len(first["data"])) == (True, 1, 1)
    rest = api.client.get(f"/v1/jobs/{job}/events", params={"after": first["last_seq"]}).json()
    assert first["data"] + rest["data"] == whole["data"]
    assert rest["last_seq"] == whole["last_seq"]
    assert api.client.get(f"/v1/jobs/{job}/events", params={"after": rest["last_seq"]}).json()["data"] == []


def test_twenty_equal_requests_at_once_make_one_job_and_get_one_answer(api: Api) -> None:
    request, headers = train_request(api.upload()), {"Idempotency-Key": "only one"}
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: api.client.post("/v1/jobs", json=request, headers=headers), range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 19
    assert {answer.headers["location"] for answer in answers} == {f"/v1/jobs/{answers[0].json()['id']}"}
    assert len(jobs_of(api)) == 1


def test_a_key_that_came_with_another_body_is_refused_and_belongs_to_its_owner_alone(api: Api) -> None:
    dataset, headers = api.upload(), {"Idempotency-Key": "a key"}
    assert api.client.post("/v1/jobs", json=train_request(dataset), headers=headers).status_code == 201
    problem = problem_of(api.client.post("/v1/jobs", json=train_request(dataset, horizon=3), headers=headers), 422)
    assert "came with another body before" in problem["detail"]
    other = api.client_of("somebody else")
    assert problem_of(other.post("/v1/jobs", json=train_request(dataset), headers=headers), 404)["detail"].startswith(dataset)
    assert len(jobs_of(api)) == 1


def test_a_request_that_was_refused_leaves_its_key_free(api: Api) -> None:
    dataset, headers = api.upload(), {"Idempotency-Key": "a key"}
    problem_of(api.client.post("/v1/jobs", json=train_request(dataset, horizon=1000), headers=headers), 422)
    assert api.client.post("/v1/jobs", json=train_request(dataset), headers=headers).status_code == 201


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_has_one_to_255_characters(api: Api, key: str) -> None:
    answer = api.client.post("/v1/jobs", json=train_request(api.upload()), headers={"Idempotency-Key": key})
    assert problem_of(answer, 422)["errors"][0]["pointer"] == "?Idempotency-Key"
