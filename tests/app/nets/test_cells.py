"""The contract of every recurrent kind in the union, and each against its own equations."""

from collections.abc import Callable
from typing import get_args

import pytest
import torch
from torch import Tensor

from app.nets.blocks import Layer
from app.nets.build import build
from app.nets.cells import Cell as CellModule
from app.nets.cells import GruCell, LstmCell
from app.nets.stepped import IndRnnCell, LoopLstmCell
from app.spec.cells import Cell, Elman, Gru, IndRnn, Lstm, MinGru, MinLstm, Slstm
from app.spec.forecaster import ForecasterSpec
from app.spec.shapes import parameters_of

WIDTH, UNITS, BATCH, STEPS = 3, 5, 4, 9

VARIANTS: dict[str, Cell] = {
    "elman tanh": Elman(kind="elman", units=UNITS),
    "elman relu": Elman(kind="elman", units=UNITS, activation="relu"),
    "lstm": Lstm(kind="lstm", units=UNITS),
    "gru after": Gru(kind="gru", units=UNITS),
    "gru before": Gru(kind="gru", units=UNITS, reset="before"),
    "lstm peepholes": Lstm(kind="lstm", units=UNITS, peepholes=True),
    "lstm projection": Lstm(kind="lstm", units=UNITS, projection=2),
    "lstm both": Lstm(kind="lstm", units=UNITS, peepholes=True, projection=2),
    "min_gru": MinGru(kind="min_gru", units=UNITS),
    "min_lstm": MinLstm(kind="min_lstm", units=UNITS),
    "ind_rnn relu": IndRnn(kind="ind_rnn", units=UNITS),
    "ind_rnn tanh": IndRnn(kind="ind_rnn", units=UNITS, activation="tanh"),
    "slstm": Slstm(kind="slstm", units=UNITS),
}
each_variant = pytest.mark.parametrize("block", VARIANTS.values(), ids=VARIANTS.keys())


def cell_of(block: Cell) -> CellModule:
    """The cell of a block that reads three columns, in double precision."""
    spec = ForecasterSpec.model_validate({"context": STEPS, "horizon": 1, "inputs": {"a": {"columns": ["y", "x", "z"]}}, "network": block})
    network = build(spec)
    torch.manual_seed(1)
    network.initialise()
    assert isinstance(network.body, Layer)
    cell = network.body.cell
    assert isinstance(cell, CellModule)
    return cell.double()


def sequence() -> Tensor:
    return torch.randn(BATCH, STEPS, WIDTH, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def test_every_recurrent_kind_of_the_union_is_in_this_suite() -> None:
    assert {type(block) for block in VARIANTS.values()} == set(get_args(Cell))


@each_variant
def test_two_halves_joined_by_their_state_are_the_whole(block: Cell) -> None:
    cell, whole = cell_of(block), sequence()
    expected, last = cell(whole, cell.start(whole))
    first, between = cell(whole[:, :4], cell.start(whole))
    second, end = cell(whole[:, 4:], between)
    torch.testing.assert_close(torch.cat([first, second], dim=1), expected)
    torch.testing.assert_close(end, last)
    torch.testing.assert_close(last[0], expected[:, -1])


@each_variant
def test_later_values_never_change_earlier_outputs(block: Cell) -> None:
    cell, whole = cell_of(block), sequence()
    changed = whole.clone()
    changed[:, 6:] += 1.0
    before, _ = cell(whole, cell.start(whole))
    after, _ = cell(changed, cell.start(whole))
    assert torch.equal(before[:, :6], after[:, :6])
    assert not torch.allclose(before[:, 6:], after[:, 6:])


@each_variant
def test_permuting_a_batch_permutes_the_answers(block: Cell) -> None:
    cell, whole, order = cell_of(block), sequence(), torch.tensor([2, 0, 3, 1])
    straight, _ = cell(whole, cell.start(whole))
    permuted, _ = cell(whole[order], cell.start(whole))
    torch.testing.assert_close(permuted, straight[order])


@each_variant
def test_a_cell_has_as_many_parameters_as_its_description_counts(block: Cell) -> None:
    assert sum(parameter.numel() for parameter in cell_of(block).parameters()) == parameters_of(block, WIDTH)


@pytest.mark.parametrize("block", [block for block in VARIANTS.values() if block.kind in {"elman", "lstm", "gru", "slstm"}])
def test_recurrent_weights_begin_orthogonal_gate_by_gate(block: Cell) -> None:
    weights = cell_of(block).recurrent_weight.detach()
    for weight in weights.view(-1, UNITS, weights.shape[1]):
        torch.testing.assert_close(weight.T @ weight, torch.eye(weights.shape[1], dtype=torch.float64), atol=1e-6, rtol=0)


@pytest.mark.parametrize("block", [Lstm(kind="lstm", units=400, init="chrono"), Gru(kind="gru", units=400, init="chrono")])
def test_chrono_gates_keep_what_they_have_for_up_to_the_context(block: Cell) -> None:
    cell = cell_of(block)
    into, kept = cell.bias.detach()[:400], cell.bias.detach()[400:800]
    steps = kept.exp()
    assert 1.0 <= steps.min() < 1.5
    assert STEPS - 2 < steps.max() <= STEPS - 1
    assert torch.equal(into, -kept) if isinstance(block, Lstm) else not into.any()


def test_the_forget_gate_of_an_lstm_begins_open_and_no_other_bias_begins_away_from_zero() -> None:
    bias = cell_of(VARIANTS["lstm"]).bias.detach()
    assert bias.tolist() == [0.0] * UNITS + [1.0] * UNITS + [0.0] * 2 * UNITS


def elman_step(cell: CellModule, x: Tensor, state: tuple[Tensor, ...], activation: Callable[[Tensor], Tensor]) -> tuple[Tensor, ...]:
    return (activation(x @ cell.input_weight.T + state[0] @ cell.recurrent_weight.T + cell.bias),)


def lstm_step(cell: CellModule, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    i, f, g, o = (x @ cell.input_weight.T + state[0] @ cell.recurrent_weight.T + cell.bias).chunk(4, dim=1)
    memory = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * memory.tanh(), memory


def gru_after_step(cell: CellModule, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    assert isinstance(cell, GruCell)
    r, z, n = (x @ cell.input_weight.T + cell.bias).chunk(3, dim=1)
    hr, hz, hn = (state[0] @ cell.recurrent_weight.T + cell.recurrent_bias).chunk(3, dim=1)
    update = (z + hz).sigmoid()
    return ((1 - update) * (n + (r + hr).sigmoid() * hn).tanh() + update * state[0],)


def gru_before_step(cell: CellModule, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    w_r, w_z, w_n = cell.input_weight.chunk(3)
    u_r, u_z, u_n = cell.recurrent_weight.chunk(3)
    b_r, b_z, b_n = cell.bias.chunk(3)
    (h,) = state
    reset, update = (x @ w_r.T + h @ u_r.T + b_r).sigmoid(), (x @ w_z.T + h @ u_z.T + b_z).sigmoid()
    return ((1 - update) * (x @ w_n.T + (reset * h) @ u_n.T + b_n).tanh() + update * h,)


def loop_lstm_step(cell: CellModule, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    assert isinstance(cell, LoopLstmCell)
    hidden, memory = state
    p_i, p_f, p_o = torch.zeros(3, UNITS) if cell.peepholes is None else cell.peepholes
    i, f, g, o = (x @ cell.input_weight.T + hidden @ cell.recurrent_weight.T + cell.bias).chunk(4, dim=1)
    new = (f + p_f * memory).sigmoid() * memory + (i + p_i * memory).sigmoid() * g.tanh()
    output = (o + p_o * new).sigmoid() * new.tanh()
    return (output if cell.projection is None else output @ cell.projection.T), new


def min_gru_step(cell: CellModule, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    z, candidate = (x @ cell.input_weight.T + cell.bias).chunk(2, dim=1)
    return ((1 - z.sigmoid()) * state[0] + z.sigmoid() * candidate,)


def min_lstm_step(cell: CellModule, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    f, i, candidate = (x @ cell.input_weight.T + cell.bias).chunk(3, dim=1)
    return ((f.sigmoid() * state[0] + i.sigmoid() * candidate) / (f.sigmoid() + i.sigmoid()),)


def ind_rnn_step(cell: CellModule, x: Tensor, state: tuple[Tensor, ...], activation: Callable[[Tensor], Tensor]) -> tuple[Tensor, ...]:
    assert isinstance(cell, IndRnnCell)
    return (activation(x @ cell.input_weight.T + cell.own_weight * state[0] + cell.bias),)


def slstm_step(cell: CellModule, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Without the stabiliser, which the values do not depend on."""
    hidden, memory, normaliser, _ = state
    i, f, z, o = (x @ cell.input_weight.T + hidden @ cell.recurrent_weight.T + cell.bias).chunk(4, dim=1)
    memory, normaliser = f.sigmoid() * memory + i.exp() * z.tanh(), f.sigmoid() * normaliser + i.exp()
    return o.sigmoid() * memory / normaliser, memory, normaliser, torch.zeros_like(memory)


STEPS_BY_HAND: dict[str, Callable[[CellModule, Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]] = {
    "elman tanh": lambda cell, x, state: elman_step(cell, x, state, torch.tanh),
    "elman relu": lambda cell, x, state: elman_step(cell, x, state, torch.relu),
    "lstm": lstm_step,
    "gru after": gru_after_step,
    "gru before": gru_before_step,
    "lstm peepholes": loop_lstm_step,
    "lstm projection": loop_lstm_step,
    "lstm both": loop_lstm_step,
    "min_gru": min_gru_step,
    "min_lstm": min_lstm_step,
    "ind_rnn relu": lambda cell, x, state: ind_rnn_step(cell, x, state, torch.relu),
    "ind_rnn tanh": lambda cell, x, state: ind_rnn_step(cell, x, state, torch.tanh),
    "slstm": slstm_step,
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_cell_is_its_published_equations_in_values_and_gradients(variant: str) -> None:
    cell, whole = cell_of(VARIANTS[variant]), sequence()
    for parameter in cell.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    output, _ = cell(whole, cell.start(whole))
    torch.autograd.backward(output.square().sum())
    gradients = [parameter.grad.clone() for parameter in cell.parameters() if parameter.grad is not None]
    cell.zero_grad()
    state, steps = cell.start(whole), []
    for x in whole.unbind(1):
        state = STEPS_BY_HAND[variant](cell, x, state)
        steps.append(state[0])
    by_hand = torch.stack(steps, dim=1)
    torch.autograd.backward(by_hand.square().sum())
    torch.testing.assert_close(output, by_hand)
    assert len(gradients) == len(list(cell.parameters()))
    for found, parameter in zip(gradients, cell.parameters(), strict=True):
        torch.testing.assert_close(found, parameter.grad)


def test_a_network_keeps_no_state_between_calls() -> None:
    cell, whole = cell_of(VARIANTS["lstm"]), sequence()
    assert isinstance(cell, LstmCell)
    first, _ = cell(whole, cell.start(whole))
    second, _ = cell(whole, cell.start(whole))
    assert torch.equal(first, second)
