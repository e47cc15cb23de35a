"""A head gives a loss, a mean and quantiles that never cross."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from app.nets.heads import RESIDUAL_LEVELS, PointHead, QuantilesHead, interpolate
from app.series.scores import pinball

LEVELS = (0.1, 0.25, 0.5, 0.9)
ALL = torch.ones(2, 3, dtype=torch.bool)
ONES = torch.ones(2)


def raw(outputs: int, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(2, 3, outputs, generator=torch.Generator().manual_seed(seed))


@given(st.lists(st.floats(0.01, 0.99), min_size=2, max_size=20, unique=True), st.integers(0, 1000))
def test_quantiles_rise_with_their_level_wherever_they_are_asked(levels: list[float], seed: int) -> None:
    values = QuantilesHead(LEVELS).quantiles(raw(len(LEVELS), seed), sorted(levels), ONES)
    assert (values.diff(dim=2) >= -1e-5).all()


def test_quantiles_at_the_trained_levels_are_those_that_the_loss_is_taken_of() -> None:
    head, numbers, target = QuantilesHead(LEVELS), raw(4), raw(1)[..., 0]
    values = head.quantiles(numbers, LEVELS, ONES)
    expected = np.mean([pinball(target.numpy(), values[..., place].numpy(), level) for place, level in enumerate(LEVELS)])
    assert head.loss(numbers, target, ALL, ONES).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "delta", "expected"),
    [("mse", None, (1 + 9) / 2), ("mae", None, (1 + 3) / 2), ("huber", 2.0, (0.5 + 2 * (3 - 1)) / 2), ("huber", None, (0.5 + 2.5) / 2)],
)
def test_steps_that_were_not_observed_have_no_loss(loss: str, delta: float | None, expected: float) -> None:
    head = PointHead(loss, delta, None)  # type: ignore[arg-type]
    numbers = torch.tensor([[[1.0], [3.0], [100.0]]])
    observed = torch.tensor([[True, True, False]])
    assert head.loss(numbers, torch.zeros(1, 3), observed, ONES[:1]).item() == pytest.approx(expected)
    assert head.loss(numbers, torch.zeros(1, 3), torch.zeros_like(observed), ONES[:1]).item() == 0.0


def test_the_mean_of_a_point_head_is_its_number_and_its_quantiles_are_the_measured_residuals_around_it() -> None:
    residuals = torch.linspace(-1, 1, len(RESIDUAL_LEVELS)).expand(3, -1)
    head = PointHead("mse", None, residuals)
    assert torch.equal(head.mean(raw(1), ONES), raw(1)[..., 0])
    values = head.quantiles(raw(1), (0.01, 0.5, 0.99), ONES)
    torch.testing.assert_close(values, raw(1) + torch.tensor([-1.0, 0.0, 1.0]), atol=1e-6, rtol=0)
    assert torch.equal(PointHead("mse", None, None).quantiles(raw(1), (0.1, 0.9), ONES), raw(1).expand(2, 3, 2))


def test_levels_between_and_beyond_the_known_ones_follow_the_normal_distribution() -> None:
    def normal(level: float) -> float:
        return 5 + 2 * math.sqrt(2) * torch.erfinv(torch.tensor(2 * level - 1, dtype=torch.float64)).item()

    known, wanted = (0.1, 0.4, 0.8), (0.01, 0.3, 0.5, 0.99)
    values = torch.tensor([[[normal(level) for level in known]]], dtype=torch.float64)
    expected = torch.tensor([[[normal(level) for level in wanted]]], dtype=torch.float64)
    torch.testing.assert_close(interpolate(values, known, torch.tensor([[wanted]], dtype=torch.float64)), expected)


def test_a_single_level_says_nothing_of_others() -> None:
    assert torch.equal(QuantilesHead((0.9,)).quantiles(raw(1), (0.1, 0.9), ONES), raw(1).expand(2, 3, 2))


def test_the_mean_of_quantiles_weighs_each_by_the_probability_nearest_to_it() -> None:
    head = QuantilesHead((0.1, 0.5, 0.9))
    numbers = torch.zeros(1, 1, 3)
    low, middle, high = head.quantiles(numbers, (0.1, 0.5, 0.9), ONES[:1])[0, 0].tolist()
    assert head.mean(numbers, ONES[:1]).item() == pytest.approx(0.3 * low + 0.4 * middle + 0.3 * high, abs=1e-6)
