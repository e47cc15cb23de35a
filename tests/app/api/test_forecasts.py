"""Forecasts by id or with series that are sent; what cannot be forecast is refused at its place."""

from typing import Any

import pytest

from tests.app.api.conftest import WAVES, Api, problem_of, refusal
from tests.app.api.trained import AHEAD, add_model

WEEK = [0.0, 1.0, 2.0, 3.0, None, 5.0, 6.0]


def forecast(api: Api, model: str, **request: Any) -> dict[str, Any]:
    answer = api.client.post(f"/v1/models/{model}/forecasts", json=request)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def refused(api: Api, model: str, **request: Any) -> tuple[str, str]:
    return refusal(api.client.post(f"/v1/models/{model}/forecasts", json=request))


def sent(**changes: Any) -> dict[str, Any]:
    series = {"unique_id": "mine", "start": "2025-03-01T00:00:00", "target": WEEK} | changes
    return {"series": [{name: value for name, value in series.items() if value is not None}]}


def test_a_series_of_the_dataset_is_forecast_from_where_it_ends(api: Api) -> None:
    model = add_model(api)
    body = forecast(api, model, unique_ids=["series"], levels=[80, 95], quantiles=[0.5])
    (one,) = body["forecasts"]
    assert (body["model"], body["freq"], one["unique_id"]) == (model, "D", "series")
    assert one["timestamps"] == ["2024-01-29T00:00:00", "2024-01-30T00:00:00"]
    assert list(one["quantiles"]) == ["0.025", "0.1", "0.5", "0.9", "0.975"]
    for step in range(2):
        values = [one["quantiles"][level][step] for level in one["quantiles"]]
        assert values == sorted(values)
        assert one["quantiles"]["0.025"][step] <= one["mean"][step] <= one["quantiles"]["0.975"][step]
    assert set(body["timing_ms"]) == {"load", "forecast"}


@pytest.mark.parametrize("over", ["window", "series"])
def test_a_series_that_is_sent_is_forecast_the_same_as_one_that_is_stored(api: Api, over: str) -> None:
    model = add_model(api, name="weeks", scaling={"target": "standard", "over": over})
    stored = forecast(api, model, unique_ids=["series"])["forecasts"][0]
    target = [float(row.split(",")[1]) for row in WAVES.splitlines()[1:]]
    given = forecast(api, "weeks", series=[{"unique_id": "series", "start": "2024-01-01T00:00:00", "target": target}])["forecasts"][0]
    assert given == stored
    # Units are as far back as they are measured.
    newest = {"unique_id": "series", "start": "2024-01-18T00:00:00", "target": target[-11:]}
    cut = forecast(api, "weeks", series=[newest])["forecasts"][0]
    assert (cut == stored) == (over == "window")


@pytest.mark.parametrize("decoder", ["direct", "recursive"])
def test_paths_are_given_as_asked_and_spread_around_the_mean(api: Api, decoder: str) -> None:
    architecture = {"network": {"kind": "lstm", "units": 3}, "decoder": {"kind": decoder}, "head": {"kind": "normal"}}
    model = add_model(api, architecture=architecture)
    (one,) = forecast(api, model, unique_ids=["series"], horizon=1, paths=200)["forecasts"]
    first = [path[0] for path in one["paths"]]
    assert len(first) == 200
    assert all(len(path) == 1 for path in one["paths"])
    assert min(first) < one["quantiles"]["0.1"][0] < one["quantiles"]["0.9"][0] < max(first)
    assert 10 < sum(value < one["quantiles"]["0.1"][0] for value in first) < 30
    assert forecast(api, model, unique_ids=["series"])["forecasts"][0]["paths"] == []


def test_a_shorter_horizon_and_no_levels_are_given_as_asked(api: Api) -> None:
    (one,) = forecast(api, add_model(api), unique_ids=["series"], horizon=1, levels=[])["forecasts"]
    assert (len(one["mean"]), len(one["timestamps"]), one["quantiles"]) == (1, 1, {})


def test_many_series_come_back_in_the_order_of_the_request(api: Api) -> None:
    csv = "unique_id,ds,y\n" + "".join(f"{name},2024-01-{day:02d},{day % 7 + ord(name)}\n" for name in "abc" for day in range(1, 29))
    model = add_model(api, api.upload(csv))
    found = forecast(api, model, unique_ids=["c", "a"])["forecasts"]
    assert [one["unique_id"] for one in found] == ["c", "a"]
    assert found[0] == forecast(api, model, unique_ids=["c"])["forecasts"][0]


@pytest.mark.parametrize(
    ("start", "zone", "expected"),
    [("2025-03-01T00:00:00Z", "Z", "2025-03-08T00:00:00Z"), (0, None, 7)],
)
def test_times_are_written_as_the_dataset_has_them(api: Api, start: str | int, zone: str | None, expected: str | int) -> None:
    rows = [f"2024-01-{day:02d}T00:00:00Z,{day % 7}" for day in range(1, 29)] if zone else [f"{step},{step % 7}" for step in range(28)]
    model = add_model(api, api.upload("ds,y\n" + "\n".join(rows) + "\n"))
    (one,) = forecast(api, model, **sent(start=start))["forecasts"]
    assert one["timestamps"][0] == expected


def test_a_future_is_sent_or_taken_from_the_dataset(api: Api) -> None:
    rows = WAVES.splitlines()
    ahead = "\n".join([*rows, "2024-01-29,,1", "2024-01-30,,4"]) + "\n"
    model = add_model(api, api.upload(ahead), **AHEAD)
    stored = forecast(api, model, unique_ids=["series"])["forecasts"][0]
    assert stored["timestamps"][0] == "2024-01-29T00:00:00"
    told = forecast(api, model, unique_ids=["series"], future={"series": {"x": [1, 4]}})["forecasts"][0]
    other = forecast(api, model, unique_ids=["series"], future={"series": {"x": [4, 1]}})["forecasts"][0]
    assert told == stored
    assert other["mean"] != stored["mean"]


@pytest.mark.parametrize("over", ["window", "series"])
def test_steps_that_are_held_out_change_nothing_but_what_is_known_ahead(api: Api, over: str) -> None:
    rows = WAVES.splitlines()
    whole = add_model(
        api,
        api.upload("\n".join([*rows[:-2], "2024-01-27,5,1", "2024-01-28,6,4", "2024-01-29,,3"]) + "\n"),
        **AHEAD,
        scaling={"over": over},
    )
    held = forecast(api, whole, unique_ids=["series"], held_out=2)["forecasts"][0]
    days = [row.split(",") for row in rows[1:-2]]
    history = {"unique_id": "series", "start": "2024-01-01T00:00:00", "target": [float(y) for _, y, _ in days]}
    past, future = {"x": [float(x) for _, _, x in days]}, {"x": [1.0, 4.0]}
    assert held == forecast(api, whole, series=[history | {"past": past, "future": future}])["forecasts"][0]
    assert held["timestamps"] == ["2024-01-27T00:00:00", "2024-01-28T00:00:00"]


def test_more_steps_than_there_are_and_those_of_a_series_that_is_sent_cannot_be_held_out(api: Api) -> None:
    model = add_model(api)
    assert refused(api, model, unique_ids=["series"], held_out=28) == (
        "#/held_out",
        "held_out is 28, and 'series' has 28 steps; hold out fewer than it has",
    )
    assert "'held_out' goes with 'unique_ids'" in refused(api, model, **sent(), held_out=1)[1]


def test_a_future_that_is_missing_or_too_short_is_refused(api: Api) -> None:
    model = add_model(api, **AHEAD)
    pointer, sentence = refused(api, model, unique_ids=["series"])
    assert (pointer, sentence) == (
        "#/future",
        "series 'series' lacks the future of 'x', which the model reads; send 2 values under 'future'",
    )
    past = {"x": WEEK}
    assert refused(api, model, **sent(past=past)) == (
        "#/series/0/future",
        "series 'mine' lacks the future of 'x', which the model reads; send 2 values under 'future'",
    )
    assert refused(api, model, **sent(past=past, future={"x": [1.0]})) == (
        "#/series/0/future/x",
        "the future of 'x' in series 'mine' has 1 values; a horizon of 2 needs as many",
    )
    assert refused(api, model, **sent(future={"x": [1.0, 2.0]}))[0] == "#/series/0/past"


CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "a horizon above the trained one": ({"unique_ids": ["series"], "horizon": 3}, "#/horizon", "trained for 1 to 2 steps"),
    "a series that is not there": ({"unique_ids": ["series", "b"]}, "#/unique_ids/1", "'b' is not a series of ds_"),
    "neither series nor ids": ({}, "#", "send either 'series' or 'unique_ids'"),
    "both": ({**sent(), "unique_ids": ["a"]}, "#", "send either 'series' or 'unique_ids'"),
    "a future beside series": ({**sent(), "future": {"a": {"x": [1.0]}}}, "#", "each of 'series' has its own"),
    "a history too short": (sent(target=[1.0, 2.0]), "#/series/0/target", "looks back 7"),
    "a history of nothing": (sent(target=[None] * 7), "#/series/0/target", "nothing observed"),
    "a start in words": (sent(start="yesterday"), "#/series/0/start", "is not written like"),
    "a start with a zone": (sent(start="2025-03-01T00:00:00Z"), "#/series/0/start", "without a zone"),
    "a start that counts": (sent(start=5), "#/series/0/start", "is not written like"),
    "a level of a hundred": ({"unique_ids": ["series"], "levels": [100]}, "#/levels/0", "less than 100"),
    "an unknown key": ({"unique_ids": ["series"], "steps": 3}, "#/steps", "is not a key here"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_forecast_is_refused_at_its_place(api: Api, case: str) -> None:
    request, pointer, sentence = CASES[case]
    found, detail = refused(api, add_model(api), **request)
    assert found == pointer
    assert sentence in detail


def test_a_start_that_is_no_step_of_the_frequency_is_refused(api: Api) -> None:
    months = "ds,y\n" + "".join(f"{2000 + month // 12}-{month % 12 + 1:02d}-01,{month % 12}\n" for month in range(40))
    pointer, sentence = refused(api, add_model(api, api.upload(months)), **sent(start="2025-03-15T00:00:00"))
    assert pointer == "#/series/0/start"
    assert "no step of the frequency MS" in sentence


@pytest.mark.parametrize("number", ["NaN", "Infinity"])
def test_numbers_that_are_none_are_refused(api: Api, number: str) -> None:
    body = f'{{"series": [{{"start": "2025-03-01T00:00:00", "target": [1, {number}]}}]}}'
    answer = api.client.post(f"/v1/models/{add_model(api)}/forecasts", content=body, headers={"Content-Type": "application/json"})
    assert problem_of(answer, 422)["errors"][0]["pointer"] == "#/series/0/target/1"


def test_a_key_that_may_only_read_may_forecast(api: Api) -> None:
    model = add_model(api)
    assert api.client_of("somebody", "read").post(f"/v1/models/{model}/forecasts", json={"unique_ids": ["series"]}).status_code == 200


def test_a_dataset_that_was_deleted_leaves_series_that_are_sent(api: Api) -> None:
    dataset = api.upload()
    model = add_model(api, dataset)
    assert api.client.delete(f"/v1/datasets/{dataset}").status_code == 204
    assert forecast(api, model, **sent())["forecasts"][0]["unique_id"] == "mine"
    answer = api.client.post(f"/v1/models/{model}/forecasts", json={"unique_ids": ["series"]})
    assert problem_of(answer, 404)["detail"].startswith(f"{dataset} is not a dataset of yours")


def test_an_id_with_a_nul_in_it_is_refused_before_a_database_is_asked(api: Api) -> None:
    problem = problem_of(api.client.post("/v1/models/a%00b/forecasts", json={"unique_ids": ["series"]}), 422)
    assert problem["errors"][0]["pointer"] == "?model_id"


def test_beyond_the_trained_horizon_a_model_goes_on_where_it_is_asked_to(api: Api) -> None:
    model = add_model(api)
    sent = {"unique_ids": ["series"], "horizon": 5}
    assert refusal(api.client.post(f"/v1/models/{model}/forecasts", json=sent))[0] == "#/horizon"
    (found,) = api.client.post(f"/v1/models/{model}/forecasts", json={**sent, "extend": "recursive"}).json()["forecasts"]
    (short,) = api.client.post(f"/v1/models/{model}/forecasts", json={**sent, "horizon": 2}).json()["forecasts"]
    assert found["mean"][:2] == short["mean"]
    assert found["quantiles"]["0.9"][:2] == short["quantiles"]["0.9"]
    assert len(found["mean"]) == len(found["timestamps"]) == len(found["quantiles"]["0.1"]) == 5
    _, sentence = refusal(api.client.post(f"/v1/models/{model}/forecasts", json={**sent, "extend": "recursive", "paths": 3}))
    assert "leave out 'extend' or 'paths'" in sentence
