"""What cannot be trained is refused before it is queued, at its place in the request's own body; no job is left behind."""

from typing import Any

import pytest

from tests.app.api.conftest import WAVES, Api, problem_of
from tests.app.api.trained import SMALL, train_request

NETWORK = SMALL["network"]


def refused(api: Api, request: dict[str, Any] | str, status: int = 422) -> dict[str, Any]:
    """The problem that a request is answered with."""
    content = {"content": request, "headers": {"Content-Type": "application/json"}} if isinstance(request, str) else {"json": request}
    problem = problem_of(api.client.post("/v1/jobs", **content), status)
    assert api.client.get("/v1/jobs").json()["data"] == []
    return problem


def document(**changes: Any) -> dict[str, Any]:
    return {"architecture": {**SMALL, **changes}}


CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown key": ({"epoch": 3}, "#/epoch", "epoch: is not a key here"),
    "an unknown key in the document": (document(epochs=3), "#/architecture/epochs", "'epochs' is not a key here"),
    "an unknown kind of block": (document(network={"kind": "ltsm", "units": 3}), "#/architecture/network", "did you mean 'lstm'?"),
    "an unknown training key": ({"training": {"epoch": 3}}, "#/training/epoch", "did you mean 'epochs'?"),
    "an inert key": (document(head={"kind": "point", "delta": 1.0}), "#/architecture/head/delta", "delta does nothing for the loss 'mse'"),
    "an inert override": ({"training": {"weight_decay": 0.1}}, "#/training/weight_decay", "belongs to the optimizer 'adamw'"),
    "a cycle": (document(network={**NETWORK, "name": "a", "from": "a"}), "#/architecture/network/from", "which would be a cycle"),
    "an input nobody defined": (
        document(network={**NETWORK, "from": "x"}),
        "#/architecture/network/from",
        "'x' is not an input; inputs are: target",
    ),
    "a column that is not there": (
        {"columns": {"target": ["y", "wind"]}},
        "#/columns/target",
        "'wind' is not a numeric column of the dataset; columns are: y, x",
    ),
    "a column in the document that is not there": (
        document(inputs={"a": {"columns": ["wind"]}}),
        "#/architecture/inputs/a/columns",
        "'wind' is not a numeric column",
    ),
    "an input that is not there": ({"columns": {"weather": ["x"]}}, "#/columns/weather", "'weather' is not an input of the document"),
    "a column named twice": ({"columns": {"target": ["y", "x", "x"]}}, "#/columns/target", "x is named twice"),
    "a series too short": ({"horizon": 20}, "#/horizon", "the longest series has 28 steps"),
    "a context too long": ({"context": 25}, "#/context", "a context of at most 22 would do"),
    "a document with a context too long": (
        {"context": None, "architecture": {**SMALL, "context": 25}},
        "#/architecture/context",
        "a context of at most 22 would do",
    ),
    "no horizon": ({"horizon": None}, "#/horizon", "horizon is missing"),
    "an unknown gallery document": ({"architecture": "gallery:stakced"}, "#/architecture", "did you mean 'stacked'?"),
    "two seeds": ({"seed": 1, "training": {"seed": 2}}, "#/seed", "is 1 here and 2 in training.seed"),
    "a kind that is not there": ({"kind": "search"}, "#/kind", "input should be 'train', and is 'search'"),
    "a device that is not there": ({"resources": {"device": "tpu"}}, "#/resources/device", "'auto', 'cpu' or 'gpu'"),
    "a name with mark-up": ({"name": "<b>"}, "#/name", "<b>"),
    "a number for a text": ({"name": 3}, "#/name", "valid string"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_trained_is_refused_at_its_place(api: Api, case: str) -> None:
    changes, pointer, sentence = CASES[case]
    problem = refused(api, train_request(api.upload(), **changes))
    assert pointer in [fault["pointer"] for fault in problem["errors"]], problem
    assert sentence in problem["detail"]


def test_a_network_of_a_billion_units_is_counted_and_not_built(api: Api) -> None:
    problem = refused(api, train_request(api.upload(), **document(network={"kind": "lstm", "units": 500_000})))
    assert "the network has 1,000,0" in problem["detail"]
    assert {"#/architecture/network/units", "#/architecture/network"} <= {fault["pointer"] for fault in problem["errors"]}


def test_a_calendar_of_step_numbers_is_refused(api: Api) -> None:
    dataset = api.upload("ds,y\n" + "".join(f"{step},{step % 7}\n" for step in range(40)))
    problem = refused(api, train_request(dataset, **document(inputs={"a": {"columns": ["y"], "features": ["day_of_week"]}})))
    assert problem["errors"][0]["pointer"] == "#/architecture/inputs/a/features"
    assert "times are whole numbers" in problem["detail"]


def test_a_column_of_text_is_no_column_to_learn_from(api: Api) -> None:
    rows = WAVES.splitlines()
    dataset = api.upload("\n".join([f"{rows[0]},shop", *(f"{row},north" for row in rows[1:])]), target="y")
    assert "'shop' is not a numeric column" in refused(api, train_request(dataset, columns={"target": ["y", "shop"]}))["detail"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(api: Api, number: str) -> None:
    dataset = api.upload()
    body = f'{{"kind": "train", "dataset": "{dataset}", "horizon": 2, "training": {{"lr": {number}}}}}'
    problem = refused(api, body)
    assert problem["errors"][0]["pointer"] == "#/training/lr"


def test_a_body_that_is_no_json_is_told_so(api: Api) -> None:
    assert "no JSON" in refused(api, '{"kind": ', 400)["detail"]


@pytest.mark.parametrize("dataset", ["ds_of_nobody", "ds_\x00"])
def test_a_dataset_that_does_not_exist_is_not_found(api: Api, dataset: str) -> None:
    assert problem_of(api.client.post("/v1/jobs", json=train_request(dataset)), 404 if dataset.isprintable() else 422)


def test_another_owners_dataset_and_document_do_not_exist(api: Api) -> None:
    other = api.client_of("somebody else")
    dataset = api.upload()
    assert problem_of(other.post("/v1/jobs", json=train_request(dataset)), 404)["detail"].startswith(f"{dataset} is not a dataset of yours")
    document = api.client.post("/v1/architectures", json={"name": "mine", "spec": SMALL}).json()["id"]
    own = other.post("/v1/datasets", content=WAVES.encode(), headers={"Content-Type": "text/csv"}).json()["id"]
    problem = problem_of(other.post("/v1/jobs", json=train_request(own, architecture=document)), 404)
    assert problem["detail"].startswith(document)


def test_a_stored_document_trains_as_it_was_written(api: Api) -> None:
    document = api.client.post("/v1/architectures", json={"name": "mine", "spec": SMALL}).json()["id"]
    answer = api.client.post("/v1/jobs", json=train_request(api.upload(name="waves"), architecture=document, seed=7))
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] == "waves mine"
    assert answer.json()["architecture"]["training"]["seed"] == 7


def test_a_key_that_may_only_read_may_not_train(api: Api) -> None:
    problem = problem_of(api.client_of("somebody", "read").post("/v1/jobs", json=train_request(api.upload())), 403)
    assert "needs a key with the scope 'write', and yours has: read" in problem["detail"]


def test_columns_may_be_called_as_in_the_upload_and_given_to_any_input(api: Api) -> None:
    dataset = api.upload(WAVES.replace("ds,y,x", "day,sales,visitors"), target="sales")
    request = train_request(dataset, architecture="gallery:connected", columns={"left": ["sales"], "right": ["visitors"]})
    body = api.client.post("/v1/jobs", json=request).json()
    assert body["architecture"]["inputs"]["left"]["columns"] == ["y"]
    assert body["architecture"]["inputs"]["right"]["columns"] == ["visitors"]
