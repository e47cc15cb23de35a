"""What is kept of a training is the mean of its newest epochs' weights, and the training itself goes on from its own."""

from typing import Any

import pytest
import torch

from tests.worker.training.lessons import spec_of, training_of
from worker.training.averaging import EPOCH
from worker.training.events import Epoch
from worker.training.fit import Training, fit
from worker.training.state import clone

TRAINING: dict[str, Any] = {"epochs": 4, "batch_size": 32, "steps_per_epoch": 4, "patience": None, "schedule": "constant"}
LAYERS = {"phases": [{"learn": "layer by layer", "epochs": 2}, {"learn": "all"}]}


def of(**changes: Any) -> Training:
    return training_of(spec_of(training=TRAINING | changes))


def weights_by_epoch(training: Training) -> list[dict[str, torch.Tensor]]:
    return [clone(training.run.weights()) for event in fit(training) if isinstance(event, Epoch)]


def trained(training: Training) -> dict[str, torch.Tensor]:
    for _ in fit(training):
        pass
    return training.network.state_dict()


def test_what_is_best_is_a_mean_and_the_training_goes_on_as_without() -> None:
    alone, training = weights_by_epoch(of()), of(average=3)
    seen = 0
    for event in fit(training):
        if not isinstance(event, Epoch):
            continue
        newest = alone[max(0, seen - 2) : seen + 1]
        for name, weight in training.run.weights().items():
            torch.testing.assert_close(weight, alone[seen][name], rtol=0, atol=0)
            if event.is_best:
                torch.testing.assert_close(training.best[name], torch.stack([one[name] for one in newest]).mean(dim=0))
        assert sum(name.startswith(EPOCH) for name in training.kept) == len(newest)
        seen += 1
    assert seen == 4
    assert not any(name.startswith(EPOCH) for name in training.kept)


def test_the_validation_loss_is_of_the_mean() -> None:
    losses = [[event.val_loss for event in fit(of(average=count)) if isinstance(event, Epoch)] for count in (1, 3)]
    assert losses[0][0] == losses[1][0]
    assert all(one != other for one, other in zip(losses[0][1:], losses[1][1:], strict=True))


def test_what_is_frozen_stays_as_it_is() -> None:
    training = training_of(spec_of(training=TRAINING | LAYERS | {"average": 3}))
    events = fit(training)
    while training.progress.stage < 1:
        next(events)
    first = clone(dict(training.network.blocks[0].state_dict()))
    while training.progress.stage < 2:
        next(events)
    for name, weight in training.network.blocks[0].state_dict().items():
        torch.testing.assert_close(weight, first[name], rtol=0, atol=0)


@pytest.mark.parametrize("events", [3, 7, 12, 17])
def test_killed_and_resumed_equals_never_killed(events: int) -> None:
    changes = LAYERS | {"average": 3, "refit": True}
    straight = trained(of(**changes))
    killed, again = of(**changes), of(**changes)
    for _, _ in zip(range(events), fit(killed), strict=False):
        pass
    again.restore(*killed.capture())
    found = trained(again)
    for name, weight in straight.items():
        torch.testing.assert_close(found[name], weight, rtol=0, atol=0)
