"""No route is open by mistake: every one of the app is asked without a key, with too small a key, and with another owner's."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount

from app.api.access import OPEN_PATHS, READING_POSTS, SAFE_METHODS
from app.store.database import utc_in
from app.store.jobs import NewJob, insert_job
from app.store.keys import create_key, ensure_owner, revoke_key
from app.store.tables import CheckpointRow, ModelRow, SessionRow
from tests.app.api.conftest import Api, problem_of

DOCUMENTATION = {"/openapi.json"}
MOUNTS = {"/static-offline-docs"}

BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "/v1/datasets/{dataset_id}"): {"name": "mine now"},
    ("PATCH", "/v1/models/{model_id}"): {"name": "mine now"},
    ("POST", "/v1/models/{model_id}/forecasts"): {"unique_ids": ["series"]},
    ("POST", "/v1/models/{model_id}/anomalies"): {"unique_ids": ["series"]},
    ("POST", "/v1/models/{model_id}/sessions"): {"series": {"start": 0, "target": [1.0]}},
    ("POST", "/v1/sessions/{session_id}/observations"): {"sequence": 1, "target": [1.0]},
}
"""What a route with an id in its path has to be sent; a new one whose body is missing here fails the test with 422."""

PARAMETERS = re.compile(r"{(\w+)(?::\w+)?}")


class Route(NamedTuple):
    """A method and a path of the app."""

    method: str
    path: str

    def with_ids(self, ids: dict[str, str]) -> str:
        """The path of a request; an id that the test does not know fails it."""
        return PARAMETERS.sub(lambda found: ids[found[1]], self.path)


def mounts_of(app: FastAPI) -> set[str]:
    return {context.path or "" for context in iter_route_contexts(app.routes) if isinstance(context.original_route, Mount)}


def routes_of(app: FastAPI) -> Iterator[Route]:
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, Mount):
            continue
        assert context.path is not None
        assert context.methods, f"{context.path} is neither a route nor a mount"
        yield from (Route(method, context.path) for method in sorted(context.methods))


@pytest.fixture
def ids(api: Api) -> dict[str, str]:
    """One of everything, all of the same owner; by the name of the parameter."""
    dataset = api.upload()
    document = {"name": "a", "spec": {"network": {"kind": "lstm", "units": 2}}}
    with api.services.database.begin() as db:
        job = insert_job(db, api.owner, NewJob("train", "a job", {}, {}, dataset, 1)).id
        model, checkpoint = "mdl_01JD2V6W2Q7YH0S0V5S1G4Z8KX", "ckpt_01JD2V6W2Q7YH0S0V5S1G4Z8KX"
        made: dict[str, Any] = {"owner_id": api.owner, "job_id": job, "digest": "0" * 64, "size_bytes": 1}
        facts = {
            "spec": {"context": 7, "horizon": 2},
            "spec_digest": "0" * 64,
            "parameters": 1,
            "freq": "D",
            "scores": {},
            "lineage": {},
            "tags": [],
        }
        db.add(ModelRow(id=model, name="a", dataset_id=dataset, **facts, **made))
        session = "ses_01JD2V6W2Q7YH0S0V5S1G4Z8KX"
        db.add(CheckpointRow(id=checkpoint, attempt=1, step=1, is_best=True, **made))
        db.flush()
        db.add(SessionRow(id=session, owner_id=api.owner, model_id=model, unique_id="a", state=b"", expires_at=utc_in(600)))
    return {
        "name": "index.html",
        "dataset_id": dataset,
        "unique_id": "series",
        "architecture_id": api.client.post("/v1/architectures", json=document).json()["id"],
        "key_id": api.client.post("/v1/keys", json={"name": "a", "scopes": ["read"]}).json()["id"],
        "job_id": job,
        "model_id": model,
        "checkpoint_id": checkpoint,
        "session_id": session,
    }


def test_the_walk_sees_every_route_of_the_documentation(api: Api) -> None:
    documented = {Route(method.upper(), path) for path, methods in api.app.openapi()["paths"].items() for method in methods}
    walked = {Route(route.method, PARAMETERS.sub(r"{\1}", route.path)) for route in routes_of(api.app)}
    assert documented < walked
    assert {path for path in OPEN_PATHS if path not in {route.path for route in routes_of(api.app)}} == set()


def test_only_the_documentation_is_mounted(api: Api) -> None:
    assert mounts_of(api.app) == MOUNTS


def test_without_a_key_only_open_paths_answer(api: Api, ids: dict[str, str]) -> None:
    del api.client.headers["authorization"]
    answers = {route: api.client.request(route.method, route.with_ids(ids)) for route in routes_of(api.app)}
    is_open = {route.path for route, answer in answers.items() if answer.status_code != 401}
    assert is_open == OPEN_PATHS | DOCUMENTATION
    for route, answer in answers.items():
        if route.path not in is_open:
            assert problem_of(answer, 401)["detail"] == "send the header 'Authorization: Bearer bc_...'; `braidcast key create` makes a key"
            assert answer.headers["www-authenticate"] == "Bearer"


def test_a_key_that_may_read_reaches_nothing_that_changes_anything(api: Api, ids: dict[str, str]) -> None:
    reader = api.client_of("somebody", "read")
    unsafe = [route for route in routes_of(api.app) if route.method not in SAFE_METHODS and route.path not in READING_POSTS]
    assert unsafe
    for route in unsafe:
        body = problem_of(reader.request(route.method, route.with_ids(ids), json=BODIES.get(route, {})), 403)
        wanted = "admin" if route.path.startswith("/v1/keys") else "write"
        assert body["detail"] == f"this needs a key with the scope {wanted!r}, and yours has: read; ask for another key", route


def test_a_key_that_may_only_write_reads_nothing(api: Api) -> None:
    writer = api.client_of("somebody", "write")
    assert "this needs a key with the scope 'read', and yours has: write" in problem_of(writer.get("/v1/datasets"), 403)["detail"]
    problem_of(writer.post("/v1/architectures/validate", json={}), 403)


def test_keys_are_seen_with_the_scope_admin_alone(api: Api) -> None:
    keeper = api.client_of("somebody", "read", "write")
    assert "the scope 'admin', and yours has: read, write" in problem_of(keeper.get("/v1/keys"), 403)["detail"]


def test_another_owner_finds_nothing_by_any_id(api: Api, ids: dict[str, str]) -> None:
    another = api.client_of("another")
    routes = [route for route in routes_of(api.app) if "{" in route.path and route.path not in OPEN_PATHS]
    assert routes
    for route in routes:
        answer = another.request(route.method, route.with_ids(ids), json=BODIES.get(route))
        assert answer.status_code == 404, (route, answer.text)
        problem_of(answer, 404)


def test_the_owner_finds_everything_by_the_same_ids(api: Api, ids: dict[str, str]) -> None:
    missing_bytes = {"weights", "result", "anomalies", "forecast", "forecasts", "export", "ready"}  # the model above is a row alone
    routes = [route for route in routes_of(api.app) if "{" in route.path and route.method == "GET"]
    for route in routes:
        last = route.path.rsplit("/", 1)[1]
        if last in missing_bytes or last == "stream":  # a stream ends when its job does
            continue
        assert api.client.get(route.with_ids(ids)).status_code == 200, route


def wrong_headers(token: str) -> dict[str, str]:
    public, secret = token.rsplit("_", 1)
    return {
        "no scheme": token,
        "another scheme": f"Basic {token}",
        "nothing": "Bearer",
        "no token": "Bearer bc_",
        "another secret": f"Bearer {public}_{'0' * len(secret)}",
        "another key": f"Bearer bc_{'0' * 16}_{secret}",
        "half of it": f"Bearer {token[:-1]}",
        "two of it": f"Bearer {token}, {token}",
        "a wildcard": f"Bearer {public}_%",
    }


@pytest.mark.parametrize("name", list(wrong_headers("bc_a_b")))
def test_a_wrong_key_opens_nothing(api: Api, name: str) -> None:
    token = api.client.headers["authorization"].removeprefix("Bearer ")
    answer = api.client.get("/v1/datasets", headers={"Authorization": wrong_headers(token)[name]})
    problem_of(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert token not in answer.text


def test_the_scheme_is_written_in_any_case(api: Api) -> None:
    token = api.client.headers["authorization"].removeprefix("Bearer ")
    assert api.client.get("/v1/datasets", headers={"Authorization": f"bearer {token}"}).status_code == 200


def test_a_revoked_key_is_told_so(api: Api) -> None:
    with api.services.database.begin() as db:
        row, token = create_key(db, ensure_owner(db, "somebody"), "a test", ("read",))
        revoke_key(db, api.owner, row.id)
    answer = api.client.get("/v1/datasets", headers={"Authorization": f"Bearer {token}"})
    assert problem_of(answer, 401)["detail"] == "the key is not known here, or was revoked; `braidcast key create` makes a new one"
    assert answer.headers["www-authenticate"] == "Bearer"
