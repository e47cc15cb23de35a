"""What a search varies is proven value by value, and a draw makes a complete description."""

import json
from typing import Any

import pytest

from app.errors import SpecError
from app.spec.blocks import Stack
from app.spec.cells import Gru, Lstm
from app.spec.defaults import default_spec
from app.spec.facts import PanelFacts
from app.spec.forecaster import ForecasterSpec
from app.spec.gallery import GALLERY
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec
from app.spec.resolve import resolve_spec
from app.spec.search import SearchPlan, check_draw, plan_search, search_plan
from app.spec.space import Choices, Range, drawn_spec

FACTS = PanelFacts("MS", 12, ("rain",), "passengers", 767, 84, 84)
LIMITS = NetworkLimits()
CONNECTED = {
    "context": 10,
    "network": {"kind": "connect", "branches": [{"kind": "lstm", "units": 5}, {"kind": "gru", "units": 5}, {"kind": "dense", "units": 2}]},
}


def resolved(document: dict[str, Any] | None = None) -> ForecasterSpec:
    return resolve_spec(default_spec(FACTS) if document is None else parse_spec(document), FACTS, horizon=12)


def planned(space: Any, document: dict[str, Any] | None = None) -> SearchPlan:
    return plan_search({} if space is None else {"space": space}, resolved(document), FACTS, LIMITS)


def drawn(document: dict[str, Any] | None = None, **values: Any) -> ForecasterSpec:
    return drawn_spec(resolved(document).model_dump(mode="json", by_alias=True), values, FACTS)


def test_the_default_space_is_of_what_the_document_has() -> None:
    assert set(planned(None).space) == {"units", "layers", "cell", "dropout", "lr", "context"}
    assert set(planned(None, CONNECTED).space) == {"units", "cell", "dropout", "lr", "context"}
    dense = {"context": 10, "network": {"kind": "stack", "blocks": [{"kind": "dense", "units": 5}, {"kind": "last"}]}}
    assert set(planned(None, dense).space) == {"lr", "context"}


@pytest.mark.parametrize("name", GALLERY)
def test_every_document_of_the_gallery_has_a_default_space(name: str) -> None:
    for facts in (PanelFacts("MS", 12, (), "y", 767, 144, 144), PanelFacts("h", 24, (), "y", 3, 2000, 2000)):
        spec = resolve_spec(GALLERY[name].spec, facts, horizon=6)
        plan = plan_search({}, spec, facts, LIMITS)
        assert {"lr", "context"} <= set(plan.space)
        assert check_draw(plan, spec.model_dump(mode="json", by_alias=True), {}, LIMITS)[0] == spec


def test_a_plan_is_the_same_when_it_comes_back_from_the_database() -> None:
    plan = planned({"units": {"low": 2, "high": 8, "log": True}, "/head": {"choices": [{"kind": "point"}, {"kind": "normal"}]}})
    assert search_plan(json.loads(json.dumps(plan.written()))) == plan
    assert plan.space["units"] == Range(low=2, high=8, log=True)
    assert isinstance(plan.space["/head"], Choices)


def test_windows_are_a_horizon_apart_or_less_where_the_series_are_short() -> None:
    assert planned(None).step == 12
    assert plan_search({"windows": 5}, resolved(), FACTS, LIMITS).step == 6
    with pytest.raises(SpecError, match="at most 25 windows would do") as caught:
        plan_search({"windows": 26}, resolved(), FACTS, LIMITS)
    assert caught.value.faults[0].pointer == "#/windows"


def test_words_change_every_recurrent_layer_and_leave_the_others() -> None:
    network = drawn(CONNECTED, units=7, cell="gru", dropout=0.5).network
    first, second, third = network.branches  # type: ignore[union-attr]
    assert first == second == Gru(kind="gru", units=7, dropout=0.5)
    assert third.units == 2  # type: ignore[union-attr]


def test_layers_are_copies_of_the_one_that_is_there() -> None:
    three = drawn(layers=3).network
    assert isinstance(three, Stack)
    assert three.blocks == (Lstm(kind="lstm", units=64),) * 3
    named = {"network": {"kind": "stack", "blocks": [{"kind": "gru", "units": 3, "name": "a", "from": "target"}], "skip": "dense"}}
    two = drawn(named, layers=2).network
    assert isinstance(two, Stack)
    assert [block.name for block in two.blocks] == ["a", None]
    assert two.skip == "dense"


def test_a_pointer_replaces_what_it_names_and_words_come_after_it() -> None:
    block = {"kind": "stack", "blocks": [{"kind": "elman", "units": 1}]}
    values: dict[str, Any] = {"/network": block, "units": 9, "/scaling/baseline": "season", "context": 6}
    spec = drawn(None, **values)
    assert spec.network.blocks[0].units == 9  # type: ignore[union-attr]
    assert (spec.scaling.baseline, spec.scaling.season) == ("season", 12)
    assert (spec.context, spec.min_context) == (6, 6)


@pytest.mark.parametrize(
    ("space", "pointer", "sentence"),
    [
        ({}, "#/space", "must have 1 to 32 parameters"),
        ({"unit": {"low": 1, "high": 3}}, "#/space/unit", "did you mean 'units'?"),
        ({"/horizon": {"choices": [3]}}, "#/space/~1horizon", "cannot be varied"),
        ({"units": 3}, "#/space/units", "must be an object such as"),
        ({"units": {"low": 1}}, "#/space/units/high", "is missing; give low and high"),
        ({"units": {"low": 1, "high": 3, "by": 1}}, "#/space/units/by", "'by' is not a key here"),
        ({"units": {"low": 3, "high": 3}}, "#/space/units", "low must be less than high"),
        ({"lr": {"low": 0.0, "high": 0.1, "log": True}}, "#/space/lr", "log wants a low above zero"),
        ({"lr": {"low": 0.1, "high": 0.2, "log": True, "step": 0.1}}, "#/space/lr", "leave one of them out"),
        ({"units": {"low": 1, "high": 3, "step": 3}}, "#/space/units", "step must be above zero and at most 2"),
        ({"units": {"low": 0, "high": 3}}, "#/space/units/low", "units: input should be greater than or equal to 1"),
        ({"units": {"low": 1.5, "high": 3}}, "#/space/units/low", "units"),
        ({"units": {"low": 1, "high": 9000}}, "#/space/units/high", "units is 9,000; at most 4,096"),
        ({"cell": {"choices": ["gru", "dense"]}}, "#/space/cell/choices/1", "'dense' is no recurrent layer"),
        ({"cell": {"choices": []}}, "#/space/cell/choices", "at least 1 item"),
        ({"layers": {"low": 0, "high": 2}}, "#/space/layers/low", "whole number from 1 to 64"),
        ({"/training/lt": {"choices": [1]}}, "#/space/~1training~1lt/choices/0", "there is no 'lt'; there are: phases, epochs"),
        ({"/network/blocks/1/units": {"choices": [1]}}, "#/space/~1network~1blocks~11~1units/choices/0", "there is no 'blocks'"),
        ({"/min_context": {"choices": [13]}, "context": {"low": 40, "high": 49}}, "#/space/~1min_context/choices/0", "at most 12"),
        ({"/network": {"choices": [{"kind": "model", "model": "m"}]}}, "#/space/~1network/choices/0", "cannot be one of the values"),
        ({"units": {"low": 1, "high": 2500}, "layers": {"low": 1, "high": 4}}, "#/space", "with the largest values of all parameters"),
    ],
)
def test_what_cannot_be_drawn_is_refused_at_its_place(space: Any, pointer: str, sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        planned(space)
    assert caught.value.faults[0].pointer == pointer
    assert sentence in caught.value.faults[0].detail


def test_layers_of_what_is_no_stack_of_equal_ones_are_refused() -> None:
    with pytest.raises(SpecError, match="no stack of equal ones"):
        planned({"layers": {"low": 1, "high": 2}}, CONNECTED)
    with pytest.raises(SpecError, match="no recurrent layer whose units"):
        planned({"units": {"low": 1, "high": 2}}, {"context": 10, "network": {"kind": "dense", "units": 5}})


def test_a_draw_is_counted_and_proven() -> None:
    document = resolved().model_dump(mode="json", by_alias=True)
    small, count = check_draw(planned(None), document, {"units": 16}, LIMITS)
    assert small.network == Lstm(kind="lstm", units=16)
    assert count < check_draw(planned(None), document, {}, LIMITS)[1]
    with pytest.raises(SpecError, match="units is 5,000"):
        check_draw(planned(None), document, {"units": 5000}, LIMITS)
