"""A comparison says what the phases have brought, and the phases are what they would be without it."""

from itertools import islice
from typing import Any

import pytest
import torch

from app.forecasting.checkpoint import pack, unpack
from app.nets.build import build
from app.spec.phases import plan
from app.spec.stages import REFERENCE
from tests.worker.training.lessons import CPU, said, spec_of, training_of, waves
from worker.reading import Reading
from worker.training.comparison import compare, network_aside
from worker.training.fit import Training, fit
from worker.training.material import prepare
from worker.training.state import StageOutcome

PHASES: dict[str, Any] = {"phases": [{"learn": "layer by layer", "epochs": 2}], "epochs": 3, "batch_size": 64, "patience": None}


def compared() -> Training:
    spec = spec_of(training=PHASES)
    return Training(spec, build(spec), prepare(spec, waves(), CPU), CPU, plan(spec, is_compared=True))


def outcome(*, is_reference: bool, val_loss: float | None, cpu_seconds: float = 1.0) -> StageOutcome:
    return StageOutcome("a stage", 10, 3, 2, val_loss, 2.0, cpu_seconds, None, is_reference)


def test_the_phases_go_as_without_a_comparison_and_the_joint_training_as_without_phases() -> None:
    plain, joint, both = (
        training_of(spec_of(training=PHASES)),
        training_of(spec_of(training={**PHASES, "phases": [{"learn": "all"}]})),
        compared(),
    )
    for training in (plain, joint, both):
        for _ in fit(training):
            pass
    assert all(torch.equal(weight, both.network.state_dict()[name]) for name, weight in plain.network.state_dict().items())
    reference = network_aside(both.spec, both, REFERENCE).state_dict()
    assert all(torch.equal(weight, reference[name]) for name, weight in joint.network.state_dict().items())
    losses = [outcome.val_loss for outcome in both.progress.outcomes]
    assert losses == [outcome.val_loss for training in (joint, plain) for outcome in training.progress.outcomes]


def test_a_killed_comparison_goes_on_to_the_bit() -> None:
    straight = compared()
    expected = [said(event) for event in fit(straight)]
    for events in range(0, len(expected), 7):
        killed = compared()
        before = [said(event) for event in islice(fit(killed), events)]
        content = pack(*killed.capture())
        again = compared()
        torch.manual_seed(99)
        again.restore(*unpack(content))
        assert before + [said(event) for event in fit(again)] == expected
        assert all(torch.equal(weight, again.kept[REFERENCE][name]) for name, weight in straight.kept[REFERENCE].items())


def test_series_of_the_joint_training_are_apart() -> None:
    training = compared()
    reading = Reading(training)
    names: dict[bool, set[str]] = {True: set(), False: set()}
    for event in fit(training):
        if not isinstance(event, StageOutcome):
            names[training.run.stage.is_reference] |= {name for point in reading.points(event) for name in point.values}
    assert names[True]
    assert names[False]
    assert all(name.startswith("joint/") for name in names[True])
    assert not any(name.startswith("joint/") for name in names[False])
    assert reading.progress()["fraction"] == 1.0


@pytest.mark.parametrize(
    ("losses", "scores", "sentence"),
    [
        (
            (0.5, 0.4),
            ({"mase": 2.0, "mae": 1.0}, {"mase": 1.5, "mae": 1.0}),
            "80.0 % of the joint accuracy by validation loss (0.5 against 0.4) and 75.0 % of the joint accuracy by mase (2 against 1.5)",
        ),
        ((None, None), ({"mase": None, "mae": 1.0}, {"mase": 1.0, "mae": 2.0}), "200.0 % of the joint accuracy by mae (1 against 2)"),
        ((-1.5, -2.0), ({}, {}), "validation loss -1.5 against -2 of the joint training"),
        ((None, None), ({}, {}), "nothing to compare the joint training by,"),
    ],
)
def test_the_sentence_says_accuracy_and_cost(
    losses: tuple[float | None, float | None], scores: tuple[dict[str, float | None], dict[str, float | None]], sentence: str
) -> None:
    outcomes = [
        outcome(is_reference=True, val_loss=losses[1], cpu_seconds=8.0),
        outcome(is_reference=False, val_loss=9.0, cpu_seconds=1.0),
        outcome(is_reference=False, val_loss=losses[0], cpu_seconds=3.0),
    ]
    found = compare(outcomes, *scores)
    assert found.sentence == f"{sentence} at 50 % of its CPU time"
    assert (found.phases.cpu_seconds, found.phases.epochs, found.joint.epochs) == (4.0, 6, 3)


def test_each_stage_says_what_it_began_with_and_what_it_took() -> None:
    training = training_of(spec_of(training={**PHASES, "lr": 0.01}))
    for _ in fit(training):
        pass
    for stage in training.progress.outcomes:
        assert stage.val_loss_before is not None
        assert stage.val_loss is not None
        assert stage.val_loss < stage.val_loss_before
        assert stage.cpu_seconds is not None
        assert stage.cpu_seconds > 0.0
