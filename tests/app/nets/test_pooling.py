"""What makes a vector of a sequence is what its equation says, at every step and in pieces; a shared block has one set of weights."""

from typing import Any

import pytest
import torch
from torch import Tensor

from app.nets.build import Network, build
from app.nets.cells import Drawn
from app.nets.leaves import Site, build_leaf
from app.nets.pooling import AttendedStep
from app.nets.run import Run
from app.spec.cells import Lstm
from app.spec.compile import compile_spec
from app.spec.leaves import Attend, Lags, Last, Leaf, Max, Mean, Segment
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec
from tests.strategies_specs import connect, stack

BATCH, STEPS, WIDTH = 2, 9, 3
WHOLES: list[Leaf] = [Last(kind="last"), Mean(kind="mean"), Max(kind="max"), Attend(kind="attend", units=4)]


def sequence() -> Tensor:
    return torch.randn(BATCH, STEPS, WIDTH, generator=torch.Generator().manual_seed(2))


def given(block: Leaf, values: Tensor, before: Run | None = None, *, every_step: bool = True) -> tuple[Tensor, Run]:
    torch.manual_seed(1)
    module = build_leaf(block, values.shape[2], "place", Site(STEPS, every_step)).eval()
    for part in module.modules():
        if isinstance(part, Drawn):
            part.initialise()
    run = Run({}, before.after if before else {})
    output: Tensor = module(values, run)
    return output, run


def by_hand(block: Leaf, values: Tensor) -> Tensor:
    """What a block makes of all steps of a sequence."""
    match block:
        case Last():
            return values[:, -1]
        case Mean():
            return values.mean(dim=1)
        case Max():
            return values.amax(dim=1)
        case _:
            torch.manual_seed(1)
            module = AttendedStep(WIDTH, 4, "place", every_step=False)
            module.initialise()
            scores = torch.tanh(values @ module.weight.T + module.bias) @ module.query.T
            return (scores.softmax(dim=1) * values).sum(dim=1)


@pytest.mark.parametrize("block", WHOLES, ids=lambda block: block.kind)
def test_at_every_step_a_vector_stands_for_the_steps_up_to_it(block: Leaf) -> None:
    whole = sequence()
    running, _ = given(block, whole)
    for step in range(STEPS):
        torch.testing.assert_close(running[:, step], by_hand(block, whole[:, : step + 1]))
    newest, _ = given(block, whole, every_step=False)
    torch.testing.assert_close(newest, running[:, -1:])


@pytest.mark.parametrize("cut", [1, 4, 8])
@pytest.mark.parametrize(
    "block", [*WHOLES, Lags(kind="lags", steps=(1, 3)), Segment(kind="segment", width=3)], ids=lambda block: block.kind
)
def test_halves_that_are_joined_by_their_state_equal_the_whole(block: Leaf, cut: int) -> None:
    whole = sequence()
    expected, last = given(block, whole)
    first, between = given(block, whole[:, :cut])
    second, end = given(block, whole[:, cut:], between)
    torch.testing.assert_close(torch.cat([first, second], dim=1), expected)
    for one, other in zip(end.after["place"], last.after["place"], strict=True):
        torch.testing.assert_close(one, other)


def test_attention_far_below_the_largest_weight_is_no_division_by_zero() -> None:
    module = AttendedStep(1, 1, "place", every_step=True)
    torch.nn.init.constant_(module.weight, 1.0)
    torch.nn.init.zeros_(module.bias)
    torch.nn.init.constant_(module.query, 500.0)
    running = module(torch.tensor([[[-9.0], [9.0]]]), Run({}))
    torch.testing.assert_close(running, torch.tensor([[[-9.0], [9.0]]]))


def test_lags_stand_beside_the_step_and_a_segment_folds_its_steps() -> None:
    whole = sequence()
    lagged, _ = given(Lags(kind="lags", steps=(1, 3)), whole)
    assert torch.equal(lagged[:, 3:], torch.cat([whole[:, 3:], whole[:, 2:-1], whole[:, :-3]], dim=2))
    assert torch.equal(lagged[:, 0], torch.cat([whole[:, 0], torch.zeros(BATCH, 2 * WIDTH)], dim=1))
    folded, _ = given(Segment(kind="segment", width=3), whole)
    assert torch.equal(folded[:, 1], whole[:, 3:6].flatten(1))


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_the_last_state_of_a_layer_is_where_it_ends_its_reading(direction: Any) -> None:
    whole = sequence()
    torch.manual_seed(1)
    states, _ = given(Lstm(kind="lstm", units=4, direction=direction), whole)
    last, _ = given(Lstm(kind="lstm", units=4, direction=direction, output="last"), whole, every_step=False)
    ends = {"forward": states[:, -1], "backward": states[:, 0], "both": torch.cat([states[:, -1, :4], states[:, 0, 4:]], dim=1)}
    assert last.shape[1] == 1
    torch.testing.assert_close(last[:, 0], ends[direction])


def built(network: dict[str, object], inputs: dict[str, Any]) -> Network:
    spec = parse_spec({"context": STEPS, "horizon": 1, "inputs": inputs, "network": network})
    counted = compile_spec(spec, NetworkLimits()).parameters
    found = build(spec)
    torch.manual_seed(0)
    found.initialise()
    assert sum(parameter.numel() for parameter in found.parameters()) == counted
    return found.eval()


SIDES = {"a": {"columns": ["y"]}, "b": {"columns": ["x"]}}


@pytest.mark.parametrize(
    "network",
    [
        connect({"kind": "gru", "units": 3, "from": "a", "name": "first"}, {"kind": "share", "of": "first", "from": "b"}),
        connect({"kind": "gru", "units": 3, "from": "a"}, {"kind": "gru", "units": 3, "from": "b"}, share_weights=True),
    ],
)
def test_a_shared_block_has_one_set_of_weights_and_states_of_its_own(network: dict[str, object]) -> None:
    net = built(network, SIDES)
    same = torch.randn(BATCH, STEPS, 1)
    features, _ = net.encode({"a": same, "b": same})
    torch.testing.assert_close(features[..., :3], features[..., 3:])
    other = torch.randn(BATCH, STEPS, 1)
    whole, last = net.encode({"a": same, "b": other})
    _, between = net.encode({"a": same[:, :4], "b": other[:, :4]})
    second, _ = net.encode({"a": same[:, 4:], "b": other[:, 4:]}, between)
    torch.testing.assert_close(second, whole[:, 4:])
    assert len(last) == 2
    assert len(net.state_dict()) == len(set(net.state_dict())) == len(list(net.parameters()))
    torch.autograd.backward(whole.sum())
    assert all(parameter.grad is not None for parameter in net.body.parameters())


def test_attention_over_branches_weighs_each_by_what_it_gives() -> None:
    same = {"kind": "activation", "function": "tanh"}
    net = built(connect(same, same, {"kind": "activation", "function": "relu"}, merge="attention"), {"a": {"columns": ["y", "x"]}})
    values = torch.randn(BATCH, STEPS, 2)
    mixed, _ = net.encode({"a": values})
    weights = net.body.state_dict()
    parts = torch.stack([values.tanh(), values.tanh(), values.relu()])
    scores = torch.tanh(parts @ weights["scores.weight"].T + weights["scores.bias"]) @ weights["query.weight"].T
    torch.testing.assert_close(mixed, (scores.exp() / scores.exp().sum(dim=0) * parts).sum(dim=0))


def test_an_autoencoder_gives_its_code_and_rebuilds_what_it_reads() -> None:
    block = {"kind": "autoencoder", "encoder": {"kind": "gru", "units": 3}, "code": 2, "decoder": {"kind": "elman", "units": 3}}
    net = built(stack(block, {"kind": "dense", "units": 4}), {"a": {"columns": ["y", "x"]}})
    values = torch.randn(BATCH, STEPS, 2)
    features, _ = net.encode({"a": values})
    assert features.shape == (BATCH, 1, 4)
    autoencoder: Any = net.blocks[0]
    rebuilt = autoencoder.rebuild(values, Run({"a": values}))
    assert rebuilt.shape == values.shape
    code = autoencoder(values, Run({"a": values}))
    again = autoencoder.rebuilt(autoencoder.decoder(code.expand(-1, STEPS, -1), Run({})), Run({}))
    torch.testing.assert_close(rebuilt, again)
