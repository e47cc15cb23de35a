"""A network begins with what it shares with another: by name wherever that stands, then by place; the rest is left, and it is said why."""

from typing import Any

import pytest
import torch
from hypothesis import given

from app.forecasting.inheritance import Inheritance, inheritance, parts_of
from app.nets.build import build
from app.spec.forecaster import ForecasterSpec
from app.spec.parse import parse_spec
from tests.strategies_specs import connect, documents, read_all, stack

LSTM: dict[str, Any] = {"kind": "lstm", "units": 4}
GRU: dict[str, Any] = {"kind": "gru", "units": 3}


def spec_of(network: object, **changes: Any) -> ForecasterSpec:
    return parse_spec({"context": 6, "horizon": 2, "network": network, **changes})


def places(found: Inheritance) -> dict[str, str]:
    return {taken.place: taken.origin for taken in found.taken}


def reasons(found: Inheritance) -> dict[str, str]:
    return {left.place: left.reason for left in found.left}


@pytest.mark.no_cover
@given(documents())
def test_a_network_takes_over_all_of_one_with_the_same_description(document: dict[str, Any]) -> None:
    spec = parse_spec(read_all(document))
    found = inheritance(spec, spec)
    # What is of single series begins anew; all else is there.
    series = {name for part in parts_of(spec) if part.kinds[-1] == "smooth" for name in part.names.values()}
    assert len(found.left) == (1 if series else 0)
    origin = build(spec)
    origin.initialise()
    weights = found.weights(origin.state_dict())
    assert weights.keys() == origin.state_dict().keys() - series
    assert all(torch.equal(weight, origin.state_dict()[name]) for name, weight in weights.items())


@pytest.mark.no_cover
@given(documents())
def test_the_parts_hold_every_weight_once(document: dict[str, Any]) -> None:
    spec = parse_spec(read_all(document))
    names = [name for part in parts_of(spec) for name in part.names.values()]
    assert sorted(names) == sorted(build(spec).state_dict())
    assert len({part.place for part in parts_of(spec)}) == len(parts_of(spec))


def test_a_named_block_is_found_wherever_it_stands() -> None:
    origin = spec_of(stack({**LSTM, "name": "memory"}, GRU))
    found = inheritance(spec_of(stack(connect({**LSTM, "name": "memory"}, GRU), GRU)), origin)
    assert places(found) == {"network.0.0": "network.0", "decoder": "decoder"}
    assert set(reasons(found)) == {"network.0.1", "network.1"}


def test_what_is_in_a_named_block_is_found_by_the_way_from_there() -> None:
    named = stack(LSTM, {"kind": "dense", "units": 2}, name="deep")
    found = inheritance(spec_of(connect(named, GRU)), spec_of(stack(named)))
    assert places(found) == {"network.0.0": "network.0.0", "network.0.1": "network.0.1"}


def test_blocks_without_a_name_are_found_by_place_within_blocks_of_the_same_kinds() -> None:
    origin = spec_of(stack(LSTM, GRU))
    deeper = inheritance(spec_of(stack(LSTM, GRU, GRU)), origin)
    assert places(deeper) == {"network.0": "network.0", "network.1": "network.1", "decoder": "decoder"}
    assert reasons(deeper) == {"network.2": "the origin has no such block"}
    beside = inheritance(spec_of(connect(LSTM, GRU)), origin)
    assert "stands within other blocks than in the origin" in reasons(beside)["network.0"]


def test_a_block_of_the_origin_is_not_taken_twice() -> None:
    origin = spec_of(stack({**LSTM, "name": "first"}, LSTM))
    found = inheritance(
        spec_of(stack({"kind": "lstm", "units": 4, "from": "target"}, connect({**LSTM, "name": "first", "from": "target"}, GRU))), origin
    )
    assert places(found) == {"network.1.0": "network.0"}
    assert reasons(found)["network.0"] == "the origin has no such block"


def test_a_decoder_alone_is_not_worth_taking() -> None:
    found = inheritance(spec_of(stack(LSTM, {**GRU, "reset": "before"})), spec_of({"kind": "dense", "units": 3}))
    assert found.taken == ()
    assert reasons(found)["decoder"] == "nothing of what it reads is taken over"


@pytest.mark.parametrize(
    ("network", "changes", "place", "reason"),
    [
        (stack({**LSTM, "units": 5}, GRU), {}, "network.0", "bias is 20 here and 16 in the origin"),
        (stack(GRU, GRU), {}, "network.0", "is 'gru' here and 'lstm' in the origin"),
        (stack(LSTM, GRU), {"head": {"kind": "normal"}}, "decoder", "the head is another"),
        (stack(LSTM, GRU), {"horizon": 3}, "decoder", "bias is 27 here and 18 in the origin"),
        (stack(LSTM, GRU, skip="dense"), {}, "network.1", "input_weight is 9 x 5 here and 9 x 4 in the origin"),
    ],
)
def test_what_is_of_another_kind_or_shape_is_left(network: object, changes: dict[str, Any], place: str, reason: str) -> None:
    assert reason in reasons(inheritance(spec_of(network, **changes), spec_of(stack(LSTM, GRU))))[place]


def test_gates_of_merges_and_skips_are_taken_over() -> None:
    spec = spec_of(stack({"kind": "dense", "units": 3}, connect(GRU, GRU, merge="gate"), GRU, skip="highway"), inputs=wide())
    assert {"network.0.skip", "network.1.skip", "network.1.merge", "network.2.skip"} <= set(places(inheritance(spec, spec)))


def wide() -> dict[str, Any]:
    return {"three": {"columns": ["y", "a", "b"]}}


def test_what_is_otherwise_than_in_the_origin_is_noted() -> None:
    origin = spec_of(
        stack({**LSTM, "dilation": 2}, GRU),
        inputs={"weather": {"columns": ["y", "wind"]}},
        scaling={"target": "standard", "over": "series"},
    )
    spec = spec_of(stack(LSTM, GRU), inputs={"weather": {"columns": ["y", "sun"]}})
    found = inheritance(spec, origin)
    assert len(found.taken) == 3
    assert found.notes == (
        "network.0: dilation is 1 here and 2 in the origin",
        "the input 'weather' reads y, sun here and reads y, wind in the origin; weights are taken over in the order of columns",
        "the target is scaled by 'mean_abs' here and by 'standard' in the origin",
        "the target is measured over the 'window' here and over the 'series' in the origin",
        "covariates are scaled by the mean and deviation of this job's training part, not by the origin's",
    )
    alone = inheritance(spec, spec_of(stack(LSTM, GRU), inputs={"other": {"columns": ["y", "wind"]}}))
    assert "is not in the origin" in alone.notes[0]


def test_the_parts_of_an_autoencoder_are_taken_over_each_for_itself() -> None:
    block = {"kind": "autoencoder", "encoder": GRU, "code": 2, "decoder": LSTM, "name": "codes"}
    found = inheritance(spec_of(stack(block, GRU)), spec_of({**block, "decoder": {**LSTM, "units": 5}}))
    assert places(found) == {"network.0.encoder": "network.encoder"}
    assert reasons(found)["network.0"] == "rebuilt.linear.weight is 1 x 4 here and 1 x 5 in the origin"


def test_what_stands_for_words_is_taken_over_where_the_words_are_the_same() -> None:
    shop = {"columns": ["region"], "known": "static", "embed": 2, "categories": {"region": ["north", "south"]}}
    origin = spec_of(LSTM, inputs={"load": {"columns": ["y"]}, "shop": shop})
    assert "inputs.shop" in places(inheritance(origin, origin))
    other = spec_of(LSTM, inputs={"load": {"columns": ["y"]}, "shop": {**shop, "categories": {"region": ["north", "west"]}}})
    assert reasons(inheritance(other, origin))["inputs.shop"] == "its words are others in the origin"
