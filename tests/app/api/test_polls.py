"""Pollers of a job that has not changed are told so without its route; all else is answered as ever."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from app.api.polls import LONGEST_PAUSE_SECONDS, POLLS_A_SECOND, Asked, Looks, Pace
from app.store.database import Database
from app.store.leases import claim, finish
from app.store.progress import JobVersion, Point, record_points
from tests.app.api.conftest import Api, problem_of


@pytest.fixture
def job(api: Api) -> str:
    answer = api.client.post("/v1/jobs", json={"kind": "train", "dataset": api.upload(), "horizon": 2, "context": 4})
    return str(answer.json()["id"])


def measure(api: Api, job: str, step: int) -> None:
    with api.services.database.begin() as db:
        claimed = claim(db, job, worker="w", lease_seconds=0)
        assert claimed is not None
        record_points(db, claimed.lease, [Point(step, {"train_loss": 1.0})], {"phase": "train", "step": step})


@pytest.mark.parametrize("path", ["", "/metrics", "/metrics?after=0&names=train_loss"])
def test_an_answer_that_is_known_is_not_given_again_until_it_changes(api: Api, job: str, path: str) -> None:
    url = f"/v1/jobs/{job}{path}"
    first = api.client.get(url)
    assert (first.status_code, first.headers["retry-after"]) == (200, "1")
    again = api.client.get(url, headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content, again.headers["etag"], again.headers["retry-after"]) == (304, b"", first.headers["etag"], "1")
    measure(api, job, 1)
    changed = api.client.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


def test_a_poll_reads_the_key_and_the_jobs_row_and_nothing_else(api: Api, job: str, count_queries: Callable[[Database], list[str]]) -> None:
    measure(api, job, 1)
    etags = {path: api.client.get(path).headers["etag"] for path in (f"/v1/jobs/{job}", f"/v1/jobs/{job}/metrics")}
    for path, etag in etags.items():
        statements = count_queries(api.services.database)
        assert api.client.get(path, headers={"If-None-Match": etag}).status_code == 304
        read = [statement for statement in statements if statement.startswith("SELECT")]
        assert ["keys" in read[0], "FROM jobs" in read[1], len(read)] == [True, True, 2]
        assert not any("metric_points" in statement for statement in statements)


def test_polls_are_counted_by_their_routes(api: Api, job: str) -> None:
    etag = api.client.get(f"/v1/jobs/{job}").headers["etag"]
    api.client.get(f"/v1/jobs/{job}", headers={"If-None-Match": etag})
    assert 'route="/v1/jobs/{job_id}",status="304"} 1.0' in api.client.get("/metrics").text


def test_a_job_that_has_ended_is_not_to_be_polled(api: Api, job: str) -> None:
    with api.services.database.begin() as db:
        claimed = claim(db, job, worker="w", lease_seconds=60)
        assert claimed is not None
        finish(db, claimed.lease)
    etag = api.client.get(f"/v1/jobs/{job}").headers["etag"]
    answer = api.client.get(f"/v1/jobs/{job}", headers={"If-None-Match": etag})
    assert (answer.status_code, answer.headers.get("retry-after")) == (304, None)


def test_whoever_may_not_read_a_job_is_not_told_that_it_has_not_changed(api: Api, job: str) -> None:
    known = {"If-None-Match": api.client.get(f"/v1/jobs/{job}").headers["etag"]}
    problem_of(api.client_of("somebody else").get(f"/v1/jobs/{job}", headers=known), 404)
    problem_of(api.client_of("somebody", "write").get(f"/v1/jobs/{job}", headers=known), 403)
    for key in ("Bearer bc_" + "0" * 16 + "_" + "0" * 64, "Basic x", ""):
        problem_of(api.client.get(f"/v1/jobs/{job}", headers={**known, "Authorization": key}), 401)


def test_a_job_that_is_not_there_is_not_found(api: Api) -> None:
    problem_of(api.client.get(f"/v1/jobs/job_{'0' * 26}", headers={"If-None-Match": '"x"'}), 404)


def test_many_who_ask_at_once_are_answered_by_few_looks(api: Api, job: str, count_queries: Callable[[Database], list[str]]) -> None:
    token = str(api.client.headers["Authorization"]).removeprefix("Bearer ")
    looks = Looks(api.services.database)
    statements = count_queries(api.services.database)

    async def ask() -> list[JobVersion | None]:
        return list(await asyncio.gather(*(looks.version(Asked(token, job)) for _ in range(300))))

    found = asyncio.run(ask())
    assert {version and version.id for version in found} == {job}
    assert len(found) == 300
    assert len([statement for statement in statements if "FROM jobs" in statement]) == 1


def test_a_database_that_is_away_is_the_routes_to_tell(api: Api, tmp_path: Any) -> None:
    async def ask() -> object:
        return await Looks(Database(f"sqlite:///{tmp_path}/no folder/x.db")).version(Asked("bc_x", "job_x"))

    assert asyncio.run(ask()) is None


def test_pollers_are_asked_to_wait_the_longer_the_more_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    now, pace = [1000.0], Pace()
    monkeypatch.setattr("app.api.polls.time.monotonic", lambda: now[0])

    def polled(seconds: int, polls: int) -> str:
        last = ""
        for _ in range(seconds):
            now[0] += 1
            for _ in range(polls - 1):
                pace.retry_after()
            last = pace.retry_after()
        return last

    assert polled(30, POLLS_A_SECOND // 2) == "1"
    assert polled(30, 3 * POLLS_A_SECOND // 2) == "2"
    assert polled(30, 20 * POLLS_A_SECOND) == str(LONGEST_PAUSE_SECONDS)
    now[0] += 60
    assert pace.retry_after() == "1"


def test_the_answers_of_a_poll_are_those_of_its_route(api: Api, job: str) -> None:
    measure(api, job, 1)
    body = api.client.get(f"/v1/jobs/{job}/metrics", headers={"If-None-Match": '"nothing"'}).json()
    assert json.dumps(body["series"]) == '{"train_loss": [1.0]}'
    assert api.client.get(f"/v1/jobs/{job}", headers={"If-None-Match": "*"}).status_code == 304
