"""Each finding comes where it belongs, with its place, its value and a way out, and a healthy training has none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from worker.training.findings import Finding, find
from worker.training.looks import LayerLook, Look
from worker.training.state import EpochFacts

FIRST = LayerLook(
    place="network.0",
    steps=48,
    grad_norm=1.0,
    gate_norms={"forget": 0.3},
    lags=[0, 47],
    norms=[1.0, 0.5],
    memory=30,
    half_life=None,
    growth=1.0,
    saturation=0.2,
    gate_saturation={"forget": 0.2},
    dead_units=0.0,
    radius=1.0,
    update_ratio=1e-3,
)
SECOND = replace(FIRST, place="network.1", memory=6)
SETTLED = [(1.0, 1.0), (0.5, 0.6), (0.4, 0.5), (0.399, 0.5), (0.398, 0.499)]
OVER = [(1.0, 1.0), (0.5, 0.5), (0.3, 0.55), (0.2, 0.6), (0.1, 0.7)]
UNDER = [(1.0, 1.0), (0.8, 0.8), (0.6, 0.6), (0.5, 0.5), (0.4, 0.4)]
UNMOVED = [(1.0, 1.0), (0.99, 1.0), (0.99, 1.0), (0.98, 1.0), (0.98, 1.0)]


@dataclass(frozen=True)
class Said:
    """What the epochs came to, and what the last look saw."""

    history: list[EpochFacts]
    look: Look


def said(
    losses: Sequence[tuple[float, float | None]] = SETTLED, norm: float = 1.0, clipped: float = 0.1, ratio: float | None = 0.5, **first: Any
) -> Said:
    """Epochs with these losses, and a look at two layers of which the first has some other numbers."""
    return Said([EpochFacts(train, val, norm, clipped) for train, val in losses], Look([replace(FIRST, **first), SECOND], ratio))


def told(one: Said) -> list[Finding]:
    return find(one.history, one.look)


def codes(findings: Sequence[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def test_a_healthy_training_is_told_nothing() -> None:
    assert told(said()) == []


def test_nothing_is_said_of_nothing() -> None:
    assert find([], Look()) == []
    assert find([EpochFacts(1.0, None)], Look()) == []
    assert told(said(grad_norm=None, growth=None, saturation=None, radius=None, update_ratio=None, ratio=None)) == []


@pytest.mark.parametrize(
    ("one", "code", "severity", "place", "value", "sentence", "remedy"),
    [
        (said(memory=9), "vanishing_in_time", "warning", "network.0", 9.0, "newest 9 of 48 steps", "'lstm'"),
        (said(ratio=0.001), "vanishing_in_depth", "warning", "network", 0.001, "is 0.001 of the last one's", "'residual'"),
        (said(norm=500.0), "exploding", "warning", "training", 500.0, "a median of 500, above 100", "clip_norm"),
        (said(clipped=0.75), "clipped", "info", "training", 0.75, "75% of the steps", "training.lr"),
        (
            said(saturation=0.9),
            "saturated",
            "warning",
            "network.0",
            0.9,
            "90% of the gate values of network.0",
            "'standard'",
        ),
        (said(dead_units=0.4), "dead_units", "warning", "network.0", 0.4, "40% of the units of network.0", "fewer units"),
        (said(update_ratio=0.3), "step_size", "warning", "network.0", 0.3, "by 0.3 of their size, above 0.1", "lower"),
        (said(update_ratio=1e-7), "step_size", "info", "network.0", 1e-7, "by 1e-07 of their size, below 1e-06", "raise"),
        (said(growth=1e4, radius=3.0), "exploding", "warning", "network.0", 1e4, "grows 1e+04 times on its way back", "'l2'"),
        (said(growth=1e4, radius=None), "exploding", "warning", "network.0", 1e4, "more than 100", "'tanh' in place of 'relu'"),
        (said(growth=20.0, radius=3.0), "wide_radius", "info", "network.0", 3.0, "an eigenvalue of size 3, above 2", "'l2'"),
        (said(OVER), "overfitting", "warning", "training", 0.4, "best in epoch 2 and is 40% higher", "dropout"),
        (said(UNDER), "underfitting", "info", "training", 1 / 6, "still fell by 16.7% an epoch", "training.epochs"),
        (said(UNMOVED), "underfitting", "info", "training", 0.02 / 0.98, "fell by 2.0% since its first epoch", "more units"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_told_with_its_value_its_rule_and_its_remedy(
    one: Said, code: str, severity: str, place: str, value: float, sentence: str, remedy: str
) -> None:
    (finding,) = told(one)
    assert (finding.code, finding.severity, finding.place) == (code, severity, place)
    assert finding.value == pytest.approx(value)
    assert sentence in finding.sentence
    assert place in finding.sentence
    assert remedy in finding.remedy


def test_a_layer_that_forgets_is_no_finding_where_the_one_that_it_reads_remembers() -> None:
    assert told(said(memory=40)) == []
    assert find([], Look([SECOND, replace(FIRST, memory=47)])) == []


def test_a_layer_that_reads_few_steps_has_no_memory_to_lose_however_long_the_context() -> None:
    pieces = replace(FIRST, steps=7, memory=1)
    assert find([], Look([pieces])) == []
    assert codes(find([], Look([pieces, SECOND]))) == ["vanishing_in_time"]
    assert find([], Look([replace(FIRST, steps=15, memory=1)])) == []


def test_a_wide_radius_says_nothing_where_the_gates_keep_gradients_from_growing() -> None:
    assert told(said(growth=5.0, radius=6.0)) == []


def test_one_large_norm_is_no_explosion() -> None:
    history = said().history
    history[0] = replace(history[0], grad_norm=math.inf, clipped=1.0)
    history[1] = replace(history[1], grad_norm=1e6, clipped=1.0)
    assert find(history, Look()) == []


def test_norms_that_rise_and_stay_up_are_an_explosion_but_not_where_they_rise_from_nearly_nothing() -> None:
    history = [EpochFacts(1.0, 1.0, norm) for norm in (0.5, 0.6, 0.5, 2.0, 9.0, 8.0, 9.0)]
    finding, *_ = find(history, Look())
    assert (finding.code, finding.severity, finding.place, finding.value) == ("exploding", "warning", "training", 9.0)
    assert "rose from 0.5 to 9, more than 10 times" in finding.sentence
    assert "training.clip_norm" in finding.remedy
    small = [replace(epoch, grad_norm=epoch.grad_norm / 100.0) for epoch in history]
    assert "exploding" not in codes(find(small, Look()))


def test_curves_that_are_short_or_broken_say_nothing() -> None:
    assert told(said(UNDER[:3])) == []
    assert told(said([*SETTLED, (math.nan, 0.5)])) == []


def test_without_validation_the_training_loss_speaks_for_itself() -> None:
    assert codes(told(said([(train, None) for train, _ in UNDER]))) == ["underfitting"]
    assert told(said([(train, None) for train, _ in SETTLED])) == []
    assert told(said([(train, None) for train, _ in OVER[:2]] + [(0.3, None)] * 4)) == []


def test_a_rise_late_or_small_is_no_overfitting() -> None:
    late = [(1.0, 1.0), (0.5, 0.7), (0.3, 0.6), (0.3, 0.5), (0.295, 0.56)]
    small = [(1.0, 1.0), (0.5, 0.5), (0.49, 0.52), (0.485, 0.53), (0.48, 0.54)]
    assert told(said(late)) == []
    assert told(said(small)) == []


def test_a_likelihood_may_go_below_zero_and_is_judged_by_how_far_it_has_come() -> None:
    settled = [(2.0, 2.0), (0.5, 0.6), (-0.01, 0.001), (-0.012, -0.001), (-0.013, -0.001)]
    assert told(said(settled)) == []
    over = [(2.0, 2.0), (0.0, -0.1), (-1.0, 0.3), (-2.0, 0.8), (-3.0, 1.2)]
    assert codes(told(said(over))) == ["overfitting"]
    under = [(2.0, 2.0), (1.0, 1.0), (0.0, 0.0), (-1.0, -1.0), (-2.0, -2.0)]
    assert codes(told(said(under))) == ["underfitting"]


def test_several_things_may_be_wrong() -> None:
    one = said(OVER, norm=500.0, memory=2, dead_units=0.5)
    assert codes(told(one)) == ["vanishing_in_time", "dead_units", "exploding", "overfitting"]
