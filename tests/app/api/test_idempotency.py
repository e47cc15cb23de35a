"""A request that was answered into the void can be sent again: the service died after the job was there, or before."""

from typing import Any

import pytest

from app.api import jobs
from app.store.sweep import undispatched
from tests.app.api.conftest import Api
from tests.app.api.trained import train_request

HEADERS = {"Idempotency-Key": "only one"}


class CrashError(Exception):
    """What ends a request without an answer."""


def crash(*_: Any, **__: Any) -> Any:
    raise CrashError


def job_ids(api: Api) -> list[str]:
    return [job["id"] for job in api.client.get("/v1/jobs").json()["data"]]


def test_a_crash_between_the_job_and_its_answer_is_made_good_by_the_next_request(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    request = train_request(api.upload())
    with monkeypatch.context() as patched:
        patched.setattr(jobs, "announce", crash)
        assert api.client.post("/v1/jobs", json=request, headers=HEADERS).status_code == 500
    [job] = job_ids(api)
    with api.services.database.read() as db:
        assert [waiting.job_id for waiting in undispatched(db, 60)] == [job]
    answers = [api.client.post("/v1/jobs", json=request, headers=HEADERS) for _ in range(2)]
    assert [(answer.status_code, answer.json()["id"], answer.headers["idempotent-replayed"]) for answer in answers] == [
        (201, job, "true")
    ] * 2
    assert answers[0].content == answers[1].content
    assert job_ids(api) == [job]


def test_a_crash_before_the_key_is_written_leaves_neither_key_nor_job(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    request = train_request(api.upload())
    with monkeypatch.context() as patched:
        patched.setattr(jobs, "remember", crash)
        assert api.client.post("/v1/jobs", json=request, headers=HEADERS).status_code == 500
    assert job_ids(api) == []
    answer = api.client.post("/v1/jobs", json=request, headers=HEADERS)
    assert (answer.status_code, "idempotent-replayed" in answer.headers) == (201, False)
    assert job_ids(api) == [answer.json()["id"]]
