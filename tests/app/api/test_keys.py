"""Keys are made, listed and ended by their owner; a token is seen once."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.app.api.conftest import Api, problem_of


def client_with(api: Api, token: str) -> TestClient:
    return TestClient(api.app, headers={"Authorization": f"Bearer {token}"}, raise_server_exceptions=False)


def test_a_token_is_shown_once_and_works(api: Api) -> None:
    answer = api.client.post("/v1/keys", json={"name": "a script", "scopes": ["read", "write"]})
    assert answer.status_code == 201
    made = answer.json()
    token = made.pop("token")
    assert token.startswith("bc_")
    assert (made["name"], made["scopes"], made["revoked_at"]) == ("a script", ["read", "write"], None)
    assert client_with(api, token).get("/v1/datasets").status_code == 200
    listed = api.client.get("/v1/keys")
    assert listed.json()["data"][-1] == made
    assert token not in listed.text
    assert token.rsplit("_", 1)[1] not in listed.text


def test_a_revoked_key_opens_nothing(api: Api) -> None:
    made = api.client.post("/v1/keys", json={"name": "a", "scopes": ["read"]}).json()
    assert api.client.delete(f"/v1/keys/{made['id']}").status_code == 204
    answer = client_with(api, made["token"]).get("/v1/datasets")
    assert problem_of(answer, 401)["detail"] == "the key is not known here, or was revoked; `braidcast key create` makes a new one"
    assert api.client.get("/v1/keys").json()["data"][-1]["revoked_at"].endswith("Z")


def test_a_key_gives_only_what_it_has(api: Api) -> None:
    limited = api.client_of("somebody", "read", "admin")
    body = problem_of(limited.post("/v1/keys", json={"name": "a", "scopes": ["read", "write"]}), 403)
    assert body["detail"] == "scopes: a key cannot give write, which it has not itself; yours has: admin, read"
    assert body["errors"][0]["pointer"] == "#/scopes"
    assert limited.post("/v1/keys", json={"name": "a", "scopes": ["read"]}).status_code == 201


def test_keys_are_listed_oldest_first_in_pages(api: Api) -> None:
    for name in ("b", "c"):
        api.client.post("/v1/keys", json={"name": name, "scopes": ["read"]})
    first = api.client.get("/v1/keys", params={"limit": 2}).json()
    rest = api.client.get("/v1/keys", params={"limit": 2, "after": first["next_after"]}).json()
    assert [body["name"] for body in first["data"] + rest["data"]] == ["a test", "b", "c"]
    assert (first["has_more"], rest["has_more"], rest["next_after"]) == (True, False, None)


def test_keys_of_another_owner_are_neither_seen_nor_ended(api: Api) -> None:
    made = api.client.post("/v1/keys", json={"name": "a", "scopes": ["read"]}).json()
    another = api.client_of("another", "admin")
    assert [body["name"] for body in another.get("/v1/keys").json()["data"]] == ["a test"]
    body = problem_of(another.delete(f"/v1/keys/{made['id']}"), 404)
    assert body["detail"] == f"{made['id']} is not a key of yours; GET /v1/keys lists them"
    assert client_with(api, made["token"]).get("/v1/datasets").status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "a", "scopes": []}, "#/scopes"),
        ({"name": "a", "scopes": ["root"]}, "#/scopes/0"),
        ({"name": "a", "scopes": "read"}, "#/scopes"),
        ({"name": "a"}, "#/scopes"),
        ({"name": "a\n", "scopes": ["read"]}, "#/name"),
        ({"name": "a", "scopes": ["read"], "owner": "another"}, "#/owner"),
    ],
)
def test_another_key_is_not_made(api: Api, body: dict[str, Any], pointer: str) -> None:
    assert problem_of(api.client.post("/v1/keys", json=body), 422)["errors"][0]["pointer"] == pointer
    assert len(api.client.get("/v1/keys").json()["data"]) == 1
