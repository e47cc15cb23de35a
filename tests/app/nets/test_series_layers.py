"""What takes the target apart is what its equations say, and what it took away is put back exactly."""

import functools
import operator
from typing import Any

import pytest
import torch
from torch import Tensor

from app.nets.build import Network, build
from app.nets.outlook import Outlook
from app.nets.run import About, Run
from app.nets.smoothing import Smoothing
from app.spec.leaves import Smooth
from app.spec.parse import parse_spec
from tests.strategies_specs import stack

BATCH, STEPS, HORIZON = 2, 12, 5


def series(seed: int = 0) -> Tensor:
    return torch.rand(BATCH, STEPS, 1, generator=torch.Generator().manual_seed(seed)) + 0.5


def built(block: dict[str, Any]) -> Network:
    network = stack({**block, "from": "target"}, {"kind": "dense", "units": 3})
    net = build(parse_spec({"context": STEPS, "horizon": HORIZON, "network": network}))
    torch.manual_seed(0)
    net.initialise()
    return net.eval()


def looked(net: Network, values: Tensor) -> tuple[Tensor, Outlook]:
    raw, outlook = net.look({"target": values}, values.new_zeros(BATCH, HORIZON, 0))
    assert outlook is not None
    return raw, outlook


@pytest.mark.parametrize("by", ["last", "mean", "revin"])
def test_a_forecast_moves_with_the_level_of_its_window(by: str) -> None:
    net = built({"kind": "instance_norm", "by": by})
    values = series()
    raw, outlook = looked(net, values)
    moved, other = looked(net, values + 10.0)
    torch.testing.assert_close(moved, raw, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(other.together(moved[..., 0]), outlook.together(raw[..., 0]) + 10.0)


@pytest.mark.parametrize("by", ["last", "mean", "revin"])
def test_the_level_of_a_window_is_what_it_says_and_is_put_back_exactly(by: str) -> None:
    net = built({"kind": "instance_norm", "by": by})
    block: Any = net.blocks[0]
    if by == "revin":
        torch.nn.init.constant_(block.block.weight, 1.5)
        torch.nn.init.constant_(block.block.bias, -0.3)
    values = series()
    run = Run({"target": values})
    normalised = block(values, run)
    mean, deviation = values.mean(dim=1, keepdim=True), values.std(dim=1, keepdim=True, unbiased=False)
    by_hand = {"last": values - values[:, -1:], "mean": values - mean, "revin": (values - mean) / deviation * 1.5 - 0.3}
    torch.testing.assert_close(normalised, by_hand[by], atol=1e-4, rtol=1e-4)
    outlook = block.block.outlook(run.named, None, STEPS)
    torch.testing.assert_close(outlook.together(normalised[..., 0]), values[..., 0])
    torch.testing.assert_close(outlook.apart(values[..., 0]), normalised[..., 0])
    torch.testing.assert_close(outlook.together(normalised), values)


def smoothed(form: Any, seasons: tuple[int, ...], rows: int = 1) -> Smoothing:
    layer = Smoothing(Smooth(kind="smooth", form=form, seasons=seasons, series=rows), "place")
    layer.initialise()
    torch.nn.init.normal_(layer.table, std=0.5, generator=torch.Generator().manual_seed(3))
    return layer.eval()


def rates_and_turns(layer: Smoothing, form: str, seasons: tuple[int, ...], first: int) -> tuple[float, list[float], list[list[float]]]:
    """Alpha, each season's gamma, and its values from the first step on."""
    row = layer.table[0].detach().double()
    gammas, turns, at = [], [], 1
    for season in seasons:
        gammas.append(float(row[at].sigmoid()))
        own = row[at + 1 : at + 1 + season]
        own = own.exp() if form == "multiplicative" else own
        turns.append([float(own[(first + step) % season]) for step in range(season)])
        at += 1 + season
    return float(row[0].sigmoid()), gammas, turns


def by_hand(layer: Smoothing, form: str, seasons: tuple[int, ...], values: list[float], first: int) -> tuple[Any, ...]:
    """What the layer gives, and its forecast of each step of the horizon, one number at a time."""
    with_, without = (operator.mul, operator.truediv) if form == "multiplicative" else (operator.add, operator.sub)
    neutral = 1.0 if form == "multiplicative" else 0.0
    alpha, gammas, turns = rates_and_turns(layer, form, seasons, first)
    level, given = 0.0, []
    for step, value in enumerate(values):
        parts = [turn[step] for turn in turns]
        total = functools.reduce(with_, parts, neutral)
        before = without(value, total) if step == 0 else level
        level = before + alpha * (without(value, total) - before)
        for turn, gamma, part in zip(turns, gammas, parts, strict=True):
            seen = without(value, with_(level, without(total, part)))
            turn.append(part + gamma * (seen - part))
        given.append([without(value, with_(level, total)) - neutral, without(level, before) - neutral])
    coming = [[turn[len(values) + step % season] for turn, season in zip(turns, seasons, strict=True)] for step in range(HORIZON)]
    return given, [functools.reduce(with_, parts, level) for parts in coming]


@pytest.mark.parametrize("form", ["multiplicative", "additive"])
@pytest.mark.parametrize("seasons", [(), (3,), (2, 7)])
def test_smoothing_is_its_equations(form: Any, seasons: tuple[int, ...]) -> None:
    layer = smoothed(form, seasons)
    values, first = series()[:1], 5
    run = Run({}, about=About(torch.tensor([0]), torch.tensor([first])))
    given, ahead = by_hand(layer, form, seasons, values[0, :, 0].tolist(), first)
    torch.testing.assert_close(layer(values, run), torch.tensor([given]), atol=1e-5, rtol=1e-4)
    outlook = layer.outlook(run.named, None, HORIZON)
    torch.testing.assert_close(outlook.together(torch.zeros(1, HORIZON)), torch.tensor([ahead]), atol=1e-5, rtol=1e-4)


def test_a_horizon_after_each_step_sees_nothing_after_it() -> None:
    layer = smoothed("additive", (3,))
    values = series()
    run = Run({})
    whole = layer(values, run)
    outlook = layer.outlook(run.named, torch.arange(STEPS), HORIZON)
    for step in range(STEPS):
        part = Run({})
        torch.testing.assert_close(layer(values[:, : step + 1], part), whole[:, : step + 1])
        alone = layer.outlook(part.named, None, HORIZON)
        torch.testing.assert_close(alone.offset, outlook.offset.view(BATCH, STEPS, HORIZON)[:, step])


def test_each_series_has_its_own_row_and_one_that_was_not_learnt_what_was_fitted_to_it() -> None:
    layer = smoothed("additive", (3,), rows=2)
    values = series()[:1].expand(3, -1, -1)
    fitted = torch.stack([torch.full((5,), float("nan")), layer.table[1].detach(), torch.full((5,), float("nan"))])
    given = layer(values, Run({}, about=About(torch.tensor([0, -1, 1]), torch.zeros(3, dtype=torch.int64), fitted)))
    torch.testing.assert_close(given[1], given[2])
    assert not torch.allclose(given[0], given[1])


def test_gradients_reach_only_the_series_of_the_batch() -> None:
    layer = smoothed("multiplicative", (3,), rows=3)
    given = layer(series(), Run({}, about=About(torch.tensor([2, 0]), torch.zeros(2, dtype=torch.int64))))
    torch.autograd.backward(given.square().sum())
    assert layer.table.grad is not None
    assert layer.table.grad[[0, 2]].abs().sum(dim=1).gt(0).all()
    assert layer.table.grad[1].abs().sum() == 0
