"""What a document must be before it is queued."""

import json
import time
from typing import Any

import pytest
from hypothesis import given

from app.errors import Fault, SpecError
from app.spec.compile import CompiledSpec, compile_spec
from app.spec.forecaster import ForecasterSpec
from app.spec.gallery import GALLERY
from app.spec.limits import NetworkLimits
from app.spec.parse import canonical, json_schema, parse_spec, spec_digest
from tests.strategies_specs import documents

LSTM = {"kind": "lstm", "units": 4}
TWO_INPUTS = {"a": {"columns": ["y"]}, "b": {"columns": ["x", "z"]}}


def compiled(document: object, **limits: int) -> CompiledSpec:
    return compile_spec(parse_spec(document), NetworkLimits(**limits))


def faults(document: object, **limits: int) -> dict[str, str]:
    with pytest.raises(SpecError) as caught:
        compiled(document, **limits)
    return {fault.pointer: fault.detail for fault in caught.value.faults}


def stack(*blocks: object) -> dict[str, object]:
    return {"kind": "stack", "blocks": list(blocks)}


def connect(*branches: object, **more: object) -> dict[str, object]:
    return {"kind": "connect", "branches": list(branches), **more}


@pytest.mark.parametrize(
    ("name", "parameters"),
    # Keras: LSTM(50) on 1 column 10,400; Dense(1) 51; LSTM(50) on 1 column 10,400; Dense(1) 51 -- and two LSTM(50), Dense(1) on 100.
    [("stacked", 10_400 + 51 + 10_400 + 51), ("connected", 2 * 10_400 + 101)],
)
def test_gallery_documents_have_the_parameters_of_their_models(name: str, parameters: int) -> None:
    assert compile_spec(GALLERY[name].spec, NetworkLimits()).parameters == parameters


@pytest.mark.parametrize(
    ("block", "parameters", "width"),
    [
        ({"kind": "elman", "units": 3}, 3 * (2 + 3 + 1), 3),
        ({"kind": "lstm", "units": 3}, 4 * 3 * (2 + 3 + 1), 3),
        ({"kind": "gru", "units": 3}, 3 * 3 * (2 + 3 + 2), 3),
        ({"kind": "gru", "units": 3, "reset": "before"}, 3 * 3 * (2 + 3 + 1), 3),
        ({"kind": "dense", "units": 3}, 3 * (2 + 1), 3),
        ({"kind": "dropout", "rate": 0.5}, 0, 2),
    ],
)
def test_blocks_are_counted_by_their_equations(block: dict[str, Any], parameters: int, width: int) -> None:
    first = compiled({"context": 7, "horizon": 1, "inputs": {"b": {"columns": ["x", "z"]}}, "network": block}).blocks[0]
    assert (first.parameters, first.width, first.reads) == (parameters, width, ("the input 'b'",))


def test_branches_are_put_side_by_side_or_added() -> None:
    branches = [{**LSTM, "from": "a"}, {**LSTM, "from": "b"}]
    document = {"context": 5, "horizon": 3, "inputs": TWO_INPUTS, "head": {"kind": "point"}}
    side_by_side = compiled({**document, "network": connect(*branches)}).blocks[-1]
    added = compiled({**document, "network": connect(*branches, merge="sum")}).blocks[-1]
    assert (side_by_side.parameters, added.parameters) == ((8 + 1) * 3, (4 + 1) * 3)


def test_what_is_known_over_the_horizon_reaches_the_decoder() -> None:
    inputs = {"a": {"columns": ["y"]}, "b": {"columns": ["x"], "known": "future"}, "c": {"features": ["hour_of_day"]}}
    document = {"context": 5, "horizon": 2, "inputs": inputs, "network": LSTM, "head": {"kind": "quantiles", "levels": [0.1, 0.9]}}
    assert compiled(document).blocks[-1].parameters == (4 + 2 * 3 + 1) * 2 * 2


def test_a_named_block_can_be_read_later() -> None:
    network = stack({**LSTM, "name": "low"}, connect({"kind": "dense", "units": 2}, {"kind": "dense", "units": 3, "from": "low"}))
    assert [row.width for row in compiled({"network": network}).blocks] == [4, 2, 3, 1]


def test_context_and_horizon_may_be_left_to_the_job() -> None:
    assert compiled({"network": LSTM}).warnings == (
        "context is left to the job; counted with 1",
        "horizon is left to the job; counted with 1",
    )


@pytest.mark.parametrize(
    ("document", "pointer", "sentence"),
    [
        ({"network": {**LSTM, "dropuot": 0.1}}, "#/network/dropuot", "'dropuot' is not a key here; did you mean 'dropout'?"),
        ({"network": LSTM, "contxt": 3}, "#/contxt", "did you mean 'context'?"),
        ({"network": LSTM, "training": {"epoch": 3}}, "#/training/epoch", "did you mean 'epochs'?"),
        ({"network": LSTM, "inputs": {"a": {"column": ["y"]}}}, "#/inputs/a/column", "did you mean 'columns'?"),
        ({"network": stack({"kind": "lstmm", "units": 1})}, "#/network/blocks/0", "'lstmm' is not a kind of block; did you mean 'lstm'?"),
        ({"network": LSTM, "head": {"kind": "pont"}}, "#/head", "'pont' is not a kind of head; did you mean 'point'?"),
        ({"network": {"units": 3}}, "#/network", "an object with a 'kind' is wanted"),
        ({}, "#/network", "is missing and has no default"),
        ([], "#", "the document: input should be a valid dictionary"),
        ({"network": {**LSTM, "units": "many"}}, "#/network/units", "input should be a valid integer, and is 'many'"),
        ({"network": {**LSTM, "dropout": float("nan")}}, "#/network/dropout", "must be a finite number"),
        ({"network": {**LSTM, "from": "weather"}}, "#/network/from", "'weather' is not an input; inputs are: target"),
        ({"network": stack({**LSTM, "from": "late"}, {**LSTM, "name": "late"})}, "#/network/blocks/0/from", "would be a cycle"),
        ({"network": {**LSTM, "name": "me", "from": "me"}}, "#/network/from", "would be a cycle"),
        ({"network": stack({**LSTM, "name": "n"}, {**LSTM, "name": "n"})}, "#/network/blocks/1/name", "the name 'n' is taken"),
        ({"network": {**LSTM, "from": "a"}, "inputs": TWO_INPUTS}, "#/inputs/b", "nobody reads the input 'b'"),
        ({"network": stack(LSTM, {**LSTM, "from": "target"})}, "#/network/blocks/0", "nobody reads the lstm"),
        ({"network": connect(LSTM, {"kind": "gru", "units": 3}, merge="sum")}, "#/network/merge", "and they have 4, 3; use 'concat'"),
        ({"network": LSTM, "inputs": {"a": {}}}, "#/inputs/a", "an input needs columns, lags, features, age or scale"),
        ({"network": LSTM, "inputs": {"a": {"columns": ["y"], "known": "future"}}}, "#/inputs/a/known", "is the target"),
        ({"network": LSTM, "inputs": {"a": {"features": ["day_of_week"], "known": "future"}}}, "#/inputs/a/known", "always known"),
        ({"network": LSTM, "head": {"kind": "point", "delta": 1.0}}, "#/head/delta", "delta does nothing for the loss 'mse'"),
        ({"network": LSTM, "head": {"kind": "quantiles", "levels": [0.5, 0.1]}}, "#/head/levels", "levels must rise"),
        ({"network": LSTM, "scaling": {"covariates": "none"}}, "#/scaling/covariates", "no input has a covariate"),
        ({"network": LSTM, "training": {"weight_decay": 0.1}}, "#/training/weight_decay", "belongs to the optimizers 'adamw'"),
        ({"network": LSTM, "training": {"epochs": 5, "patience": 5}}, "#/training/patience", "never ends a training of 5 epochs"),
        ({"network": LSTM, "inputs": {"a": {"columns": ["y"], "lags": [7, 2]}}}, "#/inputs/a/lags", "lags rise, and these are [7, 2]"),
        ({"network": LSTM, "decoder": {"kind": "direct", "lags": [3, 3]}}, "#/decoder/lags", "lags rise"),
        ({"network": LSTM, "scaling": {"target": "none", "over": "series"}}, "#/scaling/over", "the scaling 'none' measures nothing"),
        ({"network": LSTM, "scaling": {"season": 7}}, "#/scaling/season", "does nothing for the baseline 'none'"),
        ({"network": LSTM, "scaling": {"baseline": "last"}, "head": {"kind": "poisson"}}, "#/scaling/baseline", "leave the baseline out"),
        (
            {"network": LSTM, "scaling": {"baseline": "last"}, "decoder": {"kind": "recursive"}},
            "#/scaling/baseline",
            "give an input 'lags'",
        ),
        (
            {"network": stack({"kind": "instance_norm", "from": "target"}, LSTM), "scaling": {"baseline": "season"}},
            "#/scaling/baseline",
            "or the block",
        ),
        (
            {"network": LSTM, "inputs": {"a": {"columns": ["y"], "scale": True}}, "scaling": {"target": "none"}},
            "#/inputs/a/scale",
            "divides by 1",
        ),
        ({"network": LSTM, "context": 5, "min_context": 6}, "#/min_context", "min_context is 6 and the context 5"),
        ({"network": {**LSTM, "units": 5000}}, "#/network/units", "units is 5,000; at most 4,096"),
    ],
)
def test_a_fault_has_its_place_and_its_way_out(document: object, pointer: str, sentence: str) -> None:
    assert sentence in faults(document)[pointer]


def test_all_faults_are_named_together() -> None:
    network = stack({**LSTM, "from": "x"}, {**LSTM, "from": "z"})
    assert {"#/network/blocks/0/from", "#/network/blocks/1/from"} <= set(faults({"network": network}))


def test_a_million_million_parameters_are_counted_and_refused_at_once() -> None:
    document = {"network": {"kind": "lstm", "units": 500_000}}
    began = time.perf_counter()
    found = faults(document, units=10**9)
    assert "has 1,000,00" in found["#/network"]
    assert time.perf_counter() - began < 1


def test_limits_of_blocks_and_depth_are_said() -> None:
    deep: object = LSTM
    for _ in range(20):
        deep = stack(deep)
    assert "at most 16" in "".join(faults({"network": deep}).values())
    assert "the network has 301 blocks; at most 256" in faults({"network": stack(*[LSTM] * 300)})["#/network"]


def test_a_document_that_is_nested_without_end_is_refused() -> None:
    deep: object = LSTM
    for _ in range(5000):
        deep = stack(deep)
    assert "nested deeper than 100 levels" in faults({"network": deep})["#"]


def test_identity_does_not_move_with_key_order_or_written_out_defaults() -> None:
    short = parse_spec({"network": {"kind": "gru", "units": 2}, "context": 4})
    long = parse_spec({"context": 4, "version": 1, "network": {"units": 2, "reset": "after", "dropout": 0.0, "kind": "gru"}})
    assert spec_digest(short) == spec_digest(long)
    assert parse_spec(json.loads(canonical(short))) == short


def test_the_schema_names_keys_as_documents_do() -> None:
    assert "from" in json_schema()["$defs"]["Lstm"]["properties"]


@pytest.mark.parametrize(
    ("block", "place", "sentence"),
    [
        ({"kind": "gru", "units": 4, "residual": "add"}, "residual", "it reads 3 and gives 4"),
        ({"kind": "lstm", "units": 3, "direction": "both", "residual": "highway"}, "residual", "it reads 3 and gives 6"),
        ({"kind": "slstm", "units": 4, "dilation": 9}, "dilation", "within the 9 steps"),
        ({"kind": "conv", "units": 4, "dilation": 12}, "dilation", "reaches over all 9 steps"),
        ({"kind": "conv", "units": 4, "dilation": 2, "width": 1}, "dilation", "nothing to dilate"),
        ({"kind": "attention", "units": 4, "heads": 3}, "heads", "4 units cannot be cut into 3 equal heads"),
        ({"kind": "lstm", "units": 4, "projection": 4}, "projection", "not narrower than the 4 units"),
        ({"kind": "elman", "units": 4, "init": "chrono"}, "init", "'init' is not a key here"),
        ({"kind": "min_gru", "units": 4, "reset": "after"}, "reset", "'reset' is not a key here"),
    ],
)
def test_options_that_do_nothing_or_cannot_be_are_refused(block: dict[str, Any], place: str, sentence: str) -> None:
    found = faults({"context": 9, "horizon": 1, "inputs": {"a": {"columns": ["y", "x", "z"]}}, "network": block})
    assert sentence in found[f"#/network/{place}"]


@pytest.mark.parametrize(
    ("block", "place"),
    [({"kind": "gru", "units": 4, "direction": "both"}, "direction"), ({"kind": "conv", "units": 4, "causal": False}, "causal")],
)
def test_what_sees_ahead_cannot_be_learnt_at_every_step(block: dict[str, Any], place: str) -> None:
    document = {"context": 9, "horizon": 1, "network": stack(LSTM, block)}
    assert compiled(document).parameters == compiled({**document, "decoder": {"kind": "direct"}}).parameters
    assert "this block sees ahead" in faults({**document, "decoder": {"kind": "forking"}})[f"#/network/blocks/1/{place}"]


def test_momentum_belongs_to_optimizers_without_one() -> None:
    document = {"network": LSTM, "training": {"optimizer": "adamw", "momentum": 0.9}}
    assert "has a momentum of its own" in faults(document)["#/training/momentum"]
    with_momentum = {"network": LSTM, "training": {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.1}}
    assert compiled(with_momentum).spec.training.momentum == 0.9


def test_a_stack_that_adds_wants_equal_widths_and_one_that_repeats_no_names() -> None:
    assert "reads 1 and gives 4" in faults({"network": {**stack(LSTM), "skip": "residual"}})["#/network/blocks/0"]
    assert "a would be taken twice" in faults({"network": {**stack({**LSTM, "name": "a"}), "repeat": 2}})["#/network/repeat"]


def test_repeats_within_repeats_are_counted_and_not_followed() -> None:
    network: dict[str, Any] = LSTM
    for _ in range(12):
        network = {**stack(network), "repeat": 64}
    # Followed, they would take for ever.
    assert "blocks; at most 256" in faults({"network": network})["#/network"]


@given(documents())
def test_what_is_written_out_with_every_default_is_accepted_as_what_was_written(document: dict[str, Any]) -> None:
    spec = parse_spec(document)
    written_out = parse_spec(json.loads(canonical(spec)))
    assert spec_digest(written_out) == spec_digest(spec)
    assert _faults(written_out) == _faults(spec)


def _faults(spec: ForecasterSpec) -> list[Fault]:
    try:
        compile_spec(spec, NetworkLimits())
    except SpecError as error:
        return sorted(error.faults, key=lambda fault: fault.pointer)
    return []
