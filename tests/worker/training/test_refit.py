"""A refit learns from the newest windows too; what is scored has not seen them."""

import numpy as np
import torch

from app.series.split import split_panel
from app.spec.phases import plan
from app.spec.stages import JUDGED
from tests.worker.training.lessons import CPU, spec_of, training_of, waves
from worker.training.comparison import network_aside
from worker.training.events import Epoch
from worker.training.fit import Training, fit
from worker.training.material import prepare

REFIT = {"training": {"epochs": 4, "batch_size": 32, "patience": None, "refit": True}}


def trained(training: Training) -> list[Epoch]:
    return [event for event in fit(training) if isinstance(event, Epoch)]


def test_it_has_half_of_the_epochs_and_all_windows() -> None:
    training = training_of(spec_of(**REFIT))
    before, refit = training.stages
    assert (before.kept_as, refit.is_refit, refit.epochs, refit.patience) == (JUDGED, True, 2, None)
    epochs = trained(training)
    assert [epoch.val_loss is None for epoch in epochs] == [False] * 4 + [True] * 2
    split = split_panel(training.material.panel, 14, 4)
    assert {*split.train.position, *split.validation.position, *split.test.position} < {*split.whole.position}


def test_what_is_scored_is_the_network_of_the_same_training_without_a_refit() -> None:
    training, plain = training_of(spec_of(**REFIT)), training_of(spec_of(training=REFIT["training"] | {"refit": False}))
    trained(training)
    trained(plain)
    judged = network_aside(training.spec, training, JUDGED).state_dict()
    for name, weight in plain.network.state_dict().items():
        torch.testing.assert_close(judged[name], weight, rtol=0, atol=0)
    assert any(not torch.equal(weight, judged[name]) for name, weight in training.network.state_dict().items())
    assert training.progress.history == plain.progress.history


def test_killed_and_resumed_equals_never_killed() -> None:
    straight = training_of(spec_of(**REFIT))
    trained(straight)
    killed = training_of(spec_of(**REFIT))
    events = fit(killed)
    while killed.progress.stage < 1 or killed.progress.batch < 2:
        next(events)
    state = killed.capture()
    resumed = training_of(spec_of(**REFIT))
    resumed.restore(*state)
    trained(resumed)
    for name, weight in straight.network.state_dict().items():
        torch.testing.assert_close(resumed.network.state_dict()[name], weight, rtol=0, atol=0)
    assert resumed.kept.keys() == straight.kept.keys() == {JUDGED}


def test_phases_are_followed_by_one_refit() -> None:
    phases = [{"learn": "layer by layer", "epochs": 2}, {"learn": "all", "epochs": 3}]
    stages = plan(spec_of(training={"phases": phases, "refit": True}))
    assert [stage.name for stage in stages] == ["layer 1 of 2", "layer 2 of 2", "all", "refit"]
    assert (stages[-1].epochs, stages[-1].draw) == (2, 3)


def test_series_begin_with_missing_steps_where_less_than_a_context_is_enough() -> None:
    panel = prepare(spec_of(min_context=7), waves(length=36), CPU).panel
    assert panel.lengths.tolist() == [43, 43, 43]
    assert np.isnan(panel.values(1)[:7]).all()
    np.testing.assert_array_equal(panel.values(1)[7:], waves(length=36).values(1))
    assert panel.times(0)[7] == waves().start(0)
    assert prepare(spec_of(), waves(), CPU).panel.lengths.tolist() == [120, 120, 120]
