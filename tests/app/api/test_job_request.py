"""What cannot be trained is refused before it is queued, at its place in the request's own body; no job is left behind."""

from pathlib import Path
from typing import Any

import pytest

from tests.app.api.conftest import WAVES, Api, make_api, problem_of
from tests.app.api.trained import SMALL, add_job, start, train_request

NETWORK = SMALL["network"]


def refused(api: Api, request: dict[str, Any] | str, status: int = 422) -> dict[str, Any]:
    """The problem that a request is answered with."""
    content = {"content": request, "headers": {"Content-Type": "application/json"}} if isinstance(request, str) else {"json": request}
    problem = problem_of(api.client.post("/v1/jobs", **content), status)
    assert api.client.get("/v1/jobs").json()["data"] == []
    return problem


def document(**changes: Any) -> dict[str, Any]:
    return {"architecture": {**SMALL, **changes}}


def nested(levels: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(levels - 1):
        inner = [inner]
    return inner


def exists(pointer: str, body: Any) -> bool:
    """Whether a body has the place that a JSON pointer names."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        try:
            body = body[int(key) if isinstance(body, list) else key]
        except (KeyError, IndexError, ValueError, TypeError):
            return False
    return True


CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown key": ({"epoch": 3}, "#/epoch", "epoch: is not a key here"),
    "an unknown key in the document": (document(epochs=3), "#/architecture/epochs", "'epochs' is not a key here"),
    "an unknown kind of block": (document(network={"kind": "ltsm", "units": 3}), "#/architecture/network", "did you mean 'lstm'?"),
    "an unknown training key": ({"training": {"epoch": 3}}, "#/training/epoch", "did you mean 'epochs'?"),
    "a block in a list": (
        document(network={"kind": "stack", "blocks": [NETWORK, {"kind": "lstm", "units": 9000}]}),
        "#/architecture/network/blocks/1/units",
        "units is 9,000; at most 4,096",
    ),
    "a phase that trains nobody": (
        {"training": {"phases": [{"learn": "all"}, {"only": ["nobody"]}]}},
        "#/training/phases/1/only/0",
        "nobody",
    ),
    "an inert key": (document(head={"kind": "point", "delta": 1.0}), "#/architecture/head/delta", "delta does nothing for the loss 'mse'"),
    "an inert override": ({"training": {"weight_decay": 0.1}}, "#/training/weight_decay", "belongs to the optimizers 'adamw'"),
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
    "a context too long": ({"context": 25}, "#/context", "a context of at most 24 would do"),
    "a document with a context too long": (
        {"context": None, "architecture": {**SMALL, "context": 25}},
        "#/architecture/context",
        "a context of at most 24 would do",
    ),
    "no horizon": ({"horizon": None}, "#/horizon", "horizon is missing"),
    "an unknown gallery document": ({"architecture": "gallery:stakced"}, "#/architecture", "did you mean 'stacked'?"),
    "the target twice": ({"columns": {"target": ["y", "y"]}}, "#/columns/target", "y is named twice"),
    "a column twice in the document": (
        document(inputs={"a": {"columns": ["y", "x", "x"]}}),
        "#/architecture/inputs/a/columns",
        "x is named twice",
    ),
    "a feature twice beside replaced columns": (
        document(inputs={"a": {"features": ["day_of_week", "day_of_week"]}}) | {"columns": {"a": ["y"]}},
        "#/architecture/inputs/a/features",
        "day_of_week is named twice",
    ),
    "an input with slashes": ({"columns": {"a/b~": ["x"]}}, "#/columns/a~1b~0", "'a/b~' is not an input of the document"),
    "a training key with slashes": ({"training": {"a/b": 1}}, "#/training/a~1b", "'a/b' is not a key here"),
    "a training nested too deep": ({"training": {"lr": nested(150)}}, "#/training", "nested deeper than 100 levels"),
    "an input that nobody reads and nobody wrote": (
        document(network={**NETWORK, "from": "x"}),
        "#/architecture",
        "nobody reads the input 'target'",
    ),
    "a default that clashes": ({"architecture": None, "training": {"weight_decay": 0.1}}, "#/training/weight_decay", "'adamw'"),
    "a gallery document with a context too long": (
        {"architecture": "gallery:stacked", "context": None, "horizon": 10},
        "#/architecture",
        "a context of at most 8 would do",
    ),
    "no document and no horizon": ({"architecture": None, "horizon": None}, "#/horizon", "horizon is missing"),
    "a document that is a list": ({"architecture": []}, "#/architecture", "must be a document, the id of one ('arc_...')"),
    "a season of nothing": ({"season": []}, "#/season", "must be a number of steps"),
    "a season of text": ({"season": "7"}, "#/season", "or a list of 1 to 8 such, and is '7'"),
    "a runtime beyond all bounds": (
        {"resources": {"max_runtime_seconds": 10**30}},
        "#/resources/max_runtime_seconds",
        "less than or equal to 31622400",
    ),
    "metadata too deep": ({"metadata": {"a": nested(16)}}, "#/metadata/a" + "/0" * 15, "is nested deeper than 16 levels"),
    "a null seed": ({"seed": 1, "training": {"seed": None}}, "#/seed", "is 1 here and None in training.seed"),
    "a seed of another type": ({"seed": 1, "training": {"seed": 1.0}}, "#/training/seed", "should be a valid integer"),
    "two seeds": ({"seed": 1, "training": {"seed": 2}}, "#/seed", "is 1 here and 2 in training.seed"),
    "a kind that is not there": ({"kind": "guess"}, "#/kind", "input should be 'train'"),
    "a device that is not there": ({"resources": {"device": "tpu"}}, "#/resources/device", "'auto', 'cpu' or 'gpu'"),
    "a name with mark-up": ({"name": "<b>"}, "#/name", "<b>"),
    "a number for a text": ({"name": 3}, "#/name", "valid string"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_trained_is_refused_at_its_place(api: Api, case: str) -> None:
    changes, pointer, sentence = CASES[case]
    request = train_request(api.upload(), **changes)
    problem = refused(api, request)
    assert pointer in [fault["pointer"] for fault in problem["errors"]], problem
    assert sentence in problem["detail"]
    assert [fault for fault in problem["errors"] if fault["code"] != "missing" and not exists(fault["pointer"], request)] == []


def test_a_network_of_a_billion_units_is_counted_and_not_built(api: Api) -> None:
    problem = refused(api, train_request(api.upload(), **document(network={"kind": "lstm", "units": 500_000})))
    assert "the network has 1,000,0" in problem["detail"]
    assert {"#/architecture/network/units", "#/architecture/network"} <= {fault["pointer"] for fault in problem["errors"]}


def test_a_calendar_of_step_numbers_is_refused(api: Api) -> None:
    dataset = api.upload("ds,y\n" + "".join(f"{step},{step % 7}\n" for step in range(40)))
    problem = refused(api, train_request(dataset, **document(inputs={"a": {"columns": ["y"], "features": ["day_of_week"]}})))
    assert problem["errors"][0]["pointer"] == "#/architecture/inputs/a/features"
    assert "times are whole numbers" in problem["detail"]


def test_step_numbers_are_trained_on_without_a_calendar(api: Api) -> None:
    dataset = api.upload("ds,y\n" + "".join(f"{step},{step % 7}\n" for step in range(40)))
    for architecture in (SMALL, None):
        add_job(api, dataset, architecture=architecture)


def test_a_column_of_text_is_no_column_to_learn_from(api: Api) -> None:
    rows = WAVES.splitlines()
    dataset = api.upload("\n".join([f"{rows[0]},shop", *(f"{row},north" for row in rows[1:])]), target="y")
    assert "'shop' is a column of text" in refused(api, train_request(dataset, columns={"target": ["y", "shop"]}))["detail"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(api: Api, number: str) -> None:
    dataset = api.upload()
    body = f'{{"kind": "train", "dataset": "{dataset}", "horizon": 2, "training": {{"lr": {number}}}}}'
    problem = refused(api, body)
    assert problem["errors"][0]["pointer"] == "#/training/lr"


@pytest.mark.parametrize(
    ("metadata", "pointer"),
    [
        ('{"a": [1, NaN]}', "#/metadata/a/1"),
        ('{"a": {"b/c": Infinity}}', "#/metadata/a/b~1c"),
        ('{"a": -1e999}', "#/metadata/a"),
        ('{"a": "\\ud800"}', "#/metadata/a"),
        ('{"a": {"\\ud800": 1}}', "#/metadata/a"),
    ],
)
def test_metadata_that_could_not_be_given_back_is_refused(api: Api, metadata: str, pointer: str) -> None:
    body = f'{{"kind": "train", "dataset": "{api.upload()}", "horizon": 2, "metadata": {metadata}}}'
    assert [fault["pointer"] for fault in refused(api, body)["errors"]] == [pointer]


def test_metadata_is_given_back_as_it_came(api: Api) -> None:
    metadata = {"nul": "\x00", "": [None, True, 10**30, -1.5], "a/b~": {"日本": "\U0001f600"}, "deep": nested(15)}
    body = api.client.post("/v1/jobs", json=train_request(api.upload(), metadata=metadata)).json()
    assert body["metadata"] == metadata
    assert api.client.get(f"/v1/jobs/{body['id']}").json() == body == api.client.get("/v1/jobs").json()["data"][0]


def test_a_default_network_beyond_the_deployments_limits_is_refused_without_a_place(migrated_sqlite: Path, tmp_path: Path) -> None:
    small = make_api(tmp_path, migrated_sqlite, max_parameters=100)
    problem = refused(small, train_request(small.upload(), architecture=None))
    assert [fault["pointer"] for fault in problem["errors"]] == ["#"]
    small.services.database.dispose()


def test_a_season_of_the_request_reaches_the_worker_as_it_was_sent(api: Api) -> None:
    for season in (7, [7, 14]):
        assert start(api, add_job(api, season=season)).request["season"] == season


def test_a_target_named_by_its_own_name_and_as_y_is_named_twice(api: Api) -> None:
    dataset = api.upload(WAVES.replace("ds,y,x", "day,sales,visitors"), target="sales")
    problem = refused(api, train_request(dataset, columns={"target": ["sales", "y"]}))
    assert [fault["pointer"] for fault in problem["errors"]] == ["#/columns/target"]


@pytest.mark.parametrize(("fields", "length"), [({"context": 25}, "context"), ({"horizon": 20}, "horizon")])
def test_a_stored_document_that_does_not_fit_is_pointed_at_by_what_names_it(api: Api, fields: dict[str, int], length: str) -> None:
    spec = {**SMALL, "horizon": 2, **fields}
    named = api.client.post("/v1/architectures", json={"name": "mine", "spec": spec}).json()["id"]
    problem = refused(api, {"kind": "train", "dataset": api.upload(), "architecture": named})
    assert [fault["pointer"] for fault in problem["errors"]] == ["#/architecture"]
    assert f"a {length} of at most" in problem["detail"]
    inline = refused(api, {"kind": "train", "dataset": api.upload(), "architecture": spec})
    assert [fault["pointer"] for fault in inline["errors"]] == [f"#/architecture/{length}"]


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
