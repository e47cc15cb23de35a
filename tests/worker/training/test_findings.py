"""Each finding comes where it belongs, with its place, its value and a way out, and a healthy training has none."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from worker.training.findings import Finding, find
from worker.training.state import EpochFacts

HEALTHY: Mapping[str, float | None] = {
    "grad_norm/network.0": 1.0,
    "grad_norm/network.0/forget": 0.3,
    "memory/network.0": 30.0,
    "memory/network.1": 6.0,
    "half_life/network.0": None,
    "saturation/network.0": 0.2,
    "dead_units/network.0": 0.0,
    "radius/network.0": 1.0,
    "update_ratio/network.0": 1e-3,
    "depth_ratio": 0.5,
}
SETTLED = [(1.0, 1.0), (0.5, 0.6), (0.4, 0.5), (0.399, 0.5), (0.398, 0.499)]
OVER = [(1.0, 1.0), (0.5, 0.5), (0.3, 0.55), (0.2, 0.6), (0.1, 0.7)]
UNDER = [(1.0, 1.0), (0.8, 0.8), (0.6, 0.6), (0.5, 0.5), (0.4, 0.4)]
Said = tuple[list[EpochFacts], dict[str, float]]
"""What the epochs came to, and what the last look saw."""

UNMOVED = [(1.0, 1.0), (0.99, 1.0), (0.99, 1.0), (0.98, 1.0), (0.98, 1.0)]


def history_of(
    losses: Sequence[tuple[float, float | None]] = SETTLED, norm: float = 1.0, clipped: float = 0.1, **metrics: float | None
) -> Said:
    """Epochs with these losses; a metric's `/` and `.` are written as `__` and `_`."""
    named = {name.replace("__network_", "/network."): value for name, value in metrics.items()}
    seen = {name: value for name, value in {**HEALTHY, **named}.items() if value is not None}
    return [EpochFacts(train, val, norm, clipped) for train, val in losses], seen


def told(said: Said, context: int) -> list[Finding]:
    history, seen = said
    return find(history, seen, context)


def codes(findings: Sequence[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def test_a_healthy_training_is_told_nothing() -> None:
    assert told(history_of(), 48) == []


def test_nothing_is_said_of_nothing() -> None:
    assert find([], {}, 48) == []
    assert find([EpochFacts(1.0, None)], {}, 48) == []
    assert told(history_of(memory__network_0=None, memory__network_1=None, depth_ratio=None, update_ratio__network_0=None), 48) == []


@pytest.mark.parametrize(
    ("history", "code", "severity", "place", "value", "sentence", "remedy"),
    [
        (history_of(memory__network_0=9.0), "vanishing_in_time", "warning", "network.0", 9.0, "newest 9 of 48 steps", "'lstm'"),
        (history_of(depth_ratio=0.001), "vanishing_in_depth", "warning", "network", 0.001, "is 0.001 of the last one's", "'residual'"),
        (history_of(norm=500.0), "exploding", "warning", "training", 500.0, "a median of 500, above 100", "clip_norm"),
        (history_of(clipped=0.75), "exploding", "info", "training", 0.75, "75% of the steps", "training.lr"),
        (
            history_of(saturation__network_0=0.9),
            "saturated",
            "warning",
            "network.0",
            0.9,
            "90% of the gate values of network.0",
            "'standard'",
        ),
        (history_of(dead_units__network_1=0.4), "dead_units", "warning", "network.1", 0.4, "40% of the units of network.1", "fewer units"),
        (history_of(update_ratio__network_0=0.3), "step_size", "warning", "network.0", 0.3, "by 0.3 of their size, above 0.1", "lower"),
        (history_of(update_ratio__network_0=1e-7), "step_size", "info", "network.0", 1e-7, "by 1e-07 of their size, below 1e-06", "raise"),
        (history_of(radius__network_0=3.0), "wide_radius", "info", "network.0", 3.0, "an eigenvalue of size 3, above 2", "'l2'"),
        (history_of(OVER), "overfitting", "warning", "training", 0.4, "best in epoch 2 and is 40% higher", "dropout"),
        (history_of(UNDER), "underfitting", "info", "training", 1 / 6, "still fell by 16.7% an epoch", "training.epochs"),
        (history_of(UNMOVED), "underfitting", "info", "training", 0.02 / 0.98, "fell by 2.0% since its first epoch", "more units"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_told_with_its_value_its_rule_and_its_remedy(
    history: Said, code: str, severity: str, place: str, value: float, sentence: str, remedy: str
) -> None:
    (finding,) = told(history, 48)
    assert (finding.code, finding.severity, finding.place) == (code, severity, place)
    assert finding.value == pytest.approx(value)
    assert sentence in finding.sentence
    assert place in finding.sentence
    assert remedy in finding.remedy


def test_a_layer_that_forgets_is_no_finding_where_the_one_that_it_reads_remembers() -> None:
    assert told(history_of(memory__network_0=2.0, memory__network_1=40.0), 48) == []


def test_a_short_context_has_no_memory_to_lose() -> None:
    assert told(history_of(memory__network_0=1.0, memory__network_1=1.0), 15) == []


def test_one_large_norm_is_no_explosion() -> None:
    history, seen = history_of()
    history[0] = replace(history[0], grad_norm=math.inf, clipped=1.0)
    history[1] = replace(history[1], grad_norm=1e6, clipped=1.0)
    assert find(history, seen, 48) == []


def test_curves_that_are_short_or_broken_say_nothing() -> None:
    assert told(history_of(UNDER[:3]), 48) == []
    assert told(history_of([*SETTLED, (math.nan, 0.5)]), 48) == []


def test_without_validation_the_training_loss_speaks_for_itself() -> None:
    assert codes(told(history_of([(train, None) for train, _ in UNDER]), 48)) == ["underfitting"]
    assert told(history_of([(train, None) for train, _ in SETTLED]), 48) == []
    assert told(history_of([(train, None) for train, _ in OVER[:2]] + [(0.3, None)] * 4), 48) == []


def test_a_rise_late_or_small_is_no_overfitting() -> None:
    late = [(1.0, 1.0), (0.5, 0.7), (0.3, 0.6), (0.3, 0.5), (0.295, 0.56)]
    small = [(1.0, 1.0), (0.5, 0.5), (0.49, 0.52), (0.485, 0.53), (0.48, 0.54)]
    assert told(history_of(late), 48) == []
    assert told(history_of(small), 48) == []


def test_a_likelihood_may_go_below_zero_and_is_judged_by_how_far_it_has_come() -> None:
    settled = [(2.0, 2.0), (0.5, 0.6), (-0.01, 0.001), (-0.012, -0.001), (-0.013, -0.001)]
    assert told(history_of(settled), 48) == []
    over = [(2.0, 2.0), (0.0, -0.1), (-1.0, 0.3), (-2.0, 0.8), (-3.0, 1.2)]
    assert codes(told(history_of(over), 48)) == ["overfitting"]
    under = [(2.0, 2.0), (1.0, 1.0), (0.0, 0.0), (-1.0, -1.0), (-2.0, -2.0)]
    assert codes(told(history_of(under), 48)) == ["underfitting"]


def test_several_things_may_be_wrong() -> None:
    history = history_of(OVER, norm=500.0, memory__network_0=2.0, dead_units__network_0=0.5)
    assert codes(told(history, 48)) == ["vanishing_in_time", "dead_units", "exploding", "overfitting"]
