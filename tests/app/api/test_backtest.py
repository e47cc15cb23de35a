"""A backtest is asked for as a training is, and its report says how good a model would have been; what cannot be tested is refused."""

from typing import Any

import pytest

from app.series.statistical import is_installed
from tests.app.api.conftest import Api, problem_of
from tests.app.api.trained import SMALL, add_model, run

DOCUMENT: dict[str, Any] = {"architecture": SMALL, "context": 7, "horizon": 2, "training": {"epochs": 2}}


def asked(api: Api, **request: Any) -> str:
    answer = api.client.post("/v1/jobs", json={"kind": "backtest", "baselines": [], **request})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def ended(api: Api, job: str) -> dict[str, Any]:
    run(api, job)
    body: dict[str, Any] = api.client.get(f"/v1/jobs/{job}").json()
    assert body["status"] == "succeeded", body
    return body


def report_of(api: Api, job: str) -> dict[str, Any]:
    report = api.client.get(f"/v1/jobs/{job}/report").json()
    found: dict[str, Any] = report["backtest"]
    assert report["model"] is None
    assert report["scores"] is None
    return found


def refused(api: Api, **request: Any) -> dict[str, Any]:
    problem = problem_of(api.client.post("/v1/jobs", json={"kind": "backtest", **request}), 422)
    (fault,) = problem["errors"]
    return dict(fault)


def test_a_model_is_tested_on_its_own_data_by_default(api: Api) -> None:
    model = add_model(api, name="weeks")
    job = asked(api, model="weeks", windows=3)
    body = ended(api, job)
    assert (body["kind"], body["name"], body["model"], body["init_from"]) == ("backtest", "backtest weeks", None, model)
    assert body["metrics"]["window"] == 3.0
    found = report_of(api, job)
    assert (found["model"], found["trained"], found["horizon"], found["season"], found["step"]) == (model, "before", 2, 7, 2)
    # WAVES repeat every week: seasonal naive is never wrong, and no scale is left to divide by.
    assert found["scores"]["seasonal_naive"]["mae"] == 0.0
    assert found["scores"]["model"]["mae"] > 0.0
    assert [window["first_cutoff"] for window in found["windows"]] == [f"2024-01-{day}T00:00:00" for day in (23, 25, 27)]
    assert [window["seen"] for window in found["windows"]] == [1.0, 1.0, 0.0]
    assert [step["step"] for step in found["steps"]] == [1, 2]
    assert [interval["level"] for interval in found["intervals"]] == [80, 95]
    kinds = [event["kind"] for event in api.client.get(f"/v1/jobs/{job}/events").json()["data"]]
    assert kinds[-2:] == ["backtest", "state"]
    assert api.client.get("/v1/models").json()["data"][0]["id"] == model


@pytest.mark.parametrize("refit", [False, True])
def test_a_document_is_trained_once_or_before_each_cutoff(refit: bool, api: Api) -> None:
    job = asked(api, dataset=api.upload(name="waves"), windows=2, step=3, refit=refit, **DOCUMENT)
    assert ended(api, job)["name"] == "backtest waves forecaster"
    found = report_of(api, job)
    assert (found["model"], found["trained"], found["step"]) == (None, "each" if refit else "once", 3)
    assert [window["seen"] for window in found["windows"]] == [0.0, 0.0]
    assert api.client.get("/v1/models").json()["data"] == []


def test_a_model_is_trained_anew_by_its_own_document(api: Api) -> None:
    job = asked(api, model=add_model(api), refit=True, windows=2)
    ended(api, job)
    found = report_of(api, job)
    assert found["trained"] == "each"
    assert [window["seen"] for window in found["windows"]] == [0.0, 0.0]


def test_series_that_begin_late_have_parameters_of_their_own_from_then_on(api: Api) -> None:
    days = [f"2024-{1 + day // 28:02d}-{1 + day % 28:02d},{10 + day % 7 + day % 3}" for day in range(56)]
    rows = [*(f"a,{day}" for day in days), *(f"b,{day}" for day in days[40:])]
    smooth = {"kind": "smooth", "from": "target", "form": "additive", "seasons": [7]}
    network = {"kind": "stack", "blocks": [smooth, SMALL["network"]]}
    dataset = api.upload("\n".join(["unique_id,ds,y", *rows]))
    job = asked(api, dataset=dataset, windows=3, step=8, refit=True, **{**DOCUMENT, "architecture": {**SMALL, "network": network}})
    ended(api, job)
    assert [window["series"] for window in report_of(api, job)["windows"]] == [1, 1, 2]


@pytest.mark.skipif(not is_installed(), reason="statsforecast, an optional extra, is not installed")
def test_theta_and_ets_stand_beside_the_model_by_default(api: Api) -> None:
    job = api.client.post("/v1/jobs", json={"kind": "backtest", "model": add_model(api), "windows": 1}).json()["id"]
    ended(api, job)
    assert set(report_of(api, job)["scores"]) == {"model", "seasonal_naive", "theta", "ets"}


@pytest.mark.parametrize(
    ("changes", "pointer", "sentence"),
    [
        ({"context": 3}, "#/context", "context: the model has its own"),
        ({"windows": 0}, "#/windows", "windows: input should be greater than or equal to 1"),
        ({"windows": 101}, "#/windows", "less than or equal to 100"),
        ({"windows": 11}, "#/windows", "leave 6 before the first; the context is 7; at most 10 windows would do"),
        ({"windows": 8, "refit": True}, "#/windows", "at most 7 windows would do"),
        ({"step": 0}, "#/step", "greater than or equal to 1"),
        ({"baselines": ["arima"]}, "#/baselines/0", "should be 'theta' or 'ets'"),
        ({"compare": "joint"}, "#/compare", "compare: is not a key here"),
        ({"metadata": {"a": [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}}, "#/metadata/a" + "/0" * 15, "is nested deeper than 16 levels"),
    ],
)
def test_what_cannot_be_tested_is_refused_at_its_place(changes: dict[str, Any], pointer: str, sentence: str, api: Api) -> None:
    fault = refused(api, model=add_model(api), **changes)
    assert (fault["pointer"], sentence in fault["detail"]) == (pointer, True), fault


@pytest.mark.parametrize(
    ("changes", "pointer", "sentence"),
    [
        ({"dataset": None}, "#/dataset", "name the model that is to be tested, or the dataset"),
        ({"horizon": None}, "#/horizon", "horizon is missing"),
        ({"windows": 9}, "#/windows", "a training of context 7 and 3 horizons of 2 needs 13; at most 7 windows would do"),
        ({"training": {"epoch": 3}}, "#/training/epoch", "did you mean 'epochs'?"),
        ({"init_from": "mdl_a"}, "#/init_from", "init_from: is not a key here"),
    ],
)
def test_a_document_that_cannot_be_tested_is_refused_at_its_place(changes: dict[str, Any], pointer: str, sentence: str, api: Api) -> None:
    request = {"dataset": api.upload(), **DOCUMENT, **changes}
    fault = refused(api, **{name: value for name, value in request.items() if value is not None})
    assert (fault["pointer"], sentence in fault["detail"]) == (pointer, True), fault


def test_a_dataset_that_the_model_cannot_read_is_refused(api: Api) -> None:
    reading = {"inputs": {"target": {"columns": ["y", "x"]}}, **SMALL}
    model = add_model(api, architecture=reading)
    days = "ds,y\n" + "".join(f"2024-01-{day:02d},{day}\n" for day in range(1, 29))
    fault = refused(api, model=model, dataset=api.upload(days))
    assert fault["pointer"] == "#/dataset"
    assert "'x' is not a numeric column of the dataset" in fault["detail"]
    hours = "ds,y,x\n" + "".join(f"2024-01-01T{hour:02d}:00:00,{hour},1\n" for hour in range(24))
    assert "frequency" in refused(api, model=model, dataset=api.upload(hours))["detail"]


def test_more_forecasts_than_a_worker_keeps_are_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.api.backtest_request.MOST_FORECASTS", 9)
    fault = refused(api, model=add_model(api))
    assert (fault["pointer"], fault["code"]) == ("#/windows", "too_large")
    assert "5 windows of 1 series and 2 steps are 10 forecasts" in fault["detail"]


def test_a_network_with_a_stored_model_in_it_may_have_seen_the_windows(api: Api) -> None:
    inner = {"kind": "model", "model": add_model(api)}
    job = asked(api, dataset=api.upload(name="more"), windows=2, **{**DOCUMENT, "architecture": {**SMALL, "network": inner}})
    ended(api, job)
    found = report_of(api, job)
    assert [window["seen"] for window in found["windows"]] == [None, None]
    assert any("stored models in it" in note for note in found["notes"])


def test_nobody_tests_what_is_not_his(api: Api) -> None:
    model = add_model(api)
    other = api.client_of("another")
    fault = problem_of(other.post("/v1/jobs", json={"kind": "backtest", "model": model}), 404)["errors"][0]
    assert fault["pointer"] == "#/model"


def test_the_schema_tells_both_kinds_apart(api: Api) -> None:
    body = api.client.get("/openapi.json").json()["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["discriminator"]["mapping"]) >= {"train", "backtest"}
