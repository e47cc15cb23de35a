"""Wrappers keep the contract of what they are put around, and do what they say to it."""

import pytest
import torch
from torch import Tensor

from app.nets.blocks import Layer
from app.nets.cells import Drawn, Recurrence
from app.nets.leaves import Site, build_leaf
from app.nets.run import Run
from app.nets.wrappers import Dilated, Stepwise
from app.spec.cells import Cell, Elman, Gru, Lstm, Slstm

WIDTH, BATCH, STEPS = 4, 3, 11

CAUSAL: dict[str, Cell] = {
    "dilated": Lstm(kind="lstm", units=5, dilation=3),
    "dilated slstm": Slstm(kind="slstm", units=5, dilation=4),
    "zoneout": Gru(kind="gru", units=5, zoneout=0.3),
    "recurrent dropout": Lstm(kind="lstm", units=5, recurrent_dropout=0.4),
    "dilated and zoned out": Elman(kind="elman", units=5, dilation=2, zoneout=0.5),
    "everything": Lstm(
        kind="lstm", units=4, dilation=2, zoneout=0.1, recurrent_dropout=0.1, layer_norm=True, residual="highway", dropout=0.2
    ),
}
each_causal = pytest.mark.parametrize("block", CAUSAL.values(), ids=CAUSAL.keys())


def layer_of(block: Cell, width: int = WIDTH) -> Layer:
    torch.manual_seed(1)
    layer = build_leaf(block, width, "place", Site(STEPS))
    assert isinstance(layer, Layer)
    for module in layer.modules():
        if isinstance(module, Drawn):
            module.initialise()
    return layer.eval()


def sequence() -> Tensor:
    return torch.randn(BATCH, STEPS, WIDTH, generator=torch.Generator().manual_seed(2))


def run(layer: Layer, values: Tensor, before: dict[str, tuple[Tensor, ...]] | None = None) -> tuple[Tensor, dict[str, tuple[Tensor, ...]]]:
    passing = Run({}, before or {})
    output: Tensor = layer(values, passing)
    return output, passing.after


@each_causal
@pytest.mark.parametrize("cut", [1, 2, 5, 10])
def test_two_halves_joined_by_their_state_are_the_whole(block: Cell, cut: int) -> None:
    layer, whole = layer_of(block), sequence()
    expected, last = run(layer, whole)
    first, between = run(layer, whole[:, :cut])
    second, end = run(layer, whole[:, cut:], between)
    torch.testing.assert_close(torch.cat([first, second], dim=1), expected)
    torch.testing.assert_close(end["place"], last["place"])


@each_causal
def test_later_values_never_change_earlier_outputs(block: Cell) -> None:
    layer, whole = layer_of(block), sequence()
    changed = whole.clone()
    changed[:, 6:] += 1.0
    assert torch.allclose(run(layer, whole)[0][:, :6], run(layer, changed)[0][:, :6], atol=1e-6)


def test_a_dilated_layer_is_one_layer_a_phase() -> None:
    dilated, whole = layer_of(Gru(kind="gru", units=5, dilation=3)), sequence()
    plain = layer_of(Gru(kind="gru", units=5))
    output, _ = run(dilated, whole)
    for phase in range(3):
        alone, _ = run(plain, whole[:, phase::3])
        torch.testing.assert_close(output[:, phase::3], alone)


def test_a_backward_layer_reads_the_newest_step_first_and_both_are_side_by_side() -> None:
    whole = sequence()
    forward, _ = run(layer_of(Lstm(kind="lstm", units=5)), whole.flip(1))
    backward, state = run(layer_of(Lstm(kind="lstm", units=5, direction="backward")), whole)
    torch.testing.assert_close(backward, forward.flip(1))
    assert state == {"place": ()}
    both, _ = run(layer_of(Lstm(kind="lstm", units=5, direction="both")), whole)
    ahead, _ = run(layer_of(Lstm(kind="lstm", units=5)), whole)
    assert both.shape[2] == 10
    torch.testing.assert_close(both[..., :5], ahead)


class Counter(Recurrence):
    """Its hidden state is the sum of what it read and of the state that it was fed."""

    def start(self, sequence: Tensor) -> tuple[Tensor, ...]:
        return (sequence.new_zeros(len(sequence), sequence.shape[2]),)

    def forward(self, sequence: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        total = state[0][:, None] + sequence.cumsum(dim=1)
        return total, (total[:, -1],)


def test_zoneout_leaves_units_as_they_were_and_takes_the_expected_value_when_not_training() -> None:
    ones, layer = torch.ones(1000, 3, 2), Stepwise(Counter(), 0.0, 0.25)
    output, _ = layer.eval()(ones, layer.start(ones))
    torch.testing.assert_close(output[0, :, 0], torch.tensor([0.75, 1.5, 2.25]))
    torch.manual_seed(0)
    output, (last,) = layer.train()(ones, layer.start(ones))
    steps = output.diff(dim=1)
    assert set(steps.flatten().tolist()) == {0.0, 1.0}
    assert 0.2 < (steps == 0).float().mean() < 0.3
    assert torch.equal(last, output[:, -1])


def test_dropout_of_the_state_takes_one_mask_for_all_steps_and_none_when_not_training() -> None:
    ones, layer = torch.ones(1000, 3, 2), Stepwise(Counter(), 0.5, 0.0)
    output, _ = layer.eval()(ones, layer.start(ones))
    assert torch.equal(output[0, :, 0], torch.tensor([1.0, 2.0, 3.0]))
    torch.manual_seed(0)
    output, _ = layer.train()(ones, layer.start(ones))
    # A unit is fed twice its state always, or nothing always.
    assert {tuple(unit) for unit in output.movedim(2, 1).reshape(-1, 3).tolist()} == {(1.0, 1.0, 1.0), (1.0, 3.0, 7.0)}


def test_a_dilation_that_does_not_divide_the_time_keeps_its_phases_in_order() -> None:
    values, layer = torch.arange(1.0, 8.0)[None, :, None], Dilated(Counter(), 3)
    output, state = layer(values, layer.start(values))
    assert output.flatten().tolist() == [1.0, 2.0, 3.0, 5.0, 7.0, 9.0, 12.0]
    # Due next is the phase of step 7, then that of step 8, then that of step 6.
    assert state[0].flatten().tolist() == [7.0, 9.0, 12.0]


def test_ways_past_a_layer_add_or_choose() -> None:
    whole = sequence()
    plain, _ = run(layer_of(Gru(kind="gru", units=WIDTH)), whole)
    added, _ = run(layer_of(Gru(kind="gru", units=WIDTH, residual="add")), whole)
    torch.testing.assert_close(added, plain + whole)
    layer = layer_of(Gru(kind="gru", units=WIDTH, residual="highway"))
    chosen, _ = run(layer, whole)
    assert layer.skip.gate is not None
    gate = torch.sigmoid(whole @ layer.skip.gate.weight.T + layer.skip.gate.bias)
    torch.testing.assert_close(chosen, gate * plain + (1 - gate) * whole)
    assert layer.skip.gate.bias.tolist() == [-1.0] * WIDTH


def test_a_normalised_layer_gives_steps_of_mean_zero_and_deviation_one() -> None:
    output, _ = run(layer_of(Gru(kind="gru", units=32, layer_norm=True)), sequence())
    torch.testing.assert_close(output.mean(dim=2), torch.zeros(BATCH, STEPS), atol=1e-5, rtol=0)
    torch.testing.assert_close(output.var(dim=2, unbiased=False), torch.ones(BATCH, STEPS), atol=1e-2, rtol=0)
