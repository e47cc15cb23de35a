"""The network of a stored model is a block of another one: frozen or not, and complete without the model that it came from."""

from typing import Any

import pytest
import torch

from app.forecasting.checkpoint import load
from app.store.models import get_model
from tests.app.api.conftest import Api, problem_of
from tests.app.api.trained import SMALL, add_job, add_model, run, train_request
from tests.strategies_specs import connect, stack

DENSE = {"kind": "dense", "units": 2}


def with_model(model: str, **options: Any) -> dict[str, Any]:
    return {"network": stack({"kind": "model", "model": model, **options}, DENSE), "head": {"kind": "point"}}


def body_of(api: Api, model: str, prefix: str) -> dict[str, torch.Tensor]:
    with api.services.database.read() as db:
        digest = get_model(db, api.owner, model).digest
    weights = load(api.services.artifacts.read(digest)).network.state_dict()
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}


@pytest.mark.parametrize("is_frozen", [True, False])
def test_a_model_in_a_network_stays_as_it_was_where_it_is_frozen(api: Api, is_frozen: bool) -> None:
    dataset = api.upload()
    origin = add_model(api, dataset, name="origin")
    model = add_model(api, dataset, architecture=with_model("origin", frozen=is_frozen))
    before, after = body_of(api, origin, "body."), body_of(api, model, "body.blocks.0.body.")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before) == is_frozen
    api.client.delete(f"/v1/models/{origin}").raise_for_status()
    answer = api.client.post(f"/v1/models/{model}/forecasts", json={"unique_ids": ["series"]})
    assert answer.status_code == 200, answer.text


def test_a_document_with_a_model_is_counted_with_all_of_it(api: Api) -> None:
    add_model(api, name="origin")
    body = api.client.post("/v1/architectures/validate", json={**with_model("origin"), "context": 7, "horizon": 2}).json()
    lstm = 4 * 3 * (1 + 3 + 1)
    assert [(block["kind"], block["parameters"]) for block in body["blocks"]] == [("model", lstm), ("dense", 2 * 4), ("direct", 2 * 3)]
    assert "model" in body["svg"]


@pytest.mark.parametrize(
    ("architecture", "pointer", "said"),
    [
        (with_model("nobody"), "#/architecture/network/blocks/0/model", "'nobody' is not known here"),
        (with_model("origin", reads={"what": "target"}), "#/architecture/network/blocks/0/reads/what", "has no input 'what'"),
        (with_model("origin", reads={"target": "there"}), "#/architecture/network/blocks/0/reads", "nothing before it has that name"),
        (
            {**with_model("origin"), "scaling": {"target": "none"}},
            "#/architecture/network/blocks/0/model",
            "set scaling.target to 'mean_abs'",
        ),
        (
            {**with_model("origin"), "scaling": {"over": "series"}},
            "#/architecture/network/blocks/0/model",
            "set scaling.over to 'window'",
        ),
        (with_model("origin", **{"from": "target"}), "#/architecture/network/blocks/0/from", "say with 'reads'"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_with_its_place(api: Api, architecture: Any, pointer: str, said: str) -> None:
    dataset = api.upload()
    add_model(api, dataset, name="origin")
    faults = problem_of(api.client.post("/v1/jobs", json=train_request(dataset, architecture=architecture)), 422)["errors"]
    assert any(fault["pointer"] == pointer and said in fault["detail"] for fault in faults), faults


def test_what_a_document_says_of_its_model_itself_is_not_believed(api: Api) -> None:
    dataset = api.upload()
    forged = with_model("nobody", digest="0" * 64, inputs={"target": {"columns": ["y"]}}, network=SMALL["network"])
    faults = problem_of(api.client.post("/v1/jobs", json=train_request(dataset, architecture=forged)), 422)["errors"]
    assert "'nobody' is not known here" in faults[0]["detail"]


def test_a_model_that_was_deleted_before_the_training_began_ends_it_with_a_sentence(api: Api) -> None:
    dataset = api.upload()
    origin = add_model(api, dataset, name="origin")
    job = add_job(
        api, dataset, architecture={**SMALL, "network": connect({"kind": "model", "model": "origin"}, {"kind": "lstm", "units": 2})}
    )
    api.client.delete(f"/v1/models/{origin}").raise_for_status()
    run(api, job)
    error = api.client.get(f"/v1/jobs/{job}").json()["error"]
    assert error["code"] == "origin_gone"
    assert "was deleted before the job began" in error["message"]
