"""Layers that are alike go through one call, one on another; whatever stands between them parts them."""

from typing import Any

import numpy as np
import pytest
import torch

from app.nets.build import build
from app.nets.packed import Rows, State
from app.nets.packed_cell import pack_cells
from app.nets.stacked import StackedCells
from app.nets.steps import compile_stretch
from app.spec.parse import parse_spec

STEPS, UNITS = 6, 4
LSTM, GRU = {"kind": "lstm", "units": UNITS}, {"kind": "gru", "units": UNITS}
BEFORE = {**GRU, "reset": "before"}
TANH, RELU = {"kind": "elman", "units": UNITS}, {"kind": "elman", "units": UNITS, "activation": "relu"}
NETWORKS: dict[str, tuple[list[dict[str, Any]], list[int]]] = {
    "two": ([LSTM, LSTM], [2]),
    "three with dropout": ([{**LSTM, "dropout": 0.5}, LSTM, LSTM], [3]),
    "elman": ([TANH, TANH], [2]),
    "two pairs": ([RELU, RELU, TANH, TANH], [2, 2]),
    "gru": ([GRU, GRU], [2]),
    "gru, reset before": ([BEFORE, BEFORE, GRU], [2, 1]),
    "of other kinds": ([LSTM, TANH, GRU], [1, 1, 1]),
    "of other widths": ([LSTM, {**LSTM, "units": 3}], [1, 1]),
    "residual": ([LSTM, {**LSTM, "residual": "add"}], [1, 1]),
    "normalised": ([{**LSTM, "layer_norm": True}, LSTM, LSTM], [1, 2]),
    "named": ([{**LSTM, "name": "first"}, LSTM], [1, 1]),
    "dense between": ([LSTM, {"kind": "dense", "units": UNITS}, LSTM], [1, 1]),
}


@pytest.mark.parametrize("rows", [2, 9])
@pytest.mark.parametrize("name", NETWORKS)
def test_layers_that_are_alike_are_one_call(name: str, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks, expected = NETWORKS[name]
    network = build(parse_spec({"context": STEPS, "horizon": 2, "network": {"kind": "stack", "blocks": blocks}}))
    torch.manual_seed(0)
    network.initialise()
    network.eval().requires_grad_(requires_grad=False)
    calls: list[int] = []
    run = StackedCells.run

    def watched(self: StackedCells, sequence: Rows, states: list[State] | None, *, is_carried_on: bool = True) -> tuple[Rows, list[State]]:
        given, after = run(self, sequence, states, is_carried_on=is_carried_on)
        calls.append(len(run(self, sequence, states)[1]))
        return given, after

    monkeypatch.setattr(StackedCells, "run", watched)
    sequence = torch.randn(rows, STEPS, 1)
    with torch.inference_mode():
        wanted, begun = network.encode({"target": sequence[:, :-2]})
        whole, after = network.encode({"target": sequence[:, -2:]}, begun)
        pack_cells(network)
        program = compile_stretch(network)
        assert program is not None
        first, states = program.run({"target": np.ascontiguousarray(sequence[:, :-2].numpy().swapaxes(0, 1))}, {})
        assert calls == expected
        then, moved = program.run({"target": np.ascontiguousarray(sequence[:, -2:].numpy().swapaxes(0, 1))}, states)
    newest = program.newest({"target": sequence[:, :-2].numpy()})
    assert calls == expected * 3
    np.testing.assert_array_equal(newest, first[-1])
    np.testing.assert_allclose(first.swapaxes(0, 1), wanted.numpy(), atol=1e-6)
    np.testing.assert_allclose(then.swapaxes(0, 1), whole.numpy(), atol=1e-6)
    assert moved.keys() == after.keys()
    for place, state in after.items():
        for found, own in zip(moved[place], state, strict=True):
            np.testing.assert_allclose(found, own.numpy(), atol=1e-6)
