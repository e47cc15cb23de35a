"""What an owner may ask of a job: wait, go on, once more; and where it could go on from."""

from app.store.leases import confirm_cancel, release
from app.store.progress import record_checkpoint
from tests.app.api.conftest import Api, problem_of
from tests.app.api.trained import add_job, start


def test_a_waiting_job_is_paused_at_once_and_resumed(api: Api) -> None:
    job = add_job(api)
    for path, codes, status in (("pause", (200, 200), "paused"), ("resume", (202, 202), "queued")):
        answers = [api.client.post(f"/v1/jobs/{job}/{path}") for _ in range(2)]
        assert tuple(answer.status_code for answer in answers) == codes
        assert {answer.json()["status"] for answer in answers} == {status}


def test_a_running_job_is_paused_when_its_worker_has_heard(api: Api) -> None:
    job = add_job(api)
    claimed = start(api, job)
    for _ in range(2):
        answer = api.client.post(f"/v1/jobs/{job}/pause")
        assert (answer.status_code, answer.json()["status"]) == (202, "pausing")
    assert api.client.post(f"/v1/jobs/{job}/resume").json()["status"] == "running"
    assert api.client.post(f"/v1/jobs/{job}/resume").status_code == 200
    api.client.post(f"/v1/jobs/{job}/pause")
    with api.services.database.begin() as db:
        release(db, claimed.lease)
    assert api.client.get(f"/v1/jobs/{job}").json()["status"] == "paused"
    attempts = api.client.get(f"/v1/jobs/{job}/attempts").json()["data"]
    assert [attempt["outcome"] for attempt in attempts] == ["paused"]


def test_a_job_that_has_ended_can_be_neither_paused_nor_resumed(api: Api) -> None:
    job = add_job(api)
    api.client.post(f"/v1/jobs/{job}/cancel")
    for path in ("pause", "resume"):
        assert problem_of(api.client.post(f"/v1/jobs/{job}/{path}"), 409)["detail"].startswith(f"{job} is cancelled; only")


def test_a_retry_that_is_sent_twice_is_answered_twice(api: Api) -> None:
    job = add_job(api)
    claimed = start(api, job)
    api.client.post(f"/v1/jobs/{job}/cancel")
    with api.services.database.begin() as db:
        confirm_cancel(db, claimed.lease)
    assert [api.client.post(f"/v1/jobs/{job}/retry").status_code for _ in range(2)] == [202, 202]
    start(api, job)
    answer = api.client.post(f"/v1/jobs/{job}/retry")
    assert (answer.status_code, answer.json()["attempt"]) == (200, 2)


def test_checkpoints_are_told_newest_first(api: Api) -> None:
    job = add_job(api)
    claimed = start(api, job)
    with api.services.database.begin() as db:
        for step in (3, 6):
            record_checkpoint(db, claimed.lease, str(step) * 64, 10 * step, step, is_best=step == 3)
    urls = api.client.get(f"/v1/jobs/{job}").json()["urls"]
    found = api.client.get(urls["checkpoints"]).json()["data"]
    assert [(row["step"], row["attempt"], row["is_best"], row["size_bytes"]) for row in found] == [(6, 1, False, 60), (3, 1, True, 30)]


def test_orders_for_a_job_of_somebody_else_are_refused(api: Api) -> None:
    job, other = add_job(api), api.client_of("somebody else")
    for path in ("pause", "resume"):
        assert problem_of(other.post(f"/v1/jobs/{job}/{path}"), 404)["detail"].startswith(job)
    assert problem_of(other.get(f"/v1/jobs/{job}/checkpoints"), 404)["detail"].startswith(job)
    assert api.client.get(f"/v1/jobs/{job}").json()["status"] == "queued"
