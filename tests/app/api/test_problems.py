"""Every failure is told as RFC 9457 problem+json, and tells nothing of the inside."""

from pathlib import Path
from typing import Any

import pytest

from app.api.problems import MEDIA_TYPE
from tests.app.api.conftest import Api, make_api, problem_of

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("path", ["/nothing", "/v1", "/v2/datasets", "/v1/datasets/ds_1/nothing", "/v1/datasets/../../etc/passwd"])
def test_a_path_that_is_not_there_is_a_problem(api: Api, path: str) -> None:
    body = problem_of(api.client.get(path), 404)
    assert body["type"] == "/problems/not_found"
    assert body["detail"].endswith("is no path of this API; /docs lists them")


def test_a_method_that_is_not_there_is_a_problem(api: Api) -> None:
    answer = api.client.put("/v1/datasets")
    body = problem_of(answer, 405)
    assert (body["type"], body["instance"]) == ("/problems/method_not_allowed", "/v1/datasets")
    assert body["detail"] == "PUT is not for /v1/datasets; /docs lists what is"
    assert answer.headers["allow"]


@pytest.mark.parametrize("text", ['{"name": ', "{'name': 1}", "not json", '{"name": "a",}', "{} {}"])
def test_malformed_json_is_a_problem(api: Api, text: str) -> None:
    body = problem_of(api.client.post("/v1/keys", content=text, headers=JSON), 400)
    assert body["type"] == "/problems/malformed"
    assert body["detail"].startswith("the body is no JSON")


@pytest.mark.parametrize("content", [b"\xff\xfe{", b"1" * 5000, b"[" * 100_000])
def test_bytes_that_no_reader_takes_are_a_problem(api: Api, content: bytes) -> None:
    problem_of(api.client.post("/v1/keys", content=content, headers=JSON), 400)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_has_not_are_refused_everywhere(api: Api, number: str) -> None:
    text = f'{{"name": {number}, "scopes": [{number}]}}'
    body = problem_of(api.client.post("/v1/keys", content=text, headers=JSON), 422)
    assert [error["pointer"] for error in body["errors"]] == ["#/name", "#/scopes/0"]


def test_text_that_no_encoding_has_is_refused(api: Api) -> None:
    for text in (r'{"name": "\ud800", "scopes": ["read"]}', r'{"name": "a", "scopes": ["read"], "\ud800": 1}'):
        problem_of(api.client.post("/v1/keys", content=text, headers=JSON), 422)


def test_every_fault_of_a_body_is_told_with_its_place(api: Api) -> None:
    body = problem_of(api.client.post("/v1/keys", json={"name": 5, "scopes": ["read", "fly"], "colour/s": 1}), 422)
    assert {(error["pointer"], error["code"]) for error in body["errors"]} == {
        ("#/name", "string_type"),
        ("#/scopes/1", "literal_error"),
        ("#/colour~1s", "extra_forbidden"),
    }
    assert "name: input should be a valid string, and is 5" in body["detail"]


def test_a_long_value_is_not_sent_back_whole(api: Api) -> None:
    answer = api.client.post("/v1/keys", json={"name": "x" * 100_000, "scopes": ["read"]})
    problem_of(answer, 422)
    assert len(answer.content) < 2000


@pytest.mark.parametrize("is_told", [True, False])
def test_json_over_the_limit_is_refused(migrated_sqlite: Path, tmp_path: Path, is_told: bool) -> None:
    api = make_api(tmp_path, migrated_sqlite, max_json_bytes=1000)
    content = b'{"name": "' + b"x" * 2000 + b'"}'
    pieces = (content[start : start + 100] for start in range(0, len(content), 100))
    answer = api.client.post("/v1/keys", content=content if is_told else pieces, headers=JSON)
    assert problem_of(answer, 413)["detail"] == "the body has more than 1,000 bytes, the most that is read here; send less, or in parts"
    api.services.database.dispose()


def test_what_nobody_expected_is_a_problem_that_says_nothing_of_the_inside(api: Api) -> None:
    @api.app.get("/v1/broken")
    def break_down() -> None:
        raise RuntimeError("the password is hunter2")

    answer = api.client.get("/v1/broken")
    assert (answer.status_code, answer.headers["content-type"]) == (500, MEDIA_TYPE)
    body: dict[str, Any] = answer.json()
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["detail"] == "something went wrong here, not in your request; quote the request_id when you report it"
    counted = 'braidcast_http_request_seconds_count{method="GET",route="/v1/broken",status="500"} 1.0'
    assert counted in api.client.get("/metrics").text


def test_every_answer_has_an_id(api: Api) -> None:
    first, second = (api.client.get("/health/live").headers["x-request-id"] for _ in range(2))
    assert first.startswith("req_")
    assert first != second
