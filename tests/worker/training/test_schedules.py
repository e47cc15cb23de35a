"""Rates move as their schedules say."""

from typing import Any

import pytest

from app.spec.training import Training as Settings
from tests.worker.training.lessons import spec_of, training_of
from worker.training.events import Batch, Epoch
from worker.training.fit import fit
from worker.training.schedules import factor_at

STEPS, PER_EPOCH = 1000, 100


def settings_of(**training: Any) -> Settings:
    return spec_of(training=training).training


def factors(**training: Any) -> list[float]:
    settings = settings_of(**training)
    return [factor_at(settings, step, STEPS, step // PER_EPOCH, 0) for step in range(STEPS)]


def test_a_warmup_rises_along_a_line_and_leaves_the_rest_to_the_schedule() -> None:
    warm = factors(warmup=0.1, schedule="cosine")
    assert warm[:100] == pytest.approx([(step + 1) / 101 for step in range(100)])
    assert warm[100] == 1.0
    assert warm[550] == pytest.approx(0.5)
    assert factors(warmup=0.1, schedule="constant")[100:] == [1.0] * 900


def test_steps_cut_after_every_so_many_epochs() -> None:
    found = factors(schedule={"kind": "step", "every": 4, "factor": 0.1})
    assert found[::PER_EPOCH] == pytest.approx([1.0] * 4 + [0.1] * 4 + [0.01] * 2)


def test_one_cycle_rises_once_and_falls_once_to_nothing() -> None:
    found = factors(schedule={"kind": "one_cycle", "rise": 0.25, "divide": 10.0})
    assert found[0] == pytest.approx(0.1)
    assert max(found) == found[250] == 1.0
    assert found[:251] == sorted(found[:251])
    assert found[250:] == sorted(found[250:], reverse=True)
    assert found[-1] < 1e-4


def test_a_plateau_cuts_when_the_validation_loss_stays() -> None:
    schedule = {"kind": "plateau", "factor": 0.25, "patience": 2}
    # A rate that moves nothing by more than this.
    training = training_of(spec_of(training={"epochs": 7, "lr": 1e-7, "patience": None, "min_delta": 1.0, "schedule": schedule}))
    rates = [event.lr for event in fit(training) if isinstance(event, Epoch)]
    assert rates == pytest.approx([1e-7] * 3 + [0.25e-7] * 2 + [0.0625e-7] * 2)


def test_patience_asks_for_a_fall_of_min_delta_and_the_best_weights_are_kept_anyway() -> None:
    training = {"epochs": 50, "lr": 1e-4, "patience": 3, "min_delta": 0.5}
    run = training_of(spec_of(training=training))
    epochs = [event for event in fit(run) if isinstance(event, Epoch)]
    assert len(epochs) == 4
    assert all(epoch.is_best for epoch in epochs)
    assert run.progress.outcomes[0].best_epoch == 4


def test_the_rate_of_a_batch_is_that_of_its_step() -> None:
    training = training_of(spec_of(training={"epochs": 2, "lr": 0.01, "warmup": 0.5, "schedule": "constant", "patience": None}))
    rates = [training.progress.lr for event in fit(training) if isinstance(event, Batch)]
    half = round(0.5 * len(rates))
    assert rates[:half] == pytest.approx([0.01 * (step + 1) / (half + 1) for step in range(half)])
    assert rates[half:] == [0.01] * (len(rates) - half)
