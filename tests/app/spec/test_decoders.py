"""What does not go with a decoder is refused with the way out; what a decoder costs is counted."""

from typing import Any

import pytest

from app.errors import SpecError
from app.spec.compile import CompiledSpec, compile_spec
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec

GRU = {"kind": "gru", "units": 4}
RECURSIVE = {"decoder": {"kind": "recursive"}, "head": {"kind": "normal"}}


def compiled(**document: Any) -> CompiledSpec:
    return compile_spec(parse_spec({"context": 9, "horizon": 6, "network": GRU, **document}), NetworkLimits(units=100))


def faults(**document: Any) -> dict[str, str]:
    with pytest.raises(SpecError) as caught:
        compiled(**document)
    return {fault.pointer: fault.detail for fault in caught.value.faults}


@pytest.mark.parametrize(
    ("change", "pointer", "sentence"),
    [
        (
            {"inputs": {"a": {"columns": ["y"]}, "b": {"columns": ["x", "z"]}}},
            "#/inputs/b/known",
            "where x, z would have to be known; mark",
        ),
        ({"inputs": {"a": {"columns": ["x"], "known": "future"}}}, "#/decoder", "fed with its own samples of 'y', which no input has"),
        ({"head": {"kind": "point"}}, "#/head", "a head of one number has no distribution to draw them from; use 'normal'"),
        ({"head": {"kind": "quantiles", "levels": [0.5]}}, "#/head", "a head of one level has no distribution"),
        ({"network": {**GRU, "direction": "both"}}, "#/network/direction", "this block sees ahead"),
        ({"network": {"kind": "segment", "width": 3}}, "#/network/kind", "gives none between its pieces"),
    ],
)
def test_what_does_not_go_with_a_recursive_decoder_is_refused(change: dict[str, Any], pointer: str, sentence: str) -> None:
    assert compiled(**RECURSIVE).parameters > 0
    assert sentence in faults(**RECURSIVE | change)[pointer]


def test_attention_has_no_state_to_go_on_from_wherever_it_stands_and_may_rebuild_a_sequence() -> None:
    attention = {"kind": "attention", "units": 4}
    inner = {"kind": "stack", "blocks": [GRU, {"kind": "connect", "branches": [GRU, attention]}]}
    found = faults(**RECURSIVE, network=inner)
    assert set(found) == {"#/network/blocks/1/branches/1/kind"}
    assert "'attention' has no state to go on from; use the decoder 'forking'" in found["#/network/blocks/1/branches/1/kind"]
    smooth = {"kind": "stack", "blocks": [{"kind": "smooth", "from": "target"}, GRU]}
    assert "'smooth' has no state to go on from" in faults(**RECURSIVE, network=smooth)["#/network/blocks/0/kind"]
    autoencoder = {"kind": "autoencoder", "encoder": GRU, "code": 2, "decoder": attention}
    assert compiled(**RECURSIVE, network=autoencoder).parameters > 0


def test_a_segment_longer_than_the_horizon_is_refused_where_that_is_known() -> None:
    decoder = {"kind": "segments", "width": 7}
    assert "longer than the horizon of 6; make it at most as long" in faults(decoder=decoder)["#/decoder/width"]
    assert compiled(decoder=decoder, horizon=7).parameters > 0
    assert compile_spec(parse_spec({"network": GRU, "decoder": decoder}), NetworkLimits()).parameters > 0


def test_a_decoder_has_no_more_units_than_a_block_may_have() -> None:
    assert "units is 101; at most 100" in faults(decoder={"kind": "sequence", "units": 101})["#/decoder/units"]


@pytest.mark.parametrize(
    ("decoder", "sentence"),
    [
        ({"kind": "direct", "paths": 5}, "'paths' is not a key here; known are kind"),
        ({"kind": "sequence", "units": 5, "cell": "elman"}, "'elman'"),
        ({"kind": "recursive", "paths": 1}, "greater than or equal to 2"),
        ({"kind": "segments"}, "is missing and has no default"),
        ({"kind": "segment", "width": 2}, "'segment' is not a kind of decoder; did you mean 'segments'?"),
    ],
)
def test_what_a_decoder_does_not_have_is_named(decoder: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        compiled(decoder=decoder)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("kind", ["poisson", "negative_binomial", "tweedie"])
def test_a_head_of_values_from_zero_on_is_not_of_standard_values(kind: str) -> None:
    assert "makes numbers below zero of" in faults(head={"kind": kind}, scaling={"target": "standard"})["#/scaling/target"]


def test_a_recursive_decoder_learns_over_the_horizon_and_is_counted_so() -> None:
    direct, recursive = compiled(head={"kind": "normal"}), compiled(**RECURSIVE)
    assert direct.blocks[0].multiply_adds * (9 + 6 - 1) == recursive.blocks[0].multiply_adds * 9
    assert recursive.blocks[-1].parameters == (4 + 1) * 2
    assert recursive.blocks[-1].multiply_adds == (9 + 6 - 1) * (4 + 1) * 2
