"""A Keras model is answered with its document, which can be kept and trained; what cannot be read is refused with its layer."""

from typing import Any

import pytest

from tests.app.api.conftest import Api, problem_of
from tests.app.api.trained import add_model


def layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": name, **config}}


def model(*layers: dict[str, Any]) -> dict[str, Any]:
    first = layer("InputLayer", "history", batch_shape=[None, 7, 1])
    return {"class_name": "Sequential", "config": {"layers": [first, *layers, layer("Dense", "ahead", units=2)]}}


def test_a_keras_model_becomes_a_document_that_can_be_trained(api: Api) -> None:
    body = api.client.post("/v1/architectures/import?format=keras", json=model(layer("LSTM", "memory", units=3))).json()
    assert [(block["kind"], block["parameters"]) for block in body["blocks"]] == [("lstm", 4 * 3 * 5), ("direct", 2 * 4)]
    assert body["spec"]["context"] == 7
    assert body["spec"]["horizon"] == 2
    assert "a job's 'columns' say what each input reads" in body["warnings"][0]
    assert body["svg"].startswith("<svg")
    spec = {key: body["spec"][key] for key in ("context", "horizon", "inputs", "network", "head")}
    kept = api.client.post("/v1/architectures", json={"name": "from keras", "spec": spec})
    assert kept.status_code == 201, kept.text
    add_model(api, architecture=kept.json()["id"], context=None, horizon=None)


def test_what_cannot_be_read_is_refused_with_its_layers_all_at_once(api: Api) -> None:
    odd = model(layer("Embedding", "words", input_dim=3), layer("LSTM", "memory", units=3, activation="elu"))
    faults = problem_of(api.client.post("/v1/architectures/import?format=keras", json=odd), 422)["errors"]
    assert [fault["pointer"] for fault in faults] == ["#/config/layers/1", "#/config/layers/2/config/activation"]
    assert "the layer 'words' (Embedding)" in faults[0]["detail"]
    assert "the layer 'memory' (LSTM): activation is 'elu'; 'tanh' can be translated" in faults[1]["detail"]


@pytest.mark.parametrize("query", ["", "?format=onnx"])
def test_a_format_that_is_not_read_is_refused(api: Api, query: str) -> None:
    assert api.client.post(f"/v1/architectures/import{query}", json=model()).status_code == 422
