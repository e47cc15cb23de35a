"""Values that a model did not expect are found, each judged only by what came before it."""

import math
from typing import Any

import pytest

from tests.app.api.conftest import WAVES, Api, refusal
from tests.app.api.trained import AHEAD, add_model

QUANTILES: dict[str, Any] = {
    "architecture": {"network": {"kind": "lstm", "units": 3}, "head": {"kind": "quantiles", "levels": [0.1, 0.5, 0.9]}}
}
TARGET: list[float | None] = [float(row.split(",")[1]) for row in WAVES.splitlines()[1:]]


def judged(api: Api, model: str, **request: Any) -> dict[str, Any]:
    answer = api.client.post(f"/v1/models/{model}/anomalies", json=request)
    assert answer.status_code == 200, answer.text
    (one,) = answer.json()["series"]
    assert isinstance(one, dict)
    return one


def refused(api: Api, model: str, **request: Any) -> tuple[str, str]:
    return refusal(api.client.post(f"/v1/models/{model}/anomalies", json=request))


def sent(target: list[float | None], **more: Any) -> dict[str, Any]:
    return {"series": [{"unique_id": "mine", "start": "2024-01-01T00:00:00", "target": target, **more}]}


def test_a_value_far_from_all_before_is_an_anomaly_and_its_neighbours_are_judged_apart(api: Api) -> None:
    model = add_model(api, **QUANTILES)
    usual = judged(api, model, **sent(TARGET), level=90)
    spiked = [*TARGET[:-3], 1e6, *TARGET[-2:]]
    found = judged(api, model, **sent(spiked), level=90)
    assert found["is_anomaly"][-3] is True
    assert found["anomalies"] == sum(found["is_anomaly"])
    assert found["target"] == spiked[7:]
    for name in ("mean", "low", "high", "timestamps"):
        assert found[name][:-2] == usual[name][:-2], "a value moved what was expected of it, or of one before it"


@pytest.mark.parametrize("over", ["window", "series"])
def test_each_value_is_judged_by_the_forecast_of_what_came_before(api: Api, over: str) -> None:
    model = add_model(api, scaling={"target": "standard", "over": over})
    body = judged(api, model, unique_ids=["series"], level=80)
    assert len(body["target"]) == len(TARGET) - 7
    for place in (0, 5, len(body["target"]) - 1):
        request = sent(TARGET[: 7 + place]) | {"levels": [80], "horizon": 1}
        (one,) = api.client.post(f"/v1/models/{model}/forecasts", json=request).json()["forecasts"]
        assert [body["timestamps"][place]] == one["timestamps"]
        told = [body[name][place] for name in ("mean", "low", "high")]
        assert told == pytest.approx([one["mean"][0], one["quantiles"]["0.1"][0], one["quantiles"]["0.9"][0]], rel=1e-5)
        assert body["is_anomaly"][place] is not (told[1] <= body["target"][place] <= told[2])


def test_steps_of_the_horizon_are_judged_at_once_and_end_with_the_series(api: Api) -> None:
    model = add_model(api)
    body = judged(api, model, **sent(TARGET), step=2, last=5)
    assert body["target"] == TARGET[-6:]
    (one,) = api.client.post(f"/v1/models/{model}/forecasts", json=sent(TARGET[:-2])).json()["forecasts"]
    assert body["mean"][-2:] == pytest.approx(one["mean"], rel=1e-5)
    assert refused(api, model, **sent(TARGET), step=3)[0] == "#/step"


def test_what_is_missing_is_no_anomaly_and_what_follows_a_long_gap_is_left_out(api: Api) -> None:
    model = add_model(api)
    gap: list[float | None] = [None] * 7
    body = judged(api, model, **sent([*TARGET[:10], *gap, *TARGET[17:]]))
    assert [value is None for value in body["is_anomaly"]] == [value is None for value in body["target"]]
    assert len(body["target"]) == len(TARGET) - 7 - 1
    assert "2024-01-18T00:00:00" not in body["timestamps"]


def test_columns_that_are_known_ahead_are_read_at_the_step_itself(api: Api) -> None:
    rows = "\n".join(f"2024-01-{day:02},{10 + day % 7},{day % 3}" for day in range(1, 29))
    model = add_model(api, api.upload(f"ds,y,x\n{rows}\n"), **AHEAD)
    ahead = [float(day % 3) for day in range(1, 29)]
    values: list[float | None] = [10.0 + day % 7 for day in range(1, 29)]
    usual = judged(api, model, **sent(values, past={"x": ahead}))
    other = judged(api, model, **sent(values, past={"x": [*ahead[:-1], 50.0]}))
    assert other["mean"][:-1] == usual["mean"][:-1]
    assert not math.isclose(other["mean"][-1], usual["mean"][-1], rel_tol=1e-3)
    assert "'x'" in refused(api, model, **sent(values))[1]


def test_what_cannot_be_judged_is_refused_at_its_place(api: Api) -> None:
    model = add_model(api)
    pointer, sentence = refused(api, model, **sent(TARGET[:7]))
    assert pointer == "#/series/0/target"
    assert sentence == "series 'mine' has 7 steps; the model looks back 7 and judges 1 after them: send at least 8"
    assert refused(api, model, unique_ids=["nobody"])[0] == "#/unique_ids/0"
    assert refused(api, model)[1].endswith("send either 'series' or 'unique_ids'")
    assert refused(api, model, **sent(TARGET), level=100)[0] == "#/level"
    pointer, sentence = refused(api, model, series=sent([1.0, 2.0] * 11_000)["series"])
    assert (pointer, sentence[:29]) == ("#/last", "that takes 21,993 forecasts; ")
