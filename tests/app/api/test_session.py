"""A browser signs in once; its cookie counts for the dashboard's own requests, and for nobody else's."""

import pytest
from starlette.testclient import TestClient

from tests.app.api.conftest import Api, problem_of

HERE = {"Origin": "http://testserver"}
DOCUMENT = {"context": 7, "horizon": 2, "network": {"kind": "lstm", "units": 2}}


@pytest.fixture
def browser(api: Api) -> TestClient:
    """A client that has signed in, and has its cookie alone."""
    answer = api.client.post("/v1/session")
    assert answer.status_code == 200, answer.text
    made = TestClient(api.app, raise_server_exceptions=False)
    made.cookies.update(answer.cookies)
    return made


def test_the_cookie_is_for_the_browser_alone(api: Api) -> None:
    answer = api.client.post("/v1/session")
    assert answer.json() == {"owner": "somebody", "scopes": ["admin", "read", "write"]}
    said = answer.headers["set-cookie"]
    assert said.startswith("braidcast_default=bc_")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(said.split("; "))
    assert "Secure" not in said
    over_tls = TestClient(api.app, base_url="https://testserver", headers=dict(api.client.headers))
    assert "Secure" in over_tls.post("/v1/session").headers["set-cookie"].split("; ")


def test_who_signed_in_reads_and_writes(browser: TestClient) -> None:
    assert browser.get("/v1/datasets").status_code == 200
    assert browser.get("/v1/session").json()["owner"] == "somebody"
    assert browser.post("/v1/architectures/validate", json=DOCUMENT, headers=HERE).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://elsewhere"},
        {"Origin": "null"},
        {"Origin": "http://testserver:9000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", **HERE},
    ],
)
def test_another_page_changes_nothing_with_the_cookie(browser: TestClient, headers: dict[str, str]) -> None:
    body = problem_of(browser.post("/v1/architectures", json={"name": "a", "spec": {}}, headers=headers), 403)
    assert "a cookie counts only for requests of the dashboard itself" in body["detail"]
    assert browser.get("/v1/architectures", headers={"Sec-Fetch-Site": "same-origin"}).json()["data"] == []


def test_another_page_reads_nothing_with_the_cookie(browser: TestClient) -> None:
    problem_of(browser.get("/v1/datasets", headers={"Sec-Fetch-Site": "cross-site"}), 403)


def test_a_cookie_has_the_scopes_of_its_key(api: Api) -> None:
    answer = api.client_of("somebody", "read").post("/v1/session")
    reader = TestClient(api.app)
    reader.cookies.update(answer.cookies)
    assert "'write'" in problem_of(reader.post("/v1/architectures", json={"name": "a", "spec": {}}, headers=HERE), 403)["detail"]


def test_a_wrong_key_signs_nobody_in(api: Api) -> None:
    answer = TestClient(api.app).post("/v1/session", headers={"Authorization": "Bearer bc_wrong"})
    problem_of(answer, 401)
    assert "set-cookie" not in answer.headers


def test_a_header_goes_before_the_cookie(browser: TestClient) -> None:
    problem_of(browser.get("/v1/datasets", headers={"Authorization": "Bearer bc_wrong"}), 401)


def test_signing_out_forgets_the_cookie(browser: TestClient) -> None:
    answer = browser.delete("/v1/session", headers=HERE)
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]
    problem_of(browser.get("/v1/datasets"), 401)
