"""A session forecasts what its history does, takes each value once and in order, and outlives the service."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.main import create_app
from app.settings import Settings
from tests.app.api.conftest import WAVES, Api, make_api, problem_of
from tests.app.api.trained import AHEAD, add_model
from tests.app.api.waiting import until

TARGET = [float(row.split(",")[1]) for row in WAVES.splitlines()[1:]]
START = "2024-01-01T00:00:00"


def begin(api: Api, model: str, **changes: Any) -> dict[str, Any]:
    series = {"unique_id": "mine", "start": START, "target": TARGET} | changes
    answer = api.client.post(f"/v1/models/{model}/sessions", json={"series": series})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/sessions/{body['id']}"
    return body


def observe(api: Api, session: str, sequence: int, *target: float | None, **more: Any) -> dict[str, Any]:
    answer = api.client.post(f"/v1/sessions/{session}/observations", json={"sequence": sequence, "target": target, **more})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def forecast(api: Api, session: str, **query: Any) -> dict[str, Any]:
    answer = api.client.get(f"/v1/sessions/{session}/forecast", params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.mark.parametrize("over", ["window", "series"])
def test_the_first_forecast_of_a_session_is_that_of_its_history(api: Api, over: str) -> None:
    model = add_model(api, scaling={"target": "standard", "over": over})
    session = begin(api, model)
    assert (session["model"], session["unique_id"], session["sequence"]) == (model, "mine", 0)
    sent = {"series": [{"unique_id": "mine", "start": START, "target": TARGET}], "levels": [80, 95], "quantiles": [0.5]}
    (alone,) = api.client.post(f"/v1/models/{model}/forecasts", json=sent).json()["forecasts"]
    carried = forecast(api, session["id"], levels=[80, 95], quantiles=[0.5])
    assert carried["timestamps"] == alone["timestamps"]
    np.testing.assert_allclose(carried["mean"], alone["mean"], rtol=1e-5)
    assert list(carried["quantiles"]) == list(alone["quantiles"])
    for level, values in alone["quantiles"].items():
        np.testing.assert_allclose(carried["quantiles"][level], values, rtol=1e-5)


def test_values_that_are_folded_in_move_the_forecast_on_however_they_are_cut(api: Api) -> None:
    model = add_model(api)
    one, other = begin(api, model)["id"], begin(api, model)["id"]
    before = forecast(api, one)
    assert observe(api, one, 1, 5.0)["sequence"] == 1
    assert observe(api, one, 2, None, 4.0)["sequence"] == 3
    assert observe(api, other, 1, 5.0, None, 4.0)["sequence"] == 3
    after = forecast(api, one)
    assert after["timestamps"] == ["2024-02-01T00:00:00", "2024-02-02T00:00:00"]
    assert after["mean"] != before["mean"]
    np.testing.assert_allclose(forecast(api, other)["mean"], after["mean"], rtol=1e-5)
    assert len(forecast(api, one, horizon=1)["mean"]) == 1


def test_a_duplicate_or_a_gap_is_refused_and_changes_nothing(api: Api) -> None:
    session = begin(api, add_model(api))["id"]
    observe(api, session, 1, 5.0, 6.0)
    before = forecast(api, session)
    for sequence, happened in ((1, "was folded in already"), (2, "was folded in already"), (4, "leaves a gap")):
        answer = api.client.post(f"/v1/sessions/{session}/observations", json={"sequence": sequence, "target": [1.0]})
        problem = problem_of(answer, 409)
        assert happened in problem["detail"]
        assert f"the next value of {session} is number 3" in problem["detail"]
    assert forecast(api, session) == before
    assert api.client.get(f"/v1/sessions/{session}").json()["sequence"] == 2


def test_a_session_outlives_the_service(api: Api, tmp_path: Path) -> None:
    session = begin(api, add_model(api))["id"]
    observe(api, session, 1, 5.0)
    before = forecast(api, session)
    api.services.database.dispose()
    database = f"sqlite:///{tmp_path / 'api.db'}"
    app = create_app(Settings(home=tmp_path, database_url=database, broker_url=f"redis+socket://{tmp_path / 'nobody.sock'}"))
    again = Api(app, type(api.client)(app, headers=dict(api.client.headers)), app.state.services, api.owner)
    assert forecast(again, session) == before
    assert observe(again, session, 2, 6.0)["sequence"] == 2
    app.state.services.queue.close()
    app.state.services.database.dispose()


def test_a_session_that_nobody_uses_is_gone(migrated_sqlite: Path, tmp_path: Path) -> None:
    api = make_api(tmp_path, migrated_sqlite, session_idle_seconds=0.05)
    session = begin(api, add_model(api))["id"]
    until(lambda: api.client.get(f"/v1/sessions/{session}").status_code == 410)
    assert "has expired" in problem_of(api.client.get(f"/v1/sessions/{session}/forecast"), 410)["detail"]
    problem_of(api.client.post(f"/v1/sessions/{session}/observations", json={"sequence": 1, "target": [1.0]}), 410)
    api.services.queue.close()
    api.services.database.dispose()


def test_a_session_that_is_used_is_kept(migrated_sqlite: Path, tmp_path: Path) -> None:
    api = make_api(tmp_path, migrated_sqlite, session_idle_seconds=1000.0)
    session = begin(api, add_model(api))
    assert observe(api, session["id"], 1, 5.0)["expires_at"] > session["expires_at"]
    api.services.queue.close()
    api.services.database.dispose()


def test_a_session_of_somebody_else_is_not_there(api: Api) -> None:
    session = begin(api, add_model(api))["id"]
    other = api.client_of("somebody else")
    problem_of(other.get(f"/v1/sessions/{session}"), 404)
    problem_of(other.get(f"/v1/sessions/{session}/forecast"), 404)
    problem_of(other.post(f"/v1/sessions/{session}/observations", json={"sequence": 1, "target": [1.0]}), 404)
    problem_of(other.delete(f"/v1/sessions/{session}"), 404)
    assert forecast(api, session)["unique_id"] == "mine"


def test_a_session_ends_when_it_is_deleted_or_its_model_is(api: Api) -> None:
    model = add_model(api)
    one, other = begin(api, model)["id"], begin(api, model)["id"]
    assert api.client.delete(f"/v1/sessions/{one}").status_code == 204
    problem_of(api.client.get(f"/v1/sessions/{one}"), 404)
    problem_of(api.client.delete(f"/v1/sessions/{one}"), 404)
    assert api.client.delete(f"/v1/models/{model}").status_code == 204
    problem_of(api.client.get(f"/v1/sessions/{other}/forecast"), 404)


def test_a_model_that_cannot_carry_its_state_is_refused_by_its_block(api: Api) -> None:
    network = {"kind": "stack", "blocks": [{"kind": "lstm", "units": 3}, {"kind": "attention", "units": 2}]}
    model = add_model(api, architecture={"network": network, "head": {"kind": "point"}})
    answer = api.client.post(f"/v1/models/{model}/sessions", json={"series": {"start": START, "target": TARGET}})
    problem = problem_of(answer, 422)
    assert [fault["pointer"] for fault in problem["errors"]] == ["#/network/blocks/1"]
    assert "'attention' looks at the whole context again" in problem["detail"]


@pytest.mark.parametrize(
    ("series", "pointer"),
    [({"target": [1.0]}, "#/series/target"), ({"start": "yesterday"}, "#/series/start"), ({"target": [None] * 9}, "#/series/target")],
)
def test_a_history_that_cannot_be_read_is_refused_at_its_place(api: Api, series: dict[str, Any], pointer: str) -> None:
    body = {"series": {"start": START, "target": TARGET} | series}
    (fault,) = problem_of(api.client.post(f"/v1/models/{add_model(api)}/sessions", json=body), 422)["errors"]
    assert fault["pointer"] == pointer


def test_what_is_known_ahead_is_said_with_the_history_or_with_an_observation(api: Api) -> None:
    model = add_model(api, **AHEAD)
    session = begin(api, model, past={"x": TARGET}, future={"x": [1.0, 4.0]})["id"]
    assert len(forecast(api, session)["mean"]) == 2
    observe(api, session, 1, 5.0)
    (fault,) = problem_of(api.client.get(f"/v1/sessions/{session}/forecast"), 422)["errors"]
    assert fault["pointer"] == "?horizon"
    assert "the future of 'x' is known for 1 steps" in fault["detail"]
    observe(api, session, 2, 5.0, past={"x": [3.0]}, future={"x": [1.0, 2.0]})
    assert len(forecast(api, session)["mean"]) == 2


def test_a_key_that_may_only_read_forecasts_and_moves_nothing_on(api: Api) -> None:
    session = begin(api, add_model(api))["id"]
    reader = api.client_of("somebody", "read")
    assert reader.get(f"/v1/sessions/{session}/forecast").status_code == 200
    problem_of(reader.post(f"/v1/sessions/{session}/observations", json={"sequence": 1, "target": [1.0]}), 403)


def test_of_observations_that_race_with_one_number_one_arrives(api: Api) -> None:
    session = begin(api, add_model(api))["id"]
    path, body = f"/v1/sessions/{session}/observations", {"sequence": 1, "target": [5.0]}
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: api.client.post(path, json=body).status_code, range(6)))
    assert sorted(answers) == [200, 409, 409, 409, 409, 409]
    assert api.client.get(f"/v1/sessions/{session}").json()["sequence"] == 1


def test_sessions_of_a_model_are_listed_newest_first_for_their_owner_alone(api: Api) -> None:
    model, other = add_model(api, name="one"), add_model(api, name="other")
    first, second = begin(api, model)["id"], begin(api, model)["id"]
    begin(api, other)
    observe(api, first, 1, 4.0)
    listed = api.client.get(f"/v1/models/{model}/sessions").json()
    assert [(one["id"], one["sequence"]) for one in listed["data"]] == [(second, 0), (first, 1)]
    assert api.client.get("/v1/models/one/sessions", params={"limit": 1}).json()["next_after"] == second
    assert api.client.delete(f"/v1/sessions/{second}").status_code == 204
    assert [one["id"] for one in api.client.get(f"/v1/models/{model}/sessions").json()["data"]] == [first]
    problem_of(api.client_of("somebody else").get(f"/v1/models/{model}/sessions"), 404)
