"""Gates that are seen from outside are those that the layer stepped with, and their saturation and radius are what they say."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.worker.training.layers import WRAPPED, cell_of, only_block, passed, ran
from tests.worker.training.lessons import training_of
from worker.training.gates import gate_names, gate_values, saturation, spectral_radius
from worker.training.stretches import Stretch


@pytest.mark.parametrize("block", WRAPPED, ids=str)
def test_every_block_of_rows_has_a_name(block: dict[str, Any]) -> None:
    cell = cell_of(training_of(only_block(**block)))
    assert len(gate_names(cell)) == len(cell.bias) // cell.units


def gates_of(stretch: Stretch) -> Mapping[str, Tensor]:
    return gate_values(stretch.cell, stretch.read, stretch.before)


def output_of(values: Mapping[str, Tensor], before: Tensor) -> Tensor:
    """What a layer gives, of its gates and of the hidden state before each step."""
    candidate = values["candidate"]
    if "update" in values:
        return (1 - values["update"]) * candidate + values["update"] * before
    if "forget" not in values:
        return candidate
    memory, outputs = torch.zeros_like(before[:, 0]), []
    for step in range(before.shape[1]):
        memory = values["forget"][:, step] * memory + values["input"][:, step] * candidate[:, step]
        outputs.append(values["output"][:, step] * torch.tanh(memory))
    return torch.stack(outputs, dim=1)


@pytest.mark.parametrize(
    "block",
    [
        {"kind": "elman"},
        {"kind": "elman", "dilation": 3},
        {"kind": "ind_rnn", "activation": "tanh"},
        {"kind": "gru"},
        {"kind": "gru", "reset": "before", "dilation": 2},
        {"kind": "lstm"},
    ],
    ids=str,
)
def test_of_its_gates_a_layer_gives_what_it_gave(block: dict[str, Any]) -> None:
    layer, read, given = ran(**block)
    (stretch,) = passed(layer, read, given)
    torch.testing.assert_close(stretch.restored(output_of(gates_of(stretch), stretch.before)), given, rtol=1e-4, atol=1e-5)


def test_a_layer_that_reads_both_ways_has_two_stretches_of_which_one_is_turned() -> None:
    layer, read, given = ran(kind="gru", direction="both")
    ahead, back = passed(layer, read, given)
    torch.testing.assert_close(output_of(gates_of(ahead), ahead.before), given[..., :8], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(back.restored(output_of(gates_of(back), back.before)), given[..., 8:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("block", "seen"),
    [
        ({"kind": "min_gru"}, {"update"}),
        ({"kind": "min_lstm"}, {"forget", "input"}),
        ({"kind": "slstm"}, {"forget", "candidate", "output"}),
        ({"kind": "lstm", "projection": 3}, {"input", "forget", "candidate", "output"}),
        ({"kind": "lstm", "peepholes": True}, set()),
        ({"kind": "elman", "activation": "relu"}, set()),
        ({"kind": "ind_rnn"}, set()),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_has_no_bounds_or_cannot_be_seen_is_left_out(block: dict[str, Any], seen: set[str]) -> None:
    layer, read, given = ran(**block)
    (stretch,) = passed(layer, read, given)
    assert gates_of(stretch).keys() == seen


def test_a_gate_is_saturated_where_it_has_hardly_a_slope() -> None:
    values = torch.tensor([-0.99, 0.01, 0.5, 0.97]).view(1, 2, 2)
    assert saturation([{"update": values, "candidate": values}]) == {"update": 0.75, "candidate": 0.5}
    assert saturation([{"update": values}, {"update": values * 0.0 + 0.5}]) == {"update": 0.375}
    assert saturation([{}]) == {}


def test_the_radius_is_the_largest_eigenvalue_of_any_gate() -> None:
    cell = cell_of(training_of(only_block(kind="gru")))
    assert spectral_radius(cell) == pytest.approx(1.0, rel=1e-4)
    cell.recurrent_weight.data[:8] = torch.diag(torch.arange(8.0))
    assert spectral_radius(cell) == pytest.approx(7.0)


def test_the_radius_is_what_an_eigenvalue_solver_says() -> None:
    cell = cell_of(training_of(only_block(kind="gru", units=12)))
    for _ in range(5):
        cell.recurrent_weight.data.normal_()
        expected = torch.linalg.eigvals(cell.recurrent_weight.data.view(3, 12, 12)).abs().max().item()
        assert spectral_radius(cell) == pytest.approx(expected, rel=5e-3)
    cell.recurrent_weight.data = torch.triu(torch.ones(36, 12), diagonal=1) * (torch.arange(36) < 12)[:, None]
    assert spectral_radius(cell) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("block", [{"kind": "min_gru"}, {"kind": "lstm", "projection": 3}, {"kind": "elman", "units": 513}], ids=str)
def test_there_is_no_radius_without_a_square_product_or_of_a_very_large_one(block: dict[str, Any]) -> None:
    assert spectral_radius(cell_of(training_of(only_block(**block)))) is None


def test_weights_that_are_no_numbers_have_no_radius() -> None:
    cell = cell_of(training_of(only_block(kind="gru")))
    cell.recurrent_weight.data[0, 0] = torch.nan
    assert spectral_radius(cell) is None


def test_a_unit_that_sees_its_own_past_alone_has_its_weight_for_a_radius() -> None:
    cell = cell_of(training_of(only_block(kind="ind_rnn")))
    cell.get_parameter("own_weight").data[:] = torch.linspace(-3.0, 1.0, 8)
    assert spectral_radius(cell) == pytest.approx(3.0)
