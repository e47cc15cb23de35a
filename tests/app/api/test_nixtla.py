"""The unmodified SDK of Nixtla forecasts, cross-validates and finds anomalies with models of this service."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from nixtla import NixtlaClient
from nixtla.nixtla_client import ApiError

from tests.app.api.conftest import Api
from tests.app.api.serving import served
from tests.app.api.trained import add_model, run


@pytest.fixture
def weeks() -> pd.DataFrame:
    days = pd.date_range("2024-01-01", periods=56, freq="D")
    frames = [pd.DataFrame({"unique_id": name, "ds": days, "y": np.arange(56) % 7 + 10.0 * number}) for number, name in enumerate("ab")]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture
def client(api: Api) -> Iterator[NixtlaClient]:
    key = api.client.headers["authorization"].removeprefix("Bearer ")
    with served(api.app) as address:
        yield NixtlaClient(api_key=key, base_url=f"{address}/compat/nixtla", max_retries=1)


def direct(api: Api, model: str, frame: pd.DataFrame, **asked: Any) -> list[dict[str, Any]]:
    series = [
        {"unique_id": name, "start": rows["ds"].iloc[0].isoformat(), "target": rows["y"].tolist()}
        for name, rows in frame.groupby("unique_id")
    ]
    answer = api.client.post(f"/v1/models/{model}/forecasts", json={"series": series, **asked})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["forecasts"]
    return found


def test_it_forecasts_what_the_service_does(api: Api, client: NixtlaClient, weeks: pd.DataFrame) -> None:
    add_model(api, name="weeks")
    found = client.forecast(weeks, h=2, model="weeks", level=[80, 90])
    assert list(found.columns) == ["unique_id", "ds", "TimeGPT", "TimeGPT-hi-80", "TimeGPT-hi-90", "TimeGPT-lo-80", "TimeGPT-lo-90"]
    expected = direct(api, "weeks", weeks, levels=[80, 90])
    assert found["TimeGPT"].tolist() == pytest.approx([value for one in expected for value in one["mean"]], rel=1e-6)
    assert found["TimeGPT-lo-90"].tolist() == pytest.approx([value for one in expected for value in one["quantiles"]["0.05"]], rel=1e-6)
    assert [moment.isoformat() for moment in found["ds"]] == [moment for one in expected for moment in one["timestamps"]]


def test_a_horizon_above_the_trained_one_goes_on_from_its_own_forecasts(api: Api, client: NixtlaClient, weeks: pd.DataFrame) -> None:
    add_model(api, name="weeks")
    expected = direct(api, "weeks", weeks, horizon=5, extend="recursive")
    found = client.forecast(weeks, h=5, model="weeks", level=[80])
    assert found["TimeGPT"].tolist() == pytest.approx([value for one in expected for value in one["mean"]], rel=1e-6)
    assert found["TimeGPT-hi-80"].tolist() == pytest.approx([value for one in expected for value in one["quantiles"]["0.9"]], rel=1e-6)
    windows = client.cross_validation(weeks, h=5, n_windows=2, model="weeks")
    last = windows[windows["cutoff"] == windows["cutoff"].max()]
    expected = direct(api, "weeks", weeks[weeks["ds"] <= last["cutoff"].max()], horizon=5, extend="recursive")
    assert last["TimeGPT"].tolist() == pytest.approx([value for one in expected for value in one["mean"]], rel=1e-6)


def test_bodies_above_a_mebibyte_come_compressed(api: Api, client: NixtlaClient, weeks: pd.DataFrame) -> None:
    add_model(api, name="weeks")
    many = pd.concat([weeks.assign(unique_id=weeks["unique_id"] + str(number), y=weeks["y"] + 1 / 3 + number) for number in range(700)])
    found = client.forecast(many, h=1, model="weeks", add_history=False, level=[80])
    assert len(found) == 1400
    few = client.forecast(many[many["unique_id"].isin(["a3", "b3"])], h=1, model="weeks", level=[80])
    assert found[found["unique_id"].isin(["a3", "b3"])]["TimeGPT"].tolist() == pytest.approx(few["TimeGPT"].tolist(), rel=1e-5)


def test_columns_that_are_known_ahead_are_read(api: Api, client: NixtlaClient, weeks: pd.DataFrame) -> None:
    architecture = {
        "network": {"kind": "lstm", "units": 3},
        "inputs": {"a": {"columns": ["y"]}, "b": {"columns": ["x"], "known": "future"}},
    }
    add_model(api, name="knowing", architecture=architecture)
    frame = weeks.assign(x=np.arange(len(weeks)) % 5.0)
    ahead = (
        frame.groupby("unique_id")
        .tail(2)
        .assign(ds=lambda rows: rows["ds"] + pd.Timedelta(days=2), x=[1.0, 2.0, 3.0, 4.0])
        .drop(columns="y")
    )
    found = client.forecast(frame, h=2, model="knowing", X_df=ahead)
    series = [
        {"start": "2024-01-01T00:00:00", "target": rows["y"].tolist(), "past": {"x": rows["x"].tolist()}, "future": {"x": future}}
        for (_, rows), future in zip(frame.groupby("unique_id"), ([1.0, 2.0], [3.0, 4.0]), strict=True)
    ]
    expected = api.client.post("/v1/models/knowing/forecasts", json={"series": series}).json()["forecasts"]
    assert found["TimeGPT"].tolist() == pytest.approx([value for one in expected for value in one["mean"]], rel=1e-6)


def test_cross_validation_forecasts_from_earlier_cutoffs(api: Api, client: NixtlaClient, weeks: pd.DataFrame) -> None:
    add_model(api, name="weeks")
    found = client.cross_validation(weeks, h=2, n_windows=3, step_size=4, model="weeks", level=[90])
    assert found["cutoff"].dt.day.unique().tolist() == [15, 19, 23]
    assert set(found["cutoff"].dt.month) == {2}
    first = found[(found["unique_id"] == "b") & (found["cutoff"] == found["cutoff"].min())]
    (expected,) = direct(api, "weeks", weeks[(weeks["unique_id"] == "b") & (weeks["ds"] <= first["cutoff"].iloc[0])], levels=[90])
    assert first["TimeGPT"].tolist() == pytest.approx(expected["mean"], rel=1e-6)
    assert first["TimeGPT-hi-90"].tolist() == pytest.approx(expected["quantiles"]["0.95"], rel=1e-6)
    assert first["y"].tolist() == weeks[weeks["unique_id"] == "b"].set_index("ds")["y"].loc[first["ds"]].tolist()


def test_anomalies_are_those_of_the_service(api: Api, client: NixtlaClient, weeks: pd.DataFrame) -> None:
    add_model(api, name="weeks")
    weeks.loc[40, "y"] = 500.0
    with pytest.warns(FutureWarning, match="will be REMOVED in nixtla 1.0"):
        found = client.detect_anomalies(weeks, model="weeks", level=90)
    rows = weeks[weeks["unique_id"] == "a"]
    sent = {"series": [{"start": "2024-01-01T00:00:00", "target": rows["y"].tolist()}], "level": 90}
    (expected,) = api.client.post("/v1/models/weeks/anomalies", json=sent).json()["series"]
    mine = found[found["unique_id"] == "a"]
    assert mine["anomaly"].tolist() == expected["is_anomaly"]
    assert mine["TimeGPT-lo-90"].tolist() == pytest.approx(expected["low"], rel=1e-6)
    assert bool(mine[mine["ds"] == weeks.loc[40, "ds"]]["anomaly"].item())


def test_a_model_is_trained_further_and_forecasts_once_it_is_done(api: Api, client: NixtlaClient, weeks: pd.DataFrame) -> None:
    model = add_model(api, name="weeks")
    assert client.finetune(weeks, finetune_steps=2, output_model_id="mine", model="weeks") == "mine"
    (job,) = api.client.get("/v1/jobs", params={"status": "queued"}).json()["data"]
    assert (job["name"], job["init_from"]) == ("mine", model)
    with pytest.raises(ApiError, match="mine is being trained; ask again") as caught:
        client.forecast(weeks, h=2, finetuned_model_id="mine", model="mine")
    assert caught.value.status_code == 503
    run(api, job["id"])
    assert len(client.forecast(weeks, h=2, finetuned_model_id="mine", model="weeks")) == 4
    (tuned,) = client.finetuned_models(as_df=False)
    assert (tuned.id, tuned.base_model_id, tuned.steps, tuned.freq) == ("mine", model, 2, "D")
    assert client.finetuned_model("mine").id == "mine"
    assert client.delete_finetuned_model("mine")
    assert client.finetuned_models(as_df=False) == []


def test_models_are_listed_by_their_names_and_keys_are_told_from_others(api: Api, client: NixtlaClient) -> None:
    add_model(api, name="weeks")
    assert client.list_models() == ["weeks"]
    assert client.validate_api_key(log=False)
    stranger = NixtlaClient(api_key="bc_nobody", base_url=str(client._client_kwargs["base_url"]), max_retries=1)
    assert not stranger.validate_api_key(log=False)


@pytest.mark.parametrize(
    ("asked", "status", "sentence"),
    [
        ({"model": "nobody"}, 404, "nobody is not a model of yours"),
        ({"finetune_steps": 3}, 422, "a forecast trains nothing; call finetune"),
        ({"multivariate": True}, 422, "each series is forecast by itself"),
        ({"h": 41}, 422, "at most 20 times the trained 2 steps"),
    ],
)
def test_what_is_not_done_here_is_refused_with_the_way_out(
    asked: dict[str, Any], status: int, sentence: str, api: Api, client: NixtlaClient, weeks: pd.DataFrame
) -> None:
    add_model(api, name="weeks")
    with pytest.raises(ApiError) as caught:
        client.forecast(weeks, **(dict[str, Any](h=2, model="weeks") | asked))
    assert caught.value.status_code == status
    assert sentence in caught.value.body["detail"]


def test_series_of_another_frequency_and_unknown_columns_are_refused(api: Api, client: NixtlaClient, weeks: pd.DataFrame) -> None:
    add_model(api, name="weeks")
    hourly = weeks.assign(ds=[*pd.date_range("2024-01-01", periods=56, freq="h")] * 2)
    with pytest.raises(ApiError, match="freq is 'h', and the model was trained on 'D'"):
        client.forecast(hourly, h=2, model="weeks")
    with pytest.raises(ApiError, match="the model reads no covariates"):
        client.forecast(weeks.assign(x=1.0), h=2, model="weeks", hist_exog_list=["x"])
