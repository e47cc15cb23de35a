"""A document is proven, counted, named and kept; each fault is told with its place in the request."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from app.spec.gallery import GALLERY
from app.spec.parse import json_schema, parse_spec, spec_digest
from app.store.architectures import insert_architecture
from app.store.database import Database
from app.store.keys import create_key, ensure_owner
from tests.app.api.conftest import Api, problem_of
from tests.services import new_postgres

SPEC: dict[str, Any] = {
    "context": 24,
    "horizon": 12,
    "network": {"kind": "stack", "blocks": [{"kind": "lstm", "units": 50}, {"kind": "gru", "units": 20}]},
}
JSON = {"Content-Type": "application/json"}


def a_network(**network: Any) -> dict[str, Any]:
    return {"network": network}


def test_a_document_is_proven_and_counted(api: Api) -> None:
    body = api.client.post("/v1/architectures/validate", json=SPEC).json()
    lstm, gru, decoder = 4 * 50 * (1 + 50 + 1), 3 * 20 * (50 + 20 + 2), (20 + 1) * 12 * 9
    assert [(block["kind"], block["width"], block["parameters"]) for block in body["blocks"]] == [
        ("lstm", 50, lstm),
        ("gru", 20, gru),
        ("direct", 12, decoder),
    ]
    assert body["blocks"][1]["pointer"] == "#/network/blocks/1"
    assert body["parameters"] == lstm + gru + decoder
    assert body["multiply_adds"] == sum(block["multiply_adds"] for block in body["blocks"])
    assert body["memory_bytes"] > 16 * body["parameters"]
    assert body["warnings"] == []


def test_the_normalised_document_has_every_default_and_the_same_digest(api: Api) -> None:
    body = api.client.post("/v1/architectures/validate", json=SPEC).json()
    target = {
        "columns": ["y"],
        "features": [],
        "lags": [],
        "scale": False,
        "age": False,
        "known": "past",
        "embed": None,
        "categories": None,
    }
    assert body["spec"]["inputs"] == {"target": target}
    assert body["spec"]["training"]["optimizer"] == "adam"
    assert spec_digest(parse_spec(body["spec"])) == body["digest"] == spec_digest(parse_spec(SPEC))


def test_what_is_left_to_the_job_is_a_warning(api: Api) -> None:
    body = api.client.post("/v1/architectures/validate", json={"network": SPEC["network"]}).json()
    assert body["warnings"] == ["context is left to the job; counted with 1", "horizon is left to the job; counted with 1"]


def test_validation_keeps_nothing_and_wants_to_read_only(api: Api) -> None:
    assert api.client_of("somebody", "read").post("/v1/architectures/validate", json=SPEC).status_code == 200
    assert api.client.get("/v1/architectures").json()["data"] == []


CYCLE = a_network(kind="stack", blocks=[{"kind": "lstm", "units": 2, "from": "later"}, {"kind": "gru", "units": 2, "name": "later"}])

FAULTS = [
    (a_network(kind="lstm", units=2, unit=3), "/network/unit", "extra_forbidden", "'unit' is not a key here; did you mean 'units'?"),
    (
        a_network(kind="lstm", units=2) | {"head": {"kind": "point", "loss": "mse", "delta": 2.0}},
        "/head/delta",
        "inert",
        "delta does nothing for the loss 'mse'",
    ),
    (CYCLE, "/network/blocks/0/from", "cycle", "'later' stands later or is this block itself, which would be a cycle"),
    (
        a_network(kind="lstm", units=2, **{"from": "weather"}),
        "/network/from",
        "unknown_source",
        "'weather' is not an input; inputs are: target",
    ),
    (a_network(kind="lstm", units=500_000), "/network/units", "too_large", "units is 500,000; at most 4,096"),
    (a_network(kind="lstm", units=500_000), "/network", "too_large", "the network has 1,000,008,500,009 parameters; at most 50,000,000"),
    (
        a_network(kind="transformer"),
        "/network",
        "union_tag_invalid",
        "'transformer' is not a kind of block; known are activation, attend, attention",
    ),
    ({}, "/network", "missing", "network: is missing and has no default"),
]


@pytest.mark.parametrize(("document", "place", "code", "sentence"), FAULTS)
def test_a_faulty_document_is_refused_with_the_place(api: Api, document: dict[str, Any], place: str, code: str, sentence: str) -> None:
    requests: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("/v1/architectures/validate", "#", document),
        ("/v1/architectures", "#/spec", {"name": "a", "spec": document}),
    )
    for path, base, body in requests:
        answer = problem_of(api.client.post(path, json=body), 422)
        assert answer["type"] == "/problems/architecture"
        found = [error for error in answer["errors"] if error["pointer"] == f"{base}{place}"]
        assert [error["code"] for error in found] == [code], answer
        assert sentence in found[0]["detail"]
    assert api.client.get("/v1/architectures").json()["data"] == []


@pytest.mark.parametrize(("number", "word"), [("NaN", "nan"), ("Infinity", "inf"), ("-Infinity", "-inf"), ("1e999", "inf")])
@pytest.mark.parametrize("key", ["units", "dropout"])
def test_numbers_that_json_has_not_are_refused(api: Api, key: str, number: str, word: str) -> None:
    text = json.dumps(a_network(kind="lstm", units=2, dropout=0.5)).replace(*{"units": ("2", number), "dropout": ("0.5", number)}[key])
    answer = problem_of(api.client.post("/v1/architectures/validate", content=text, headers=JSON), 422)
    assert answer["errors"][0]["pointer"] == f"#/network/{key}"
    assert ("must be a finite number" if key == "dropout" else f"and is {word}") in answer["detail"]


def test_a_document_that_is_nested_without_end_is_refused(api: Api) -> None:
    deep = '{"network":' * 150 + "1" + "}" * 150
    assert problem_of(api.client.post("/v1/architectures/validate", content=deep, headers=JSON), 422)["errors"][0]["code"] == "too_deep"
    endless = "[" * 100_000
    problem_of(api.client.post("/v1/architectures/validate", content=endless, headers=JSON), 400)


@pytest.mark.parametrize("body", ["[]", "null", '"gallery:stacked"', "5", ""])
def test_what_is_no_document_is_refused(api: Api, body: str) -> None:
    assert problem_of(api.client.post("/v1/architectures/validate", content=body, headers=JSON), 422)["errors"][0]["pointer"] == "#"


def test_every_document_of_the_gallery_is_valid(api: Api) -> None:
    items = api.client.get("/v1/architectures/gallery").json()["data"]
    assert [item["name"] for item in items] == list(GALLERY)
    for item in items:
        assert item["title"]
        assert item["source"]
        assert api.client.post("/v1/architectures/validate", json=item["spec"]).status_code == 200


def test_the_schema_is_that_of_a_document(api: Api) -> None:
    assert api.client.get("/v1/architectures/schema").json() == json_schema()


def test_a_document_is_kept_under_its_name(api: Api) -> None:
    answer = api.client.post("/v1/architectures", json={"name": "two layers", "spec": SPEC})
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"] == f"/v1/architectures/{made['id']}" == made["urls"]["self"]
    assert (made["name"], made["digest"]) == ("two layers", spec_digest(parse_spec(SPEC)))
    assert made["created_at"].endswith("Z")
    assert api.client.get(f"/v1/architectures/{made['id']}").json() == made
    assert made["spec"] == SPEC
    assert api.client.get("/v1/architectures").json() == {"data": [made], "has_more": False, "next_after": None}


def test_the_same_document_is_kept_once_an_owner(api: Api) -> None:
    first = api.client.post("/v1/architectures", json={"name": "first", "spec": SPEC})
    written_otherwise = dict(reversed(list(SPEC.items()))) | {"version": 1}
    again = api.client.post("/v1/architectures", json={"name": "second", "spec": written_otherwise})
    assert (again.status_code, again.json()) == (200, first.json())
    another = api.client_of("another").post("/v1/architectures", json={"name": "theirs", "spec": SPEC})
    assert another.status_code == 201
    assert another.json()["id"] != first.json()["id"]


def test_architectures_are_listed_newest_first_in_pages(api: Api) -> None:
    for units in range(1, 4):
        api.client.post("/v1/architectures", json={"name": f"{units} units", "spec": a_network(kind="lstm", units=units)})
    first = api.client.get("/v1/architectures", params={"limit": 2}).json()
    rest = api.client.get("/v1/architectures", params={"limit": 2, "after": first["next_after"]}).json()
    assert [body["name"] for body in first["data"] + rest["data"]] == ["3 units", "2 units", "1 units"]
    assert (first["has_more"], rest["has_more"]) == (True, False)


def test_a_deleted_architecture_is_gone(api: Api) -> None:
    made = api.client.post("/v1/architectures", json={"name": "a", "spec": SPEC}).json()["id"]
    assert api.client.delete(f"/v1/architectures/{made}").status_code == 204
    body = problem_of(api.client.get(f"/v1/architectures/{made}"), 404)
    assert body["detail"] == f"{made} is not an architecture of yours; GET /v1/architectures lists them"
    problem_of(api.client.delete(f"/v1/architectures/{made}"), 404)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "<b>", "spec": SPEC}, "#/name"),
        ({"spec": SPEC}, "#/name"),
        ({"name": "a"}, "#/spec"),
        ({"name": "a", "spec": "gallery:stacked"}, "#/spec"),
        ({"name": "a", "spec": SPEC, "tags": []}, "#/tags"),
    ],
)
def test_another_body_is_refused(api: Api, body: dict[str, Any], pointer: str) -> None:
    assert problem_of(api.client.post("/v1/architectures", json=body), 422)["errors"][0]["pointer"] == pointer


def wait_until_true(database: Database, query: str) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with database.read() as db:
            if db.scalar(sa.text(query)):
                return
        time.sleep(0.02)


@pytest.mark.services
def test_a_document_that_two_requests_keep_at_once_is_kept_once(postgres_server: sa.URL, tmp_path: Path) -> None:
    database = Database(new_postgres(postgres_server, "template_migrated"))
    app = create_app(Settings(home=tmp_path, database_url=database.url.render_as_string(hide_password=False)))
    with database.begin() as db:
        owner = ensure_owner(db, "somebody")
        _, token = create_key(db, owner, "a test", ("read", "write"))
    client = TestClient(app, headers={"Authorization": f"Bearer {token}"})
    with ThreadPoolExecutor() as pool:
        with database.begin() as db:
            first = insert_architecture(db, owner, name="first", digest=spec_digest(parse_spec(SPEC)), spec=SPEC, parameters=1)[0].id
            answer = pool.submit(client.post, "/v1/architectures", json={"name": "second", "spec": SPEC})
            wait_until_true(database, "select count(*) > 0 from pg_stat_activity where wait_event_type = 'Lock'")
        assert (answer.result().status_code, answer.result().json()["id"]) == (200, first)
    app.state.services.database.dispose()
    app.state.services.queue.close()
    database.dispose()


def test_a_drawing_comes_with_the_proof_and_with_what_is_kept(api: Api) -> None:
    proven = api.client.post("/v1/architectures/validate", json=SPEC).json()
    assert proven["svg"].startswith("<svg ")
    kept = api.client.post("/v1/architectures", json={"name": "drawn", "spec": SPEC}).json()
    answer = api.client.get(kept["urls"]["diagram"])
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.text == proven["svg"]
