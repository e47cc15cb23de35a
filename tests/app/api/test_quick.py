"""A forecast that is answered before the framework sees it is what the framework would answer, whatever is sent."""

import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.api import forecasts, quick
from app.store import recent
from tests.app.api.conftest import Api, problem_of
from tests.app.api.trained import add_model

BODY: dict[str, Any] = {"series": [{"unique_id": "mine", "start": "2025-03-01T00:00:00", "target": [0.0, 1.0, 2.0, 3.0, None, 5.0, 6.0]}]}


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "application/vnd.forecast+json"])
def test_every_name_of_json_is_read(api: Api, kind: str) -> None:
    path = f"/v1/models/{add_model(api)}/forecasts"
    usual = api.client.post(path, json=BODY).json()["forecasts"]
    answer = api.client.post(path, content=json.dumps(BODY), headers={"Content-Type": kind})
    assert answer.status_code == 200, answer.text
    assert answer.json()["forecasts"] == usual


@pytest.mark.parametrize(
    ("content", "kind", "status", "pointer"),
    [
        ("{", "application/json", 400, "#"),
        ("", "application/json", 422, "#"),
        (json.dumps(BODY), "text/plain", 422, "#"),
        ('{"series": []}', "application/json", 422, "#/series"),
        ('{"series": [{"start": 1, "target": ["x"]}]}', "application/json", 422, "#/series/0/target/0"),
        ('{"unique_ids": ["a"], "horizons": 3}', "application/json", 422, "#/horizons"),
    ],
)
def test_what_cannot_be_read_is_refused_in_the_words_of_all_routes(api: Api, content: str, kind: str, status: int, pointer: str) -> None:
    answer = api.client.post(f"/v1/models/{add_model(api)}/forecasts", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"][0]["pointer"] == pointer


def told_both_ways(api: Api, monkeypatch: pytest.MonkeyPatch, body: dict[str, Any]) -> list[Any]:
    """What the route says, and what is said before it once key and model are known: the route could not find the model any more."""
    monkeypatch.setattr(recent, "SECONDS", 600.0)
    path, content = f"/v1/models/{add_model(api)}/forecasts", json.dumps(body).encode()
    route = api.client.post(path, content=content, headers={"Content-Type": "application/json; charset=utf-8"})
    monkeypatch.setattr(forecasts, "get_model", None)
    return [route, api.client.post(path, content=content, headers={"Content-Type": "application/json"})]


def test_a_key_and_a_model_that_are_known_are_enough(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    route, quick = told_both_ways(api, monkeypatch, BODY)
    assert (route.status_code, quick.status_code) == (200, 200)
    assert {**route.json(), "timing_ms": 0} == {**quick.json(), "timing_ms": 0}
    assert route.headers.keys() == quick.headers.keys()
    assert route.headers["X-Request-Id"] != quick.headers["X-Request-Id"]
    counted = 'braidcast_http_request_seconds_count{method="POST",route="/v1/models/{model_id}/forecasts",status="200"}'
    assert f"{counted} 2.0" in api.client.get("/metrics").text


@pytest.mark.parametrize("changes", [{"start": "in March"}, {"target": [1.0]}])
def test_what_cannot_be_forecast_is_told_alike(api: Api, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    route, quick = told_both_ways(api, monkeypatch, {"series": [BODY["series"][0] | changes]})
    assert {**problem_of(route, 422), "request_id": ""} == {**problem_of(quick, 422), "request_id": ""}
    assert route.headers.keys() == quick.headers.keys()


def test_a_key_that_may_not_read_and_a_body_that_is_too_long_are_refused(api: Api) -> None:
    path = f"/v1/models/{add_model(api)}/forecasts"
    assert api.client.post(path, json=BODY).status_code == 200
    writer = api.client_of("somebody", "write")
    assert [problem_of(writer.post(path, json=BODY), 403)["errors"] for _ in range(2)] == [[], []]
    long = json.dumps(BODY) + " " * api.services.max_json_bytes
    assert api.client.post(path, content=long, headers={"Content-Type": "application/json"}).status_code == 413


def test_a_body_that_comes_in_parts_is_read_whole(api: Api) -> None:
    path, content = f"/v1/models/{add_model(api)}/forecasts", json.dumps(BODY).encode()
    usual = api.client.post(path, json=BODY).json()["forecasts"]
    told = {"Content-Type": "application/json", "Content-Length": str(len(content))}
    answer = api.client.post(path, content=iter([content[:20], content[20:]]), headers=told)
    assert answer.json()["forecasts"] == usual
    broken = api.client.post(path, content=iter([content[:20], content[20:-2] + b"x}"]), headers=told)
    assert problem_of(broken, 400)["errors"][0]["pointer"] == "#"


def test_who_has_no_key_is_not_told_what_is_wrong_with_a_body(api: Api) -> None:
    answer = api.client.post("/v1/models/any/forecasts", content="{", headers={"Authorization": ""})
    assert problem_of(answer, 401)["errors"] == []


def test_what_waited_together_is_read_together_and_each_gets_its_own(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "SECONDS", 600.0)
    path, series = f"/v1/models/{add_model(api)}/forecasts", BODY["series"][0]
    bodies: list[dict[str, Any]] = [
        {"series": [series | {"unique_id": "a"}]},
        {"series": [series | {"unique_id": "b"}], "horizon": 1},
        {"series": [series | {"start": "in March"}]},
        {"series": [series | {"target": [1.0]}]},
        {"series": [series | {"unique_id": "c", "target": [7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]}, series]},
        {"series": "none"},
    ]
    alone = [api.client.post(path, json=body) for body in bodies]
    done, before = threading.Event(), api.services.batcher.counts()
    api.services.batcher.submit("something else", None, lambda items: [done.wait() for _ in items])
    with ThreadPoolExecutor(len(bodies)) as pool:
        answers = [pool.submit(api.client.post, path, json=body) for body in bodies]
        while api.services.batcher.counts().waiting < len(bodies):
            time.sleep(0.01)
        done.set()
    together = [answer.result() for answer in answers]
    assert [answer.status_code for answer in together] == [200, 200, 422, 422, 200, 422]
    for one, other in zip(alone, together, strict=True):
        assert one.json().get("forecasts") == other.json().get("forecasts")
        assert one.json().get("errors") == other.json().get("errors")
    counts = api.services.batcher.counts()
    assert (counts.batches - before.batches, counts.requests - before.requests) == (2, 1 + len(bodies))


def test_a_long_body_is_left_to_the_route(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick, "MOST_BYTES", 100)
    monkeypatch.setattr(quick, "forecasts_told", None)
    path = f"/v1/models/{add_model(api)}/forecasts"
    assert [api.client.post(path, json=BODY).status_code for _ in range(2)] == [200, 200]


def test_a_failure_of_the_quick_way_is_logged_and_its_route_answers(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = f"/v1/models/{add_model(api)}/forecasts"
    usual = api.client.post(path, json=BODY).json()["forecasts"]
    monkeypatch.setattr(quick, "forecasts_told", None)
    with caplog.at_level(logging.ERROR):
        assert api.client.post(path, json=BODY).json()["forecasts"] == usual
    assert "before its route" in caplog.text
