"""Forecasts of a whole dataset are asked for as any job is, and leave the service as a file, whole or in parts."""

import hashlib
import io
from typing import Any

import polars as pl
import pytest

from tests.app.api.conftest import WAVES, Api, problem_of
from tests.app.api.trained import AHEAD, add_job, add_model, run

TWO = "unique_id,ds,y\n" + "".join(f"{name},2024-01-{1 + day:02d},{day % 7}\n" for name in ("a", "=b") for day in range(28))


def asked(api: Api, **request: Any) -> str:
    answer = api.client.post("/v1/jobs", json={"kind": "forecast", **request})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def ended(api: Api, job: str) -> dict[str, Any]:
    run(api, job)
    body: dict[str, Any] = api.client.get(f"/v1/jobs/{job}").json()
    assert body["status"] == "succeeded", body
    return body


def refused(api: Api, **request: Any) -> tuple[str, str, str]:
    (fault,) = problem_of(api.client.post("/v1/jobs", json={"kind": "forecast", **request}), 422)["errors"]
    return fault["pointer"], fault["code"], fault["detail"]


def test_the_file_says_what_the_model_forecasts_of_each_series(api: Api) -> None:
    model = add_model(api, api.upload(TWO), name="twins")
    job = asked(api, model="twins", levels=[80], quantiles=[0.5])
    assert api.client.get(f"/v1/jobs/{job}").json()["urls"]["result"] is None
    body = ended(api, job)
    assert (body["kind"], body["name"], body["model"], body["init_from"]) == ("forecast", "forecasts of twins", None, model)
    answer = api.client.get(body["urls"]["result"])
    assert answer.headers["Content-Type"] == "application/vnd.apache.parquet"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{job}.parquet"'
    frame = pl.read_parquet(io.BytesIO(answer.content))
    served = api.client.post(f"/v1/models/{model}/forecasts", json={"unique_ids": ["=b", "a"], "quantiles": [0.5]}).json()["forecasts"]
    for one in served:
        mine = frame.filter(pl.col("unique_id") == one["unique_id"])
        assert mine["mean"].to_list() == pytest.approx(one["mean"], rel=1e-5)
        assert mine["q0.9"].to_list() == pytest.approx(one["quantiles"]["0.9"], rel=1e-5)
        assert [moment.isoformat() for moment in mine["ds"]] == one["timestamps"]
    report = api.client.get(f"/v1/jobs/{job}/report").json()
    assert report["forecast"]["series"] == 2
    assert report["forecast"]["size_bytes"] == len(answer.content)


def test_csv_has_times_as_answers_have_them_and_no_formulas(api: Api) -> None:
    body = ended(api, asked(api, model=add_model(api, api.upload(TWO)), horizon=1, format="csv"))
    answer = api.client.get(body["urls"]["result"])
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    header, *rows = answer.text.splitlines()
    assert header == "unique_id,ds,mean,q0.1,q0.9"
    assert [row.split(",")[:2] for row in rows] == [["'=b", "2024-01-29T00:00:00"], ["a", "2024-01-29T00:00:00"]]


def test_a_download_that_broke_off_goes_on_where_it_was(api: Api) -> None:
    address = ended(api, asked(api, model=add_model(api)))["urls"]["result"]
    whole = api.client.get(address)
    tag = whole.headers["ETag"]
    assert tag == f'"{hashlib.sha256(whole.content).hexdigest()}"'
    rest = api.client.get(address, headers={"Range": "bytes=100-", "If-Range": tag})
    assert (rest.status_code, rest.content) == (206, whole.content[100:])
    known = api.client.get(address, headers={"If-None-Match": tag})
    assert (known.status_code, known.content) == (304, b"")


def test_another_dataset_may_be_forecast_at_its_newest_version(api: Api) -> None:
    model, other = add_model(api), api.upload(TWO)
    body = ended(api, asked(api, model=model, dataset=other))
    assert (body["dataset"], body["dataset_version"]) == (other, 1)
    assert pl.read_parquet(io.BytesIO(api.client.get(body["urls"]["result"]).content))["unique_id"].n_unique() == 2


def test_a_dataset_may_be_as_short_as_the_model_looks_back(api: Api) -> None:
    short = api.upload("".join(WAVES.splitlines(keepends=True)[:8]))
    assert ended(api, asked(api, model=add_model(api), dataset=short))["progress"]["fraction"] == 1.0


def test_a_result_is_gone_once_it_is_deleted(api: Api) -> None:
    job = asked(api, model=add_model(api))
    address = ended(api, job)["urls"]["result"]
    before = api.client.get(f"/v1/jobs/{job}").headers["ETag"]
    digest = api.client.get(address).headers["ETag"].strip('"')
    assert api.client.delete(address).status_code == 204
    assert digest not in api.services.artifacts.digests()
    problem_of(api.client.get(address), 404)
    problem_of(api.client.delete(address), 404)
    answer = api.client.get(f"/v1/jobs/{job}", headers={"If-None-Match": before})
    assert answer.json()["urls"]["result"] is None


def test_a_result_that_two_jobs_have_stays_with_the_other(api: Api) -> None:
    model = add_model(api)
    first, second = (ended(api, asked(api, model=model))["urls"]["result"] for _ in range(2))
    assert api.client.get(first).headers["ETag"] == api.client.get(second).headers["ETag"]
    assert api.client.delete(first).status_code == 204
    assert api.client.get(second).status_code == 200


def test_what_has_no_result_says_so(api: Api) -> None:
    training = add_job(api)
    assert "is of the kind 'train' and has no result" in problem_of(api.client.get(f"/v1/jobs/{training}/result"), 404)["detail"]
    waiting = asked(api, model=add_model(api))
    assert f"{waiting} is queued" in problem_of(api.client.get(f"/v1/jobs/{waiting}/result"), 404)["detail"]
    address = ended(api, waiting)["urls"]["result"]
    assert problem_of(api.client_of("somebody else").get(address), 404)["detail"].startswith(waiting)


def test_what_cannot_be_forecast_is_refused_before_it_is_queued(api: Api) -> None:
    model = add_model(api)
    assert refused(api, model=model, horizon=3)[:2] == ("#/horizon", "horizon")
    assert refused(api, model=model, format="xlsx")[0] == "#/format"
    assert refused(api, model=model, levels=[100.0])[0] == "#/levels/0"
    assert refused(api)[0] == "#/model"
    assert problem_of(api.client.post("/v1/jobs", json={"kind": "forecast", "model": "mdl_nobody"}), 404)["detail"].startswith("model: ")
    hourly = api.upload("ds,y\n" + "".join(f"2024-01-01T{hour:02d}:00:00,{hour}\n" for hour in range(24)))
    assert refused(api, model=model, dataset=hourly)[:2] == ("#/dataset", "frequency")
    short = api.upload("".join(WAVES.splitlines(keepends=True)[:6]))
    pointer, code, detail = refused(api, model=model, dataset=short)
    assert (pointer, code) == ("#/dataset", "series_too_short")
    assert "its longest series has 5 steps, and the model looks back 7" in detail
    knowing = add_model(api, **AHEAD)
    pointer, _, detail = refused(api, model=knowing, dataset=api.upload(TWO))
    assert pointer == "#/dataset"
    assert "'x' is not a numeric column" in detail
