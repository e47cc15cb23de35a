"""A Keras model that is imported has as many parameters here, and with its weights the same output; what has no block is named."""

import importlib
import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import SpecError
from app.nets.build import build
from app.spec.compile import compile_spec
from app.spec.forecaster import ForecasterSpec
from app.spec.gallery import GALLERY
from app.spec.keras import import_keras
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec
from tests.keras_weights import copy_weights

os.environ["KERAS_BACKEND"] = "torch"
keras: Any = importlib.import_module("keras")
layers: Any = keras.layers
STEPS = 10
# Keras hands tensors to numpy in a way that numpy 2 does not like.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")


def sequential(*blocks: Any, width: int = 2) -> Any:
    return keras.Sequential([keras.Input((STEPS, width)), *blocks, layers.Dense(3)])


def imported(model: Any) -> ForecasterSpec:
    return parse_spec(import_keras(json.loads(model.to_json())).document)


def assert_same(model: Any, spec: ForecasterSpec) -> None:
    """As many parameters, and with copied weights the same output to 1e-5."""
    assert compile_spec(spec, NetworkLimits()).parameters == model.count_params()
    network = build(spec)
    network.initialise()
    generator = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(generator.normal(size=weight.shape, scale=0.4).astype(np.float32))
    copy_weights(model, network.eval())
    values = [torch.randn(4, *part.shape[1:], generator=torch.Generator().manual_seed(at)) for at, part in enumerate(model.inputs)]
    theirs = model(values if len(values) > 1 else values[0], training=False)
    ours = network(dict(zip(spec.inputs, values, strict=True)), torch.empty(4, spec.horizon or 1, 0))
    torch.testing.assert_close(ours[..., 0], torch.as_tensor(theirs).detach().cpu(), atol=1e-5, rtol=1e-5)


def two_inputs() -> Any:
    left, right = keras.Input((STEPS, 1)), keras.Input((STEPS, 1))
    both = layers.Concatenate()([layers.LSTM(50)(left), layers.LSTM(50)(right)])
    return keras.Model([left, right], layers.Dense(1)(both))


def textbook_stack() -> Any:
    pieces = [layers.LSTM(50, return_sequences=True), layers.Dense(1), layers.LSTM(50), layers.Dense(1)]
    return keras.Sequential([keras.Input((STEPS, 1)), *pieces])


@pytest.mark.parametrize(("name", "model"), [("stacked", textbook_stack), ("connected", two_inputs)])
def test_the_gallerys_textbook_documents_are_their_keras_models(name: str, model: Callable[[], Any]) -> None:
    spec = GALLERY[name].spec.model_copy(update={"horizon": 1})
    assert_same(model(), spec)
    assert_same(model(), imported(model()))


KINDS: dict[str, Callable[[], list[Any]]] = {
    "lstm": lambda: [layers.LSTM(4)],
    "lstm with dropout": lambda: [layers.LSTM(4, dropout=0.2, recurrent_dropout=0.1)],
    "gru after": lambda: [layers.GRU(4)],
    "gru before": lambda: [layers.GRU(4, reset_after=False)],
    "simple": lambda: [layers.SimpleRNN(4)],
    "simple relu": lambda: [layers.SimpleRNN(4, activation="relu", return_sequences=True), layers.GlobalMaxPooling1D()],
    "both, last": lambda: [layers.Bidirectional(layers.LSTM(3))],
    "both, sequences": lambda: [layers.Bidirectional(layers.GRU(3, return_sequences=True)), layers.LSTM(2)],
    "both, sum": lambda: [layers.Bidirectional(layers.LSTM(3), merge_mode="sum")],
    "both, mul": lambda: [layers.Bidirectional(layers.SimpleRNN(3, return_sequences=True), merge_mode="mul"), layers.GRU(2)],
    "both, ave": lambda: [layers.Bidirectional(layers.LSTM(3), merge_mode="ave")],
    "dense": lambda: [layers.Dense(5, activation="gelu"), layers.LSTM(3), layers.Dense(4, activation="relu")],
    "conv causal": lambda: [layers.Conv1D(4, 3, padding="causal", dilation_rate=2, activation="tanh"), layers.LSTM(3)],
    "conv same": lambda: [layers.Conv1D(4, 4, padding="same"), layers.LSTM(3)],
    "norm": lambda: [layers.LayerNormalization(), layers.LSTM(3), layers.LayerNormalization(epsilon=0.1)],
    "dropout and activation": lambda: [layers.Dropout(0.3), layers.Activation("sigmoid"), layers.LSTM(3), layers.Activation("linear")],
    "mean": lambda: [layers.LSTM(3, return_sequences=True), layers.GlobalAveragePooling1D()],
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_that_can_be_read_computes_the_same(kind: str) -> None:
    model = sequential(*KINDS[kind]())
    assert_same(model, imported(model))


@pytest.mark.parametrize("merging", ["Concatenate", "Add", "Multiply", "Average", "Maximum"])
def test_branches_and_ways_past_a_layer_are_read_and_merged(merging: str) -> None:
    given_ = keras.Input((STEPS, 2), name="what was it?")
    low = layers.Dense(3)(given_)
    high = layers.LSTM(3, return_sequences=True)(low)
    joined = getattr(layers, merging)()([low, high])
    model = keras.Model(given_, layers.Dense(2)(layers.GRU(4)(joined)))
    assert_same(model, imported(model))
    assert list(imported(model).inputs) == ["what_was_it_"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["LSTM", "GRU", "SimpleRNN", "Dense", "LayerNormalization"]), min_size=1, max_size=4), st.integers(1, 4))
def test_any_chain_of_layers_computes_the_same(kinds: list[str], units: int) -> None:
    recurrent = {"LSTM", "GRU", "SimpleRNN"}
    made = [
        getattr(layers, kind)()
        if kind == "LayerNormalization"
        else getattr(layers, kind)(units, **({"return_sequences": True} if kind in recurrent else {}))
        for kind in kinds
    ]
    model = sequential(*made, layers.LSTM(2))
    assert_same(model, imported(model))


def faults_of(model: Any) -> list[tuple[str, str]]:
    with pytest.raises(SpecError) as caught:
        import_keras(model if isinstance(model, dict) else json.loads(model.to_json()))
    return [(fault.pointer, fault.detail) for fault in caught.value.faults]


REFUSED: dict[str, tuple[Callable[[], list[Any]], str, str]] = {
    "unknown kind": (lambda: [layers.LSTM(3, return_sequences=True), layers.Flatten()], "#/config/layers/2", "(Flatten): this kind cannot"),
    "activation": (lambda: [layers.LSTM(3, activation="relu")], "#/config/layers/1/config/activation", "activation is 'relu'; 'tanh' can"),
    "no bias": (lambda: [layers.GRU(3, use_bias=False)], "#/config/layers/1/config/use_bias", "use_bias is False"),
    "backwards": (lambda: [layers.LSTM(3, go_backwards=True)], "#/config/layers/1/config/go_backwards", "go_backwards is True"),
    "valid": (
        lambda: [layers.Conv1D(3, 3), layers.LSTM(2)],
        "#/config/layers/1/config/padding",
        "padding is 'valid'; 'causal', 'same' can",
    ),
    "a sequence at the end": (lambda: [layers.LSTM(3, return_sequences=True)], "#/config/layers/2", "reads a sequence"),
    "beta only": (lambda: [layers.LayerNormalization(scale=False), layers.LSTM(2)], "#/config/layers/1/config/scale", "scale is False"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_block_is_named_with_its_layer(case: str) -> None:
    made, pointer, said = REFUSED[case]
    found = faults_of(sequential(*made()))
    assert any(where == pointer and said in detail for where, detail in found), found


def test_all_that_cannot_be_translated_is_named_at_once() -> None:
    found = faults_of(sequential(layers.Conv1D(3, 3, strides=2), layers.LSTM(3, activation="elu")))
    assert len(found) == 3


@pytest.mark.parametrize(
    ("document", "pointer", "said"),
    [
        ({"class_name": "Nothing"}, "#/class_name", "send what model.to_json() gives"),
        ({}, "#/class_name", "no Keras model"),
        ({"class_name": "Sequential", "config": 3}, "#/config", "must be an object"),
        ({"class_name": "Sequential", "config": {"layers": []}}, "#/config/layers", "has 0 layers"),
        ({"class_name": "Sequential", "config": {"layers": [7]}}, "#/config/layers/0", "must be an object"),
        ({"class_name": "Sequential", "config": {"layers": [{"config": {}}] * 1000}}, "#/config/layers", "has 1,000 layers"),
    ],
)
def test_what_is_no_model_is_refused_at_its_place(document: dict[str, Any], pointer: str, said: str) -> None:
    ((where, detail),) = faults_of(document)
    assert where == pointer
    assert said in detail


def test_layers_in_a_circle_are_refused() -> None:
    model = json.loads(two_inputs().to_json())
    lstms = [layer for layer in model["config"]["layers"] if layer["class_name"] == "LSTM"]
    for one, other in ((0, 1), (1, 0)):
        lstms[one]["inbound_nodes"] = [[[lstms[other]["config"]["name"], 0, 0, {}]]]
    ((_, detail),) = faults_of(model)
    assert "in a circle" in detail


def test_the_older_form_of_calls_is_read_too() -> None:
    model = json.loads(two_inputs().to_json())
    for layer in model["config"]["layers"]:
        names = [str(name) for name in layer_inputs(layer["inbound_nodes"])]
        layer["inbound_nodes"] = [[[name, 0, 0, {}] for name in names]] if names else []
    assert import_keras(model).document == import_keras(json.loads(two_inputs().to_json())).document | {
        "inputs": import_keras(model).document["inputs"],
        "network": import_keras(model).document["network"],
    }


def layer_inputs(value: Any) -> list[Any]:
    if isinstance(value, dict):
        history = value.get("config", {}).get("keras_history")
        return [history[0]] if history else [name for one in value.values() for name in layer_inputs(one)]
    return [name for one in value for name in layer_inputs(one)] if isinstance(value, list) else []
