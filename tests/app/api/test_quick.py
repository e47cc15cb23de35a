"""A route that reads its requests itself answers as the framework would, whatever is sent."""

import json
from typing import Any

import pytest

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


def test_who_has_no_key_is_not_told_what_is_wrong_with_a_body(api: Api) -> None:
    answer = api.client.post("/v1/models/any/forecasts", content="{", headers={"Authorization": ""})
    assert problem_of(answer, 401)["errors"] == []
