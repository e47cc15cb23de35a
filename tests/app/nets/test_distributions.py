"""Distributions are those of scipy, in the units of their windows; every one has the same laws."""

from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest
import scipy.special
import scipy.stats
import torch
from torch import Tensor
from torch.nn.functional import softplus

from app.nets.build import build_head
from app.nets.distributions import SMALLEST
from app.nets.heads import Head, stratified_ranks
from app.nets.inversion import negative_binomial_counts, poisson_counts
from app.nets.tweedie import TweedieHead
from app.spec.forecaster import Distribution
from app.spec.parse import parse_spec
from app.spec.shapes import head_width

KINDS = [get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(Distribution)]
COUNTS = {"poisson", "negative_binomial"}
BATCH, HORIZON, PATHS = 3, 4, 2000
SCALE = torch.tensor([1.0, 2.0, 10.0])
ALL = torch.ones(BATCH, HORIZON, dtype=torch.bool)
LEVELS = (0.05, 0.3, 0.5, 0.9)
POWER = 1.5
each_kind = pytest.mark.parametrize("kind", KINDS)

Numbers = npt.NDArray[np.float64]


def head_of(kind: str) -> tuple[Head, Tensor]:
    """A head, and raw numbers for it."""
    spec = parse_spec({"network": {"kind": "gru", "units": 2}, "scaling": {"target": "none"}, "head": {"kind": kind}})
    generator = torch.Generator().manual_seed(1)
    return build_head(spec), torch.randn(BATCH, HORIZON, head_width(spec.head), generator=generator)


def positive(values: Tensor) -> Numbers:
    return (softplus(values) + SMALLEST).double().numpy()


class Mixed:
    """A mixture of normal distributions, by scipy."""

    def __init__(self, raw: Tensor) -> None:
        numbers = raw.double()
        self.weights = scipy.special.softmax(numbers[..., :3].numpy(), axis=-1)
        self.parts = scipy.stats.norm(numbers[..., 3:6].numpy(), positive(raw[..., 6:]))

    def mean(self) -> Numbers:
        return np.asarray((self.weights * self.parts.mean()).sum(axis=-1))

    def cdf(self, values: Numbers) -> Numbers:
        return np.asarray((self.weights * self.parts.cdf(values[..., None])).sum(axis=-1))

    def logpdf(self, values: Numbers) -> Numbers:
        return np.asarray(np.log((self.weights * self.parts.pdf(values[..., None])).sum(axis=-1)))


class Compound:
    """Sums of a Poisson number of gamma variables, by scipy: over all numbers that have any probability."""

    def __init__(self, mean: Numbers, dispersion: Numbers, power: float) -> None:
        self.rate = mean ** (2 - power) / (dispersion * (2 - power))
        numbers = np.arange(1.0, 2000.0 + 5 * self.rate.max())
        self.log_weights = scipy.stats.poisson.logpmf(numbers, self.rate[..., None])
        shapes, scale = numbers * (2 - power) / (power - 1), dispersion * (power - 1) * mean ** (power - 1)
        self.parts = scipy.stats.gamma(shapes, scale=scale[..., None])
        self._mean = mean

    def mean(self) -> Numbers:
        return self._mean

    def cdf(self, values: Numbers) -> Numbers:
        return np.asarray(np.exp(-self.rate) + (np.exp(self.log_weights) * self.parts.cdf(values[..., None])).sum(axis=-1))

    def logpdf(self, values: Numbers) -> Numbers:
        with np.errstate(divide="ignore", invalid="ignore"):
            density = scipy.special.logsumexp(self.log_weights + self.parts.logpdf(values[..., None]), axis=-1)
        return np.where(values > 0, density, -self.rate)


def reference(kind: str, raw: Tensor) -> Any:
    """The same in scipy: of scaled values, or of counts."""
    unit = SCALE.double().numpy()[:, None]
    match kind:
        case "normal":
            return scipy.stats.norm(raw[..., 0].double().numpy(), positive(raw[..., 1]))
        case "student_t":
            freedom = 2 + softplus(raw[..., 2]).double().numpy()
            return scipy.stats.t(freedom, raw[..., 0].double().numpy(), positive(raw[..., 1]))
        case "poisson":
            return scipy.stats.poisson(positive(raw[..., 0]) * unit)
        case "negative_binomial":
            mean, successes = positive(raw[..., 0]) * unit, np.sqrt(unit) / positive(raw[..., 1])
            return scipy.stats.nbinom(successes, successes / (successes + mean))
        case "mixture":
            return Mixed(raw)
        case "tweedie":
            return Compound(positive(raw[..., 0]), positive(raw[..., 1]), POWER)
        case _:
            raise AssertionError(kind)


def unit_of(kind: str) -> Numbers:
    """What the head's values are multiplied by to be those of the reference."""
    return SCALE.double().numpy()[:, None] if kind in COUNTS else np.ones((BATCH, 1))


@each_kind
def test_the_loss_is_minus_the_log_likelihood(kind: str) -> None:
    head, raw = head_of(kind)
    counts = torch.arange(BATCH * HORIZON).reshape(BATCH, HORIZON).float()
    shift = 0.0 if kind == "tweedie" else 1.0
    target = counts / SCALE[:, None] if kind in COUNTS else counts / 5 - shift
    of = reference(kind, raw)
    expected = -(of.logpmf(counts.numpy()) if kind in COUNTS else of.logpdf(target.double().numpy())).mean()
    assert head.loss(raw, target, ALL, SCALE).item() == pytest.approx(expected, rel=1e-4)
    assert head.loss(raw, target, torch.zeros_like(ALL), SCALE).item() == 0.0


@each_kind
def test_the_mean_is_that_of_the_distribution_and_of_its_samples(kind: str) -> None:
    head, raw = head_of(kind)
    mean = head.mean(raw, SCALE).numpy()
    np.testing.assert_allclose(mean, reference(kind, raw).mean() / unit_of(kind), rtol=1e-4)
    paths = head.sample(raw, PATHS, SCALE, torch.Generator().manual_seed(0))
    assert paths.shape == (BATCH, PATHS, HORIZON)
    spread = paths.std(dim=1).numpy()
    assert (np.abs(paths.mean(dim=1).numpy() - mean) < 0.02 * spread + 1e-6).all()


@each_kind
def test_quantiles_are_where_the_distribution_function_reaches_their_level(kind: str) -> None:
    head, raw = head_of(kind)
    of, unit = reference(kind, raw), unit_of(kind)
    values = head.quantiles(raw.double(), LEVELS, SCALE).numpy()
    assert (np.diff(values, axis=2) >= 0).all()
    for place, level in enumerate(LEVELS):
        value = np.rint(values[..., place] * unit) if kind in COUNTS else values[..., place]
        reached = of.cdf(value)
        if kind in COUNTS:
            assert (reached >= level - 1e-9).all()
            assert (np.where(value > 0, of.cdf(value - 1), 0.0) < level + 1e-9).all()
        else:
            np.testing.assert_allclose(reached[value != 0], level, atol=1e-6)
            assert (reached[value == 0] >= level).all()


@each_kind
def test_samples_have_the_distribution_of_the_head(kind: str) -> None:
    head, raw = head_of(kind)
    of, unit = reference(kind, raw), unit_of(kind)
    ranks = stratified_ranks(HORIZON, PATHS, torch.Generator().manual_seed(0))
    paths = head.sample(raw.double(), PATHS, SCALE, torch.Generator().manual_seed(0)).transpose(1, 2)
    drawn = head.draw(raw.double(), ranks[None].expand(BATCH, -1, -1), SCALE)
    for samples in (paths, drawn):
        values = np.sort(samples.numpy(), axis=2) * unit[..., None]
        for place in range(0, PATHS, 50):
            value = np.rint(values[..., place]) if kind in COUNTS else values[..., place]
            share = (values <= value[..., None] + 1e-9).mean(axis=2)
            assert np.abs(share - of.cdf(value)).max() < 0.01


@each_kind
def test_a_path_keeps_its_rank_at_all_its_steps(kind: str) -> None:
    head, raw = head_of(kind)
    paths = head.sample(raw, 50, SCALE, torch.Generator().manual_seed(0))
    in_order = paths.gather(1, paths[..., :1].argsort(dim=1, stable=True).expand_as(paths))
    ties = in_order[..., :1].diff(dim=1) == 0
    assert ((in_order.diff(dim=1) >= 0) | ties).all()
    assert torch.equal(paths, head.sample(raw, 50, SCALE, torch.Generator().manual_seed(0)))


@each_kind
def test_the_gradient_of_the_loss_is_that_of_finite_differences(kind: str) -> None:
    head, raw = head_of(kind)
    target = torch.arange(BATCH * HORIZON).reshape(BATCH, HORIZON).double() / (SCALE.double()[:, None] if kind in COUNTS else 4.0)
    numbers = raw.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda values: head.loss(values, target, ALL, SCALE.double()), (numbers,), atol=1e-5)


@each_kind
def test_a_likelihood_falls_towards_what_was_seen(kind: str) -> None:
    head, raw = head_of(kind)
    numbers = raw.requires_grad_()
    target = torch.full((BATCH, HORIZON), 6.0) / (SCALE[:, None] if kind in COUNTS else 4.0)
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


@pytest.mark.parametrize("power", [1.05, 1.2, 1.5, 1.8, 1.95])
@pytest.mark.parametrize("dispersion", [-6.0, -1.0, 3.0])
def test_every_power_and_dispersion_has_its_likelihood_and_its_quantiles(power: float, dispersion: float) -> None:
    head = TweedieHead(power)
    raw = torch.tensor([[[-3.0, dispersion], [0.0, dispersion], [3.0, dispersion]]], dtype=torch.float64)
    of = Compound(positive(raw[..., 0]), positive(raw[..., 1]), power)
    for share in (0.0, 0.05, 1.0, 2.5):
        target = share * head.mean(raw, SCALE[:1])
        expected = -of.logpdf(target.numpy()).mean()
        assert head.loss(raw, target, ALL[:1, :3], SCALE[:1]).item() == pytest.approx(expected, rel=1e-5, abs=1e-5)
    values = head.quantiles(raw, (0.01, 0.5, 0.99), SCALE[:1]).numpy()
    for place, level in enumerate((0.01, 0.5, 0.99)):
        reached = of.cdf(values[..., place])
        is_zero = values[..., place] == 0
        np.testing.assert_allclose(reached[~is_zero], level, atol=1e-6)
        assert (reached[is_zero] >= level).all()


def test_a_mixture_with_parts_far_apart_has_a_finite_loss_and_quantiles_in_each() -> None:
    head, _ = head_of("mixture")
    raw = torch.tensor([[[0.0, 0.0, -50.0, -200.0, 300.0, 0.0, -4.0, -4.0, -4.0]]])
    loss = head.loss(raw, torch.tensor([[40.0]]), ALL[:1, :1], SCALE[:1])
    assert loss.isfinite()
    low, high = head.quantiles(raw, (0.25, 0.75), SCALE[:1])[0, 0].tolist()
    assert low == pytest.approx(-200.0, abs=0.1)
    assert high == pytest.approx(300.0, abs=0.1)


@pytest.mark.parametrize("mean", [1e-3, 1.0, 40.0, 1e5])
def test_counts_at_ranks_are_those_of_scipys_distributions(mean: float) -> None:
    generator = np.random.default_rng(0)
    ranks = np.concatenate([generator.uniform(size=2000), [1e-9, 1.0 - 1e-9]])
    successes = np.exp(generator.uniform(-3.0, 8.0, len(ranks)))
    rate = mean * generator.uniform(0.5, 2.0, len(ranks))
    probability = successes / (successes + rate)
    assert np.array_equal(poisson_counts(ranks, rate), scipy.stats.poisson.ppf(ranks, rate))
    assert np.array_equal(negative_binomial_counts(ranks, successes, probability), scipy.stats.nbinom.ppf(ranks, successes, probability))
