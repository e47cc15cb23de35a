"""Each finding comes where it belongs, with a value and a remedy, and a healthy training has none."""

import pytest

from worker.training.advice import advise

FALLEN = [(1.0, 1.0), (0.5, 0.6), (0.4, 0.5), (0.399, 0.5), (0.398, 0.499)]
OVER = [(1.0, 1.0), (0.5, 0.5), (0.3, 0.55), (0.2, 0.6), (0.1, 0.7)]
UNDER = [(1.0, 1.0), (0.8, 0.8), (0.6, 0.6), (0.5, 0.5), (0.4, 0.4)]
HEALTHY = {
    "memory/network.0": 30.0,
    "saturation/network.0": 0.2,
    "dead_units/network.0": 0.0,
    "grad_norm/network.0": 1.0,
    "depth_ratio": 0.5,
}


def test_a_healthy_training_is_told_nothing() -> None:
    assert advise(FALLEN, HEALTHY, 40) == []
    assert advise([], {}, 40) == []


@pytest.mark.parametrize(
    ("history", "flow", "code", "place", "sentence", "remedy"),
    [
        (
            OVER,
            {},
            "overfitting",
            "training",
            "after epoch 2 the training loss fell on and the validation loss rose from 0.5 to 0.7",
            "dropout",
        ),
        (UNDER, {}, "underfitting", "training", "the validation loss to 0.4", "more epochs"),
        (FALLEN, {"memory/network.1": 5.0}, "vanishing_in_time", "network.1", "the newest 5 of 40 steps", "'init': 'chrono'"),
        (FALLEN, {"depth_ratio": 0.001}, "vanishing_in_depth", "network", "is 0.001 of the last one's", "'residual'"),
        (FALLEN, {"saturation/network": 0.9}, "saturated", "network", "90% of the gates of network", "'standard'"),
        (FALLEN, {"dead_units/network": 0.4}, "dead_units", "network", "40% of the units of network", "fewer units"),
    ],
)
def test_what_is_wrong_is_told_with_its_value_and_its_remedy(
    history: list[tuple[float, float | None]], flow: dict[str, float], code: str, place: str, sentence: str, remedy: str
) -> None:
    (finding,) = advise(history, {**HEALTHY, **flow}, 40)
    assert (finding.code, finding.place) == (code, place)
    assert sentence in finding.sentence
    assert remedy in finding.remedy


def test_a_short_context_and_a_curve_without_validation_say_nothing() -> None:
    assert advise([(1.0, None)] * 5, {"memory/network": 1.0}, 10) == []
    assert advise(UNDER[:3], {}, 10) == []
