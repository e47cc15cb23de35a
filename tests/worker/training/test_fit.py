"""The loop learns, repeats itself to the bit, goes on from any batch as if nothing had happened, and says when it cannot."""

import math
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import DivergedError, UnfitDataError
from app.forecasting.checkpoint import pack, unpack
from app.series.panel import Panel
from tests.worker.training.lessons import CPU, said, spec_of, training_of, waves
from worker.training.events import Batch, Epoch, Rollback
from worker.training.fit import Training, fit, rows_of_epoch
from worker.training.material import prepare
from worker.training.state import StageOutcome, clone


def all_of(training: Training) -> list[Any]:
    return [said(event) for event in fit(training)]


def equal_weights(first: Training, second: Training) -> bool:
    return all(
        torch.equal(weight, second.network.state_dict()[name]) and torch.equal(first.best[name], second.best[name])
        for name, weight in first.network.state_dict().items()
    )


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    first, second, third = training_of(), training_of(), training_of(spec_of(training={"epochs": 3, "seed": 1, "patience": None}))
    events = all_of(first)
    assert events == all_of(second)
    assert equal_weights(first, second)
    assert events != all_of(third)


def resumed(events: int, **changes: Any) -> tuple[list[Any], Training]:
    """A training that was killed after some events, and went on elsewhere from its bytes."""
    killed = training_of(spec_of(**changes))
    before = [said(event) for event in islice(fit(killed), events)]
    content = pack(*killed.capture())
    torch.manual_seed(12345)  # another process has another generator
    again = training_of(spec_of(**changes))
    again.restore(*unpack(content))
    return before + all_of(again), again


@pytest.mark.slow
@settings(max_examples=15)
@given(st.integers(0, 40), st.sampled_from(["adam", "adamw", "sgd", "rmsprop"]), st.sampled_from(["cosine", "constant"]))
def test_killed_and_resumed_after_any_event_equals_never_killed(events: int, optimizer: str, schedule: str) -> None:
    training = {"epochs": 3, "patience": 2, "optimizer": optimizer, "schedule": schedule, "lr": 0.01}
    training |= {"momentum": 0.9} if optimizer in {"sgd", "rmsprop"} else {"clip_value": 0.01}
    straight = training_of(spec_of(training=training))
    expected = all_of(straight)
    found, again = resumed(min(events, len(expected)), training=training)
    assert found == expected
    assert equal_weights(straight, again)


def test_a_training_that_was_done_stays_done() -> None:
    expected = all_of(training_of())
    found, _ = resumed(len(expected))
    assert found == expected


def test_training_lowers_the_loss_and_finishing_takes_the_best_weights() -> None:
    training = training_of(spec_of(training={"epochs": 15, "lr": 0.01, "patience": None}))
    epochs = [event for event in fit(training) if isinstance(event, Epoch)]
    losses = [epoch.val_loss for epoch in epochs if epoch.val_loss is not None]
    assert losses[-1] < 0.5 * losses[0]
    best = min(epochs, key=lambda epoch: epoch.val_loss or math.inf)
    assert training.progress.outcomes[0].best_epoch == best.epoch
    training.finish()
    assert all(torch.equal(weight, training.best[name]) for name, weight in training.network.state_dict().items())
    assert not any(parameter.requires_grad for parameter in training.network.parameters())


def test_patience_ends_a_training_that_gets_no_better() -> None:
    training = training_of(spec_of(training={"epochs": 200, "lr": 0.05, "patience": 2, "schedule": "constant"}))
    epochs = [event for event in fit(training) if isinstance(event, Epoch)]
    assert len(epochs) < 200
    assert [epoch.is_best for epoch in epochs[-2:]] == [False, False]
    assert training.progress.outcomes[0].best_epoch == len(epochs) - 2


def test_an_epoch_goes_through_every_window_once_in_an_order_of_its_own() -> None:
    training = training_of()
    first = rows_of_epoch(training)
    training.progress.epoch = 1
    second = rows_of_epoch(training)
    assert sorted(first) == sorted(second) == list(range(len(training.material.split.train)))
    assert not np.array_equal(first, second)


def test_a_bounded_epoch_draws_its_windows_anew_without_doubles() -> None:
    training = training_of(spec_of(training={"epochs": 3, "batch_size": 8, "steps_per_epoch": 5, "patience": None}))
    drawn = rows_of_epoch(training)
    training.progress.epoch = 1
    assert training.batches == 5
    assert len(set(drawn)) == len(drawn) == 40
    assert set(drawn) != set(rows_of_epoch(training))


def test_the_cosine_takes_the_rate_from_its_start_to_nothing() -> None:
    training = training_of(spec_of(training={"epochs": 4, "lr": 0.1, "patience": None}))
    rates = [training.lr for event in fit(training) if not isinstance(event, StageOutcome)]
    assert rates[0] == pytest.approx(0.1, rel=0.05)
    assert rates[-1] == pytest.approx(0.0, abs=1e-9)
    assert rates == sorted(rates, reverse=True)


def test_gradients_are_clipped_at_the_norm_that_is_asked_for() -> None:
    clipped = training_of(spec_of(training={"epochs": 1, "clip_norm": 1e-6, "patience": None}))
    before = clone(clipped.network.state_dict())
    batch = next(fit(clipped))
    assert isinstance(batch, Batch)
    assert batch.grad_norm > 1e-6
    norms = [parameter.grad.norm() for parameter in clipped.network.parameters() if parameter.grad is not None]
    assert torch.stack(norms).norm().item() == pytest.approx(1e-6, rel=1e-3)
    assert not all(torch.equal(weight, before[name]) for name, weight in clipped.network.state_dict().items())


def exploding() -> Panel:
    """Values whose squares are no single-precision numbers."""
    panel = waves(series=1)
    return Panel(panel.ids, panel.freq, panel.starts, panel.offsets, {**panel.columns, "y": panel.columns["y"] * 1e25})


def test_a_loss_that_is_no_number_goes_back_once_and_then_ends_with_advice() -> None:
    changes: dict[str, Any] = {
        "scaling": {"target": "none"},
        "head": {"kind": "point"},
        "training": {"epochs": 2, "lr": 0.01, "patience": None, "schedule": "constant"},
    }
    training = training_of(spec_of(**changes), exploding())
    events = fit(training)
    assert isinstance(next(events), Rollback)
    assert training.lr == 0.005
    with pytest.raises(DivergedError, match=r"inf at batch 2 \(epoch 1\).*lower training.lr"):
        list(events)


def test_a_training_without_validation_windows_keeps_its_newest_weights() -> None:
    panel = waves(series=1, length=40)
    panel.columns["y"][29:] = np.nan
    training = training_of(spec_of(), panel)
    assert len(training.material.split.validation) == 0
    epochs = [event for event in fit(training) if isinstance(event, Epoch)]
    assert [(epoch.val_loss, epoch.is_best) for epoch in epochs] == [(None, True)] * 3


def test_data_with_nothing_to_learn_is_refused_with_the_way_out() -> None:
    panel = waves(series=1)
    panel.columns["y"][:] = np.nan
    with pytest.raises(UnfitDataError, match="use a shorter context or horizon"):
        prepare(spec_of(), panel, CPU)


def test_covariates_are_scaled_by_the_training_part_alone() -> None:
    spec = spec_of(inputs={"target": {"columns": ["y", "x"]}})
    panel, changed = waves(), waves()
    holdout = prepare(spec, panel, CPU).split.holdout
    for series, end in enumerate(changed.offsets[1:]):
        changed.columns["x"][end - holdout[series] : end] += 100.0
    assert prepare(spec, panel, CPU).scaling == prepare(spec, changed, CPU).scaling
    assert abs(prepare(spec, panel, CPU).scaling.mean["x"]) < 0.1


def test_a_forking_decoder_learns_from_every_step_what_a_direct_one_learns_from_windows_of_their_own() -> None:
    spec = spec_of(decoder={"kind": "forking"}, scaling={"target": "none"}, network={"kind": "gru", "units": 4}, horizon=2, context=5)
    training = training_of(spec)
    source, network = training.material.source, training.network.eval()
    cutoffs = np.array([30])
    forked = source.batch(cutoffs, is_forked=True)
    network.zero_grad()
    raw, _ = training.run.look(forked, cutoffs, np.array([0]))
    loss = training.head.loss(raw, forked.target, forked.observed, forked.scales)
    torch.autograd.backward(loss)
    together = [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]
    network.zero_grad()
    inputs = forked.inputs["target"]
    for step in range(5):
        raw = network({"target": inputs[:, : step + 1]}, forked.future[step : step + 1])
        part = training.head.loss(raw, forked.target[step : step + 1], forked.observed[step : step + 1], forked.scale)
        torch.autograd.backward(part / 5)
    apart = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    assert len(together) == len(list(network.parameters()))
    for one, other in zip(together, apart, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
def test_every_optimizer_lowers_the_loss(optimizer: str) -> None:
    momentum = {"momentum": 0.9} if optimizer == "sgd" else {}
    training = training_of(spec_of(training={"epochs": 8, "lr": 0.01, "patience": None, "optimizer": optimizer, **momentum}))
    losses = [event.train_loss for event in fit(training) if isinstance(event, Epoch)]
    assert losses[-1] < 0.8 * losses[0]
