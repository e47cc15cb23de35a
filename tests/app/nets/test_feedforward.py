"""Convolutions and attention see what they say, and nothing of the future."""

import math

import pytest
import torch
from torch import Tensor

from app.nets.leaves import Site, build_leaf
from app.nets.run import Run
from app.spec.leaves import Activate, Attention, Conv, Leaf, Norm

BATCH, STEPS, WIDTH = 2, 10, 3


def given(block: Leaf, values: Tensor, before: Run | None = None) -> tuple[Tensor, Run]:
    torch.manual_seed(1)
    module = build_leaf(block, values.shape[2], "place", Site(STEPS)).eval()
    run = Run({}, before.after if before else {})
    output: Tensor = module(values, run)
    return output, run


def sequence() -> Tensor:
    return torch.randn(BATCH, STEPS, WIDTH, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("block", [Conv(kind="conv", units=4, width=3, dilation=2), Attention(kind="attention", units=4, heads=2)])
def test_later_values_never_change_earlier_outputs(block: Leaf) -> None:
    whole = sequence()
    changed = whole.clone()
    changed[:, 6:] += 1.0
    before, after = given(block, whole)[0], given(block, changed)[0]
    torch.testing.assert_close(before[:, :6], after[:, :6])
    assert not torch.allclose(before[:, 6:], after[:, 6:])


@pytest.mark.parametrize("cut", [1, 4, 9])
@pytest.mark.parametrize("block", [Conv(kind="conv", units=4, width=3, dilation=2), Conv(kind="conv", units=2, width=1)])
def test_a_causal_convolution_carries_what_it_will_see_again(block: Conv, cut: int) -> None:
    whole = sequence()
    expected, _ = given(block, whole)
    first, between = given(block, whole[:, :cut])
    second, _ = given(block, whole[:, cut:], between)
    torch.testing.assert_close(torch.cat([first, second], dim=1), expected)


def test_a_convolution_is_a_sum_over_the_steps_that_it_sees() -> None:
    whole = sequence()
    block = Conv(kind="conv", units=4, width=3, dilation=2, activation="tanh")
    output, _ = given(block, whole)
    torch.manual_seed(1)
    module = build_leaf(block, WIDTH, "place", Site(STEPS))
    weight, bias = module.state_dict()["convolution.weight"], module.state_dict()["convolution.bias"]
    padded = torch.cat([torch.zeros(BATCH, 4, WIDTH), whole], dim=1)
    by_hand = bias + sum(padded[:, 2 * k : 2 * k + STEPS] @ weight[:, :, k].T for k in range(3))
    torch.testing.assert_close(output, torch.tanh(by_hand))


def test_a_convolution_that_is_not_causal_sees_as_far_ahead_as_behind() -> None:
    whole = sequence()
    changed = whole.clone()
    changed[:, 6] += 1.0
    block = Conv(kind="conv", units=4, width=3, causal=False)
    moved = (given(block, whole)[0] != given(block, changed)[0]).any(dim=2).any(dim=0)
    assert moved.nonzero().flatten().tolist() == [5, 6, 7]


def test_attention_is_its_equation() -> None:
    whole = sequence()
    block = Attention(kind="attention", units=4, heads=2)
    output, _ = given(block, whole)
    torch.manual_seed(1)
    weights = build_leaf(block, WIDTH, "place", Site(STEPS)).state_dict()
    query, key, value = (whole @ weights["project.weight"].T + weights["project.bias"]).chunk(3, dim=2)
    heads = []
    for head in range(2):
        part = slice(2 * head, 2 * head + 2)
        scores = query[..., part] @ key[..., part].transpose(1, 2) / math.sqrt(2)
        scores = scores.masked_fill(torch.ones(STEPS, STEPS).triu(1).bool(), -math.inf)
        heads.append(scores.softmax(dim=2) @ value[..., part])
    torch.testing.assert_close(output, torch.cat(heads, dim=2) @ weights["out.weight"].T + weights["out.bias"])


def test_norm_and_activation_act_at_every_step() -> None:
    whole = sequence()
    torch.testing.assert_close(given(Norm(kind="norm"), whole)[0].mean(dim=2), torch.zeros(BATCH, STEPS), atol=1e-6, rtol=0)
    assert torch.equal(given(Activate(kind="activation", function="relu"), whole)[0], whole.relu())
