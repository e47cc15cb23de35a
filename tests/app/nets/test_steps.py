"""A network that only answers gives what the one that learns does: with its cells packed, and as a program of one step."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from app.nets.build import Network, build
from app.nets.cells import CellState
from app.nets.packed_cell import PackedCell, pack_cells
from app.nets.steps import Program, compile_step, compile_stretch
from app.spec.blocks import ALL_KINDS, Autoencoder, Model, every
from app.spec.forecaster import ForecasterSpec
from app.spec.leaves import Attend, Attention, Conv, InstanceNorm, Lags, Last, Max, Mean, Segment, Smooth
from app.spec.parse import parse_spec
from tests.networks import example
from tests.strategies_specs import CELLS, INPUTS, OPTIONS, WHOLES, connect, documents, read_all, stack

WITHOUT_STRETCHES = {Autoencoder, Conv, Lags, Last, Max, Mean}
"""Kinds that have a program of a step alone."""

WITHOUT_STEPS = {Attend, Attention, InstanceNorm, Segment, Smooth, Model}
"""Kinds that take a step in the network: those without a state, and two whose step is not worth a program."""


def built(spec: ForecasterSpec) -> Network:
    network = build(spec)
    torch.manual_seed(0)
    network.initialise()
    return network.eval().requires_grad_(requires_grad=False)


def check_step(document: dict[str, Any]) -> set[type[object]]:
    """Steps of a program, from the state of some steps of the network on; the kinds in it, where there is a program."""
    spec = parse_spec(read_all(document))
    network = built(spec)
    program = compile_step(network)
    if program is None:
        return set()
    inputs, _ = example(spec)
    with torch.inference_mode():
        _, states = network.encode({name: values[:, :-2] for name, values in inputs.items()})
        whole, then = network.encode({name: values[:, -2:-1] for name, values in inputs.items()}, states)
        before = {place: tuple(part.numpy() for part in state) for place, state in states.items()}
        features, after = program.run({name: values[:, -2].numpy() for name, values in inputs.items()}, before)
    close(torch.from_numpy(features), whole[:, -1])
    assert {place for place, state in then.items() if state} <= set(after)
    for place, state in then.items():
        for part, own in zip(state, after.get(place, ()), strict=True):
            close(torch.from_numpy(own), part)
    assert features.dtype == "float32"
    return {type(block) for block in every(spec.network)}


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * float(torch.cat([expected.abs().flatten(), torch.ones(1)]).max()))


def documents_of_each() -> list[dict[str, Any]]:
    options = [*(option for option in OPTIONS if "direction" not in option), {"residual": "highway", "layer_norm": True}]
    cells = [{**cell, **option, "units": 3} for cell in CELLS for option in options if "projection" not in cell or "residual" not in option]
    leaves = [
        *cells,
        {"kind": "dense", "units": 3, "activation": "gelu"},
        {"kind": "conv", "units": 3, "width": 3, "dilation": 2, "activation": "relu"},
        {"kind": "lags", "steps": [1, 3]},
        {"kind": "norm"},
        {"kind": "dropout", "rate": 0.2},
        {"kind": "activation", "function": "sigmoid"},
    ]
    gru, dense = {"kind": "gru", "units": 3}, {"kind": "dense", "units": 3}
    networks = [*(stack(dense, leaf) for leaf in leaves), *(stack(gru, whole) for whole in WHOLES)]
    named = stack(dense, {**gru, "name": "first"}, dense, {"kind": "share", "of": "first"})
    merged = [connect(gru, dense, merge=merge) for merge in ("concat", "sum", "mean", "max", "product", "gate", "attention")]
    skipped = [stack(dense, gru, skip=skip) for skip in ("dense", "none")]
    return [{"context": 8, "horizon": 2, "inputs": INPUTS, "network": network} for network in [*networks, named, *merged, *skipped]]


@pytest.mark.no_cover
def test_a_program_takes_the_step_of_its_network_whatever_it_is_made_of() -> None:
    met: set[type[object]] = set()

    @settings(max_examples=150)
    @given(documents(carries_state=True))
    def law(document: dict[str, Any]) -> None:
        met.update(check_step({**document, "context": 8}))

    law()
    for document in documents_of_each():
        met.update(check_step(document))
    assert met == set(ALL_KINDS) - WITHOUT_STEPS


@pytest.mark.no_cover
def test_a_network_with_packed_cells_answers_the_same_itself_and_as_a_program_of_stretches() -> None:
    met: set[type[object]] = set()

    @given(documents())
    def law(document: dict[str, Any]) -> None:
        met.update(check_packed(document))

    law()
    for document in documents_of_each():
        met.update(check_packed(document))
    assert met == set(ALL_KINDS) - WITHOUT_STEPS - WITHOUT_STRETCHES


def check_packed(document: dict[str, Any]) -> set[type[object]]:
    """The same of a network with packed cells as of one without; the kinds in it, where there is a program of it."""
    spec = parse_spec(read_all(document))
    network, packed = built(spec), built(spec)
    assert compile_stretch(network) is None
    pack_cells(packed)
    program = compile_stretch(packed)
    inputs, future = example(spec)
    with torch.inference_mode():
        for rows in (1, 3):
            part = {name: values[:rows] for name, values in inputs.items()}
            expected, states = network.encode(part)
            found, after = packed.encode(part)
            close(found, expected)
            assert after.keys() == states.keys()
            for place, state in states.items():
                for one, other in zip(after[place], state, strict=True):
                    close(one, other)
            close(packed(part, future[:rows]), network(part, future[:rows]))
            if program is not None:
                check_stretch(program, part, expected, states)
    return set() if program is None else {type(block) for block in every(spec.network)}


def check_stretch(program: Program, inputs: Mapping[str, Tensor], expected: Tensor, states: Mapping[str, CellState]) -> None:
    by_time = {name: values.transpose(0, 1).contiguous().numpy() for name, values in inputs.items()}
    features, after = program.run(by_time, {})
    close(torch.from_numpy(features[-1]), expected[:, -1])
    assert {place for place, state in states.items() if state} == set(after)
    for place, state in after.items():
        for part, own in zip(states[place], state, strict=True):
            close(torch.from_numpy(own), part)


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_every_cell_is_packed_and_answers_the_same(cell: dict[str, Any]) -> None:
    document = {"context": 9, "horizon": 2, "inputs": INPUTS, "network": stack({"kind": "dense", "units": 3}, {**cell, "units": 4})}
    check_packed(document)
    network = built(parse_spec(read_all(document)))
    pack_cells(network)
    assert any(isinstance(module, PackedCell) for module in network.modules())
