"""A range test finds a rate that learns, leaves nothing behind, and is told."""

import math
from itertools import islice, pairwise

import numpy as np
import pytest
import torch

from app.forecasting.checkpoint import pack, unpack
from app.store.progress import Point
from tests.worker.training.lessons import said, spec_of, training_of
from worker.reading import Reading
from worker.training.events import Batch, Epoch, RateFound, Trial
from worker.training.fit import fit
from worker.training.range_test import TRIALS, USUAL, chosen, is_thrown_out, rates, trial_rows
from worker.training.state import clone

AUTO = {"epochs": 6, "patience": None, "lr": "auto"}


def test_rates_rise_from_a_millionth_to_one_by_equal_shares() -> None:
    found = rates()
    assert len(found) == TRIALS == 100
    assert (found[0], found[-1]) == pytest.approx((1e-6, 1.0))
    ratios = [high / low for low, high in pairwise(found)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))


def test_the_rate_is_a_tenth_of_that_with_the_least_loss() -> None:
    losses = [1.0 + (math.log10(rate) + 2.0) ** 2 for rate in rates()]
    assert 1e-3 < chosen(losses) < 4e-3  # a running mean lags behind
    assert chosen([1.0] * 100) == USUAL
    assert chosen([float("nan")]) == USUAL
    assert chosen([3.0, 2.0, float("inf")]) == pytest.approx(rates()[1] / 10)


def test_a_test_ends_when_the_loss_has_been_thrown_out_even_one_below_zero() -> None:
    falling = [-1.0 - 0.01 * trial for trial in range(50)]
    assert not is_thrown_out(falling)
    assert is_thrown_out([*falling, 200.0])
    assert is_thrown_out([*falling, float("nan")])
    assert not is_thrown_out([1.0, 1.5, 2.0])


def test_trials_go_through_all_windows_before_they_begin_again() -> None:
    settings = spec_of(training={"batch_size": 7}).training
    trials = list(islice(trial_rows(settings, 0, 14), 4))
    assert sorted(np.concatenate(trials[:2])) == sorted(np.concatenate(trials[2:])) == list(range(14))
    other = next(trial_rows(settings, 1, 14))
    assert not np.array_equal(other, trials[0])


def test_a_found_rate_learns_better_than_the_usual_one_and_nothing_else_is_changed() -> None:
    found, usual = training_of(spec_of(training=AUTO)), training_of(spec_of(training={**AUTO, "lr": 1e-3}))
    begun = clone(found.network.state_dict())
    events = fit(found)
    trials: list[Trial] = []
    event = next(events)
    while isinstance(event, Trial):
        trials.append(event)
        event = next(events)
    assert isinstance(event, RateFound)
    assert all(torch.equal(weight, begun[name]) for name, weight in found.network.state_dict().items())
    assert [trial.lr for trial in trials] == list(event.rates) == list(rates()[: len(trials)])
    assert [trial.loss for trial in trials] == list(event.losses)
    assert 1e-4 < event.lr <= 0.1
    losses = [[one.val_loss for one in rest if isinstance(one, Epoch)][-1] for rest in (events, fit(usual))]
    assert losses[0] is not None
    assert losses[1] is not None
    assert losses[0] < 0.5 * losses[1]
    assert found.progress.outcomes[0].lr == event.lr


def test_the_training_after_a_test_is_that_with_the_rate_written_down() -> None:
    found = training_of(spec_of(training=AUTO))
    events = [event for event in fit(found) if not isinstance(event, Trial)]
    rate = events[0]
    assert isinstance(rate, RateFound)
    written = training_of(spec_of(training={**AUTO, "lr": rate.lr}))
    straight = list(fit(written))
    losses = [[event.loss for event in run if isinstance(event, Batch)] for run in (events, straight)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("events", [1, 40])
def test_a_kill_during_a_test_repeats_it_to_the_bit(events: int) -> None:
    straight = [said(event) for event in fit(training_of(spec_of(training=AUTO)))]
    killed = training_of(spec_of(training=AUTO))
    assert [said(event) for event in islice(fit(killed), events)] == straight[:events]
    content = pack(*killed.capture())
    again = training_of(spec_of(training=AUTO))
    torch.manual_seed(5)
    again.restore(*unpack(content))
    assert [said(event) for event in fit(again)] == straight


def test_every_phase_without_a_rate_of_its_own_has_a_test() -> None:
    phases = [{"learn": "layer by layer", "epochs": 1}, {"learn": "all", "epochs": 1, "lr": 0.002}]
    training = training_of(spec_of(training={**AUTO, "phases": phases}))
    found = [event.stage for event in fit(training) if isinstance(event, RateFound)]
    assert found == [0, 1]
    assert training.progress.outcomes[2].lr == 0.002


def test_progress_and_points_count_trials() -> None:
    training = training_of(spec_of(training=AUTO))
    reading = Reading(training)
    fractions: list[float] = []
    points: list[Point] = []
    for event in fit(training):
        if isinstance(event, Trial):
            assert reading.progress()["phase"] == "range test, all"
        fractions.append(float(str(reading.progress()["fraction"])))
        points += reading.points(event)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    steps = [point.step for point in points]
    assert steps == sorted(set(steps))
    assert {"range_test/loss", "range_test/lr"} <= points[0].values.keys()
