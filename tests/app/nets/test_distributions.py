"""Distributions are those of scipy, in the units of their windows."""

from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor
from torch.nn.functional import softplus

from app.nets.distributions import SMALLEST, NegativeBinomialHead, NormalHead, PoissonHead, StudentHead
from app.nets.heads import Head

HEADS: dict[str, tuple[Head, int]] = {
    "normal": (NormalHead(), 2),
    "student_t": (StudentHead(), 3),
    "poisson": (PoissonHead(), 1),
    "negative_binomial": (NegativeBinomialHead(), 2),
}
BATCH, HORIZON = 3, 4
SCALE = torch.tensor([1.0, 2.0, 10.0])
ALL = torch.ones(BATCH, HORIZON, dtype=torch.bool)
LEVELS = (0.05, 0.3, 0.5, 0.9)
each_head = pytest.mark.parametrize("name", HEADS)


def raw(outputs: int) -> Tensor:
    return torch.randn(BATCH, HORIZON, outputs, generator=torch.Generator().manual_seed(1))


def positive(values: Tensor) -> np.ndarray:
    return (softplus(values) + SMALLEST).double().numpy()


def frozen(name: str, numbers: Tensor) -> Any:
    """The same in scipy: of scaled values, or of counts."""
    unit = SCALE.double().numpy()[:, None]
    match name:
        case "normal":
            return scipy.stats.norm(numbers[..., 0].numpy(), positive(numbers[..., 1]))
        case "student_t":
            freedom = 2 + softplus(numbers[..., 2]).double().numpy()
            return scipy.stats.t(freedom, numbers[..., 0].double().numpy(), positive(numbers[..., 1]))
        case "poisson":
            return scipy.stats.poisson(positive(numbers[..., 0]) * unit)
        case _:
            mean, successes = positive(numbers[..., 0]) * unit, np.sqrt(unit) / positive(numbers[..., 1])
            return scipy.stats.nbinom(successes, successes / (successes + mean))


def is_of_counts(name: str) -> bool:
    return name in {"poisson", "negative_binomial"}


@each_head
def test_the_loss_is_minus_the_log_likelihood(name: str) -> None:
    head, outputs = HEADS[name]
    numbers = raw(outputs)
    counts = torch.arange(BATCH * HORIZON).reshape(BATCH, HORIZON).float()
    target = counts / SCALE[:, None] if is_of_counts(name) else counts / 5 - 1
    reference = frozen(name, numbers)
    expected = -(reference.logpmf(counts.numpy()) if is_of_counts(name) else reference.logpdf(target.numpy())).mean()
    assert head.loss(numbers, target, ALL, SCALE).item() == pytest.approx(expected, rel=1e-4)
    assert head.loss(numbers, target, torch.zeros_like(ALL), SCALE).item() == 0.0


@each_head
def test_mean_and_quantiles_are_those_of_the_distribution_in_scaled_units(name: str) -> None:
    head, outputs = HEADS[name]
    numbers = raw(outputs)
    reference = frozen(name, numbers)
    unit = SCALE.numpy()[:, None] if is_of_counts(name) else 1.0
    np.testing.assert_allclose(head.mean(numbers, SCALE).numpy(), reference.mean() / unit, rtol=1e-4)
    values = head.quantiles(numbers, LEVELS, SCALE).numpy()
    for place, level in enumerate(LEVELS):
        np.testing.assert_allclose(values[..., place], reference.ppf(level) / unit, rtol=1e-4, atol=1e-6)


@each_head
def test_a_likelihood_falls_towards_what_was_seen(name: str) -> None:
    head, outputs = HEADS[name]
    numbers = raw(outputs).requires_grad_()
    target = torch.full((BATCH, HORIZON), 6.0) / (SCALE[:, None] if is_of_counts(name) else 4.0)
    before = (head.mean(numbers, SCALE).detach() - target).abs().mean()
    optimizer = torch.optim.Adam([numbers], lr=0.3)
    losses = []
    for _ in range(400):
        optimizer.zero_grad()
        loss = head.loss(numbers, target, ALL, SCALE)
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert np.isfinite(losses).all()
    assert (head.mean(numbers, SCALE).detach() - target).abs().mean() < 0.5 * before
