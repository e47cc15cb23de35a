"""An operator of ONNX goes on from a state as its cell does, with every weight in it."""

import numpy as np
import pytest
import torch

from app.nets.cells import Cell, ElmanCell, GruBeforeCell, GruCell, LstmCell
from app.nets.operators import operator_of
from app.nets.packed import Rows, State
from app.nets.packed_cell import OperatorCell
from app.nets.running import RunningOperators
from app.nets.stepped import LoopLstmCell, MinGruCell

WIDTH, UNITS, STEPS = 3, 5, 7
CELLS = {
    "elman, tanh": ElmanCell(WIDTH, UNITS, "tanh"),
    "elman, relu": ElmanCell(WIDTH, UNITS, "relu"),
    "lstm": LstmCell(WIDTH, UNITS),
    "gru": GruCell(WIDTH, UNITS),
    "gru, reset before": GruBeforeCell(WIDTH, UNITS),
}


def drawn(cell: Cell) -> Cell:
    torch.manual_seed(1)
    for parameter in cell.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return cell.eval().requires_grad_(requires_grad=False)


@pytest.mark.parametrize("name", CELLS)
def test_an_operator_goes_on_from_a_state_as_its_cell_does(name: str) -> None:
    cell = drawn(CELLS[name])
    sequence, state = torch.randn(2, STEPS, WIDTH), tuple(torch.randn(2, UNITS) for _ in range(cell.states))
    expected, after = cell(sequence, state)
    operator = operator_of(cell)
    assert operator is not None
    by_time, before = np.ascontiguousarray(sequence.numpy().swapaxes(0, 1)), tuple(part.numpy() for part in state)
    hidden, (moved,) = RunningOperators([cell], operator).run(by_time, [before])
    np.testing.assert_allclose(hidden.swapaxes(0, 1), expected.numpy(), atol=1e-6)
    for found, own in zip(moved, after, strict=True):
        np.testing.assert_allclose(found, own.numpy(), atol=1e-6)


def test_a_cell_that_no_operator_equals_has_none() -> None:
    assert operator_of(LoopLstmCell(WIDTH, UNITS, None, has_peepholes=True, projection=None)) is None
    assert operator_of(MinGruCell(WIDTH, UNITS)) is None


def test_more_rows_than_pay_go_through_torchs_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = drawn(CELLS["lstm"])
    operator = operator_of(cell)
    assert operator is not None
    packed = OperatorCell(cell, operator)
    seen: dict[str, list[int]] = {"step": [], "operator": []}
    step, run = packed.step, RunningOperators.run

    def watched_step(sequence: Rows, state: State) -> tuple[Rows, State]:
        seen["step"].append(sequence.shape[1])
        return step(sequence, state)

    def watched_run(self: RunningOperators, sequence: Rows, states: list[State], *, is_carried_on: bool) -> tuple[Rows, list[State]]:
        seen["operator"].append(sequence.shape[1])
        return run(self, sequence, states, is_carried_on=is_carried_on)

    monkeypatch.setattr(packed, "step", watched_step)
    monkeypatch.setattr(RunningOperators, "run", watched_run)
    with torch.inference_mode():
        for rows in (1, 8, 9, 64, 65):
            sequence = torch.randn(rows, STEPS, WIDTH)
            found, wanted = packed(sequence, cell.start(sequence)), cell(sequence, cell.start(sequence))
            torch.testing.assert_close(found, wanted)
    assert seen == {"step": [1, 8, 9, 64], "operator": [1, 8]}
