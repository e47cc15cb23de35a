"""What never changes within a series goes from an upload's words to a forecast that knows them."""

from typing import Any

import pytest

from tests.app.api.conftest import Api, problem_of
from tests.app.api.trained import add_job, add_model, run

SHOPS = "unique_id,ds,y,region,mood\n" + "".join(
    f"{shop},2024-01-{day:02d},{level + day % 7},{region},{mood}\n"
    for shop, level, region in (("a", 10, "north"), ("b", 20, "south"))
    for day, mood in ((day, "good" if day % 2 else "bad") for day in range(1, 29))
)
SHOP = {"columns": ["region"], "known": "static", "embed": 2}
INPUTS: dict[str, Any] = {"target": {"columns": ["y"]}, "shop": SHOP}
KNOWING: dict[str, Any] = {"network": {"kind": "lstm", "units": 3}, "inputs": INPUTS, "scaling": {"target": "none"}}
DAYS = [float(day % 7) for day in range(7)]


def with_shop(**changes: Any) -> dict[str, Any]:
    return {**KNOWING, "inputs": {**INPUTS, "shop": {**SHOP, **changes}}}


def test_a_model_knows_the_words_of_its_dataset_and_a_series_says_its_own(api: Api) -> None:
    model = add_model(api, api.upload(SHOPS), architecture=KNOWING)
    document = api.client.get(f"/v1/models/{model}").json()["architecture"]
    assert document["inputs"]["shop"]["categories"] == {"region": ["north", "south"]}

    def mean(region: str) -> list[float]:
        series = {"start": "2024-02-01", "target": DAYS, "static": {"region": region}}
        answer = api.client.post(f"/v1/models/{model}/forecasts", json={"series": [series]})
        assert answer.status_code == 200, answer.text
        found: list[float] = answer.json()["forecasts"][0]["mean"]
        return found

    assert mean("north") != mean("south")
    assert mean("moon") == mean("west")
    stored = api.client.post(f"/v1/models/{model}/forecasts", json={"unique_ids": ["a"]}).json()["forecasts"][0]["mean"]
    target = [10.0 + day % 7 for day in range(1, 29)]
    series = {"start": "2024-01-01", "target": target, "static": {"region": "north"}}
    sent = api.client.post(f"/v1/models/{model}/forecasts", json={"series": [series]}).json()["forecasts"][0]["mean"]
    assert sent == pytest.approx(stored)


def test_a_series_that_does_not_say_what_the_model_reads_is_refused(api: Api) -> None:
    model = add_model(api, api.upload(SHOPS), architecture=KNOWING)
    answer = api.client.post(f"/v1/models/{model}/forecasts", json={"series": [{"start": "2024-02-01", "target": DAYS}]})
    (fault,) = problem_of(answer, 422)["errors"]
    assert fault["pointer"] == "#/series/0/static"


@pytest.mark.parametrize(
    ("architecture", "pointer", "said"),
    [
        (with_shop(embed=None), "#/architecture/inputs/shop/embed", "how many numbers stand for each"),
        (with_shop(columns=["nowhere"]), "#/architecture/inputs/shop/columns", "is not a column of the dataset"),
        (with_shop(known="past", embed=None), "#/architecture/inputs/shop/columns", "read it with 'known': 'static'"),
        (with_shop(features=["day_of_week"]), "#/architecture/inputs/shop/features", "change at every step"),
    ],
)
def test_what_cannot_be_static_is_refused_when_the_job_is_asked_for(api: Api, architecture: Any, pointer: str, said: str) -> None:
    request = {"kind": "train", "dataset": api.upload(SHOPS), "architecture": architecture, "context": 7, "horizon": 2}
    faults = problem_of(api.client.post("/v1/jobs", json=request), 422)["errors"]
    assert any(fault["pointer"] == pointer and said in fault["detail"] for fault in faults), faults


def test_words_that_change_within_a_series_end_the_job_with_a_sentence(api: Api) -> None:
    job = add_job(api, api.upload(SHOPS), architecture=with_shop(columns=["mood"]))
    run(api, job)
    body = api.client.get(f"/v1/jobs/{job}").json()
    assert body["status"] == "failed"
    assert "'mood' is an input that is known 'static', and changes within 2 series" in body["error"]["message"]
