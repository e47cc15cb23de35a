"""Blocks that do not fit together are refused where they stand, with the way out."""

import pytest

from app.errors import Fault, SpecError
from app.spec.blocks import Connect, Stack
from app.spec.compile import CompiledSpec, compile_spec
from app.spec.facts import PanelFacts
from app.spec.leaves import Smooth
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec
from app.spec.resolve import resolve_spec
from tests.strategies_specs import connect, stack

LAST = {"kind": "lstm", "units": 4, "output": "last"}
LSTM = {"kind": "lstm", "units": 4}
DENSE = {"kind": "dense", "units": 2}
TWO = {"a": {"columns": ["y"]}, "b": {"columns": ["x"]}}


def compiled(network: object, **more: object) -> CompiledSpec:
    return compile_spec(parse_spec({"context": 12, "horizon": 2, "network": network, **more}), NetworkLimits())


def fault_of(network: object, **more: object) -> Fault:
    with pytest.raises(SpecError) as caught:
        compiled(network, **more)
    (fault,) = caught.value.faults
    return fault


@pytest.mark.parametrize("after", [LSTM, {"kind": "conv", "units": 2}, {"kind": "attention", "units": 2}, {"kind": "mean"}])
def test_what_wants_a_sequence_refuses_a_vector_and_names_both(after: dict[str, object]) -> None:
    fault = fault_of(stack(LAST, after))
    assert (fault.pointer, fault.code) == ("#/network/blocks/1/kind", "wants_sequence")
    assert str(after["kind"]) in fault.detail
    assert "the lstm at #/network/blocks/0" in fault.detail


def test_a_vector_is_what_a_dense_layer_or_other_vectors_go_on_with() -> None:
    rows = compiled(stack(connect(LAST, stack({"kind": "gru", "units": 3}, {"kind": "mean"})), {"kind": "dense", "units": 5})).blocks
    assert [row.kind for row in rows] == ["lstm", "gru", "mean", "dense", "direct"]
    assert rows[3].multiply_adds == 5 * 7


def test_a_vector_beside_a_sequence_is_refused_with_what_each_gives() -> None:
    fault = fault_of(connect(LAST, LSTM))
    assert (fault.pointer, fault.code) == ("#/network/branches", "unequal_steps")
    assert "gives one vector" in fault.detail
    assert "gives every step" in fault.detail


def test_segments_must_fill_the_context_and_shorten_what_follows() -> None:
    rows = compiled(stack({"kind": "segment", "width": 4}, LSTM)).blocks
    assert rows[0].width == 4
    assert rows[1].multiply_adds == rows[1].parameters * 3
    fault = fault_of({"kind": "segment", "width": 5})
    assert (fault.pointer, fault.code) == ("#/network/width", "not_divisible")
    assert "a context of 10 or 15" in fault.detail


def test_segments_beside_steps_are_refused_and_so_are_they_where_every_step_learns() -> None:
    assert fault_of(connect({"kind": "segment", "width": 4}, LSTM)).code == "unequal_steps"
    assert fault_of({"kind": "segment", "width": 4}, decoder={"kind": "forking"}).code == "not_every_step"


@pytest.mark.parametrize(("steps", "code"), [([3, 1], "not_rising"), ([1, 1], "not_rising"), ([1, 12], "inert")])
def test_lags_rise_and_stay_within_the_context(steps: list[int], code: str) -> None:
    assert fault_of({"kind": "lags", "steps": steps}).code == code


@pytest.mark.parametrize(
    ("network", "pointer", "code"),
    [
        (connect({**LSTM, "name": "one"}, {"kind": "share", "of": "two"}), "#/network/branches/1/of", "unknown_block"),
        (
            connect({**LSTM, "name": "one", "from": "a"}, stack({"kind": "lags", "steps": [1]}, {"kind": "share", "of": "one"})),
            "#/network/branches/1/blocks/1/of",
            "unequal_widths",
        ),
        (
            connect({**stack({**LSTM, "from": "a"}), "name": "one"}, {"kind": "share", "of": "one"}, {**LSTM, "from": "b"}),
            "#/network/branches/1/of",
            "not_shareable",
        ),
        (
            connect({**LSTM, "from": "a"}, {"kind": "lstm", "units": 5, "from": "b"}, share_weights=True),
            "#/network/branches/1",
            "unequal_branches",
        ),
        (connect({**LSTM, "from": "a"}, {**LSTM, "from": "c"}, share_weights=True), "#/network/branches/1", "unequal_widths"),
    ],
)
def test_weights_are_shared_by_blocks_that_exist_and_read_equally_much(network: object, pointer: str, code: str) -> None:
    inputs = {"a": {"columns": ["y"]}, "b": {"columns": ["x"]}} | ({"c": {"columns": ["v", "w"]}} if "'c'" in str(network) else {})
    if code == "unequal_widths" and "c" in inputs:
        inputs.pop("b")
    fault = fault_of(network, inputs=inputs)
    assert (fault.pointer, fault.code) == (pointer, code)


def test_an_autoencoder_rebuilds_every_step_of_a_sequence() -> None:
    block = {"kind": "autoencoder", "encoder": LSTM, "code": 2, "decoder": LSTM}
    rows = {row.kind: row for row in compiled(block).blocks}
    assert rows["code"].parameters == 2 * 5
    assert rows["rebuilt"].parameters == 1 * 5
    assert rows["rebuilt"].multiply_adds == 0
    assert fault_of({**block, "decoder": LAST}).code == "unequal_steps"
    assert fault_of(stack(LAST, {**block, "encoder": DENSE, "decoder": DENSE})).code == "wants_sequence"


SMOOTH = {"kind": "smooth", "from": "target"}
COUNTS = {"kind": "poisson"}


@pytest.mark.parametrize(
    ("network", "more", "pointer", "code"),
    [
        ({"kind": "instance_norm"}, {}, "#/network/from", "wants_target"),
        (stack(LSTM, {"kind": "smooth"}), {}, "#/network/blocks/1/from", "wants_target"),
        ({**SMOOTH, "from": "both"}, {"inputs": {"both": {"columns": ["y", "x"]}}}, "#/network/from", "wants_target"),
        (connect(SMOOTH, {**SMOOTH, "seasons": [2]}), {}, "#/network/branches/1/kind", "taken"),
        (SMOOTH, {"head": COUNTS}, "#/network/kind", "not_for_counts"),
        (SMOOTH, {"scaling": {"target": "standard"}}, "#/network/form", "not_positive"),
        (SMOOTH, {"scaling": {"target": "log"}}, "#/network/form", "not_positive"),
        (LSTM, {"scaling": {"target": "log"}, "head": COUNTS}, "#/scaling/target", "not_for_counts"),
        (LSTM, {"scaling": {"target": "log"}, "head": {"kind": "student_t"}}, "#/scaling/target", "no_mean"),
        ({**SMOOTH, "seasons": [12, 4]}, {}, "#/network/seasons", "not_rising"),
        ({"kind": "instance_norm", "from": "target"}, {"decoder": {"kind": "forking"}}, "#/network/kind", "not_causal"),
    ],
)
def test_a_target_is_taken_apart_once_and_where_that_can_be_put_back(
    network: object, more: dict[str, object], pointer: str, code: str
) -> None:
    fault = fault_of(network, **more)
    assert (fault.pointer, fault.code) == (pointer, code)


def test_a_job_fills_in_how_many_series_there_are_and_their_season() -> None:
    spec = parse_spec({"network": connect(stack(SMOOTH, LSTM), {"kind": "conv", "units": 2})})
    resolved = resolve_spec(spec, PanelFacts("h", 24, (), "y", 5, 900, 900), horizon=6)
    assert isinstance(resolved.network, Connect)
    branch = resolved.network.branches[0]
    assert isinstance(branch, Stack)
    assert branch.blocks[0] == Smooth.model_validate({**SMOOTH, "series": 5, "seasons": [24]})
    assert compile_spec(resolved, NetworkLimits()).blocks[0].parameters == 5 * (1 + 1 + 24)
