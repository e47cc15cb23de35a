"""A search is proven before it is queued, and its report has a leaderboard with the baseline in it."""

from typing import Any

import pytest

from app.store.jobs import get_job
from app.store.progress import record_event
from app.store.trials import Outcome, end_trial, record_window, take_trial
from tests.app.api.conftest import Api, problem_of
from tests.app.api.trained import SMALL, run, start, train_request

SPACE = {"units": {"low": 2, "high": 5}, "/training/batch_size": {"choices": [8, 16]}}


def request_of(dataset: str, **changes: Any) -> dict[str, Any]:
    request = train_request(dataset, architecture=SMALL) | {"kind": "search", "space": SPACE, "trials": 3, "windows": 2}
    return {name: value for name, value in (request | changes).items() if value is not None}


def asked(api: Api, **changes: Any) -> str:
    answer = api.client.post("/v1/jobs", json=request_of(api.upload(), **changes))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def refused(api: Api, **changes: Any) -> dict[str, Any]:
    problem = problem_of(api.client.post("/v1/jobs", json=request_of(api.upload(), **changes)), 422)
    assert api.client.get("/v1/jobs").json()["data"] == []
    fault: dict[str, Any] = problem["errors"][0]
    return fault


def report_of(api: Api, job: str) -> dict[str, Any]:
    report: dict[str, Any] = api.client.get(f"/v1/jobs/{job}/report").json()["search"]
    return report


def test_a_search_ends_with_a_model_and_a_leaderboard(api: Api) -> None:
    job = asked(api, name="weeks")
    body = api.client.get(f"/v1/jobs/{job}").json()
    assert (body["kind"], body["name"], body["parent"]) == ("search", "weeks", None)
    run(api, job)
    body = api.client.get(f"/v1/jobs/{job}").json()
    assert body["status"] == "succeeded", body
    found = report_of(api, job)
    assert (found["trials"], found["ended"]) == (3, 3)
    assert found["sentence"].startswith(f"trial {found['winner']} with ")
    rows = found["leaderboard"]
    assert [row["score"] for row in rows] == sorted(row["score"] for row in rows)
    (naive,) = [row for row in rows if row["state"] == "baseline"]
    assert (naive["name"], naive["trial"], naive["parameters"]) == ("seasonal_naive", None, 0)
    (winner,) = [row for row in rows if row["is_winner"]]
    assert winner["trial"] == found["winner"]
    model = api.client.get(f"/v1/models/{body['model']}").json()
    assert model["name"] == "weeks"
    assert model["lineage"]["search"]["trial"] == found["winner"]
    assert model["architecture"]["network"]["units"] == winner["drawn"].get("units", 3)
    assert all(len(row["windows"]) == 2 for row in rows)


def test_a_search_needs_no_more_than_a_training(api: Api) -> None:
    dataset = api.upload()
    job = api.client.post("/v1/jobs", json={"kind": "search", "dataset": dataset, "horizon": 2}).json()
    assert job["status"] == "queued"
    with api.services.database.read() as db:
        plan = get_job(db, api.owner, job["id"]).request["plan"]
    assert {"units", "layers", "cell", "dropout", "lr"} <= set(plan["space"])
    assert (plan["trials"], plan["windows"], plan["step"]) == (20, 3, 2)


@pytest.mark.parametrize(
    ("changes", "pointer", "sentence"),
    [
        ({"trials": 0}, "#/trials", "greater than or equal to 1"),
        ({"windows": 21}, "#/windows", "less than or equal to 20"),
        ({"workers": 65}, "#/workers", "less than or equal to 64"),
        ({"budget_seconds": 0}, "#/budget_seconds", "greater than or equal to 1"),
        ({"space": []}, "#/space", "valid dictionary"),
        ({"space": {"units": {"low": 2, "high": 9000}}}, "#/space/units/high", "at most 4,096"),
        ({"space": {"unit": {"low": 2, "high": 9}}}, "#/space/unit", "did you mean 'units'?"),
        ({"windows": 15}, "#/windows", "at most 14 windows would do"),
        ({"horizon": 6}, "#/windows", "the longest series has 28 steps"),
        ({"init_from": "a model"}, "#/init_from", "is not a key here"),
        ({"architecture": {"network": {"kind": "lstm", "units": 9000}}}, "#/architecture/network/units", "at most 4,096"),
        ({"training": {"epoch": 3}}, "#/training/epoch", "did you mean 'epochs'?"),
    ],
)
def test_what_cannot_be_searched_is_refused_at_its_place(api: Api, changes: dict[str, Any], pointer: str, sentence: str) -> None:
    fault = refused(api, **changes)
    assert fault["pointer"] == pointer
    assert sentence in fault["detail"]


def test_workers_that_are_to_help_have_jobs_of_their_own_which_end_with_the_search(api: Api) -> None:
    job = asked(api, workers=3)
    helpers = api.client.get("/v1/jobs", params={"kind": "trials"}).json()["data"]
    assert [helper["parent"] for helper in helpers] == [job, job]
    assert helpers[0]["name"].endswith("(helper 2)")
    assert api.client.get(f"/v1/jobs/{helpers[0]['id']}/report").json()["search"] is None
    assert api.client.post(f"/v1/jobs/{job}/cancel").json()["status"] == "cancelled"
    assert {api.client.get(f"/v1/jobs/{helper['id']}").json()["status"] for helper in helpers} == {"cancelled"}


def test_a_running_search_shows_what_is_known_so_far(api: Api) -> None:
    job = asked(api, trials=5)
    assert report_of(api, job)["leaderboard"] == []
    lease = start(api, job).lease
    windows = [{"score": score, "standard_error": None, "series": 1, "epochs": 2, "seconds": 1.25} for score in (1.0, 3.0)]
    outcomes = [Outcome("pruned", 1.0, None, "worse"), Outcome("complete", 2.0), Outcome("refused", reason="no network"), None]
    with api.services.database.begin() as db:
        naive = {"name": "seasonal_naive", "metric": "mase", "score": 1.5, "standard_error": 0.5, "windows": []}
        record_event(db, lease, "baseline", naive)
        for number, outcome in enumerate(outcomes, 1):
            take_trial(db, lease, job, drawn={} if number == 1 else {"units": number}, number=number, parameters=9)
            for window in windows if number == 2 else windows[:1] if number == 1 else []:
                record_window(db, lease, job, number, window)
            if outcome is not None:
                end_trial(db, lease, job, number, outcome)
    found = report_of(api, job)
    assert (found["metric"], found["trials"], found["ended"], found["winner"], found["sentence"]) == ("mase", 5, 3, None, None)
    assert [(row["trial"], row["state"]) for row in found["leaderboard"]] == [
        (None, "baseline"),
        (2, "complete"),
        (4, "running"),
        (1, "pruned"),
        (3, "refused"),
    ]
    second = found["leaderboard"][1]
    assert (second["name"], second["seconds"], second["drawn"]) == ("trial 2", 2.5, {"units": 2})
    assert found["leaderboard"][3]["name"] == "trial 1, the document as it is"


def test_a_report_of_another_kind_has_no_search(api: Api) -> None:
    job = api.client.post("/v1/jobs", json=train_request(api.upload())).json()["id"]
    assert report_of(api, job) is None


def test_a_stored_model_cannot_be_drawn(api: Api) -> None:
    block = {"kind": "model", "model": "mdl_of_another", "digest": "0" * 64}
    fault = refused(api, space={"/network": {"choices": [block]}})
    assert fault["pointer"] == "#/space/~1network/choices/0"


def test_the_schema_tells_the_kinds_apart(api: Api) -> None:
    body = api.client.get("/openapi.json").json()["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["discriminator"]["mapping"]) == {"train", "backtest", "search", "forecast"}
