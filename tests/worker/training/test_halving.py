"""A device without the memory for a batch gets half of it at once, one time; what is learnt stays the same."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.worker.training.lessons import spec_of, training_of
from worker.training.events import Epoch, Halved
from worker.training.fit import fit
from worker.training.steps import Stepper


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets a device have the memory for so many windows at once."""
    computed = Stepper._loss

    def limited(most: int) -> None:
        def loss(self: Stepper, rows: Any) -> Any:
            if len(rows) > most:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return computed(self, rows)

        monkeypatch.setattr(Stepper, "_loss", loss)

    return limited


SPEC: dict[str, Any] = {
    "network": {"kind": "stack", "blocks": [{"kind": "lstm", "units": 6}]},  # without dropout, which halves would draw apart
    "training": {"epochs": 2, "batch_size": 16, "patience": None},
}


def losses(training: Any) -> list[float]:
    return [event.train_loss for event in fit(training) if isinstance(event, Epoch)]


def test_a_batch_that_finds_no_memory_is_computed_in_halves_and_learns_the_same(limit: Callable[[int], None]) -> None:
    whole = losses(training_of(spec_of(**SPEC)))
    limit(8)
    training = training_of(spec_of(**SPEC))
    events = list(fit(training))
    assert [event for event in events if isinstance(event, Halved)] == [Halved(0, 8)]
    assert [event.train_loss for event in events if isinstance(event, Epoch)] == pytest.approx(whole, rel=1e-5)


def test_a_training_that_goes_on_elsewhere_computes_halves_from_its_first_batch_on(limit: Callable[[int], None]) -> None:
    limit(8)
    training = training_of(spec_of(**SPEC))
    events = fit(training)
    while not isinstance(next(events), Epoch):
        pass
    other = training_of(spec_of(**SPEC))
    other.restore(*training.capture())
    assert not any(isinstance(event, Halved) for event in fit(other))


def test_a_second_time_is_the_end(limit: Callable[[int], None]) -> None:
    limit(4)
    with pytest.raises(torch.OutOfMemoryError):
        list(fit(training_of(spec_of(**SPEC))))
